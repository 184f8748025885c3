"""Faults at every step of a pull, then by chance: ``make faults``, or ``python -m faults`` with ``tests`` on the path.

Knows what is run in which order, and what is kept of it. Leaves a run to ``running``, the table to ``table``.
"""

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.__main__ import unwind_when_terminated
from benchmarks.programs import search_system_folders
from benchmarks.progress import Progress
from faults import crowd
from faults.catalog import FAULTS
from faults.images import OPEN, STRICT
from faults.running import DELAYS, Plan, Result, Run, plan_of
from faults.site import Site, site
from faults.table import Rows

_RUNS: Final = 500
_SEEDS: Final = 2**32
_KEPT: Final = Path(".faults")
_EXIT_INTERRUPTED: Final = 130
_ABOUT: Final = """\
Lets every fault strike at every step of a pull, on a real containerd and a real
registry, then faults that chance chooses, then a crowd of pulls; exits with 1
where anything was lost. With --fault, --crowd or --seed only that is run.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run faults and show what became of them.

    Args:
        arguments: the command line without the program; this process's by default.

    Returns:
        0; 1 where anything was lost; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    seed = random.SystemRandom().randrange(_SEEDS) if options.seed is None else options.seed
    started = time.monotonic()
    with Progress() as progress:
        made = _Made(progress)
        try:
            is_whole = options.seed is None and not options.faults and not options.crowd
            if is_whole or options.faults:
                made.run_all(list(_planned(options.faults or FAULTS)))
            if is_whole or not (options.faults or options.crowd):
                made.run_all([_by_chance(number) for number in range(seed, seed + options.runs)])
            if is_whole or options.crowd:
                made.run_crowd(seed)
        except KeyboardInterrupt:
            progress.say("faults: interrupted")
            return _EXIT_INTERRUPTED
        finally:
            made.close()
    made.rows.print(Console(highlight=False))
    print(f"{made.rows.total.tries} runs in {(time.monotonic() - started) / 60:.1f} minutes; the seed was {seed}")
    print(f"kept in {_keep(made.rows)}")
    return int(bool(made.rows.total.lost))


@dataclass(frozen=True, slots=True)
class _Planned:
    """A run, and the words for the command line that do it again."""

    plan: Plan
    again: str


class _Made:
    """What has been run so far, and the parts that it runs on, which begin anew after a loss."""

    def __init__(self, progress: Progress) -> None:
        self.rows = Rows()
        self._progress = progress
        self._ending = contextlib.ExitStack()
        self._site: Site | None = None

    def close(self) -> None:
        """End the parts."""
        self._ending.close()
        self._site = None

    def run_all(self, all_planned: Sequence[_Planned]) -> None:
        """Do runs, one after another."""
        for number, planned in enumerate(all_planned, 1):
            plan = planned.plan
            self._progress.tell(f"{number} of {len(all_planned)}: {plan.fault.name}, {plan.step.name}")
            run = Run(self._parts(), plan)
            self._count(run.done(), planned.again)

    def run_crowd(self, seed: int) -> None:
        """Have a crowd pull."""
        self._progress.tell(f"{crowd.NAME}, {crowd.STEP}")
        lost = crowd.Crowd(self._parts(), seed).done()
        self.rows.of(crowd.NAME, crowd.STEP).add(is_lost=bool(lost), is_healed=False, recovery_seconds=None)
        if lost:
            self._tell_lost(f"{crowd.NAME}, {crowd.STEP}", lost, f"--crowd --seed {seed}")

    def _count(self, result: Result, again: str) -> None:
        plan = result.plan
        self.rows.of(plan.fault.name, plan.step.name).add(
            is_lost=bool(result.lost), is_healed=bool(result.healed), recovery_seconds=result.recovery_seconds
        )
        if result.lost:
            self._tell_lost(f"{plan.fault.name}, {plan.step.name}", result.lost, again)

    def _tell_lost(self, what: str, lost: Sequence[str], again: str) -> None:
        self._progress.say(f"LOST: {what}; again: make faults FAULTS='{again}'")
        for problem in lost:
            self._progress.say(f"  {problem}")
        self._progress.say(f"  logs: {self._keep_logs()}")
        self.close()

    def _parts(self) -> Site:
        if self._site is None:
            self._site = self._ending.enter_context(site())
        return self._site

    def _keep_logs(self) -> Path:
        parts = self._parts()
        folder = _KEPT / f"lost-{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}"
        folder.mkdir(parents=True)
        for part in (parts.imagefit, parts.containerd):
            (folder / f"{type(part).__name__.lower()}.log").write_text(part.log_text())
        return folder


def _planned(names: Container[str]) -> Iterator[_Planned]:
    """Yield a run for each step of each of these faults, always the same for each."""
    everywhere = [(fault, step) for fault in FAULTS.values() for step in fault.steps]
    for number, (fault, step) in enumerate(everywhere):
        if fault.name in names:
            folder, delay = (STRICT, OPEN)[number % 2], DELAYS[number % len(DELAYS)]
            yield _Planned(Plan(fault, step, delay, f"faults/{folder}/c{number}"), f'--fault "{fault.name}"')


def _by_chance(seed: int) -> _Planned:
    return _Planned(plan_of(seed), f"--seed {seed} --runs 1")


def _keep(rows: Rows) -> Path:
    _KEPT.mkdir(exist_ok=True)
    path = _KEPT / f"{datetime.now(UTC):%Y-%m-%dT%H%MZ}.json"
    rows.write(path)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description=_ABOUT,
        epilog="faults:\n  " + "\n  ".join(FAULTS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--fault",
        metavar="NAME",
        dest="faults",
        action="append",
        choices=list(FAULTS),
        help="only this fault, at each of its steps; may be given several times",
    )
    parser.add_argument(
        "--runs", metavar="N", type=int, default=_RUNS, help=f"how many runs by chance (default: {_RUNS})"
    )
    parser.add_argument("--crowd", action="store_true", help="only the crowd of pulls")
    parser.add_argument("--seed", metavar="N", type=int, help="only runs by chance, of this seed and those after it")
    return parser


if __name__ == "__main__":
    unwind_when_terminated()
    search_system_folders()
    sys.exit(main())
