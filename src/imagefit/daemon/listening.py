"""The socket that a daemon listens on, under a name of its own, and who may connect to it.

Knows that owner and mode are those of containerd's socket, and that never, not for a moment, more may connect. Leaves
to ``owning`` the path where kubelet finds it, and to ``life`` what is served there.
"""

import asyncio
import os
from pathlib import Path
from typing import Final

import grpc.aio

from imagefit import telemetry
from imagefit.errors import ListenError

log = telemetry.part("daemon")
# Makes a socket of mode 0600.
_SOCKET_UMASK: Final = 0o177
_OWNER_ONLY: Final = 0o600
_WITHOUT_CONTAINERD: Final = 0o660
_MAX_PATH_CHARACTERS: Final = 107
_LOOK_AGAIN_SECONDS: Final = 1.0


def bind(server: grpc.aio.Server, own: Path, containerd: Path) -> bool:
    """Have a server listen on a socket once it starts, to which those may connect that containerd lets in.

    Args:
        server: not started yet.
        own: the socket, in a folder that is there; nobody else uses this name.
        containerd: its socket; where it is not there, root and its group may connect.

    Returns:
        Whether containerd's socket was there; else ``follow_access`` has to look for it.

    Raises:
        ListenError: the path cannot be used.
    """
    before = os.umask(_SOCKET_UMASK)
    try:
        server.add_insecure_port("unix:" + str(own).replace("%", "%25"))  # it is read as a URI
    except RuntimeError as error:
        most = _MAX_PATH_CHARACTERS - len(own.suffix)
        raise ListenError(f"cannot listen on {own}", advice=f"is [server] socket longer than {most} bytes?") from error
    finally:
        os.umask(before)
    if _copied_access(containerd, own):
        return True
    own.chmod(_WITHOUT_CONTAINERD)
    return False


async def follow_access(containerd: Path, own: Path) -> None:
    """Let in whom containerd lets in, as soon as it is there."""
    while not _copied_access(containerd, own):  # noqa: ASYNC110 - a file that appears is no event of the loop
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _copied_access(containerd: Path, own: Path) -> bool:
    try:
        status = containerd.stat()
        own.chmod(_OWNER_ONLY)  # another group must not get what the mode before lets the group do
        os.chown(own, status.st_uid, status.st_gid)
        own.chmod(status.st_mode & 0o777)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("socket-access", socket=own, error=error)
    return True
