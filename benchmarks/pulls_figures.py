"""What becomes of the times and requests of pulls: how much imagefit added, and which of its steps took it.

Knows the figures. Leaves to ``pulls`` how pulls are measured.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.measuring import Figure, figure, ratios
from benchmarks.pulls_images import CARRIERS, INLINE
from benchmarks.pulls_site import Pulled

DIRECT: Final = "direct"
THROUGH: Final = "through"
FIRST: Final = "first"
REPEATED: Final = "repeated"

_MS: Final = 1_000
_CHOICE: Final = ("index", "node", "metadata", "judge")
_RESOLVE: Final = "resolve"


@dataclass(frozen=True, slots=True)
class Round:
    """The pulls of one index in one round.

    Attributes:
        first: by way.
        repeated: by way, several.
        asked: the registry's requests by method, of one pull, by ``FIRST`` or ``REPEATED`` and by way.
        steps: seconds of imagefit's own steps in all repeated pulls; empty where they were not looked at.
        heads: seconds of bare HEADs for the same index, one before each pair of repeated pulls.
    """

    first: Mapping[str, Pulled]
    repeated: Mapping[str, Sequence[Pulled]]
    asked: Mapping[tuple[str, str], Counter[str]]
    steps: Mapping[str, float]
    heads: Sequence[float]

    def milliseconds(self, when: str, way: str) -> float:
        """Return what a pull took; of repeated ones the median."""
        pulls = [self.first[way]] if when == FIRST else self.repeated[way]
        return _MS * statistics.median(one.seconds for one in pulls)

    def added(self, when: str) -> float:
        """Return how many milliseconds longer a pull through imagefit took than a direct one."""
        return self.milliseconds(when, THROUGH) - self.milliseconds(when, DIRECT)

    def beyond_head(self) -> float:
        """Return how many milliseconds longer than a bare HEAD and a direct pull one through imagefit took.

        It is the median over pairs of pulls, one after the other, less that of the HEADs.
        """
        pairs = zip(self.repeated[THROUGH], self.repeated[DIRECT], strict=True)
        longer = statistics.median(through.seconds - direct.seconds for through, direct in pairs)
        return _MS * (longer - statistics.median(self.heads))

    def more_asked(self, when: str, method: str) -> float:
        """Return how many requests more a pull through imagefit made than a direct one."""
        return self.asked[when, THROUGH][method] - self.asked[when, DIRECT][method]

    def split(self) -> dict[str, float]:
        """Return what the milliseconds added to a repeated pull consist of; means, which add up.

        Naming is all that imagefit does besides, such as passing on what containerd answers. The last part is how much
        longer containerd's own pull by digest takes than one by tag; it can be below zero.
        """
        resolve, choice, pull = (self._steps_ms(*steps) for steps in ((_RESOLVE,), _CHOICE, ("pull",)))
        direct, through = (
            _MS * statistics.mean(one.seconds for one in self.repeated[way]) for way in (DIRECT, THROUGH)
        )
        return {
            _RESOLVE: resolve,
            "choice": choice,
            "naming": through - resolve - choice - pull,
            "pull by digest": pull - direct,
        }

    def _steps_ms(self, *names: str) -> float:
        """Return what these steps took in one pull."""
        return _MS * sum(self.steps.get(name, 0.0) for name in names) / len(self.repeated[THROUGH])


def figures_of(part: str, found: Mapping[str, Sequence[Round]]) -> list[Figure]:
    """Return all figures of pulls from an index of ten entries.

    Args:
        part: they belong to.
        found: by ``carrier, delay`` the rounds, those without delay first.
    """
    near = {carrier: next(found[name] for name in found if name.startswith(f"{carrier}, ")) for carrier in CARRIERS}
    return [*_added(part, found), *_bounded(part, near[INLINE]), *_asked(part, near)]


def _added(part: str, found: Mapping[str, Sequence[Round]]) -> Iterator[Figure]:
    for name, rounds in found.items():
        for when in (FIRST, REPEATED):
            added = [one.added(when) for one in rounds]
            yield figure(part, f"{name}, {when}: added", "ms", added, is_compared=False)
        if name.startswith(INLINE):
            yield from _split(part, name, rounds)


def _split(part: str, name: str, rounds: Sequence[Round]) -> Iterator[Figure]:
    splits = [one.split() for one in rounds]
    for what in splits[0]:
        values = [split[what] for split in splits]
        yield figure(part, f"{name}, {REPEATED}: {what}", "ms", values, is_compared=False)


def _bounded(part: str, rounds: Sequence[Round]) -> Iterator[Figure]:
    times = {way: [one.milliseconds(REPEATED, way) for one in rounds] for way in (DIRECT, THROUGH)}
    heads = [_MS * statistics.median(one.heads) for one in rounds]
    beyond = [one.beyond_head() for one in rounds]
    yield figure(part, f"{INLINE}, {REPEATED}: direct", "ms", times[DIRECT], is_compared=False)
    yield figure(part, f"{INLINE}, {REPEATED}: through / direct", "x", ratios(times[THROUGH], times[DIRECT]))
    yield figure(part, f"{INLINE}, {REPEATED}: a bare HEAD", "ms", heads, is_compared=False)
    yield figure(part, f"{INLINE}, {REPEATED}: added beyond the HEAD", "ms", beyond, is_compared=False)


def _asked(part: str, near: Mapping[str, Sequence[Round]]) -> Iterator[Figure]:
    for carrier, rounds in near.items():
        for when in (FIRST, REPEATED):
            gets, heads = ([one.more_asked(when, method) for one in rounds] for method in ("GET", "HEAD"))
            yield figure(part, f"{carrier}, {when}: more GETs", "requests", gets)
            yield figure(part, f"{carrier}, {when}: more HEADs", "requests", heads)
