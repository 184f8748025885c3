"""The connection to containerd: raw bytes over one channel, for forwarded calls and for our own.

Knows how a channel to containerd has to be set up to be invisible, and how to end a call whose caller has gone. Leaves
to others what the bytes mean.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import grpc
import grpc.aio

from imagefit.cri.wire import CRI_VERSIONS, IMAGES_SERVICE, UNARY_METHODS
from imagefit.telemetry import metrics

Metadata = tuple[tuple[str, str | bytes], ...]

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""Twice what kubelet and containerd allow each other, so that theirs is the limit that is met first."""
MESSAGE_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # What Go allows; the core's own limit of 8 KiB would turn a long error message into another error.
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024 * 1024),
)
_CHANNEL_OPTIONS = (
    *MESSAGE_OPTIONS,
    # Go's gRPC server refuses the escaped socket path that gRPC's C core would send as authority.
    ("grpc.default_authority", "localhost"),
    # containerd is restarted, not gone: look for it often.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
)
_NAMESPACE: Metadata = (("containerd-namespace", "k8s.io"),)
_CALL_SECONDS = 10.0
_END: Any = grpc.aio.EOF  # type: ignore[attr-defined] # missing in the stubs

_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
# What metrics tell apart; a caller can ask for methods of any name.
_TOLD_APART = (
    UNARY_METHODS
    | {f"/{version}.RuntimeService/GetContainerEvents" for version in CRI_VERSIONS}
    | {f"{IMAGES_SERVICE}{method}" for method in ("Get", "Create", "Update", "Delete")}
)

_Reply = TypeVar("_Reply")
UnaryCall = grpc.aio.UnaryUnaryCall[bytes, bytes]
StreamCall = grpc.aio.UnaryStreamCall[bytes, bytes]
_Call = TypeVar("_Call", UnaryCall, StreamCall)


class Backend:
    """One channel to containerd's socket. To be made and used inside one event loop."""

    def __init__(self, socket: Path) -> None:
        """Make the channel; nothing is connected before the first call, and containerd need not be there yet.

        Args:
            socket: containerd's Unix socket.
        """
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=_CHANNEL_OPTIONS)

    async def call(self, method: str, request: bytes, timeout_seconds: float = _CALL_SECONDS) -> bytes:
        """Make a call of our own, in the namespace of Kubernetes.

        Args:
            method: full name, such as ``/runtime.v1.ImageService/ImageStatus``.
            request: the message.
            timeout_seconds: deadline of the call.

        Raises:
            grpc.aio.AioRpcError: containerd answered with an error, or not in time.
        """
        return await ended(self.unary(method, request, _NAMESPACE, timeout_seconds))

    def unary(self, method: str, request: bytes, metadata: Metadata, timeout_seconds: float | None) -> UnaryCall:
        """Start a call with one reply."""
        callable_ = self._channel.unary_unary(method, request_serializer=None, response_deserializer=None)
        return _counted(method, callable_(request, timeout=timeout_seconds, metadata=grpc.aio.Metadata(*metadata)))

    def stream(self, method: str, request: bytes, metadata: Metadata, timeout_seconds: float | None) -> StreamCall:
        """Start a call with any number of replies."""
        callable_ = self._channel.unary_stream(method, request_serializer=None, response_deserializer=None)
        return _counted(method, callable_(request, timeout=timeout_seconds, metadata=grpc.aio.Metadata(*metadata)))

    async def close(self) -> None:
        """End every call and the connection."""
        await self._channel.close(grace=None)


def _counted(method: str, call: _Call) -> _Call:
    """Return the call; its status is counted once it has one."""
    if metrics.CONTAINERD_CALLS.is_on:
        core: Any = call._cython_call  # type: ignore[attr-defined] # noqa: SLF001 - the public way keeps more alive
        core.add_done_callback(partial(_count, method, core))
    return call


def _count(method: str, core: Any) -> None:  # noqa: ANN401 - a class of grpc's core
    code = _CODES.get(_status_of(core), "UNKNOWN")
    metrics.CONTAINERD_CALLS.add(method=method[1:] if method in _TOLD_APART else metrics.OTHER, code=code)


def _status_of(core: Any) -> int | None:  # noqa: ANN401 - see above
    """Return the status of a call that is done: there is nothing to wait for, so no task is spent on it."""
    answer = core.status()
    try:
        answer.send(None)
    except StopIteration as done:
        code: int = done.value.code()
        return code
    answer.close()
    return None


async def ended(call: UnaryCall) -> bytes:
    """Wait for a call's reply; if the waiting is cancelled, cancel the call and let it end in its own time."""
    return await _shielded(_reply(call), call)


async def initial_metadata(call: StreamCall) -> Metadata:
    """Wait for what a call sends ahead of its first reply; a cancellation is treated as by ``ended``."""
    return tuple(await _shielded(_initial(call), call))


async def messages(call: StreamCall) -> AsyncGenerator[bytes, None]:
    """Yield a call's replies; if the consumer stops or is cancelled, cancel the call."""
    try:
        while (message := await _shielded(_next(call), call)) is not _END:
            yield message
    finally:
        cancel(call)


async def _reply(call: UnaryCall) -> bytes:
    reply: bytes = await call
    return reply


async def _initial(call: StreamCall) -> Any:  # noqa: ANN401 - grpc's several metadata types
    return await call.initial_metadata()


async def _next(call: StreamCall) -> Any:  # noqa: ANN401 - bytes, or the mark of the end
    return await call.read()


async def _shielded(waiting: Awaitable[_Reply], call: UnaryCall | StreamCall) -> _Reply:
    """Await without passing a cancellation on: gRPC leaks a call whose awaiting task is cancelled under it."""
    task = asyncio.ensure_future(waiting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        cancel(call)
        task.add_done_callback(retrieved)
        raise


def cancel(call: UnaryCall | StreamCall) -> None:
    """Cancel a call, if it has not ended, at the layer below the public ``cancel``.

    That one also cancels the task in which the core's answer is awaited, and then what the core has set aside for the
    answer is never freed: 0.9 kB for each cancelled call with grpcio 1.85, against 10 bytes this way.
    """
    core = call._cython_call  # type: ignore[union-attr] # noqa: SLF001 - see above; the leak test watches it
    if not core.done():
        core.cancel("the caller has gone")


def retrieved(task: "asyncio.Future[Any]") -> None:
    """Look at a result that perhaps nobody waits for any more, so that asyncio does not report it as lost."""
    if not task.cancelled():
        task.exception()
