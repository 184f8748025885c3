"""Who is connected to a Unix socket, as the kernel tells.

Knows one question of the kernel's socket diagnostics. Leaves whose sockets those are to ``processes``. Sources:
sock_diag(7); Linux' ``include/uapi/linux/unix_diag.h`` and ``net/unix/diag.c``.
"""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NETLINK_SOCK_DIAG: Final = 4
_SOCK_DIAG_BY_FAMILY: Final = 20
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_REQUEST_DUMP: Final = 0x301
_SHOW_VFS_AND_PEER: Final = 2 | 4
_UNIX_DIAG_VFS: Final = 1
_UNIX_DIAG_PEER: Final = 2
_TYPE_BITS: Final = 0x3FFF
_ALL_STATES: Final = 0xFFFFFFFF
_HEADER: Final = struct.Struct("=IHHII")
_QUESTION: Final = struct.Struct("=BBHIIIII")
_SOCKET: Final = struct.Struct("=BBBBIII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_TWO: Final = struct.Struct("=II")
_ONE: Final = struct.Struct("=I")
_MINOR_BITS: Final = 20
_RECEIVED_BYTES: Final = 1 << 16
_SECONDS: Final = 5.0


def clients_of(path: Path) -> frozenset[int]:
    """Return the inodes of the sockets that are connected to the one at a path.

    Raises:
        OSError: there is no such path, or the kernel does not tell.
    """
    status = path.stat()
    place = status.st_ino & _ALL_STATES, (os.major(status.st_dev) << _MINOR_BITS) | os.minor(status.st_dev)
    return frozenset(peer for bound, peer in _sockets() if bound == place and peer)


def _sockets() -> Iterator[tuple[tuple[int, int], int]]:
    """Yield where each Unix socket of this network namespace is bound, inode and device, and its peer's inode."""
    question = _QUESTION.pack(socket.AF_UNIX, 0, 0, _ALL_STATES, 0, _SHOW_VFS_AND_PEER, _ALL_STATES, _ALL_STATES)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_SECONDS)
        kernel.send(_HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + question)
        while True:
            for kind, content in _parts(kernel.recv(_RECEIVED_BYTES), _HEADER):
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", content)[0], "the kernel does not tell of its sockets")
                found = dict(_parts(content[_SOCKET.size :], _ATTRIBUTE))
                if _UNIX_DIAG_VFS in found:
                    yield _TWO.unpack(found[_UNIX_DIAG_VFS]), _ONE.unpack(found.get(_UNIX_DIAG_PEER, bytes(4)))[0]


def _parts(content: bytes, header: struct.Struct) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of what stands one after the other, each with its length before it, at fourfold places."""
    while len(content) >= header.size:
        length, kind, *_ = header.unpack_from(content)
        if length < header.size:
            return
        yield kind & _TYPE_BITS, content[header.size : length]
        content = content[(length + 3) & ~3 :]
