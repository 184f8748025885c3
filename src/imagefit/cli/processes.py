"""The processes of this node that are kubelet, or have it in them.

Knows /proc. Leaves what their command lines mean to ``kubelet``. Source: proc(5).
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_AFTER_NAME: Final = 2
_START: Final = 22


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: its number.
        name: as the kernel has it, at most 15 characters.
        words: its command line.
        started: in seconds since 1970.
    """

    pid: int
    name: str
    words: tuple[str, ...]
    started: float


def processes(*names: str) -> list[Process]:
    """Return the processes of some names, in the order of their numbers; threads of the kernel are none."""
    numbers = sorted(int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return [one for number in numbers for one in _process(number) if one.name in names]


def sockets_of(pid: int) -> frozenset[int]:
    """Return the inodes of a process' sockets.

    Raises:
        PermissionError: it is another user's process.
        FileNotFoundError: it has ended.
    """
    found: set[int] = set()
    for entry in (_PROC / str(pid) / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            kind, _, inode = str(entry.readlink()).partition(":[")
            if kind == "socket":
                found.add(int(inode.removesuffix("]")))
    return frozenset(found)


def _process(pid: int) -> Iterator[Process]:
    """Yield the process; nothing where it has ended."""
    folder = _PROC / str(pid)
    with contextlib.suppress(OSError):
        name, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
        ticks = int(rest.split()[_START - _AFTER_NAME - 1])
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        if words:
            yield Process(pid, name.partition("(")[2], tuple(words), _booted() + ticks / os.sysconf("SC_CLK_TCK"))


def _booted() -> float:
    """Return when the kernel began to count, in seconds since 1970."""
    lines = (_PROC / "stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))
