"""What a benchmark measures: figures, each a median over interleaved rounds, and the limit that it has to keep.

Knows rounds, medians and percentiles. Leaves to the parts what is done in a round, and to ``table`` and ``results`` how
figures are shown and kept, to ``limits`` what should not be passed.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from benchmarks.limits import LIMITS

ROUNDS: Final = 5
"""Fewest rounds of a figure that is kept."""
SHARE: Final = "share"
"""The unit of what is part of a whole, from 0 to 1."""

_Sample = TypeVar("_Sample")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        part: what was measured, such as ``pass-through``.
        name: of the figure within its part; the same from run to run.
        unit: ``x`` for a ratio within this run, else ``ms``, ``MB``, ``requests``, ``share``, ``1/s`` …
        value: the median of the rounds.
        lowest: of the rounds.
        highest: of the rounds.
        limit: what the value should not be above; None for a figure that has none.
        is_compared: whether a later run is compared with it: ratios, counts and memory, which hold on any machine.
    """

    part: str
    name: str
    unit: str
    value: float
    lowest: float
    highest: float
    limit: float | None = None
    is_compared: bool = True

    @property
    def is_missed(self) -> bool:
        """Whether the value is above its limit."""
        return self.limit is not None and self.value > self.limit


def figure(part: str, name: str, unit: str, rounds: Sequence[float], *, is_compared: bool = True) -> Figure:
    """Return the figure of its values in every round, with the limit that ``LIMITS`` has for it.

    Args:
        part: see ``Figure``.
        name: see ``Figure``.
        unit: see ``Figure``.
        rounds: one value a round, at least one.
        is_compared: see ``Figure``.
    """
    limit = LIMITS.get((part, name))
    return Figure(part, name, unit, statistics.median(rounds), min(rounds), max(rounds), limit, is_compared)


def interleaved(
    ways: Mapping[str, Callable[[], _Sample]], rounds: int, tell: Callable[[str], None]
) -> dict[str, list[_Sample]]:
    """Do every way once a round, in another order each time, so that a slow moment of the machine meets them all alike.

    Args:
        ways: what is compared, by name.
        rounds: how often.
        tell: is told what is being done, for a person who waits.

    Returns:
        For each way what it returned, round by round.
    """
    names = list(ways)
    found: dict[str, list[_Sample]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            tell(f"{name}: round {number + 1} of {rounds}")
            found[name].append(ways[name]())
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that is not below ``percent`` of them (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratios(values: Sequence[float], bases: Sequence[float]) -> list[float]:
    """Return the ratio of each round's value to the same round's base."""
    return [value / base for value, base in zip(values, bases, strict=True)]
