"""Metadata that was fetched once, on disk by its digest.

Knows files, their names and how many bytes of them are kept. Leaves to others who may see what: content is shared
between credentials, so the caller asks only for digests that the requester has been shown to have access to.

A cache is a favour: whatever fails here counts as not being there and is told to ``on_problem``, and never raises.
Every call blocks on the disk; asynchronous callers use a thread.
"""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from imagefit.model.oci import MAX_DOCUMENT_BYTES, digest_of
from imagefit.model.reference import is_digest

DEFAULT_LIMIT_BYTES: Final = 64 * 1024 * 1024
_UNFINISHED: Final = ".unfinished-"
_UNFINISHED_MAX_SECONDS: Final = 600.0


class ContentCache:
    """Content by digest in one directory.

    Args:
        directory: made with mode 0700 when it is first needed.
        limit_bytes: sum of all content that is kept; what has not been used for longest goes first.
        on_problem: is told of what the disk refused.
    """

    def __init__(
        self,
        directory: Path,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        on_problem: Callable[[OSError], None] | None = None,
    ) -> None:
        """Touch no disk yet."""
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._on_problem = on_problem
        self._evicting = threading.Lock()

    def get(self, digest: str) -> bytes | None:
        """Return the content of ``digest``, checked against it, or None. A file with other content is deleted."""
        if not is_digest(digest):
            return None
        path = self._path(digest)
        try:
            with path.open("rb") as file:
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

    def put(self, digest: str, content: bytes) -> None:
        """Keep ``content``, whose digest the caller has checked; what is no digest or too large is not kept."""
        if not is_digest(digest) or len(content) > min(self._limit_bytes, MAX_DOCUMENT_BYTES):
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._path(digest), content)
            with self._evicting:
                self._evict()
        except OSError as problem:
            self._report(problem)

    def _path(self, digest: str) -> Path:
        return self._directory / digest.replace(":", "-")

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

    def _evict(self) -> None:
        used: list[tuple[float, int, str]] = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    used.append((status.st_mtime, status.st_size, entry.name))
        self._sweep([name for mtime, _, name in used if mtime < time.time() - _UNFINISHED_MAX_SECONDS])
        content = sorted(item for item in used if is_digest(item[2].replace("-", ":", 1)))
        excess = sum(size for _, size, _ in content) - self._limit_bytes
        for _, size, name in content:
            if excess <= 0:
                return
            (self._directory / name).unlink(missing_ok=True)
            excess -= size

    def _sweep(self, old_names: list[str]) -> None:
        for name in old_names:
            if name.startswith(_UNFINISHED):
                (self._directory / name).unlink(missing_ok=True)
