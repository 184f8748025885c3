"""Pass-through: what every call of a node costs more for going through imagefit.

Knows which calls go which ways and what the figures are. Leaves the ways to ``passing_proxies``, what answers to
``passing_backends``, the calls to ``passing_load`` and memory to ``passing_memory``. In each round every way is warmed
up and then loaded, by the same client over one connection at a time; a ratio is that of two ways in one round.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.measuring import Figure, figure, interleaved, ratios
from benchmarks.passing_backends import CALLS, Backend, containerd_backend, scripted_backend
from benchmarks.passing_load import Call, Times, load
from benchmarks.passing_memory import memory_figures
from benchmarks.passing_proxies import IMAGEFIT, NGINX, SOCAT, Way, imagefit, nginx, socat
from harness.cri import CriClient

PART: Final = "pass-through"
AT_ONCE: Final = (1, 32)
"""How many calls are under way at any moment."""

PROXIES: Final = (IMAGEFIT, NGINX, SOCAT)
"""The ways that are compared with a direct call."""

_DIRECT: Final = "direct"
_NO_METRICS: Final = "imagefit, metrics off"
_WITHOUT_METRICS: Final = (CALLS[0], 1)
"""The call that goes through an imagefit without metrics as well."""
# Of the calls that are then measured.
_WARM_UP_SHARE: Final = 5
_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Round:
    """One round of one way.

    Attributes:
        times: of its calls.
        cpu_ms: of CPU time that the proxy spent on a call.
    """

    times: Times
    cpu_ms: float


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure all ways.

    Args:
        rounds: how often.
        tell: is told what is being done.

    Raises:
        LoadError: a call was not answered as it should be.
    """
    figures: list[Figure] = []
    with _folder() as root:
        with containerd_backend(root / "c", tell) as backend:
            figures += _passed(backend, root / "cw", rounds, tell)
        with scripted_backend(root / "s") as backend:
            figures += _passed(backend, root / "sw", rounds, tell)
        return figures + memory_figures(PART, root / "m", rounds, tell)


def _name_of(call: str, at_once: int, what: str) -> str:
    """Return the name of a figure: of a call, how many of it are at once, and a way with what is told of it."""
    return f"{call}, {at_once} at once: {what}"


def p50_name_of(call: str, at_once: int, way: str) -> str:
    """Return the name of the figure that says how many times a direct call one on another way takes."""
    return _name_of(call, at_once, f"{way} p50")


def figures_of(call: str, at_once: int, found: Mapping[str, Sequence[Round]]) -> list[Figure]:
    """Return the figures of one call.

    Args:
        call: its name.
        at_once: how many were under way at any moment.
        found: every way's rounds; ``direct`` is what the others are compared with.
    """
    p50 = {way: [one.times.p50 for one in some] for way, some in found.items()}
    p99 = {way: [one.times.p99 for one in some] for way, some in found.items()}
    cpu = {way: [one.cpu_ms for one in some] for way, some in found.items()}
    named = partial(_name_of, call, at_once)
    figures = [
        figure(PART, named("direct p50"), "ms", p50[_DIRECT], is_compared=False),
        figure(PART, named("through p50"), "ms", p50[IMAGEFIT], is_compared=False),
        figure(PART, p50_name_of(call, at_once, IMAGEFIT), "x", ratios(p50[IMAGEFIT], p50[_DIRECT])),
        figure(PART, named("imagefit p99"), "x", ratios(p99[IMAGEFIT], p99[_DIRECT])),
    ]
    others = [way for way in PROXIES if way in found and way != IMAGEFIT]
    figures += [
        figure(PART, p50_name_of(call, at_once, way), "x", ratios(p50[way], p50[_DIRECT]), is_compared=False)
        for way in others
    ]
    figures += [
        figure(PART, named(f"{way} CPU"), "ms", cpu[way], is_compared=False)
        for way in (IMAGEFIT, NGINX)
        if way in found
    ]
    if _NO_METRICS in found:
        without = ratios(cpu[IMAGEFIT], cpu[_NO_METRICS])
        figures.append(figure(PART, named("CPU / metrics off"), "x", without, is_compared=False))
    return figures


def _passed(backend: Backend, root: Path, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure all calls to one backend, and look before and after whether every way answers them right."""
    root.mkdir()
    figures: list[Figure] = []
    with contextlib.ExitStack() as ending:
        tell("starting proxies")
        ways = {
            _DIRECT: Way(backend.socket),
            IMAGEFIT: imagefit(root / "i", backend.socket, ending),
            NGINX: nginx(root / "n", backend.socket, ending),
            SOCAT: socat(root / "s", backend.socket, ending),
        }
        quiet = {_NO_METRICS: imagefit(root / "q", backend.socket, ending, metrics=False)}
        _check(backend, ways)
        for call in backend.calls:
            for at_once in AT_ONCE:
                compared = ways | quiet if (call.name, at_once) == _WITHOUT_METRICS else ways
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
    return Round(times, (way.cpu_seconds() - before) * _MS / requests)


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
