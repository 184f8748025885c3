"""What a process spends, as Linux counts it: memory, threads, wake-ups, CPU time.

Knows the files below /proc/PID, and what of them is summed over threads.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_KIB_IN_MB = 1024 / 1_000_000
_NANOSECONDS = 1e-9


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a process, in MB.

    Attributes:
        resident: all that is in memory.
        proportional: the same, what is shared divided by how many share it.
        private: what no other process has.
    """

    resident: float
    proportional: float
    private: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process has spent since it began, all threads together.

    Attributes:
        threads: how many it has now.
        wakeups: how often one of them waited and was woken.
        cpu_seconds: time on a CPU.
    """

    threads: int
    wakeups: int
    cpu_seconds: float


def memory_of(pid: int) -> Memory:
    """Return what memory a process has now. Raises ``OSError`` for one that has ended."""
    return memory_in(Path(f"/proc/{pid}/smaps_rollup").read_text())


def memory_in(rollup: str) -> Memory:
    """Return what the text of a ``smaps_rollup`` says."""
    kib = {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+) kB$", rollup, re.MULTILINE)}
    private = kib["Private_Clean"] + kib["Private_Dirty"]
    return Memory(kib["Rss"] * _KIB_IN_MB, kib["Pss"] * _KIB_IN_MB, private * _KIB_IN_MB)


def spent_by(pid: int) -> Spent:
    """Return what a process has spent. Raises ``OSError`` for one that has ended."""
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    return Spent(
        len(threads),
        sum(wakeups_in((thread / "status").read_text()) for thread in threads),
        sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) * _NANOSECONDS,
    )


def wakeups_in(status: str) -> int:
    """Return how often a thread waited of itself, from the text of its ``status``."""
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.MULTILINE)
    return int(found[1]) if found else 0
