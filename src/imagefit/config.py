"""The operator's configuration: ``/etc/imagefit/config.toml`` to values, every fault with its place.

Knows the keys, their defaults and their types. Leaves their meaning to the parts that get them.
"""

import difflib
import os
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Mode, NoMatch, OnError, Policy, Preference, Unknown
from imagefit.node.plugins import GROUP, installed_plugins

DEFAULT_PATH = Path("/etc/imagefit/config.toml")
_MAX_BYTES = 1024 * 1024
_MAX_WEIGHT = 1_000_000


class _Table(msgspec.Struct, frozen=True, rename="kebab"):
    """One table of the file; keys are written with dashes."""


class Server(_Table, frozen=True, rename="kebab"):
    """``[server]``: where kubelet finds imagefit, and how long a stop waits for calls under way."""

    socket: str = "/run/imagefit/imagefit.sock"
    drain_seconds: float = 60.0


class Containerd(_Table, frozen=True, rename="kebab"):
    """``[containerd]``: where containerd listens."""

    socket: str = "/run/containerd/containerd.sock"


class Registry(_Table, frozen=True, rename="kebab"):
    """``[registry]``: containerd's own ``config_path`` (folders joined by ``:``), and where digests are cached."""

    config_path: str = "/etc/containerd/certs.d:/etc/docker/certs.d"
    cache: str = "/var/cache/imagefit"

    @property
    def config_paths(self) -> tuple[Path, ...]:
        """The folders of ``config_path``, in order."""
        return tuple(Path(part) for part in self.config_path.split(":") if part)


class NodeSettings(_Table, frozen=True, rename="kebab"):
    """``[node]``: the folder that holds the node's ``proc``, ``sys``, ``etc``, and plug-ins that look there, too."""

    root: str = "/"
    detectors: tuple[str, ...] = ()


class PolicySettings(_Table, frozen=True, rename="kebab"):
    """``[policy]``: DESIGN's four answers, and the longest time a decision may take."""

    mode: Mode = Mode.ENFORCE
    no_match: NoMatch = NoMatch.REJECT
    unknown: Unknown = Unknown.LAST
    on_error: OnError = OnError.PASS_THROUGH
    time_budget: float = 10.0


class Prefer(_Table, frozen=True, rename="kebab"):
    """``[[prefer]]``: one annotation that the operator likes, or with a negative weight dislikes."""

    annotation: str
    value: str
    weight: Annotated[int, msgspec.Meta(ge=-_MAX_WEIGHT, le=_MAX_WEIGHT)] = 1


class Config(_Table, frozen=True, rename="kebab"):
    """The whole file."""

    server: Server = Server()
    containerd: Containerd = Containerd()
    registry: Registry = Registry()
    node: NodeSettings = NodeSettings()
    policy: PolicySettings = PolicySettings()
    prefer: tuple[Prefer, ...] = ()

    @property
    def effective_policy(self) -> Policy:
        """``[policy]`` and ``[[prefer]]`` as the service takes them."""
        policy = self.policy
        prefer = tuple(Preference(one.annotation, one.value, one.weight) for one in self.prefer)
        return Policy(policy.mode, policy.no_match, policy.unknown, policy.on_error, prefer)


_TABLES: Mapping[str, type[_Table]] = {
    "server": Server,
    "containerd": Containerd,
    "registry": Registry,
    "node": NodeSettings,
    "policy": PolicySettings,
    "prefer": Prefer,
}


