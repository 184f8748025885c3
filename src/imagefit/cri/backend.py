"""The connection to containerd: raw bytes over one channel, for forwarded calls and for our own.

Knows how a channel to containerd has to be set up to be invisible, and counts what becomes of calls. Leaves to
``calls`` how one is made, and to others what the bytes mean.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from imagefit.cri.calls import Answer, Call, CallMetadata, check
from imagefit.cri.methods import CRI_VERSIONS, IMAGES_SERVICE, UNARY_METHODS
from imagefit.telemetry import metrics

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
    # containerd is restarted, not gone: look for it often. Each look has all its time, as gRPC has it: what is named
    # "grpc.min_reconnect_backoff_ms" would end it, so that a containerd that is busy or frozen would seem to be away.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
)
_NAMESPACE: CallMetadata = (("containerd-namespace", "k8s.io"),)
_CALL_SECONDS = 10.0

# What metrics tell apart; a caller can ask for methods of any name.
_TOLD_APART = (
    UNARY_METHODS
    | {f"/{version}.RuntimeService/GetContainerEvents" for version in CRI_VERSIONS}
    | {f"{IMAGES_SERVICE}{method}" for method in ("Get", "Create", "Update", "Delete")}
)


class Backend:
    """One channel to containerd's socket. To be made and used inside one event loop."""

    def __init__(self, socket: Path) -> None:
        """Make the channel; nothing is connected before the first call, and containerd need not be there yet.

        Args:
            socket: containerd's Unix socket.

        Raises:
            ImagefitError: this grpcio has not what calls are made with.
        """
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=_CHANNEL_OPTIONS)
        check(self._channel)
        self._calls: set[Call] = set()

    async def call(self, method: str, request: bytes, timeout_seconds: float = _CALL_SECONDS) -> bytes:
        """Make a call of our own, in the namespace of Kubernetes.

        Args:
            method: full name, such as ``/runtime.v1.ImageService/ImageStatus``.
            request: the message.
            timeout_seconds: deadline of the call.

        Raises:
            grpc.aio.AioRpcError: containerd answered with an error, or not in time.
        """
        return (await self.answer(method, request, _NAMESPACE, timeout_seconds)).reply

    async def answer(
        self, method: str, request: bytes, metadata: CallMetadata, timeout_seconds: float | None
    ) -> Answer:
        """Make a call with one reply; if the waiting is cancelled, the call is.

        Args:
            method: full name, such as ``/runtime.v1.ImageService/ImageStatus``.
            request: the message.
            metadata: sent along.
            timeout_seconds: deadline of the call; None for none.

        Raises:
            grpc.aio.AioRpcError: containerd answered with an error, or not in time.
        """
        with self._under_way(method, timeout_seconds) as call:
            return await call.answer(request, metadata)

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, request: bytes, metadata: CallMetadata, timeout_seconds: float | None
    ) -> AsyncIterator[Call]:
        """Make a call with any number of replies, which is cancelled if the context ends before it.

        Args:
            method: full name, such as ``/runtime.v1.RuntimeService/GetContainerEvents``.
            request: the message.
            metadata: sent along.
            timeout_seconds: deadline of the call; None for none.

        Yields:
            The call, once it is known what comes ahead of its replies; asking for those raises its errors.
        """
        with self._under_way(method, timeout_seconds) as call:
            await call.begin(request, metadata)
            yield call

    async def close(self) -> None:
        """End every call and the connection."""
        for call in tuple(self._calls):
            call.cancel()
        await self._channel.close(grace=None)

    @contextlib.contextmanager
    def _under_way(self, method: str, timeout_seconds: float | None) -> Iterator[Call]:
        call = Call(self._channel, method.encode(), timeout_seconds)
        self._calls.add(call)
        try:
            yield call
        finally:
            call.cancel()
            self._calls.discard(call)
            if metrics.CONTAINERD_CALLS.is_on:
                _count(method, call)


def _count(method: str, call: Call) -> None:
    code = call.code or grpc.StatusCode.UNKNOWN
    metrics.CONTAINERD_CALLS.add(method=method[1:] if method in _TOLD_APART else metrics.OTHER, code=code.name)


def retrieved(task: "asyncio.Future[Any]") -> None:
    """Look at a result that perhaps nobody waits for any more, so that asyncio does not report it as lost."""
    if not task.cancelled():
        task.exception()
