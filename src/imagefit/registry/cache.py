"""Metadata that was fetched once, on disk by its digest.

Knows files, their names, and how many files and bytes are kept. Leaves to others who may see what: content is shared
between credentials, so the caller asks only for digests that the requester has been shown to have access to. The
directory is private to the user of this process; one that belongs to somebody else is not used.

A cache is a favour: whatever fails here counts as not being there and is told to ``on_problem``, and never raises.
Every call blocks on the disk; asynchronous callers use a thread.
"""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagefit.model.oci import MAX_DOCUMENT_BYTES, digest_of
from imagefit.model.reference import is_digest

DEFAULT_LIMIT_BYTES: Final = 64 * 1024 * 1024
DEFAULT_LIMIT_FILES: Final = 20_000
_UNFINISHED: Final = ".unfinished-"
_UNFINISHED_MAX_SECONDS: Final = 600.0
_PRIVATE: Final = 0o700
_MARK: Final = "."
_MARK_BYTES: Final = 16
# Of a limit, kept free by an eviction, so that not every file costs a look at all others.
_SPARE: Final = 1 / 16


@dataclass(slots=True)
class _Room:
    """What may come in before somebody must look what there is."""

    size_bytes: int = 0
    files: int = 0


class ContentCache:
    """Content by digest in one directory.

    Args:
        directory: made with mode 0700 when it is first needed, and given it where it has another.
        limit_bytes: sum of all content that is kept; what has not been used for longest goes first.
        limit_files: number of files that are kept, since a file system has a limit for those, too.
        on_problem: is told of what the disk refused.
    """

    def __init__(
        self,
        directory: Path,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        on_problem: Callable[[OSError], None] | None = None,
        limit_files: int = DEFAULT_LIMIT_FILES,
    ) -> None:
        """Touch no disk yet."""
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._limit_files = limit_files
        self._on_problem = on_problem
        self._evicting = threading.Lock()
        self._room = _Room()
        self._is_private = False

    def get(self, digest: str, place: str) -> bytes | None:
        """Return the content of ``digest`` out of a repository, checked against it, or None.

        Args:
            digest: of the content; a file with other content is deleted.
            place: ``host/path`` of the repository that the requester has been shown to have access to.
        """
        if not is_digest(digest):
            return None
        path = self.path(digest, place)
        try:
            self._claim()
            with open(path, "rb", opener=_opened) as file:
                content = file.read(MAX_DOCUMENT_BYTES + 1)
            if digest_of(content, digest.partition(":")[0]) == digest:
                os.utime(path)
                return content
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            return None
        except OSError as problem:
            self._report(problem)
        return None

    def put(self, digest: str, content: bytes, place: str) -> None:
        """Keep ``content``, whose digest the caller has checked; what is no digest or too large is not kept."""
        if not is_digest(digest) or len(content) > min(self._limit_bytes, MAX_DOCUMENT_BYTES):
            return
        try:
            self._directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            self._claim()
            self._write(self.path(digest, place), content)
            self._make_room(len(content))
        except OSError as problem:
            self._report(problem)

    def _claim(self) -> None:
        """Make sure, once, that nobody else sees what is kept. Raises OSError where that cannot be."""
        if self._is_private:
            return
        status = self._directory.stat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "not a directory of this user", str(self._directory))
        if stat.S_IMODE(status.st_mode) != _PRIVATE:
            self._directory.chmod(_PRIVATE)
        self._is_private = True

    def path(self, digest: str, place: str) -> Path:
        """Return the file that content out of a repository is kept in."""
        mark = hashlib.blake2b(place.encode(), digest_size=_MARK_BYTES).hexdigest()
        return self._directory / f"{digest.replace(':', '-')}{_MARK}{mark}"

    def _report(self, problem: OSError) -> None:
        if self._on_problem is not None:
            self._on_problem(problem)

    def _write(self, path: Path, content: bytes) -> None:
        # mkstemp makes the file with mode 0600; no fsync, since a torn file is found out by its digest.
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._directory)
        try:
            with open(handle, "wb") as file:  # noqa: PTH123  # a descriptor, not a path
                file.write(content)
            Path(name).replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def _make_room(self, size_bytes: int) -> None:
        with self._evicting:
            self._room.size_bytes -= size_bytes
            self._room.files -= 1
            if self._room.size_bytes < 0 or self._room.files < 0:
                self._evict()

    def _evict(self) -> None:
        used: list[tuple[float, int, str]] = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    used.append((status.st_mtime, status.st_size, entry.name))
        self._sweep([name for mtime, _, name in used if mtime < time.time() - _UNFINISHED_MAX_SECONDS])
        content = sorted(item for item in used if is_digest(item[2].partition(_MARK)[0].replace("-", ":", 1)))
        size_bytes, files = sum(size for _, size, _ in content), len(content)
        if size_bytes > self._limit_bytes or files > self._limit_files:
            for _, size, name in content:
                if size_bytes <= _kept(self._limit_bytes) and files <= _kept(self._limit_files):
                    break
                (self._directory / name).unlink(missing_ok=True)
                size_bytes, files = size_bytes - size, files - 1
        # Half of it: another process may fill the same directory.
        self._room = _Room((self._limit_bytes - size_bytes) // 2, (self._limit_files - files) // 2)

    def _sweep(self, old_names: list[str]) -> None:
        for name in old_names:
            if name.startswith(_UNFINISHED):
                (self._directory / name).unlink(missing_ok=True)


def _kept(limit: int) -> int:
    return limit - int(limit * _SPARE)


def _opened(path: str, flags: int) -> int:
    # What somebody else put there must neither lead elsewhere nor be waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