def load_config(path: Path | None) -> Config:
    """Read the configuration.

    Args:
        path: the file, or None for the default one, which need not exist.

    Raises:
        InvalidConfigurationError: the file is missing although it was named, cannot be read, or has a fault; the
            message names the file, the line or the key, and the nearest known name.
    """
    chosen = path or DEFAULT_PATH
    try:
        with chosen.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        if path is None:
            return Config()
        raise InvalidConfigurationError(f"{chosen} does not exist") from error
    except OSError as error:
        raise InvalidConfigurationError(f"{chosen} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise InvalidConfigurationError(f"{chosen} has more than {_MAX_BYTES} bytes")
    return parse_config(content, str(chosen))


def parse_config(content: bytes, name: str, installed: Callable[[], Collection[str]] = installed_plugins) -> Config:
    """Read a configuration from bytes.

    Args:
        content: TOML.
        name: what errors call it.
        installed: returns the names of the detectors that plug-ins bring; called only where some are configured.

    Raises:
        InvalidConfigurationError: it has a fault.
    """
    try:
        data = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfigurationError(f"{name}: not UTF-8 (at line {line})") from error
    except RecursionError as error:
        raise InvalidConfigurationError(f"{name}: nested too deeply") from error
    except ValueError as error:  # TOML's own, and Python's for a number of thousands of digits
        raise InvalidConfigurationError(f"{name}: {error}") from error
    for place, key, known in _unknown_keys(data):
        advice = _advice(place, key, known)
        raise InvalidConfigurationError(f"{name}: unknown key '{place}{key}'", advice=advice)
    try:
        config = msgspec.convert(data, Config)
    except msgspec.ValidationError as error:
        raise InvalidConfigurationError(f"{name}: {str(error).replace('$.', '')}") from error
    if config.node.detectors:
        _check_detectors(config.node.detectors, frozenset(installed()), name)
    return _checked(config, name)


def _check_detectors(wanted: tuple[str, ...], installed: frozenset[str], name: str) -> None:
    for detector in wanted:
        if detector not in installed:
            known = ", ".join(sorted(installed)) or f"none (entry point group '{GROUP}')"
            message = f"{name}: node.detectors names {detector!r}, which no installed package brings"
            raise InvalidConfigurationError(message, advice=f"installed are: {known}")
    if len(set(wanted)) < len(wanted):
        raise InvalidConfigurationError(f"{name}: node.detectors names one twice")


def _checked(config: Config, name: str) -> Config:
    for key, seconds in (
        ("policy.time-budget", config.policy.time_budget),
        ("server.drain-seconds", config.server.drain_seconds),
    ):
        if not 0 < seconds <= 3600:  # noqa: PLR2004 - an hour is beyond every use
            raise InvalidConfigurationError(f"{name}: {key} is {seconds:g}, not between 0 and 3600 seconds")
    for key, path in (
        ("server.socket", config.server.socket),
        ("containerd.socket", config.containerd.socket),
        ("node.root", config.node.root),
        ("registry.cache", config.registry.cache),
        *(("registry.config-path", str(path)) for path in config.registry.config_paths),
    ):
        if not path.startswith("/") or "\0" in path:
            raise InvalidConfigurationError(f"{name}: {key} is {path!r}, not an absolute path")
    if os.path.realpath(config.server.socket) == os.path.realpath(config.containerd.socket):
        raise InvalidConfigurationError(
            f"{name}: server.socket and containerd.socket are both {config.containerd.socket!r}",
            advice="imagefit listens on its own socket and forwards to containerd's",
        )
    return config


def _advice(place: str, key: str, known: list[str]) -> str:
    home = next((table for table, kind in _TABLES.items() if key in kind.__struct_encode_fields__), None)
    if not place and home:
        return f"it belongs under [{home}]"
    nearest = difflib.get_close_matches(key, known, n=1)
    return f"did you mean '{nearest[0]}'?" if nearest else f"known are: {', '.join(sorted(known))}"


def _unknown_keys(data: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Return place, key and known keys of everything that no table has, in the order of the file."""
    found = [("", key, list(_TABLES)) for key in data if key not in _TABLES]
    for table, kind in _TABLES.items():
        known = list(kind.__struct_encode_fields__)
        content = data.get(table, {})
        for one in content if isinstance(content, list) else [content]:
            keys = one if isinstance(one, dict) else {}
            found.extend((f"{table}.", key, known) for key in keys if key not in known)
    return found
