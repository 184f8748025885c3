"""What a detector is given and what it owes.

Knows the host as an argument: a root that tests and containers can move, bounded reads, and the difference between
"looked, nothing here" (a feature without elements) and "cannot look" (``CannotLookError``, a feature left uncovered).
Between the two stands ``Partial``: facts from a source of many parts, some of which were bad.
Leaves to detectors which files say what, and to ``collect`` what becomes of a detector that fails.
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from imagefit.errors import ImagefitError
from imagefit.model.facts import Facts
from imagefit.node.cpuinfo import machine_of

FILE_MAX_BYTES: Final = 1024 * 1024
DIRECTORY_MAX_ENTRIES: Final = 8192
CPUINFO: Final = "/proc/cpuinfo"
# One CPU takes two to four KiB; a server has hundreds of them, and the kernel asks each for its clock.
CPUINFO_FIRST_BYTES: Final = 16 * 1024
_SYMLINKS_MAX: Final = 40  # as the kernel's MAXSYMLINKS
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ROOT_USER: Final = 0


class CannotLookError(ImagefitError):
    """A source cannot be read, so nothing is known of what it would say."""

    code = "cannot-look"


class NotThereError(CannotLookError):
    """The source does not exist; whether that says something is for the detector to know."""

    code = "not-there"


@dataclass(frozen=True, slots=True)
class Partial:
    """What a source says, where parts of it were bad.

    Attributes:
        facts: from the good parts.
        warnings: one line per bad part, which names the part and its fault.
    """

    facts: Facts
    warnings: tuple[str, ...]


class Detector(Protocol):
    """Finds out what one source says of the host."""

    @property
    def name(self) -> str:
        """A short name for logs and metrics, such as ``kernel-version``."""

    @property
    def features(self) -> tuple[str, ...]:
        """The features it covers where it can look."""

    def detect(self, host: "HostView") -> Facts | Partial:
        """Read the source and return what it says, each feature that it could look for as a key.

        Raises:
            CannotLookError: the source cannot be read; all features stay uncovered.
        """


class HostView:
    """The files of one host, whole or below a moved root; nothing else of the machine is seen through it."""

    def __init__(self, root: str | Path = "/", machine: str | None = None) -> None:
        """Take a root directory and, where it is known, the machine's name.

        Args:
            root: ``/``, or where the host's root is mounted or recorded.
            machine: as ``uname -m`` prints it. By default the running machine's where ``root`` is ``/``, else read off
                the shape of the root's /proc/cpuinfo.
        """
        # Not the real path: the kernel's /proc/1/root is a link that only opening it follows to the host.
        self._root = str(Path(root).absolute())
        self._moved = self._root != "/"
        self._machine = machine

    @property
    def root(self) -> str:
        """The root directory, absolute."""
        return self._root

    @property
    def machine(self) -> str:
        """The machine's name as ``uname -m`` prints it; empty where nothing tells."""
        if self._machine is None:
            self._machine = self._derived_machine() if self._moved else os.uname().machine
        return self._machine

    def read_text(self, path: str, limit_bytes: int = FILE_MAX_BYTES) -> str:
        """Return a whole file as UTF-8 text; bytes that are none are replaced. Raises as ``read_bytes``."""
        return self.read_bytes(path, limit_bytes).decode("utf-8", "replace")

    def read_bytes(self, path: str, limit_bytes: int = FILE_MAX_BYTES) -> bytes:
        """Return a whole file.

        Args:
            path: absolute, as the host sees it.
            limit_bytes: a larger file is refused.

        Raises:
            NotThereError: there is no such file.
            CannotLookError: it cannot be read, is no regular file or is larger than the limit.
        """
        return _whole(path, self.read_start(path, limit_bytes + 1), limit_bytes)

    def read_start(self, path: str, size_bytes: int) -> bytes:
        """Return the first bytes of a file, fewer where it is shorter. Raises as ``read_bytes``, for no size."""
        return self._read(path, size_bytes, _check_regular)

    def read_trusted(self, path: str, limit_bytes: int = FILE_MAX_BYTES) -> bytes:
        """Return a whole file that only root, or the user that this process runs as, can have written.

        Raises:
            CannotLookError: as ``read_bytes``, or somebody else owns the file or may write to it.
        """
        return _whole(path, self._read(path, limit_bytes + 1, _check_trusted), limit_bytes)

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Return the names in a directory that are text, sorted.

        Raises:
            NotThereError: there is no such directory.
            CannotLookError: it cannot be read, or has more than ``DIRECTORY_MAX_ENTRIES`` entries.
        """
        names: list[str] = []
        try:
            with os.scandir(self._resolved(path)) as entries:
                for entry in entries:
                    # A name that is no text could stand in no fact; sysfs and /etc have none.
                    names += [entry.name] if entry.name.isprintable() else []
                    if len(names) > DIRECTORY_MAX_ENTRIES:
                        raise CannotLookError(f"{path} has more than {DIRECTORY_MAX_ENTRIES} entries")
        except (OSError, ValueError) as error:
            raise _cannot_look(path, error) from error
        return tuple(sorted(names))

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or directory.

        Raises:
            CannotLookError: the way to it cannot be searched.
        """
        try:
            Path(self._resolved(path)).stat()
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _ABSENT:
                return False
            raise _cannot_look(path, error) from error
        return True

    def _read(self, path: str, size_bytes: int, check: Callable[[str, os.stat_result], None]) -> bytes:
        try:
            # A FIFO in place of a file must not hold up the daemon.
            descriptor = os.open(self._resolved(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                check(path, os.fstat(descriptor))
                return _read_up_to(descriptor, size_bytes)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise _cannot_look(path, error) from error

    def _derived_machine(self) -> str:
        with suppress(CannotLookError):
            return machine_of(self.read_start(CPUINFO, CPUINFO_FIRST_BYTES).decode("utf-8", "replace"))
        return ""

    def _resolved(self, path: str) -> str:
        """Return where the file lies for this process, symbolic links followed inside the root only."""
        if not self._moved:
            return path
        ahead = _parts(path)
        behind: list[str] = []
        links = 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                del behind[-1:]
                continue
            here = "/".join((self._root, *behind, part))
            try:
                target = str(Path(here).readlink())
            except OSError:
                # No link, or nothing there: opening it says which.
                behind.append(part)
                continue
            links += 1
            if links > _SYMLINKS_MAX:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith("/"):
                behind.clear()
            ahead.extend(_parts(target))
        return "/".join((self._root, *behind))


def _parts(path: str) -> list[str]:
    """Return a path's components, the last first."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _read_up_to(descriptor: int, size_bytes: int) -> bytes:
    # One read of a /proc file returns about a page, whatever is asked for.
    pieces: list[bytes] = []
    left = size_bytes
    while left > 0 and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _whole(path: str, content: bytes, limit_bytes: int) -> bytes:
    if len(content) > limit_bytes:
        raise CannotLookError(f"{path} is larger than {limit_bytes} bytes")
    return content


def _check_regular(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CannotLookError(f"{path} is not a regular file")


def _check_trusted(path: str, status: os.stat_result) -> None:
    _check_regular(path, status)
    if status.st_uid not in {_ROOT_USER, os.geteuid()}:
        raise CannotLookError(f"{path} belongs to user {status.st_uid}, not to root")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CannotLookError(f"{path} can be written by others than its owner (mode {stat.S_IMODE(status.st_mode):o})")


def _cannot_look(path: str, error: OSError | ValueError) -> CannotLookError:
    if isinstance(error, ValueError):  # a path with a null character, made of what a file said
        return CannotLookError(f"{path!r}: {error}")
    kind = NotThereError if error.errno in _ABSENT else CannotLookError
    return kind(f"{path}: {error.strerror}")
