"""A run and the file that keeps it: the figures, and when, on what and of which commit they were measured.

Knows the file's format. Leaves to ``comparing`` what two runs have to do with each other, to ``table`` and the
page on performance how one is shown.
"""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.machine import Machine
from benchmarks.measuring import Figure

FOLDER: Final = Path(__file__).parent / "results"
BASE: Final = FOLDER / "base.json"
"""The committed run that later ones are compared with, and that the page on performance shows."""
SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one run found.

    Attributes:
        schema: the format of the file.
        date: when it began, in UTC to the minute.
        commit: the hash of the commit that was measured; empty outside of a repository.
        is_dirty: whether the tree had changes beyond that commit.
        machine: what it ran on.
        load_before: the load average of the minute before.
        load_after: the same of its last minute.
        rounds: how often everything was measured.
        failed: the parts that failed; their figures are not there.
        figures: in the order of the parts.
    """

    schema: int
    date: str
    commit: str
    is_dirty: bool
    machine: Machine
    load_before: float
    load_after: float
    rounds: int
    failed: tuple[str, ...]
    figures: tuple[Figure, ...]


class UnreadableRunError(Exception):
    """A file that should hold a run does not."""


def read_run(path: Path) -> Run:
    """Return the run that a file holds.

    Raises:
        UnreadableRunError: there is no such file, or it holds none of this schema.
    """
    try:
        run = msgspec.json.decode(path.read_bytes(), type=Run)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnreadableRunError(f"{path}: {error}") from error
    if run.schema != SCHEMA:
        raise UnreadableRunError(f"{path}: schema {run.schema}, not {SCHEMA}")
    return run


def write_run(run: Run, path: Path) -> None:
    """Write a run to a file. Raises ``OSError`` where that cannot be done."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=2) + b"\n")


def now() -> str:
    """Return the time in UTC to the minute, as runs have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ")


def path_of(date: str, folder: Path = FOLDER) -> Path:
    """Return the file of a run that began at ``date``."""
    return folder / f"{date.replace(':', '')}.json"


def commit() -> tuple[str, bool]:
    """Return the hash of the commit that is checked out, empty without one, and whether the tree differs from it."""
    return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain", "--", ":!benchmarks/results"))


def _git(*words: str) -> str:
    try:
        ended = subprocess.run(
            ("git", *words), check=False, capture_output=True, text=True, cwd=Path(__file__).parents[1]
        )
    except OSError:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
