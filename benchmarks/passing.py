"""Pass-through: what every call of a node costs more for going through imagefit.

Knows which calls go which ways and what the figures are. Leaves the ways to ``passing_proxies``, what answers to
``passing_backends``, the calls to ``passing_load`` and memory to ``passing_memory``. In each round every way is warmed
up and then loaded, by the same client over one connection; a ratio is that of two ways in one round.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import passing_load as h2load
from benchmarks.measuring import Figure, figure, interleaved, ratios
from benchmarks.passing_backends import Backend, containerd_backend, scripted_backend
from benchmarks.passing_load import Call, Times, load
from benchmarks.passing_memory import memory_figures
from benchmarks.passing_proxies import PROGRAMS, Way, imagefit, missing_programs, nginx, socat
from harness.cri import CriClient

PART: Final = "pass-through"
AT_ONCE: Final = (1, 32)
"""How many calls are under way at any moment."""

_DIRECT: Final = "direct"
_IMAGEFIT: Final = "imagefit"
_NO_METRICS: Final = "imagefit, metrics off"
_P50_BARS: Final = {("ImageStatus", 1): 8.0, ("ListImages", 1): 5.0}
_P99_BARS: Final = {("ImageStatus", 1): 7.0}
# Of the calls that are then measured.
_WARM_UP_SHARE: Final = 5
_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one way.

    Attributes:
        times: of its calls.
        cpu_us: µs of CPU time that the proxy spent on a call.
    """

    times: Times
    cpu_us: float


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure all ways.

    Args:
        rounds: how often.
        tell: is told what is being done.

    Raises:
        RuntimeError: a program is missing.
        LoadError: a call was not answered as it should be.
    """
    needed = ("containerd", "docker-registry", "gcc", h2load.PROGRAM, *PROGRAMS)
    if missing := missing_programs(*needed):
        raise RuntimeError(f"not installed: {', '.join(missing)}; `make bench` installs them")
    figures: list[Figure] = []
    with _folder() as root:
        with containerd_backend(root / "c", tell) as backend:
            figures += _passed(backend, root / "cw", rounds, tell)
        with scripted_backend(root / "s") as backend:
            figures += _passed(backend, root / "sw", rounds, tell)
        return figures + memory_figures(PART, root / "m", tell)


def figures_of(call: str, at_once: int, found: Mapping[str, Sequence[Round]]) -> list[Figure]:
    """Return the figures of one call.

    Args:
        call: its name.
        at_once: how many were under way at any moment.
        found: every way's rounds; ``direct`` is what the others are compared with.
    """
    p50 = {way: [one.times.p50 for one in some] for way, some in found.items()}
    p99 = {way: [one.times.p99 for one in some] for way, some in found.items()}
    cpu = {way: [one.cpu_us for one in some] for way, some in found.items()}
    key, name = (call, at_once), f"{call}, {at_once} at once"
    figures = [
        figure(PART, f"{name}: direct p50", "ms", p50[_DIRECT], is_compared=False),
        figure(PART, f"{name}: imagefit p50", "x", ratios(p50[_IMAGEFIT], p50[_DIRECT]), bar=_P50_BARS.get(key)),
        figure(PART, f"{name}: imagefit p99", "x", ratios(p99[_IMAGEFIT], p99[_DIRECT]), bar=_P99_BARS.get(key)),
    ]
    others = [way for way in found if way not in {_DIRECT, _IMAGEFIT, _NO_METRICS}]
    figures += [
        figure(PART, f"{name}: {way} p50", "x", ratios(p50[way], p50[_DIRECT]), is_compared=False) for way in others
    ]
    figures += [figure(PART, f"{name}: {way} CPU", "µs", cpu[way], is_compared=False) for way in (_IMAGEFIT, *others)]
    if _NO_METRICS in found:
        without = ratios(cpu[_IMAGEFIT], cpu[_NO_METRICS])
        figures.append(figure(PART, f"{name}: CPU, metrics on/off", "x", without, is_compared=False))
    return figures


def _passed(backend: Backend, root: Path, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure all calls to one backend, and look before and after whether every way answers them right."""
    root.mkdir()
    figures: list[Figure] = []
    with contextlib.ExitStack() as ending:
        tell("starting proxies")
        ways = {
            _DIRECT: Way(backend.socket),
            _IMAGEFIT: imagefit(root / "i", backend.socket, ending),
            "nginx": nginx(root / "n", backend.socket, ending),
            "socat": socat(root / "s", backend.socket, ending),
        }
        quiet = {_NO_METRICS: imagefit(root / "q", backend.socket, ending, metrics=False)}
        _check(backend, ways)
        for call in backend.calls:
            for at_once in AT_ONCE:
                compared = ways | quiet if (call.name, at_once) in _P99_BARS else ways
                told = partial(_told, tell, f"{call.name}, {at_once} at once")
                rounded = {name: partial(_round, way, call, at_once, root) for name, way in compared.items()}
                figures += figures_of(call.name, at_once, interleaved(rounded, rounds, told))
        _check(backend, ways)
    return figures


def _round(way: Way, call: Call, at_once: int, folder: Path) -> Round:
    requests = call.requests[at_once]
    load(way.socket, call, at_once, folder, max(at_once, requests // _WARM_UP_SHARE))
    before = way.cpu_seconds()
    times = load(way.socket, call, at_once, folder)
    return Round(times, (way.cpu_seconds() - before) * _US / requests)


def _check(backend: Backend, ways: Mapping[str, Way]) -> None:
    for way in ways.values():
        with CriClient(way.socket) as client:
            backend.check(client)


def _told(tell: Callable[[str], None], about: str, doing: str) -> None:
    tell(f"{about}, {doing}")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder with a short path, as sockets need it; it is deleted in the end."""
    path = Path(tempfile.mkdtemp(prefix="if-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
