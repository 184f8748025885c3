"""A gate between imagefit and containerd: every call stops before it and after its first reply, where a test wants it.

Knows raw bytes and the names of methods. Leaves to the test what happens at a stop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from fakes.containerd import LIMITS, EventLoop

_STOPS_AT_ONCE = 64
_IMAGES_API = "/containerd.services.images.v1.Images/"
_OWN = frozenset({"user-agent", "content-type", "te", "grpc-timeout", "grpc-accept-encoding"})
_CLIENT = (
    *LIMITS,
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)

Visit = Callable[[str], grpc.StatusCode | None]
"""Called in a thread of its own, so that it may block; its status, if any, is what the call ends with.

Its argument is ``before`` or ``after`` and the method, such as ``before PullImage`` or ``after Images.Get``.
"""


class GrpcGate(grpc.GenericRpcHandler):  # type: ignore[type-arg] # not generic at run time
    """Passes every method of every service on."""

    def __init__(self, socket: Path, backend: Path, visit: Visit) -> None:
        """Be closed; ``visit`` is called at every stop."""
        self.socket = socket
        self._backend = backend
        self._visit = visit
        self._loop = EventLoop()
        self._loop.loop.set_default_executor(ThreadPoolExecutor(_STOPS_AT_ONCE))
        self._server: grpc.aio.Server | None = None
        self._channel: grpc.aio.Channel | None = None

    def open(self) -> None:
        """Listen; an open gate stays so."""
        if self._server is None:
            self._loop.run(self._open())

    def shut(self) -> None:
        """End every call and connection at once, as the end of what is behind it would; nothing listens then."""
        if self._server is not None:
            self._loop.run(self._shut())

    def close(self) -> None:
        """Shut it for good."""
        self.shut()
        self._loop.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a method, as a stream, which fits any reply."""
        method = handler_call_details.method

        async def behave(request: bytes, context: Any) -> AsyncIterator[bytes]:
            async for message in self._passed(method, request, context):
                yield message

        return grpc.unary_stream_rpc_method_handler(behave)

    async def _open(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._channel = grpc.aio.insecure_channel(f"unix:{self._backend}", options=_CLIENT)
        self._server = grpc.aio.server(options=LIMITS)
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()

    async def _shut(self) -> None:
        server, channel = self._server, self._channel
        self._server = self._channel = None
        assert server is not None
        assert channel is not None
        await server.stop(None)
        await channel.close(None)

    async def _passed(self, method: str, request: bytes, context: Any) -> AsyncIterator[bytes]:
        service, _, last = method.rpartition("/")
        name = f"Images.{last}" if f"{service}/" == _IMAGES_API else last
        await self._stop(f"before {name}", context)
        if self._channel is None:  # shut meanwhile
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the gate is shut")
        call = self._channel.unary_stream(method, None, None)(  # type: ignore[union-attr]
            request, metadata=_passable(context.invocation_metadata()), timeout=context.time_remaining()
        )
        has_stopped = False
        try:
            async for message in call:
                if not has_stopped:
                    has_stopped = True
                    await self._stop(f"after {name}", context)
                yield message
            context.set_trailing_metadata(_passable(await call.trailing_metadata()))
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", _passable(error.trailing_metadata()))
        finally:
            call.cancel()

    async def _stop(self, where: str, context: Any) -> None:
        code = await asyncio.get_running_loop().run_in_executor(None, self._visit, where)
        if code is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await context.abort(code, "refused by the gate")


def _passable(metadata: Any) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((key, value) for key, value in metadata or () if key not in _OWN)
