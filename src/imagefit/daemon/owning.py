"""Whose the socket path is: one process at a time, handed over to another without a moment in which nobody is there.

Knows the lock beside the path, the link that leads from the path to a process's own socket, and who gives way when two
want it. Leaves the socket itself, and who may connect, to ``listening``, and the calls under way to ``life``.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from imagefit import telemetry
from imagefit.errors import ListenError

log = telemetry.part("daemon")
_DIRECTORY_MODE: Final = 0o755
_ROOT_USER: Final = 0
_LOOK_SECONDS: Final = 0.25
_TRIES: Final = 4
_TOKEN_BYTES: Final = 4
_OWN_NAME: Final = r"\.[0-9a-f]{8}(\.link)?"
_MAX_LOCK_BYTES: Final = 64
_PATH: Final = "set another [server] socket"


class Claim:
    """The socket path as one process has it, or is taking it over. To be made by ``claimed``.

    The public path is a hard link to ``own``, where the process listens. Whose it is to be says the token in the lock
    file, which the last that came wrote; whose it was until then holds the lock, until the path leads elsewhere.

    Attributes:
        path: the public path.
        own: a name beside it that is this process's alone.
        is_held: whether this process had the lock from the start; else it takes the path over from the one that has.
    """

    def __init__(self, path: Path, lock: int, *, is_held: bool) -> None:
        """Want a path.

        Args:
            path: the public one.
            lock: the open lock file.
            is_held: whether this process has locked it.
        """
        self.path = path
        self._token = os.urandom(_TOKEN_BYTES).hex()
        self.own = Path(f"{path}.{self._token}")
        self._lock = lock
        self.is_held = is_held
        self._trouble = ""

    def show(self) -> None:
        """Have the public path lead to ``own`` from now on, where this process listens.

        Raises:
            ListenError: that cannot be done.
        """
        try:
            self._write_token()
            self._link()
        except OSError as error:
            raise ListenError(f"cannot listen on {self.path}: {error.strerror}", advice=_PATH) from error

    async def lost(self) -> str:
        """Keep the public path ours until another imagefit has taken it over; the lock is its then.

        Returns:
            The id of its process.

        Raises:
            ListenError: the path is gone, and so is ``own``, which it would have to lead to.
        """
        while not self._has_gone():  # noqa: ASYNC110 - what others do to a path is no event of the loop
            await asyncio.sleep(_LOOK_SECONDS)
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        return _written(self._lock)[0]

    async def returned(self, within_seconds: float) -> bool:
        """Tell whether the one that took the path over is gone already, so that it is ours again.

        Args:
            within_seconds: for how long it is looked at.
        """
        for _ in range(round(within_seconds / _LOOK_SECONDS)):
            await asyncio.sleep(_LOOK_SECONDS)
            if not is_live(self.path) and locked(self._lock):
                return True
        return False

    def end(self) -> None:
        """Remove what is our own, while this process still listens there: gRPC removes ``own`` itself then."""
        with contextlib.suppress(OSError):
            # Another may take the path over between the two: it finds it gone, and puts it back, at its next look.
            if self._leads_to_own():
                self.path.unlink(missing_ok=True)
            self.own.unlink(missing_ok=True)

    def _has_gone(self) -> bool:
        """Tell whether the path is another's now; put it back where it is not, although it should be ours."""
        locked(self._lock)  # as soon as the one before lets it go
        if self._leads_to_own():
            return False
        if _written(self._lock)[1] != self._token and is_live(self.path):
            return True
        self._restore()
        return False

    def _restore(self) -> None:
        try:
            self._write_token()
            self._link()
        except FileNotFoundError as error:
            raise ListenError(f"{self.path} cannot be put back: {self.own} is gone", advice="restart it") from error
        except OSError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("socket-not-restored", socket=self.path, error=error)
            return
        self._trouble = ""
        log.warning("socket-restored", socket=self.path)

    def _leads_to_own(self) -> bool:
        try:
            return os.path.samestat(self.path.lstat(), self.own.lstat())
        except OSError:
            return False

    def _link(self) -> None:
        beside = Path(f"{self.own}.link")
        beside.unlink(missing_ok=True)
        os.link(self.own, beside)
        beside.rename(self.path)

    def _write_token(self) -> None:
        # Always as long, so that it is never cut off first: whoever reads it finds the one before or this one.
        os.pwrite(self._lock, f"{os.getpid():>10} {self._token}\n".encode(), 0)


@contextlib.contextmanager
def claimed(path: Path, *, take_over: bool = False) -> Iterator[Claim]:
    """Hold a socket path for this process alone: a second gRPC server would silently take a live path over.

    Args:
        path: the public one.
        take_over: whether it may be taken from an imagefit that has it, by ``show``.

    Raises:
        ListenError: it is in use, or cannot be made, or others than root could put another socket there.
    """
    with contextlib.ExitStack() as ending:
        lock = _opened(path)
        ending.callback(os.close, lock)
        claim = Claim(path, lock, is_held=_is_first(path, lock, take_over=take_over))
        ending.callback(claim.end)
        yield claim


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        _check_folder(path.parent)
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ListenError(f"cannot prepare {path}: {error.strerror}", advice="see [server] socket") from error


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which others could exchange the socket that kubelet gives its credentials to."""
    status = folder.stat()
    if status.st_uid not in {_ROOT_USER, os.geteuid()}:
        raise ListenError(f"{folder} belongs to user {status.st_uid}, not to root", advice=f"chown root, or {_PATH}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
        mode = stat.S_IMODE(status.st_mode)
        advice = f"chmod go-w, or {_PATH}"
        raise ListenError(f"{folder} can be written by others than its owner (mode {mode:o})", advice=advice)


def _is_first(path: Path, lock: int, *, take_over: bool) -> bool:
    """Lock it and tidy up; return False where another imagefit has it that may be taken over."""
    for _ in range(_TRIES):
        if not locked(lock):
            if take_over:
                return False
            raise _in_use(path, _written(lock)[0])
        if path.is_symlink() or (path.exists() and not path.is_socket()):
            raise ListenError(f"{path} exists and is no socket", advice=f"remove it, or {_PATH}")
        if not is_live(path):
            _remove_stale(path)
            return True
        # Perhaps it has just been handed over, and whoever has it now is about to lock it.
        fcntl.flock(lock, fcntl.LOCK_UN)
        time.sleep(_LOOK_SECONDS)
    raise ListenError(f"another program listens on {path}", advice=f"stop it first, or {_PATH}")


def _in_use(path: Path, process: str) -> ListenError:
    return ListenError(
        f"another imagefit{f' (process {process})' if process.isdecimal() else ''} listens on {path}",
        advice=f"stop it first, take it over with --take-over, or {_PATH}",
    )


def _remove_stale(path: Path) -> None:
    """Remove what crashed daemons left: the path itself is replaced once this one listens."""
    for one in path.parent.iterdir():
        if re.fullmatch(re.escape(path.name) + _OWN_NAME, one.name) and one.is_socket() and not is_live(one):
            one.unlink(missing_ok=True)


def locked(lock: int) -> bool:
    """Lock an open file without waiting; return whether that was possible."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(lock: int) -> tuple[str, str]:
    """Return the process and the token that a lock file names, as text; empty where it does not."""
    process, _, token = os.pread(lock, _MAX_LOCK_BYTES, 0).decode(errors="replace").strip().partition(" ")
    return process, token


def is_live(path: Path) -> bool:
    """Tell whether somebody listens on a Unix socket, or may do so; not so where the path is anything else."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            probe.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # so many wait to be let in, or we may not ask, or it is of another type
        return True
    return True
