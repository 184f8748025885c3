"""A scriptable gRPC server in containerd's place, for what the real one cannot be brought to do.

It answers any method with what the test scripted, as raw bytes, and keeps what it was asked. It runs in a thread with
an event loop of its own, so that synchronous tests can call it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio

LIMIT_BYTES = 64 * 1024 * 1024
LIMITS = (
    ("grpc.max_receive_message_length", LIMIT_BYTES),
    ("grpc.max_send_message_length", LIMIT_BYTES),
    # As Go has them.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
)

Behaviour = Callable[[bytes, Any], Awaitable[bytes] | AsyncIterator[bytes]]
_Result = TypeVar("_Result")


class EventLoop:
    """An event loop in a thread, for servers that synchronous tests talk to."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result], timeout: float = 30) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        self.run(self._ended())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _ended(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class ScriptedBackend(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Answers scripted methods; others are UNIMPLEMENTED, as a Go server words it, with details and a trailer."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.unary: dict[str, Behaviour] = {}
        self.streams: dict[str, Behaviour] = {}
        self.seen: list[tuple[str, bytes, dict[str, Any]]] = []
        self._loop = EventLoop()
        self._loop.run(self._start())

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        if method in self.streams:
            return grpc.unary_stream_rpc_method_handler(self._recorded_stream(method))
        return grpc.unary_unary_rpc_method_handler(self._recorded(method, self.unary.get(method, _unimplemented)))

    def stop(self) -> None:
        self._loop.run(self._server.stop(0))
        self._loop.close()

    async def _start(self) -> None:
        self._server = grpc.aio.server(options=LIMITS)
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()

    def _recorded(self, method: str, behaviour: Behaviour) -> Any:
        async def behave(request: bytes, context: Any) -> Any:
            self._record(method, request, context)
            return await behaviour(request, context)  # type: ignore[misc]

        return behave

    def _recorded_stream(self, method: str) -> Any:
        async def behave(request: bytes, context: Any) -> Any:
            self._record(method, request, context)
            async for message in self.streams[method](request, context):  # type: ignore[union-attr]
                yield message

        return behave

    def _record(self, method: str, request: bytes, context: Any) -> None:
        self.seen.append(
            (method, request, {**dict(context.invocation_metadata()), "remaining": context.time_remaining()})
        )


async def _unimplemented(_: bytes, context: Any) -> bytes:
    trailers = (("grpc-status-details-bin", b"\x08\x0c\x12\x07unknown"), ("x-trailer", "kept"))
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method Foo for service bar", trailers)
    raise AssertionError
