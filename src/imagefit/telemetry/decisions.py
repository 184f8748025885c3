"""The latest decisions of the daemon, kept in one file over restarts: JSON lines, bounded.

Knows how records get into the file. Leaves reading to ``decision_file`` and what a record says to ``service.report``;
no credentials can be in it since it is made from a decision.

The file is a favour: whatever the disk refuses costs records, never a pull. The event loop only hands records over; one
thread writes them. When the file holds twice what is kept, its newest half goes byte for byte to a new file that takes
its place at once, so that who follows it finds where to go on.
"""

import contextlib
import errno
import json
import os
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagefit import telemetry
from imagefit.telemetry.decision_file import (
    FLAGS,
    MAX_FILE_BYTES,
    MAX_LINE_BYTES,
    check_regular,
    content_of,
    is_at,
)

_MAX_WAITING = 1024
_KEPT_BYTES = MAX_FILE_BYTES // 2
_CLOSE_SECONDS = 1.0
_CHUNK_BYTES = 1024 * 1024
_MAX_TEXT_CHARACTERS = 512
# How many entries of a record are kept where all of them would be too much.
_ENTRIES_KEPT = (16, 8, 4, 2, 0)

log = telemetry.part("daemon")


class Ring:
    """The file, to write to. ``add`` and ``close`` are for one thread, that of the event loop."""

    def __init__(self, path: Path, keep: int) -> None:
        """Touch no disk yet.

        Args:
            path: of the file; its folder is made with mode 0700 where it is missing.
            keep: how many records are kept, at least 1; the file holds fewer than twice as many.
        """
        self._file = _File(path, keep)
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> int:
        """How many records are not in the file: too many at a time, too large, or refused by the disk."""
        return self._dropped + self._file.lost

    def add(self, record: Mapping[str, Any]) -> None:
        """Have a record written soon. Never waits and never raises; beyond 1024 that wait, records are dropped.

        Args:
            record: JSON-ready; nobody changes it any more.
        """
        if self._closing or len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(record)
        if self._thread is None:
            # A disk that hangs must not keep the process from ending, hence a daemon thread.
            self._thread = threading.Thread(target=self._work, name="decisions", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Write what waits, for at most a second. What comes later is dropped."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _work(self) -> None:
        while not self._closing or self._waiting:
            self._wake.wait()
            self._wake.clear()
            if batch := [self._waiting.popleft() for _ in range(len(self._waiting))]:
                self._file.append(batch)
        self._file.close()


class _File:
    """What the thread of a ring has open."""

    def __init__(self, path: Path, keep: int) -> None:
        self.lost = 0
        self._path = path
        self._keep = max(1, keep)
        self._handle = -1
        self._lines = 0
        self._failing = False

    def append(self, records: list[Mapping[str, Any]]) -> None:
        """Write records. Never raises; the first of several faults is logged, the others only count."""
        lines = [line for record in records if (line := _line(record))]
        self.lost += len(records) - len(lines)
        try:
            self._open()
            self._write(lines)
        except OSError as error:
            self.close()
            self.lost += len(lines)
            if not self._failing:
                log.warning("decisions-not-kept", file=self._path, error=error)
            self._failing = True
            return
        if self._failing:
            log.info("decisions-kept-again", file=self._path, lost=self.lost)
        self._failing = False

    def close(self) -> None:
        """Let go of the file; the next ``append`` opens it again."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._handle = -1

    def _open(self) -> None:
        """Open the file, and anew where somebody has moved it away."""
        if self._handle >= 0 and is_at(self._handle, self._path):
            return
        self.close()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | FLAGS, 0o600)
        check_regular(self._handle, self._path)
        if os.fstat(self._handle).st_nlink > 1:
            raise OSError(errno.EMLINK, "it has another name, which may be another file's", str(self._path))
        os.fchmod(self._handle, 0o600)
        self._lines, last = _lines_of(self._handle)
        if last not in b"\n":
            # A crash has cut the last line: it stays one bad line and spoils no other.
            _write_all(self._handle, b"\n")
            self._lines += 1

    def _write(self, lines: list[bytes]) -> None:
        # Before and not after: a file that cannot be made smaller must not grow either.
        if self._lines >= 2 * self._keep or os.fstat(self._handle).st_size > MAX_FILE_BYTES:
            self._compact()
        _write_all(self._handle, b"".join(lines))
        self._lines += len(lines)

    def _compact(self) -> None:
        """Put a file with the newest lines in place of this one."""
        size = os.fstat(self._handle).st_size
        start = max(0, size - _KEPT_BYTES)
        lines = content_of(self._handle, start, size).split(b"\n")[:-1]
        newest = (lines[1:] if start else lines)[-self._keep :]
        new = self._path.with_name(f".{self._path.name}.new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | FLAGS, 0o600)
        try:
            _write_all(handle, b"".join(line + b"\n" for line in newest))
            os.fsync(handle)  # after a loss of power there must be the old file or the new one
            new.replace(self._path)
        except OSError:
            os.close(handle)
            new.unlink(missing_ok=True)
            raise
        self.close()
        self._handle, self._lines = handle, len(newest)


def _line(record: Mapping[str, Any]) -> bytes:
    """Return the line of a record; empty for one that cannot be written or is too large."""
    try:
        fewer = (_with_entries(record, most) for most in _ENTRIES_KEPT)
        for reduced in (record, *fewer, _with_short_texts(record)):
            line = json.dumps(reduced, separators=(",", ":"), allow_nan=False).encode() + b"\n"
            if len(line) <= MAX_LINE_BYTES:
                return line
    except (TypeError, ValueError, RecursionError):
        pass
    return b""


def _with_entries(record: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return a record with the best entries only; the others are counted."""
    entries = list(record.get("entries", ()))
    return {**record, "entries": entries[:most], "more": len(entries[most:]) + record.get("more", 0)}


def _with_short_texts(record: Mapping[str, Any]) -> dict[str, Any]:
    short = {key: value[:_MAX_TEXT_CHARACTERS] if isinstance(value, str) else value for key, value in record.items()}
    return _with_entries({**short, "notes": []}, 0)


def _lines_of(handle: int) -> tuple[int, bytes]:
    """Return how many lines an open file has, and its last byte."""
    size = os.fstat(handle).st_size
    count = sum(
        content_of(handle, start, min(size, start + _CHUNK_BYTES)).count(b"\n")
        for start in range(0, size, _CHUNK_BYTES)
    )
    return count, content_of(handle, size - 1, size) if size else b""


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]
