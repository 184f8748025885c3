"""Figures on the screen: a table for each part, made for 80 columns, and one of what became worse.

Knows how a number and a figure's row are written, which the page on performance shares.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.comparing import Change
from benchmarks.measuring import SHARE, Figure

COLUMNS: Final = ("figure", "value", "rounds", "limit", "")
"""What the cells of a ``row`` are."""
State = Literal["", "ok", "MISSED"]
"""Whether a limit is kept; empty where there is none."""

_WHOLE_FROM: Final = 100
_STYLES: Final[Mapping[State, str]] = {"": "", "ok": "green", "MISSED": "bold red"}


def number(value: float) -> str:
    """Return a number with three digits that count, all of those before the point and at most three after it."""
    if abs(value) >= _WHOLE_FROM:
        return f"{value:,.0f}"
    return f"{round(value, 3) + 0.0:.3g}"  # no minus before a 0


def quantity(value: float, unit: str) -> str:
    """Return a number with its unit; a ratio, ``x``, has it close, a share is told in percent."""
    if unit == SHARE:
        return f"{value:.0%}"
    return f"{number(value)}x" if unit == "x" else f"{number(value)} {unit}"


def spread(figure: Figure) -> str:
    """Return the range of a figure's rounds; empty where all are alike."""
    lowest, highest = number(figure.lowest), number(figure.highest)
    return "" if lowest == highest else f"{lowest} to {highest}"


def row(figure: Figure) -> tuple[str, str, str, str, State]:
    """Return the cells of a figure: name, value, range of its rounds, limit, and whether that is kept."""
    limit = "" if figure.limit is None else f"≤ {number(figure.limit)}"
    state: State = "" if figure.limit is None else "MISSED" if figure.is_missed else "ok"
    return figure.name, quantity(figure.value, figure.unit), spread(figure), limit, state


def print_figures(figures: Iterable[Figure], console: Console) -> None:
    """Print a table for each part, in the order of the figures."""
    for part, some in itertools.groupby(figures, key=lambda figure: figure.part):
        table = _table(part, COLUMNS)
        for figure in some:
            name, value, rounds, limit, state = row(figure)
            table.add_row(Text(name), value, rounds, limit, Text(state, style=_STYLES[state]))
        console.print(table)
        console.print()


def print_changes(changes: Sequence[Change], console: Console) -> None:
    """Print what became worse since the base, and which figures only one of the two runs has."""
    table = _table("compared with the base", ("part", "figure", "base", "now", ""))
    for one in changes:
        table.add_row(
            one.figure.part,
            Text(one.figure.name),
            "" if one.base is None else quantity(one.base, one.figure.unit),
            "" if one.now is None else quantity(one.now, one.figure.unit),
            Text(one.word, style="red" if one.fails else "yellow"),
        )
    console.print(table)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 1, 0, 0), expand=True)
    for name in columns:
        is_text = name in {"part", "figure", ""}
        table.add_column(
            name,
            justify="left" if is_text else "right",
            no_wrap=name != "figure",
            ratio=1 if name == "figure" else None,
        )
    return table
