"""The socket where kubelet finds imagefit: whose it is, and who may connect.

Knows that a live socket is never taken over, by a lock beside it, and that owner and mode are those of containerd's.
Leaves what is served there to ``life``.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc.aio

from imagefit import telemetry
from imagefit.errors import ListenError

log = telemetry.part("daemon")
_DIRECTORY_MODE: Final = 0o755
# Makes a socket of mode 0660.
_SOCKET_UMASK: Final = 0o117
_PROBE_SECONDS: Final = 2.0
_LOOK_AGAIN_SECONDS: Final = 1.0


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold the socket path for this process alone: a second gRPC server would silently take a live path over.

    Raises:
        ListenError: it is in use, or cannot be made.
    """
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ListenError(f"cannot prepare {path}: {error.strerror}", advice="see [server] socket") from error
    try:
        _lock(lock, path)
        _remove_stale(path)
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
        raise ListenError(
            f"another imagefit{f' (process {owner})' if owner.isdecimal() else ''} listens on {path}",
            advice="stop it first, or set another [server] socket",
        ) from error
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on; refuse one that somebody does, and anything that is no socket."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise ListenError(f"{path} exists and is no socket", advice="remove it, or set another [server] socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ListenError(f"cannot tell whether {path} is in use: {error}") from error
    raise ListenError(f"another program listens on {path}", advice="stop it first, or set another [server] socket")


def bind(server: grpc.aio.Server, path: Path) -> None:
    """Have a server listen on the socket path once it starts; first only root and its group may connect.

    Raises:
        ListenError: the path cannot be used.
    """
    before = os.umask(_SOCKET_UMASK)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {path}", advice="is the path longer than 107 characters?") from error
    finally:
        os.umask(before)


async def follow_access(containerd: Path, path: Path) -> None:
    """Let in whom containerd lets in, as soon as it is there; before, only root and its group."""
    while not _copied_access(containerd, path):  # noqa: ASYNC110 - a file that appears is no event of the loop
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _copied_access(containerd: Path, path: Path) -> bool:
    try:
        status = containerd.stat()
        os.chown(path, status.st_uid, status.st_gid)
        path.chmod(status.st_mode & 0o777)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("socket-access", socket=path, error=error)
    return True
