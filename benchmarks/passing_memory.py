"""What calls leave behind in imagefit's memory: answered ones and cancelled ones.

Knows how many there have to be before a leak shows. The backend is a scripted one: calls that are cancelled have to be
under way, which nothing that answers at once lets them be.
"""

import asyncio
import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc

from benchmarks.measuring import Figure, figure, interleaved
from benchmarks.passing_backends import IMAGE_STATUS, LIST_IMAGES
from benchmarks.passing_load import Call, load
from benchmarks.passing_proxies import imagefit
from benchmarks.spending import memory_of
from fakes.containerd import ScriptedBackend

CALLS: Final = 10_000
# The node has been looked at then.
_SETTLED_SECONDS: Final = 3.0
_REPLY: Final = b"r" * 1000
_WHAT: Final = f"memory after {CALLS:,} calls"


@dataclass(frozen=True, slots=True)
class Round:
    """What one imagefit had in memory, in MB: when idle, after calls, and after as many cancelled ones besides."""

    idle: float
    called: float
    cancelled: float


def memory_figures(part: str, root: Path, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Return what imagefit has in memory: when idle, and how much more after calls.

    Args:
        part: they belong to.
        root: made here; its path must be short.
        rounds: how many imagefits are looked at, one after the other.
        tell: is told what is being done.
    """
    root.mkdir()
    found = interleaved({_WHAT: partial(_round, root)}, rounds, tell)[_WHAT]
    return [
        figure(part, "memory: idle", "MB", [one.idle for one in found], is_compared=False),
        figure(
            part, f"memory: + after {CALLS:,} calls", "MB", [one.called - one.idle for one in found], is_compared=False
        ),
        figure(
            part,
            f"memory: + after {CALLS:,} cancelled besides",
            "MB",
            [one.cancelled - one.idle for one in found],
            is_compared=False,
        ),
    ]


def _round(folder: Path) -> Round:
    root = Path(tempfile.mkdtemp(dir=folder))
    arrived = threading.Semaphore(0)

    async def answered(request: bytes, context: Any) -> bytes:  # noqa: ANN401, ARG001 - as the server calls it
        return _REPLY

    async def unanswered(request: bytes, context: Any) -> bytes:  # noqa: ANN401, ARG001 - as the server calls it
        arrived.release()
        await asyncio.Event().wait()
        return b""

    backend = ScriptedBackend(root / "s.sock")
    backend.unary = {IMAGE_STATUS: answered, LIST_IMAGES: unanswered}
    with contextlib.ExitStack() as ending:
        ending.callback(backend.stop)
        way = imagefit(root / "i", backend.socket, ending)
        pid = way.pid or 0
        time.sleep(_SETTLED_SECONDS)
        idle = memory_of(pid).resident
        load(way.socket, Call("ImageStatus", IMAGE_STATUS, b"", [_REPLY], {1: CALLS}), 1, root)
        called = memory_of(pid).resident
        _cancelled(way.socket, arrived)
        return Round(idle, called, memory_of(pid).resident)


def _cancelled(socket: Path, arrived: threading.Semaphore) -> None:
    """Make calls that are cancelled once they have come to the backend."""
    with grpc.insecure_channel(f"unix:{socket}", options=(("grpc.default_authority", "localhost"),)) as channel:
        start = channel.unary_unary(LIST_IMAGES, request_serializer=None, response_deserializer=None)
        for _ in range(CALLS):
            call: Any = start.future(b"")
            if not arrived.acquire(timeout=10):
                raise TimeoutError("a call has not come to the backend")
            call.cancel()
