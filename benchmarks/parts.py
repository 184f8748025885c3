"""The parts that there are. Each is a module with ``PART``, its name, and ``measure(rounds, tell)``, its figures."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import Figure

Measure = Callable[[int, Callable[[str], None]], list[Figure]]
"""Takes the number of rounds and what is told what is being done; returns the figures, raises whatever it fails by."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes:
        about: what it measures, in a line.
        measure: measures it.
        needs: the programs that it starts.
        minutes: about how long a round takes.
    """

    about: str
    measure: Measure
    needs: tuple[str, ...] = ()
    minutes: float = 0.0


def _in_module(name: str) -> Measure:
    """Return what a module of this package measures; it is imported when that is done, since it may lack something."""

    def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
        figures: list[Figure] = importlib.import_module(f"benchmarks.{name}").measure(rounds, tell)
        return figures

    return measure


_CONTAINERD: Final = ("containerd",)
_IMAGES: Final = (*_CONTAINERD, "docker-registry", "gcc")

PARTS: Final[Mapping[str, Part]] = {
    "pass-through": Part(
        "calls through imagefit, nginx and socat, and direct to containerd",
        _in_module("passing"),
        (*_IMAGES, "h2load", "nginx", "socat"),
        minutes=1.5,
    ),
    "choice": Part("decode, judge and rank an index of 10 to 10,000 entries", _in_module("choice"), minutes=0.25),
    "pull": Part(
        "what a pull takes longer, and what more it asks of the registry", _in_module("pulls"), _IMAGES, minutes=1.0
    ),
    "start": Part(
        "from spawn to listening and to ready; what it spends when idle", _in_module("start"), _CONTAINERD, minutes=0.8
    ),
}
"""Every part by its name, in the order in which they are measured and shown."""
