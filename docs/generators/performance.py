"""``explanation/performance.md``: what was measured, with the figures of the committed base.

Knows how figures become tables. Leaves the words to ``performance.md`` beside this module, which is written by hand,
measuring to ``benchmarks``, and the plots to ``benchmarks.plots``. Marks in the hand-written part are replaced:

- ``<!-- machine -->``: what the base was measured on.
- ``<!-- limits -->``: every limit, and whether it is kept.
- ``<!-- missed -->``: one line for each limit that is missed.
- ``<!-- figures of PART -->``: all figures of a part.
- ``<!-- PART: FIGURE -->``: the value of a figure with its unit, within a line.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.limits import LIMITS
from benchmarks.parts import PARTS
from benchmarks.results import BASE, Run, read_run
from benchmarks.table import COLUMNS, number, quantity, row
from docs.generators.places import EXPLANATION

NOT_MEASURED: Final = "*not measured*"

_HAND_WRITTEN: Final = Path(__file__).with_suffix(".md")
_HEAD: Final = """\
<!-- Written by `make docs` from benchmarks/results/base.json; edit docs/generators/performance.md instead. -->

"""
_MARK: Final = re.compile(r"<!-- (machine|limits|missed|figures of ([a-z-]+)) -->")
_QUOTED: Final = re.compile(r"<!-- ([a-z-]+): (.+?) -->")
_WIDTH: Final = 120
_COLUMNS: Final = f"| {' | '.join(COLUMNS)} |\n|---|--:|--:|--:|---|"


class UnknownMarkError(Exception):
    """The hand-written part asks for figures of a part that there is not."""


def files() -> dict[Path, str]:
    """Return the page."""
    return {EXPLANATION / "performance.md": performance_page(_HAND_WRITTEN.read_text(), read_run(BASE))}


def performance_page(text: str, run: Run) -> str:
    """Return the page.

    Args:
        text: Markdown with marks, each on a line of its own but those that quote a value.
        run: whose figures it shows.

    Raises:
        UnknownMarkError: a mark names a part that there is not.
    """
    blocks = (_filled(block, run) if _QUOTED.search(block) else block for block in text.split("\n\n"))
    return _HEAD + _MARK.sub(lambda mark: "\n".join(_marked(mark, run)), "\n\n".join(blocks))


def _filled(block: str, run: Run) -> str:
    """Return a paragraph or a list with the values that it quotes, its lines as long as others are."""
    quoted = _QUOTED.sub(lambda mark: _quoted(mark[1], mark[2], run), block)
    items = re.split(r"\n(?=- )", quoted)
    return "\n".join(
        textwrap.fill(
            " ".join(item.split()),
            _WIDTH,
            subsequent_indent="  " if item.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for item in items
    )


def _marked(mark: "re.Match[str]", run: Run) -> Iterable[str]:
    if part := mark[2]:
        return _part(part, run)
    return {"machine": _machine, "limits": _limits, "missed": _missed}[mark[1]](run)


def _quoted(part: str, name: str, run: Run) -> str:
    _check(part)
    values = (quantity(one.value, one.unit) for one in run.figures if (one.part, one.name) == (part, name))
    return next(values, NOT_MEASURED)


def _part(part: str, run: Run) -> Iterator[str]:
    _check(part)
    figures = [figure for figure in run.figures if figure.part == part]
    if figures:
        yield _COLUMNS
        yield from (_line(*row(figure)) for figure in figures)
    else:
        yield NOT_MEASURED


def _limits(run: Run) -> Iterator[str]:
    found = {(figure.part, figure.name): figure for figure in run.figures}
    yield "| part " + _COLUMNS.replace("\n", "\n|---")
    for (part, name), limit in LIMITS.items():
        figure = found.get((part, name))
        cells = row(figure) if figure else (name, NOT_MEASURED, "", f"≤ {number(limit)}", "")
        yield f"| {part} {_line(*cells)}"


def _missed(run: Run) -> Iterator[str]:
    missed = [figure for figure in run.figures if figure.is_missed]
    for one in missed:
        _, value, _, limit, _ = row(one)
        yield f"- {one.part}, {one.name}: {value}, limit {limit}"
    if not missed:
        yield "No limit is missed."


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


def _line(name: str, value: str, rounds: str, limit: str, state: str) -> str:
    shown = f"**{state.lower()}**" if state == "MISSED" else state
    return f"| {name.replace('|', chr(92) + '|')} | {value} | {rounds} | {limit} | {shown} |"


def _check(part: str) -> None:
    if part not in PARTS:
        raise UnknownMarkError(f"{part!r} is none of {', '.join(PARTS)}")
