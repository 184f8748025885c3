"""The table of what was survived, made for 80 columns, and the file that keeps it.

Knows rows and columns. Leaves to ``running`` what a result is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLUMNS: Final = ("fault", "step", "tries", "survived", "healed", "lost", "worst s")


@dataclass(slots=True)
class Row:
    """What became of all runs of one fault at one step.

    Attributes:
        fault: its name.
        step: its name.
        tries: how many runs there were.
        survived: in how many everything was right in the end.
        healed: in how many of these something was wrong before it.
        lost: in how many something was not.
        worst_seconds: the longest recovery; None where none was measured.
    """

    fault: str
    step: str
    tries: int = 0
    survived: int = 0
    healed: int = 0
    lost: int = 0
    worst_seconds: float | None = None

    def add(self, *, is_lost: bool, is_healed: bool, recovery_seconds: float | None) -> None:
        """Count one run."""
        self.tries += 1
        self.lost += is_lost
        self.survived += not is_lost
        self.healed += is_healed and not is_lost
        if recovery_seconds is not None:
            self.worst_seconds = max(recovery_seconds, self.worst_seconds or 0.0)


class Rows:
    """One row for each fault and step, in the order in which they were first met."""

    def __init__(self) -> None:
        """Have none yet."""
        self._rows: dict[tuple[str, str], Row] = {}

    def of(self, fault: str, step: str) -> Row:
        """Return the row of a fault and a step."""
        return self._rows.setdefault((fault, step), Row(fault, step))

    def __iter__(self) -> Iterator[Row]:
        """Go through them, all steps of a fault together."""
        faults = dict.fromkeys(fault for fault, _ in self._rows)
        return (row for fault in faults for row in self._rows.values() if row.fault == fault)

    @property
    def total(self) -> Row:
        """All of them together."""
        total = Row("all", "")
        for row in self:
            total.tries += row.tries
            total.survived += row.survived
            total.healed += row.healed
            total.lost += row.lost
            if row.worst_seconds is not None:
                total.worst_seconds = max(row.worst_seconds, total.worst_seconds or 0.0)
        return total

    def print(self, console: Console) -> None:
        """Print the table; a fault is named in the first of its rows."""
        table = Table(box=None, padding=(0, 1, 0, 0))
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name in {"fault", "step"} else "right", no_wrap=True)
        named = ""
        for row in (*self, self.total):
            table.add_row("" if row.fault == named else row.fault, row.step, *_figures(row))
            named = row.fault
        console.print(table)

    def write(self, path: Path) -> None:
        """Write them to a file as JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode([*self, self.total]), indent=2) + b"\n")


def _figures(row: Row) -> Iterable[Text]:
    lost = Text(str(row.lost), style="bold red" if row.lost else "")
    worst = "" if row.worst_seconds is None else f"{row.worst_seconds:.2f}"
    return Text(str(row.tries)), Text(str(row.survived)), Text(str(row.healed)), lost, Text(worst)
