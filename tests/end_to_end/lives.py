"""What tests of the daemon's life share: a containerd that answers when it is told to, and calls that wait for it."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from fakes.containerd import ScriptedBackend
from harness.cri import IMAGE_SERVICE, CriClient
from harness.daemon import Daemon

Make = Callable[..., Daemon]
"""Makes a daemon that is not started."""
SLOW = IMAGE_SERVICE + "ImageStatus"


class Slow:
    """A containerd whose ImageStatus answers when it is told to."""

    def __init__(self, path: Path) -> None:
        self.backend = ScriptedBackend(path)
        self.socket = path
        self.begun = threading.Event()
        self.cancelled = threading.Event()
        self._released = asyncio.Event()
        self.backend.unary[SLOW] = self.answer

    def release(self) -> None:
        self.backend._loop.loop.call_soon_threadsafe(self._released.set)

    async def answer(self, request: bytes, _: Any) -> bytes:
        self.begun.set()
        try:
            await self._released.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request


class Call(threading.Thread):
    """One call, of the slow method if no other is named, from a client of its own, until it ends."""

    def __init__(self, path: Path, method: str = SLOW, request: bytes = b"kept") -> None:
        super().__init__()
        self._path = path
        self._asked = method, request
        self.reply: bytes | None = None
        self.code: grpc.StatusCode | None = None
        self.start()

    def run(self) -> None:
        with CriClient(self._path) as client:
            try:
                self.reply = client.raw(*self._asked, 120)
            except grpc.RpcError as error:
                self.code = error.code()

    def ended(self) -> tuple[bytes | None, grpc.StatusCode | None]:
        self.join(30)
        assert not self.is_alive()
        return self.reply, self.code


def under_way(daemon: Daemon, slow: Slow) -> Call:
    call = Call(daemon.socket)
    assert slow.begun.wait(20)
    return call


def wait_until(ready: Callable[[], bool], timeout_seconds: float = 20) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def log_says(daemon: Daemon, text: str) -> None:
    wait_until(lambda: text in daemon.log_text())
