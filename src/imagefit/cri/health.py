"""The gRPC health service on imagefit's own socket.

Knows what is asked of it (grpc/health/v1/health.proto): ``Check`` for now, ``Watch`` for now and every change. Answers
for imagefit; a service of another name is containerd's to answer. Leaves what it takes to be ready to the function that
it is given.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import grpc
import grpc.aio

from imagefit.cri.methods import HEALTH_CHECK, HEALTH_WATCH
from imagefit.cri.wire import UnreadableMessageError, health_response, read_health_request

_OWN_SERVICES: Final = frozenset({"", "imagefit"})
_MAX_WATCHERS: Final = 16
_LOOK_AGAIN_SECONDS: Final = 1.0

Context = grpc.aio.ServicerContext[bytes, bytes]
Missing = Callable[[], Awaitable[str]]
"""Returns what keeps pulls from being answered now; empty for nothing."""
Forward = Callable[[str, bytes, Context], AsyncIterator[bytes]]
"""Has containerd answer a call: method, request, context."""


class Health:
    """Answers health checks. To be used inside one event loop."""

    def __init__(self, missing: Missing, forward: Forward, look_again_seconds: float = _LOOK_AGAIN_SECONDS) -> None:
        """Say what ``missing`` says, look again so often while somebody watches, and ``forward`` the rest."""
        self._missing = missing
        self._forward = forward
        self._look_again_seconds = look_again_seconds
        self._watchers = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Serve no more, and tell everybody who watches: a watch lasts for ever, and a stop waits for calls."""
        self._stopping.set()

    def answer(self, method: str, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """Answer ``Check`` or ``Watch``; both as a stream, of which a single reply is a special case."""
        return self._check(request, context) if method == HEALTH_CHECK else self._watch(request, context)

    async def _check(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        if _is_own(request):
            yield await self._status()
            return
        async for reply in self._forward(HEALTH_CHECK, request, context):
            yield reply

    async def _watch(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        if not _is_own(request):
            async for reply in self._forward(HEALTH_WATCH, request, context):
                yield reply
            return
        if self._watchers >= _MAX_WATCHERS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{_MAX_WATCHERS} watch already")
        self._watchers += 1
        try:
            async for reply in self._changes():
                yield reply
        finally:
            self._watchers -= 1

    async def _changes(self) -> AsyncIterator[bytes]:
        said = None
        while True:
            is_last = self._stopping.is_set()
            status = await self._status()
            if status != said:
                yield status
            if is_last:
                return
            said = status
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._look_again_seconds)

    async def _status(self) -> bytes:
        return health_response(serving=not (self._stopping.is_set() or await self._missing()))


def _is_own(request: bytes) -> bool:
    try:
        return read_health_request(request) in _OWN_SERVICES
    except UnreadableMessageError:
        return False
