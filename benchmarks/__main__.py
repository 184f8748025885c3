"""Measures imagefit against not being there: ``make bench``, or ``python -m benchmarks`` with ``tests`` on the path.

Knows what becomes of the figures. Leaves to each part what it measures.
"""

import argparse
import compileall
import math
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console

import imagefit
from benchmarks.comparing import changes
from benchmarks.machine import load_average, this_machine
from benchmarks.measuring import ROUNDS, Figure
from benchmarks.parts import PARTS, Part
from benchmarks.programs import missing_programs, search_system_folders
from benchmarks.progress import Progress
from benchmarks.results import BASE, SCHEMA, Run, UnreadableRunError, commit, now, path_of, read_run, write_run
from benchmarks.table import print_changes, print_figures

_EXIT_NOTHING_MEASURED: Final = 2
_EXIT_INTERRUPTED: Final = 130
_EXIT_TERMINATED: Final = 143
_ABOUT: Final = """\
Measures imagefit in one run against not being there and against other proxies.
Figures are medians over rounds in which all ways take turns, so that ratios
hold on a machine that is not quiet. Without PART all parts run, and the figures
are kept in benchmarks/results/DATE.json.
"""
_NEW_BASE: Final = """\


a new base, on a machine that does nothing else and of a tree without changes:
  make bench BENCH='--results benchmarks/results/base.json'
  make docs bench-plots
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
        0; 1 where a part failed, the figures could not be kept or, with ``--check``, one became worse; 2 where a
        program is missing; 130 after Ctrl-C.
    """
    options = _parser(parts).parse_args(arguments)
    names = [name for name in parts if name in options.parts] or list(parts)
    chosen = {name: parts[name] for name in names}
    if missing := missing_programs(program for part in chosen.values() for program in part.needs):
        _say(f"not installed: {', '.join(missing)}; `make bench` installs what is missing")
        return _EXIT_NOTHING_MEASURED
    try:
        compared = read_run(base) if options.check else None
    except UnreadableRunError as error:
        _say(str(error))
        return 1
    minutes = math.ceil(options.rounds * sum(part.minutes for part in chosen.values()))
    _say(f"about {minutes} minutes; Ctrl-C ends it, and nothing is kept then")
    date, (hash_, is_dirty), load_before = now(), commit(), load_average()
    try:
        measured = _measure(chosen, options.rounds)
    except KeyboardInterrupt:
        _say("interrupted")
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
    is_whole = len(names) == len(parts) and options.rounds >= ROUNDS and not options.check
    path = options.results or (path_of(date, base.parent) if is_whole else None)
    is_kept = path is None or _keep(run, path)
    console = Console(highlight=False)
    print_figures(run.figures, console)
    return int(_is_worse(run, compared, names, console) or bool(run.failed) or not is_kept)


def unwind_when_terminated() -> None:
    """Have SIGTERM end this process as Ctrl-C does: what it started ends, and its folders are removed."""

    def unwind(*_: Any) -> None:  # noqa: ANN401 - as signal calls it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; another would stop the unwinding
        sys.exit(_EXIT_TERMINATED)

    signal.signal(signal.SIGTERM, unwind)


def compile_imagefit(folder: Path = Path(imagefit.__file__).parent) -> None:
    """Write the bytecode of imagefit, so that what is started finds it, as that of an installed package.

    Raises:
        SystemExit: that cannot be done.
    """
    if not compileall.compile_dir(folder, quiet=2):
        sys.exit(f"benchmarks: the bytecode of {folder} cannot be written, and without it every start is slower")


def _measure(parts: Mapping[str, Part], rounds: int) -> _Measured:
    """Measure every part; one that fails costs only its own figures."""
    measured = _Measured()
    with Progress() as progress:
        for number, (name, part) in enumerate(parts.items(), 1):
            tell = partial(_tell, progress, f"{name} (part {number} of {len(parts)})")
            tell("preparing")
            try:
                measured.figures += part.measure(rounds, tell)
            except Exception as error:  # noqa: BLE001 - whatever a part fails by, the others are measured
                measured.failed.append(name)
                progress.say("".join(traceback.format_exception(error)).rstrip())
                progress.say(f"benchmarks: {name} failed: {error}")
    return measured


def _tell(progress: Progress, part: str, doing: str) -> None:
    progress.tell(f"{part}: {doing}")


def _say(message: str) -> None:
    print(f"benchmarks: {message}", file=sys.stderr, flush=True)


def _keep(run: Run, path: Path) -> bool:
    """Write the run, and tell whether that could be done; what was found is shown all the same."""
    try:
        write_run(run, path)
    except OSError as error:
        _say(f"not kept: {error}")
        return False
    _say(f"written to {path}")
    return True


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
        epilog=f"parts:{about}{_NEW_BASE}",
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
        help="compare with benchmarks/results/base.json; exit with 1 where a figure is more than 1.3 times worse",
    )
    parser.add_argument("--results", metavar="FILE", type=_results, help="write the figures there, of some parts too")
    return parser


def _part(parts: Mapping[str, Part], text: str) -> str:
    if text not in parts:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(parts)}")
    return text


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _results(text: str) -> Path:
    """Return the path of a file that can be written, as far as that can be known before it is."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a directory")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: there is no directory {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


if __name__ == "__main__":
    unwind_when_terminated()
    search_system_folders()
    compile_imagefit()
    sys.exit(main())
