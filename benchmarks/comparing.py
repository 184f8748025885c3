"""What became worse since the base.

Knows which figures can be compared over machines and days, and by how much they may differ. Leaves to ``table`` how
that is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.measuring import Figure

WORSE: Final = 1.3
"""A figure that is more than so many times the base's may have become worse."""
COUNTS: Final = frozenset({"requests", "entries"})
"""Units that are counted, not measured: any more is worse."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure that is not as it was.

    Attributes:
        figure: what it is of.
        base: its value in the base; None where the base has none.
        now: its value now; None where it was not measured.
        word: what became of it.
    """

    figure: Figure
    base: float | None
    now: float | None
    word: Literal["worse", "missing", "new"]

    @property
    def fails(self) -> bool:
        """Whether the comparison fails by it: by all but a new figure, which there is nothing to compare with."""
        return self.word != "new"


def changes(base: Iterable[Figure], now: Iterable[Figure], parts: Iterable[str]) -> list[Change]:
    """Return what became worse, what is missing and what is new, in this order.

    Args:
        base: the figures of the run to compare with.
        now: those of this run.
        parts: what this run measured; figures of other parts are not missing.
    """
    chosen = set(parts)
    old = _by_name(figure for figure in base if figure.part in chosen)
    new = _by_name(now)
    return [
        *(
            Change(new[key], one.value, new[key].value, "worse")
            for key, one in old.items()
            if key in new and is_worse(one, new[key])
        ),
        *(Change(one, one.value, None, "missing") for key, one in old.items() if key not in new),
        *(Change(one, None, one.value, "new") for key, one in new.items() if key not in old),
    ]


def is_worse(base: Figure, now: Figure) -> bool:
    """Tell whether a figure has become worse.

    A count has by any more; all else by more than ``WORSE`` times and beyond chance, which is where every round now is
    above every round of the base.
    """
    if now.unit in COUNTS:
        return now.value > base.value
    return now.value > base.value * WORSE and now.lowest > base.highest


def _by_name(figures: Iterable[Figure]) -> Mapping[tuple[str, str], Figure]:
    return {(figure.part, figure.name): figure for figure in figures if figure.is_compared}
