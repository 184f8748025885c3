"""The daemon's memory does not grow with the calls that it has served or that were cancelled."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.containerd import ScriptedBackend
from harness.daemon import Daemon

STATUS = "/runtime.v1.ImageService/ImageStatus"
STREAM = "/runtime.v1.ImageService/StreamImages"
WARM_UP, CALLS = 700, 2500
MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "kind", ["answered", "cancelled", "cancelled-stream"], ids=lambda kind: f"{kind}-calls-leave-nothing"
)
def test_memory_is_flat(folder: Path, repository: str, kind: str) -> None:
    """A leak of one kilobyte a call, which grpcio has had, would add 2.5 MiB."""
    root = folder / f"m{repository.rpartition('-')[2]}"
    root.mkdir()
    backend = ScriptedBackend(root / "c.sock")
    arrived = threading.Semaphore(0)

    async def answer(request: bytes, context: Any) -> bytes:
        arrived.release()
        if kind != "answered":
            await asyncio.sleep(30)
        return b"x" * 1000

    async def stream(request: bytes, context: Any) -> Any:
        yield await answer(request, context)

    backend.unary[STATUS] = answer
    backend.streams[STREAM] = stream
    try:
        with Daemon(root / "d", backend.socket) as daemon, grpc.insecure_channel(f"unix:{daemon.socket}") as channel:
            _calls(channel, kind, WARM_UP, arrived)
            before = _resident_bytes(daemon.pid)
            _calls(channel, kind, CALLS, arrived)
            assert _resident_bytes(daemon.pid) - before < 1.2 * MEBIBYTE
    finally:
        backend.stop()


def _calls(channel: Any, kind: str, number: int, arrived: threading.Semaphore) -> None:
    for _ in range(number):
        call = channel.unary_stream(STREAM)(b"") if "stream" in kind else channel.unary_unary(STATUS).future(b"")
        assert arrived.acquire(timeout=10)
        if kind == "answered":
            call.result(10)
        else:
            call.cancel()


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
