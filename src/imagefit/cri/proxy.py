"""The gRPC server that kubelet talks to: every call is forwarded as raw bytes, but for those that imagefit answers.

Knows how to be invisible: metadata, deadline, cancellation, status, details and trailers pass both ways; and what
counts against ``limits``: every call but health checks, from its start to its end. Leaves PullImage to ``pulling`` and
health checks to ``health``, which may come later: nothing of them is imported here.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn, TypeAlias

import grpc
import grpc.aio

from imagefit.cri.backend import Backend
from imagefit.cri.calls import Answer, CallMetadata
from imagefit.cri.limits import Limit, Limits
from imagefit.cri.methods import HEALTH_METHODS, PULL_METHODS, TRACEPARENT, UNARY_METHODS
from imagefit.telemetry import tracing

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
# Set anew by our own channel and server; passing them on would send them twice.
_HOP_BY_HOP = frozenset({"user-agent", "content-type", "te", "grpc-timeout", "grpc-accept-encoding"})


class Answerers(NamedTuple):
    """What answers the calls that are not forwarded.

    Attributes:
        pull: answers PullImage.
        health: answers the methods of the gRPC health service.
    """

    pull: Callable[[str, bytes, Context], Awaitable[bytes]]
    health: Callable[[str, bytes, Context], AsyncIterator[bytes]]


class Proxy(grpc.GenericRpcHandler):  # type: ignore[type-arg] # not generic at run time
    """Answers every method of every service by asking containerd.

    Attributes:
        limits: how many calls may be under way at once.
    """

    def __init__(
        self, backend: Backend, answerers: Callable[[], Awaitable[Answerers]], limits: Limits | None = None
    ) -> None:
        """Forward to ``backend`` and leave PullImage and health checks to ``answerers``.

        Args:
            backend: containerd.
            answerers: returns what answers them, once it is there: calls wait for it. If it raises, they end.
            limits: how many calls may be under way at once; None for the defaults.
        """
        self.limits = limits or Limits()
        self._backend = backend
        self._answerers = answerers
        calls, pulls = self.limits.calls, self.limits.pulls
        self._handlers = {method: _unary(self.forward, method, (calls,)) for method in UNARY_METHODS}
        self._handlers |= {method: _unary(self._pull, method, (pulls, calls)) for method in PULL_METHODS}
        self._handlers |= {method: _stream(self._health, method) for method in HEALTH_METHODS}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """Return the handler of a method; one that is not known is forwarded as a stream, which fits any reply."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        return _stream(self._counted_stream, method)

    async def forward(self, method: str, request: bytes, context: Context) -> bytes:
        """Have containerd answer a call with one reply."""
        answer = await self.asked(method, request, context)
        await pass_on(answer, context)
        return answer.reply

    async def asked(self, method: str, request: bytes, context: Context) -> Answer:
        """Return what containerd answers to a call with one reply; if it is an error, the call ends with it."""
        try:
            return await self._backend.answer(method, request, _request_metadata(context), context.time_remaining())
        except grpc.aio.AioRpcError as error:
            await _pass_initial(error.initial_metadata(), context)
            await _abort_with(error, context)

    async def forward_stream(self, method: str, request: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Have containerd answer a call with any number of replies."""
        metadata = _request_metadata(context)
        try:
            async with (
                self._backend.stream(method, request, metadata, context.time_remaining()) as call,
                contextlib.aclosing(call.messages()) as replies,
            ):
                await _pass_initial(call.initial, context)
                async for message in replies:
                    yield message
                _pass_trailing(call.trailing, context)
        except grpc.aio.AioRpcError as error:
            await _abort_with(error, context)

    async def _counted_stream(self, method: str, request: bytes, context: Context) -> AsyncIterator[bytes]:
        limit = self.limits.calls
        if limit.is_met:
            await limit.shed(context)
        limit.under_way += 1
        try:
            async with contextlib.aclosing(self.forward_stream(method, request, context)) as replies:
                async for message in replies:
                    yield message
        finally:
            limit.under_way -= 1

    async def _pull(self, method: str, request: bytes, context: Context) -> bytes:
        answerers = await self._there(context)
        return await answerers.pull(method, request, context)

    async def _health(self, method: str, request: bytes, context: Context) -> AsyncIterator[bytes]:
        answerers = await self._there(context)
        async for reply in answerers.health(method, request, context):
            yield reply

    async def _there(self, context: Context) -> Answerers:
        try:
            return await self._answerers()
        except Exception:  # told where it was raised
            await context.abort(grpc.StatusCode.UNAVAILABLE, "imagefit cannot answer: see its log")
            raise  # abort does not return


def _unary(behaviour: Callable[..., Awaitable[bytes]], method: str, limits: tuple[Limit, ...]) -> Handler:
    async def answered(request: bytes, context: Context) -> bytes:  # gRPC looks longer at a partial, at every call
        for limit in limits:
            if limit.is_met:
                await limit.shed(context)
        for limit in limits:
            limit.under_way += 1
        try:
            return await behaviour(method, request, context)
        finally:
            for limit in limits:
                limit.under_way -= 1

    return grpc.unary_unary_rpc_method_handler(answered)


def _stream(behaviour: Callable[..., AsyncIterator[bytes]], method: str) -> Handler:
    return grpc.unary_stream_rpc_method_handler(partial(behaviour, method))


async def pass_on(answer: Answer, context: Context) -> None:
    """Pass on what came with an answer; the reply itself is returned."""
    await _pass_initial(answer.initial, context)
    _pass_trailing(answer.trailing, context)


def _request_metadata(context: Context) -> CallMetadata:
    metadata = _passable(context.invocation_metadata())
    ours = tracing.traceparent()
    if not ours:
        return metadata
    return (*((key, value) for key, value in metadata if key != TRACEPARENT), (TRACEPARENT, ours))


def _passable(metadata: Any) -> CallMetadata:  # noqa: ANN401 - grpc's several metadata types
    return tuple([entry for entry in metadata if entry[0] not in _HOP_BY_HOP]) if metadata else ()


async def _pass_initial(metadata: Any, context: Context) -> None:  # noqa: ANN401 - grpc's several metadata types
    if passable := _passable(metadata):
        await context.send_initial_metadata(passable)


def _pass_trailing(metadata: CallMetadata, context: Context) -> None:
    if passable := _passable(metadata):
        context.set_trailing_metadata(passable)


async def _abort_with(error: grpc.aio.AioRpcError, context: Context) -> NoReturn:
    """End a call as containerd ended it, trailers with the status details included."""
    trailing = _passable(error.trailing_metadata())
    await context.abort(error.code(), error.details() or "", trailing)
    raise error  # abort does not return
