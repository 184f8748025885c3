"""The files of marks: made, held, read and removed, by blocking calls.

Knows their folder, their names, what stands in them, and how several processes share them: whoever uses a file has a
shared lock on it, whoever removes it an exclusive one, and a file counts only as long as it stands at its path. Leaves
threads and waiting to ``marks``. What another program put there is never followed, taken or removed.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

MAX_MARKS: Final = 10_000
"""Files in the folder; a pull beyond is not marked."""
_VERSION: Final = 1
_MAX_BYTES: Final = 16 * 1024
_PRIVATE: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_ENDING: Final = ".json"
_OPEN: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

LeftOut = Callable[[str, Exception], None]
"""Is told of a file that is no mark, by its name, and why."""


class Mark(msgspec.Struct, frozen=True):
    """What a file says.

    Attributes:
        name: that containerd pulls, and that is to go.
        names: that the pull leaves.
        digest: that all of them stand for.
    """

    name: str
    names: tuple[str, ...]
    digest: str


class _Written(Mark, frozen=True, kw_only=True):
    version: int


class Held(msgspec.Struct, frozen=True):
    """The file of one name, held: nobody else holds it alone. To be ended once, by ``let_go`` or ``lift``.

    Attributes:
        path: where it stood.
        descriptor: has the lock.
    """

    path: Path
    descriptor: int

    def is_last(self) -> bool:
        """Hold it alone, and tell whether that worked and the file still stands; else it is let go of."""
        is_last = False
        try:
            is_last = _locked(self.descriptor, fcntl.LOCK_EX) and _stands(self.path, self.descriptor)
        finally:
            if not is_last:
                self.let_go()
        return is_last

    def lift(self) -> None:
        """Remove the file."""
        try:
            if _stands(self.path, self.descriptor):
                self.path.unlink()
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Leave the file to whoever comes next; this alone does not block."""
        os.close(self.descriptor)


class BusyError(Exception):
    """Somebody holds the file alone: a removal is under way."""


class MarkFiles:
    """The files of one folder. What the disk refuses raises OSError."""

    def __init__(self, folder: Path) -> None:
        """Touch no disk yet."""
        self._folder = folder

    def hold(self, mark: Mark, make: bool) -> Held | None:  # noqa: FBT001 - passed on by position
        """Hold the file of a name; None where there is none and none is to be made.

        Raises:
            BusyError: somebody holds it alone.
        """
        path = self._path(mark.name)
        while True:
            try:
                descriptor = _opened(path)
            except FileNotFoundError:
                if not make:
                    return None
                self._make(path, mark)
                continue
            is_held = False
            try:
                if not _locked(descriptor, fcntl.LOCK_SH):
                    raise BusyError
                is_held = _stands(path, descriptor)  # else it was removed between the two
            finally:
                if not is_held:
                    os.close(descriptor)
            if is_held:
                return Held(path, descriptor)

    def forget(self, name: str) -> None:
        """Remove the file of a name, if there is one, whoever holds it."""
        self._path(name).unlink(missing_ok=True)

    def read(self, left_out: LeftOut) -> tuple[Mark, ...]:
        """Return what the files say, those that are held included."""
        try:
            self._claim()
            paths = sorted(self._folder.iterdir())[:MAX_MARKS]
        except FileNotFoundError:
            return ()
        return tuple(mark for path in paths if (mark := self._read(path, left_out)) is not None)

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}{_ENDING}"

    def _make(self, path: Path, mark: Mark) -> None:
        """Make the file; that somebody else made it meanwhile is as well."""
        self._folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self._claim()
        if sum(1 for _ in self._folder.iterdir()) >= MAX_MARKS:
            raise OSError(errno.EDQUOT, f"there are {MAX_MARKS} marks already", str(self._folder))
        try:
            descriptor = os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        except FileExistsError:
            return
        try:
            # One write and no fsync: what a power failure takes costs one name too many.
            os.write(descriptor, msgspec.json.encode(_Written(*msgspec.structs.astuple(mark), version=_VERSION)))
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def _claim(self) -> None:
        """Make sure that nobody else writes here."""
        status = self._folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "not a directory of this user", str(self._folder))
        if stat.S_IMODE(status.st_mode) != _PRIVATE:
            self._folder.chmod(_PRIVATE)

    def _read(self, path: Path, left_out: LeftOut) -> Mark | None:
        try:
            descriptor = _opened(path)
            try:
                written = msgspec.json.decode(os.read(descriptor, _MAX_BYTES), type=_Written)
            finally:
                os.close(descriptor)
            if written.version != _VERSION or self._path(written.name) != path:
                raise msgspec.ValidationError("it is no mark of this version")
        except FileNotFoundError:
            return None  # it went meanwhile
        except (OSError, msgspec.DecodeError, UnicodeError) as error:
            left_out(path.name, error)
            return None
        return Mark(written.name, written.names, written.digest)


def _opened(path: Path) -> int:
    """Open a file of ours; what is none, or leads elsewhere, raises OSError."""
    descriptor = os.open(path, _OPEN)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
        return descriptor
    os.close(descriptor)
    raise PermissionError(errno.EPERM, "not a file of this user", str(path))


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stands(path: Path, descriptor: int) -> bool:
    """Tell whether an open file is the one at the path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    return False
