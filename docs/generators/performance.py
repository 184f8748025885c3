"""``explanation/performance.md``: what was measured, with the figures of the committed base.

Knows how figures become tables. Leaves the words to ``performance.md`` beside this module, which is written by hand,
measuring to ``benchmarks``, and the plots to ``benchmarks.plots``. Marks in the hand-written part are replaced:

- ``<!-- machine -->``: what the base was measured on.
- ``<!-- bars -->``: every figure that has a bar, and whether it keeps it.
- ``<!-- missed -->``: one line for each bar that is missed.
- ``<!-- figures of PART -->``: all figures of a part.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.measuring import Figure
from benchmarks.parts import PARTS
from benchmarks.results import BASE, Run, read_run
from benchmarks.table import number, quantity, spread
from docs.generators.places import EXPLANATION

_HAND_WRITTEN: Final = Path(__file__).with_suffix(".md")
_HEAD: Final = """\
<!-- Written by `make docs` from benchmarks/results/base.json; edit docs/generators/performance.md instead. -->

"""
_MARK: Final = re.compile(r"<!-- (machine|bars|missed|figures of ([a-z-]+)) -->")
_COLUMNS: Final = "| figure | value | rounds | bar | |\n|---|--:|--:|--:|---|"


class UnknownMarkError(Exception):
    """The hand-written part asks for figures of a part that there is not."""


def files() -> dict[Path, str]:
    """Return the page."""
    return {EXPLANATION / "performance.md": performance_page(_HAND_WRITTEN.read_text(), read_run(BASE))}


def performance_page(text: str, run: Run) -> str:
    """Return the page.

    Args:
        text: Markdown with marks, each on a line of its own.
        run: whose figures it shows.

    Raises:
        UnknownMarkError: a mark names a part that there is not.
    """
    return _HEAD + _MARK.sub(lambda mark: "\n".join(_marked(mark, run)), text)


def _marked(mark: "re.Match[str]", run: Run) -> Iterable[str]:
    if part := mark[2]:
        return _part(part, run)
    return {"machine": _machine, "bars": _bars, "missed": _missed}[mark[1]](run)


def _part(part: str, run: Run) -> Iterator[str]:
    if part not in PARTS:
        raise UnknownMarkError(f"{part!r} is none of {', '.join(PARTS)}")
    figures = [figure for figure in run.figures if figure.part == part]
    if figures:
        yield _COLUMNS
        yield from map(_row, figures)
    else:
        yield "*Not measured in this run.*"


def _bars(run: Run) -> Iterator[str]:
    yield "| part " + _COLUMNS.replace("\n", "\n|---")
    yield from (f"| {figure.part} {_row(figure)}" for figure in run.figures if figure.bar is not None)


def _missed(run: Run) -> Iterator[str]:
    missed = [figure for figure in run.figures if figure.is_missed]
    for one in missed:
        bar = f"where {quantity(one.bar, one.unit)} was the aim" if one.bar is not None else ""
        yield f"- {one.part}, {one.name}: {quantity(one.value, one.unit)}, {bar}"
    if not missed:
        yield "No bar is missed."


def _machine(run: Run) -> Iterator[str]:
    machine = run.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items() if version)
    changed = " with changes" if run.is_dirty else ""
    yield "| | |\n|---|---|"
    yield f"| measured | {run.date}, commit `{run.commit[:12]}`{changed}, {run.rounds} rounds |"
    yield f"| machine | {machine.cpu}, {machine.cores} cores, {number(machine.memory_mb / 1024)} GiB |"
    yield f"| kernel | Linux {machine.kernel} |"
    yield f"| versions | {versions} |"
    yield f"| load average | {run.load_before:g} before, {run.load_after:g} after |"


def _row(figure: Figure) -> str:
    bar = "" if figure.bar is None else f"≤ {number(figure.bar)}"
    state = "" if figure.bar is None else "**missed**" if figure.is_missed else "ok"
    name = figure.name.replace("|", "\\|")
    return f"| {name} | {quantity(figure.value, figure.unit)} | {spread(figure)} | {bar} | {state} |"
