"""The files to a ``Config``, or to everything that is wrong with them.

Knows what only the whole configuration can tell: sockets that are one, plug-ins that nobody installed, keys that cannot
be used. Leaves what one file can tell to ``checking``.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from imagefit.config.checking import Complaint, complaints, key_name, shown
from imagefit.config.keys import tables_of
from imagefit.config.kinds import MAX_RULES
from imagefit.config.lines import Path as KeyPath
from imagefit.config.merging import Clash, Merged, Placed, merged
from imagefit.config.settings import Config
from imagefit.config.sources import Fault, Source, parse_source, read_sources
from imagefit.config.trust import unusable_keys
from imagefit.errors import InvalidConfigurationError

MAX_FAULTS: Final = 20
"""Most faults that are told at once."""
# To look for what each of 20,000 unknown keys may have meant takes seconds.
_MOST_COMPLAINTS: Final = 1000  # of one file


class FaultyConfigurationError(InvalidConfigurationError):
    """The configuration has faults.

    Attributes:
        faults: the first of them; at least one.
        more: how many are left out.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults; the first gives the message."""
        self.faults = tuple(faults[:MAX_FAULTS])
        self.more = len(faults) - len(self.faults)
        first, *others = faults
        if not others:
            super().__init__(str(first), advice=first.advice)
            return
        hint = f" ({first.advice})" if first.advice else ""
        count = "1 more fault" if len(others) == 1 else f"{len(others)} more faults"
        super().__init__(f"{first}{hint}; and {count}", advice="'imagefit config check' names all")


class Loaded(msgspec.Struct, frozen=True):
    """A configuration and where it comes from.

    Attributes:
        files: those that were read, in order.
        merged: what they say, and where each value comes from.
    """

    config: Config
    files: tuple[str, ...]
    merged: Merged


Installed = Callable[[], Collection[str]]


def _installed_plugins() -> Collection[str]:
    from imagefit.node.plugins import installed_plugins  # it brings every detector, and few nodes have plug-ins

    return installed_plugins()


def load_config(path: Path | None) -> Config:
    """Read the configuration.

    Args:
        path: the main file, or None for the default one, which need not exist. The folder of the same name with ``.d``
            for ``.toml`` is read after it.

    Raises:
        FaultyConfigurationError: the file is missing although it was named, a file cannot be read or trusted, or has a
            fault. The message names file, line and key, the advice the nearest known name.
    """
    return read_config(path).config


def read_config(path: Path | None, installed: Installed = _installed_plugins) -> Loaded:
    """Read the configuration and keep where each value comes from.

    Args:
        path: as for ``load_config``.
        installed: returns the names of the detectors that plug-ins bring; called only where some are configured.

    Raises:
        FaultyConfigurationError: as for ``load_config``.
    """
    return _loaded(read_sources(path), installed)


def parse_config(content: bytes, name: str, installed: Installed = _installed_plugins) -> Config:
    """Read a configuration from bytes.

    Args:
        content: TOML, at most 256 KiB.
        name: what errors call it.
        installed: as for ``read_config``.

    Raises:
        FaultyConfigurationError: it has a fault.
    """
    return _loaded((parse_source(content, name),), installed).config


def _loaded(found: Sequence[Source | Fault], installed: Installed) -> Loaded:
    files = [one if isinstance(one, Fault) else Placed(one) for one in found]
    whole = merged((one for one in files if isinstance(one, Placed)), Config)
    faults = [*_faults(files, whole)] or [*_too_many(whole)]
    if not faults:
        config = msgspec.convert(whole.data, Config)
        faults = [
            *_equal_sockets(config, whole),
            *_bad_detectors(config, whole, installed),
            *_unusable_keys(config, whole),
        ]
        if not faults:
            return Loaded(config, tuple(one.file for one in found), whole)
    raise FaultyConfigurationError(faults)


def _faults(files: Iterable[Placed | Fault], whole: Merged) -> Iterator[Fault]:
    """Yield what is wrong with each file, in the order of its lines, and what it gives that another gives otherwise."""
    clashes = {(id(clash.later), clash.path): clash for clash in whole.clashes}
    for placed in files:
        if isinstance(placed, Fault):
            yield placed
            continue
        faults = []
        for complaint in islice(complaints(placed.source.data, Config), _MOST_COMPLAINTS):
            clash = clashes.pop((id(placed), complaint.path), None)
            faults.append(_clash_fault(clash) if clash else _fault(placed, complaint))
        faults += [_clash_fault(clash) for clash in whole.clashes if clashes.pop((id(placed), clash.path), None)]
        yield from sorted(faults, key=lambda fault: fault.line or 0)


def _too_many(whole: Merged) -> Iterator[Fault]:
    given = map(whole.value, whole.origins)
    if not any(isinstance(value, list) and len(value) > MAX_RULES for value in given):
        return  # to go through all tables takes longer than to read most files
    for path, table, _ in tables_of(Config):
        if not table.kind.is_tables or not whole.has(path):
            continue
        if len(whole.value(path)) > MAX_RULES:
            message = f"more than {MAX_RULES} [[{'.'.join(path)}]], all files together"
            yield _whole_fault(whole, [(*path, MAX_RULES)], message)


def _fault(placed: Placed, complaint: Complaint) -> Fault:
    return Fault(placed.source.file, complaint.message, complaint.advice, placed.line(complaint.path))


def _clash_fault(clash: Clash) -> Fault:
    here, there = clash.later.value(clash.path), clash.earlier.value(clash.path)
    message = f"{key_name(clash.path)} is {shown(here)}, and in {clash.earlier.place(clash.path)} {shown(there)}"
    return _fault(clash.later, Complaint(clash.path, message, "only one of them can be right"))


def _equal_sockets(config: Config, whole: Merged) -> Iterator[Fault]:
    ours, containerds = config.server.socket, config.containerd.socket
    if os.path.realpath(ours) == os.path.realpath(containerds):
        message = f"server.socket and containerd.socket are both {shown(containerds)}"
        advice = "imagefit listens on its own socket and forwards to containerd's"
        yield _whole_fault(whole, [("containerd", "socket"), ("server", "socket")], message, advice)


def _bad_detectors(config: Config, whole: Merged, installed: Installed) -> Iterator[Fault]:
    wanted = config.node.detectors
    if not wanted:
        return
    from imagefit.node.plugins import GROUP  # see above

    names = frozenset(installed())
    at = [("node", "detectors")]
    for detector in sorted(set(wanted) - names):
        known = ", ".join(sorted(names)) or f"none (entry point group '{GROUP}')"
        message = f"node.detectors names {shown(detector)}, which no installed package brings"
        yield _whole_fault(whole, at, message, f"installed are: {known}")
    if len(set(wanted)) < len(wanted):
        yield _whole_fault(whole, at, "node.detectors names one twice")


def _unusable_keys(config: Config, whole: Merged) -> Iterator[Fault]:
    for path, message, advice in unusable_keys(config.trust.referrers):
        yield _whole_fault(whole, [path, path[:-1]], message, advice)


def _whole_fault(whole: Merged, paths: Sequence[KeyPath], message: str, advice: str = "") -> Fault:
    """Return a fault at the first of some paths that a file gives; one of them must be given."""
    placed, path = next(whole.origins[path] for path in paths if path in whole.origins)
    return Fault(placed.source.file, message, advice, placed.line(path))
