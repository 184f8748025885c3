"""Measures imagefit against not being there: ``make bench``, or ``python -m benchmarks`` with ``tests`` on the path.

Knows what becomes of the figures. Leaves to each part what it measures.
"""

import argparse
import compileall
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

import imagefit
from benchmarks.comparing import changes
from benchmarks.machine import load_average, this_machine
from benchmarks.measuring import ROUNDS, Figure
from benchmarks.parts import PARTS, Part
from benchmarks.progress import Progress
from benchmarks.results import BASE, SCHEMA, Run, UnreadableRunError, commit, now, path_of, read_run, write_run
from benchmarks.table import print_changes, print_figures

_EXIT_INTERRUPTED: Final = 130
_ABOUT: Final = """\
Measures imagefit in one run against not being there and against other proxies.
Figures are medians over rounds in which all ways take turns, so that ratios
hold on a machine that is not quiet. Without PART all parts run, and the figures
are kept in benchmarks/results/DATE.json.
"""


@dataclass(slots=True)
class _Measured:
    figures: list[Figure] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None, parts: Mapping[str, Part] = PARTS, base: Path = BASE) -> int:
    """Run the parts that are named and keep, show and compare what they found.

    Args:
        arguments: the command line without the program; this process's by default.
        parts: those that there are.
        base: the file to compare with; runs are kept beside it.

    Returns:
        0; 1 where a part failed or, with ``--check``, a figure became worse; 130 after Ctrl-C.
    """
    options = _parser(parts).parse_args(arguments)
    names = [name for name in parts if name in options.parts] or list(parts)
    try:
        compared = read_run(base) if options.check else None
    except UnreadableRunError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    date, (hash_, is_dirty), load_before = now(), commit(), load_average()
    # What is started finds its bytecode, as an installed package does; elsewhere nobody may have written it.
    compileall.compile_dir(Path(imagefit.__file__).parent, quiet=2)
    try:
        measured = _measure({name: parts[name] for name in names}, options.rounds)
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return _EXIT_INTERRUPTED
    run = Run(
        schema=SCHEMA,
        date=date,
        commit=hash_,
        is_dirty=is_dirty,
        machine=this_machine(),
        load_before=load_before,
        load_after=load_average(),
        rounds=options.rounds,
        failed=tuple(measured.failed),
        figures=tuple(measured.figures),
    )
    # First of all: whoever reads the table may leave before its end.
    is_kept = len(names) == len(parts) and options.rounds >= ROUNDS and not options.check
    _keep(run, options.results or (path_of(date, base.parent) if is_kept else None))
    console = Console(highlight=False)
    print_figures(run.figures, console)
    return int(_is_worse(run, compared, names, console) or bool(run.failed))


def _measure(parts: Mapping[str, Part], rounds: int) -> _Measured:
    """Measure every part; one that fails costs only its own figures."""
    measured = _Measured()
    with Progress() as progress:
        for name, part in parts.items():
            progress.tell(f"{name}: preparing")
            try:
                measured.figures += part.measure(rounds, partial(_tell, progress, name))
            except Exception as error:  # noqa: BLE001 - whatever a part fails by, the others are measured
                measured.failed.append(name)
                progress.say("".join(traceback.format_exception(error)).rstrip())
                progress.say(f"benchmarks: {name} failed: {error}")
    return measured


def _tell(progress: Progress, part: str, doing: str) -> None:
    progress.tell(f"{part}: {doing}")


def _keep(run: Run, path: Path | None) -> None:
    if path is not None:
        write_run(run, path)
        print(f"benchmarks: written to {path}", file=sys.stderr)


def _is_worse(run: Run, base: Run | None, parts: Sequence[str], console: Console) -> bool:
    """Show what differs from the base, and tell whether anything of it is worse; without a base nothing is."""
    if base is None:
        return False
    found = changes(base.figures, run.figures, parts)
    if found:
        print_changes(found, console)
    else:
        console.print(f"nothing is worse than in the base ({base.date}, {base.commit[:12]})")
    return any(one.fails for one in found)


def _parser(parts: Mapping[str, Part]) -> argparse.ArgumentParser:
    about = "".join(f"\n  {name:13} {part.about}" for name, part in parts.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=_ABOUT,
        epilog=f"parts:{about}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Not choices: argparse would hold the empty list of "all parts" against them.
    parser.add_argument(
        "parts", metavar="PART", nargs="*", type=partial(_part, parts), help="what to measure (default: all parts)"
    )
    parser.add_argument(
        "--rounds",
        metavar="N",
        type=_rounds,
        default=ROUNDS,
        help=f"how often everything is measured (default: {ROUNDS}; a run of fewer is not kept)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with benchmarks/results/base.json; exit with 1 where a figure is 1.3 times worse",
    )
    parser.add_argument("--results", metavar="FILE", type=Path, help="write the figures there, of some parts too")
    return parser


def _part(parts: Mapping[str, Part], text: str) -> str:
    if text not in parts:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(parts)}")
    return text


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
