"""The processes of this node that are kubelet, or have it in them.

Knows /proc, and that anybody may name a process kubelet: only root's counts, and its words only outside of containers.
Leaves what their command lines mean to ``kubelet``. Source: proc(5).
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
_ROOT: Final = 0


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
    """Return the processes of some names, in the order of their numbers; threads of the kernel are none.

    Those that another user than root, or than who runs this, has started are left out.
    """
    numbers = sorted(int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal())
    return [one for number in numbers for one in _process(number) if one.name in names]


def command_lines(*names: str) -> list[tuple[str, ...]]:
    """Return the command lines of processes of some names whose paths are this node's.

    Those in containers are left out: who is root there is not to say which files of the node are read and written.
    """
    return [one.words for one in processes(*names) if _is_here(one.pid)]


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


def sees(pid: int, path: Path) -> bool:
    """Tell whether a process finds at a path what this one finds there; where nothing is, in the folder above.

    Raises:
        PermissionError: it is another user's process.
    """
    while not path.exists():
        path = path.parent
    with contextlib.suppress(FileNotFoundError):
        return (_PROC / str(pid) / "root" / path.relative_to("/")).samefile(path)
    return False


def _process(pid: int) -> Iterator[Process]:
    """Yield the process; nothing where it has ended."""
    folder = _PROC / str(pid)
    with contextlib.suppress(OSError):
        name, _, rest = (folder / "stat").read_text(errors="replace").rpartition(")")
        ticks = int(rest.split()[_START - _AFTER_NAME - 1])
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        if words and _is_trusted(folder):
            yield Process(pid, name.partition("(")[2], tuple(words), _booted() + ticks / os.sysconf("SC_CLK_TCK"))


def _is_trusted(folder: Path) -> bool:
    """Tell whether root, or who runs this, has started a process."""
    lines = (folder / "status").read_text(errors="replace").splitlines()
    # The real user: the effective one is root's of a set-uid program that anybody started under this name.
    return next(int(line.split()[1]) for line in lines if line.startswith("Uid:")) in {_ROOT, os.geteuid()}


def _is_here(pid: int) -> bool:
    """Tell whether a process has the root that this one has."""
    try:
        return (_PROC / str(pid) / "root").samefile("/")
    except PermissionError:
        return os.geteuid() != _ROOT  # others may only look, and are told later that they cannot tell
    except FileNotFoundError:  # it has ended
        return False


def _booted() -> float:
    """Return when the kernel began to count, in seconds since 1970."""
    lines = (_PROC / "stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))
