"""The file of the latest decisions, to read: JSON lines, of which the daemon keeps a bounded number.

Knows lines, damaged ones too, and how a file is followed that is replaced while it grows. Leaves writing to
``decisions`` and what a record says to who made it.
"""

import contextlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]
"""One decision as it is in the file."""

MAX_LINE_BYTES: Final = 16 * 1024
"""Longest line, its end included."""
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""A file beyond this is made smaller at once."""
POLL_SECONDS: Final = 0.5
"""How often a file that is followed is looked at."""
FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
"""How the file is opened, besides to read or to write: neither a link nor a pipe must lead anywhere else."""
_FIELDS: Final = frozenset({"time", "image", "result", "reason"})
_MAX_READ_BYTES = 2 * MAX_FILE_BYTES
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records, in the order of the file.

    Attributes:
        records: those that can be read.
        damaged: how many lines can not, or do not say when was decided what, on which image and why.
    """

    records: tuple[Record, ...] = ()
    damaged: int = 0


def read(path: Path) -> Batch:
    """Return the records of a file, of one beyond 32 MiB those of its end; a last line that has no end is none.

    Raises:
        OSError: it cannot be read.
    """
    handle = _opened(path)
    try:
        return _batch(_whole_lines(handle, 0)[0])
    finally:
        os.close(handle)


def follow(path: Path, pause: Callable[[float], object] = time.sleep) -> Iterator[Batch]:
    """Return what is in a file and then, without end, what comes to it, every record once.

    Args:
        path: of the file, which need not exist yet, and may be replaced by one that goes on where it ended.
        pause: waits for so many seconds.

    Raises:
        OSError: it cannot be read, for another reason than that it is not there.
    """
    handle, offset = -1, 0
    try:
        while True:
            # Asked before the rest is read: a file that has been replaced has got its last line already.
            following = _opened_anew(path, handle)
            content, offset = (b"", 0) if handle < 0 else _whole_lines(handle, offset)
            if handle >= 0 or following < 0:
                yield _batch(content)
            if following < 0:
                pause(POLL_SECONDS)
            else:
                offset = 0 if handle < 0 else _known(handle, following)
                _close(handle)
                handle = following
    finally:
        _close(handle)


def is_at(handle: int, path: Path) -> bool:
    """Tell whether an open file is still the one of that path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def check_regular(handle: int, path: Path) -> None:
    """Raise ``OSError`` for what is no ordinary file."""
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise OSError(f"{path} is no ordinary file")


def content_of(handle: int, start: int, end: int) -> bytes:
    """Return the bytes of an open file from ``start`` to before ``end``; fewer where it has become shorter."""
    parts = []
    while start < end and (part := os.pread(handle, min(_CHUNK_BYTES, end - start), start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _opened(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY | FLAGS)
    try:
        check_regular(handle, path)
    except OSError:
        os.close(handle)
        raise
    return handle


def _opened_anew(path: Path, handle: int) -> int:
    """Return the file that is at the path now, or -1 where that is the open one, or none."""
    if handle >= 0 and is_at(handle, path):
        return -1
    with contextlib.suppress(FileNotFoundError):
        return _opened(path)
    return -1


def _close(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def _whole_lines(handle: int, offset: int) -> tuple[bytes, int]:
    """Return the lines from an offset on that have an end, and where the last of them ends."""
    size = os.fstat(handle).st_size
    start = 0 if offset > size else offset  # somebody has cut the file
    content = content_of(handle, max(start, size - _MAX_READ_BYTES), size)
    end = content.rfind(b"\n") + 1
    return content[:end], size - len(content) + end if content else start


def _known(old: int, new: int) -> int:
    """Return how much of a new file is the end of the old one that it replaces."""
    size = os.fstat(old).st_size
    before = content_of(old, max(0, size - _MAX_READ_BYTES), size)
    after = content_of(new, 0, min(os.fstat(new).st_size, _MAX_READ_BYTES))
    first = after[: after.find(b"\n") + 1]
    place = before.find(first) if first else -1
    while place >= 0:
        if after.startswith(before[place:]):
            return len(before) - place
        place = before.find(first, place + 1)
    return 0


def _batch(content: bytes) -> Batch:
    read_lines = [_record(line) for line in content.split(b"\n")[:-1]]
    records = tuple(record for record in read_lines if record is not None)
    return Batch(records, len(read_lines) - len(records))


def _record(line: bytes) -> Record | None:
    if len(line) >= MAX_LINE_BYTES:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and record.keys() >= _FIELDS else None
