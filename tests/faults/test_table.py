"""The table, and the page that explains what is in it."""

import io
import itertools
from pathlib import Path

from rich.console import Console

from faults.catalog import FAULTS
from faults.errors import NAMED
from faults.table import Rows

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "faults.md"


def shown(rows: Rows) -> list[str]:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    rows.print(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_runs_of_a_fault_at_a_step_are_one_row() -> None:
    rows = Rows()
    for is_lost, is_healed, seconds in ((False, True, 0.25), (False, False, 1.5), (True, True, None)):
        rows.of("a fault", "a step").add(is_lost=is_lost, is_healed=is_healed, recovery_seconds=seconds)
    rows.of("other", "a step").add(is_lost=False, is_healed=False, recovery_seconds=None)
    rows.of("a fault", "another").add(is_lost=False, is_healed=False, recovery_seconds=0.1)
    _, *lines = (" ".join(line.split()) for line in shown(rows))
    assert lines == ["a fault a step 3 2 1 1 1.50", "another 1 1 0 0 0.10", "other a step 1 1 0 0", "all 5 4 1 1 1.50"]


def test_no_name_of_a_fault_or_a_step_is_too_long_for_80_columns() -> None:
    rows = Rows()
    for one in FAULTS.values():
        for step in one.steps:
            rows.of(one.name, step.name).add(is_lost=False, is_healed=True, recovery_seconds=10)
    lines = shown(rows)
    for fault in FAULTS.values():
        assert any(line.startswith(f"{fault.name} ") for line in lines)
        assert all(any(f"{step.name} " in line for line in lines) for step in fault.steps)
    assert "…" not in "".join(lines)


def test_every_fault_and_every_error_stands_on_the_page() -> None:
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    first = {name.strip() for row in rows for name in row[1].split(",")}
    assert [name for name in itertools.chain(FAULTS, NAMED) if name not in first] == []
