"""A service manager's side of sd_notify(3): a datagram socket, and what daemons told it."""

import contextlib
import select
import socket
import time
from pathlib import Path
from typing import Self

from harness.process import HarnessError


class Manager:
    """Listens where ``NOTIFY_SOCKET`` points to."""

    def __init__(self, address: Path | str) -> None:
        """Listen on a path, or on an abstract address that begins with ``@``."""
        self.environment = {"NOTIFY_SOCKET": str(address)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address).replace("@", "\0", 1) if isinstance(address, str) else str(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def told(self, timeout_seconds: float = 20) -> dict[str, str]:
        """Return the next message, which is waited for.

        Raises:
            HarnessError: none came in time.
        """
        self._socket.settimeout(timeout_seconds)
        try:
            lines = self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            raise HarnessError(f"the manager was told nothing in {timeout_seconds} s") from None
        return dict(line.split("=", 1) for line in lines)

    def told_of(self, name: str, timeout_seconds: float = 20) -> dict[str, str]:
        """Return the next message that says ``name``; what comes before it is dropped.

        Raises:
            HarnessError: none came in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.told(left)
            if name in message:
                return message
        raise HarnessError(f"the manager was not told of {name} in {timeout_seconds} s")

    def hears_nothing(self, for_seconds: float) -> bool:
        """Tell whether nothing is told for so long, once what has arrived is dropped."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(4096):
                pass
        return not select.select([self._socket], [], [], for_seconds)[0]
