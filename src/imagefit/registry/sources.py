"""Files that something was read from, and whether they are still the same.

Knows what tells one state of a file from the next. Leaves the meaning of their content to others. A parsed file is used
again for as long as ``Sources.unchanged`` holds, which costs one ``stat`` per file, so that a change counts from the
next request on.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 256 * 1024
"""Most that is read of one file; no configuration of a registry comes near it."""
# File systems stamp with a clock that ticks every few milliseconds: two changes in one tick look like one.
_TICK_NS: Final = 20_000_000

_State = tuple[int, int, int, int, int]


class Sources:
    """What was read, listed or looked for, in one go.

    Args:
        now_ns: the clock that file systems stamp with.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Start with nothing read."""
        self._states: dict[Path, _State | None] = {}
        self._settled_before_ns = now_ns() - _TICK_NS

    def read(self, path: Path) -> bytes | None:
        """Return what is in a file, at most ``MAX_FILE_BYTES``, or None where there is no such file.

        Raises:
            OSError: it cannot be read, is no regular file or is larger.
        """
        try:
            # Without waiting: a pipe in place of a file must not hold up a pull.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
                status = os.fstat(file.fileno())
                self._states[path] = _state(status)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(0, "is no regular file")
                content = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            self._states[path] = None
            return None
        if len(content) > MAX_FILE_BYTES:
            raise OSError(0, f"has more than {MAX_FILE_BYTES} bytes")
        return content

    def exists(self, path: Path) -> bool:
        """Tell whether something is at ``path``.

        Raises:
            OSError: it cannot be told, as where a part of the path is a file.
        """
        try:
            self._states[path] = _state(path.stat())
        except FileNotFoundError:
            self._states[path] = None
            return False
        return True

    def names(self, directory: Path) -> list[str]:
        """Return the names of what is in a directory and is no directory itself, in their order.

        Raises:
            OSError: it cannot be listed.
        """
        self._states[directory] = _state(directory.stat())
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if not entry.is_dir())

    @property
    def unchanged(self) -> bool:
        """Whether reading it all again would surely give the same."""
        return all(self._is_settled(state) and _looked_at(path) == state for path, state in self._states.items())

    def _is_settled(self, state: _State | None) -> bool:
        return state is None or state[-1] < self._settled_before_ns


def _state(status: os.stat_result) -> _State:
    # The time of the last change of the inode is last: nobody can set it.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _looked_at(path: Path) -> _State | None:
    with contextlib.suppress(OSError):
        return _state(path.stat())
    return None
