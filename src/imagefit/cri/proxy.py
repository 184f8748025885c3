"""The gRPC server that kubelet talks to: every call is forwarded as raw bytes, PullImage is looked at first.

Knows how to be invisible: metadata, deadline, cancellation, status, details and trailers pass both ways. Leaves the
choice to the chooser it is given and containerd's records to ``records``.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol, assert_never

import grpc
import grpc.aio

from imagefit import telemetry
from imagefit.cri.backend import Backend, Metadata, cancel, ended, initial_metadata, messages
from imagefit.cri.health import Health
from imagefit.cri.records import Records
from imagefit.cri.wire import PULL_METHODS, UNARY_METHODS, PullRequest, UnreadableMessageError, read_pull_request
from imagefit.errors import RecordsError
from imagefit.model.decision import Outcome, PassThrough, Refuse, Rewrite
from imagefit.telemetry import metrics, tracing

Missing = Callable[[], Awaitable[str]]
Context = grpc.aio.ServicerContext[bytes, bytes]
_TRACEPARENT = "traceparent"
log = telemetry.part("cri")
# Set anew by our own channel and server; passing them on would send them twice.
_HOP_BY_HOP = frozenset({"user-agent", "content-type", "te", "grpc-timeout", "grpc-accept-encoding"})


class Chooser(Protocol):
    """Decides about pulls."""

    async def choose(self, request: PullRequest, remaining_seconds: float | None, /) -> Outcome:
        """Return what becomes of a pull; must not raise.

        Args:
            request: as kubelet sent it.
            remaining_seconds: how long its caller still waits; None where that is not limited.
        """

    def records_failed(self, request: PullRequest, rewrite: Rewrite, error: RecordsError, /) -> PassThrough | Refuse:
        """Return what becomes of a pull that has been rewritten in vain; must not raise."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What containerd answered, not yet passed on."""

    reply: bytes
    initial: Metadata
    trailing: Metadata


class Proxy(grpc.GenericRpcHandler):  # type: ignore[type-arg] # not generic at run time
    """Answers every method of every service by asking containerd."""

    def __init__(self, backend: Backend, records: Records, chooser: Chooser, missing: Missing | None = None) -> None:
        """Forward to ``backend`` and ask ``chooser`` about every PullImage.

        Args:
            backend: containerd.
            records: of the images that are chosen.
            chooser: decides what becomes of a pull.
            missing: returns what keeps pulls from being answered now, empty for nothing; with it the gRPC health
                service speaks of imagefit, without it of containerd.
        """
        self._backend = backend
        self._records = records
        self._chooser = chooser
        self._handlers = {method: self._unary_handler(method) for method in UNARY_METHODS}
        self._health = None if missing is None else Health(missing, self._forward_stream)
        if self._health is not None:
            self._handlers |= self._health.handlers()

    def stop(self) -> None:
        """Tell those who watch the health that nothing is served any more; calls go on until the server stops."""
        if self._health is not None:
            self._health.stop()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return the handler of a method; one that is not known is forwarded as a stream, which fits any reply."""
        method = handler_call_details.method
        known = self._handlers.get(method)
        if known is not None:
            return known
        return grpc.unary_stream_rpc_method_handler(partial(self._forward_stream, method))

    def _unary_handler(self, method: str) -> "grpc.RpcMethodHandler[Any, Any]":
        behaviour = self._pull if method in PULL_METHODS else self._forward
        return grpc.unary_unary_rpc_method_handler(partial(behaviour, method))

    async def _forward(self, method: str, request: bytes, context: Context) -> bytes:
        answer = await self._answer(method, request, context)
        await _pass_metadata(answer.initial, answer.trailing, context)
        return answer.reply

    async def _answer(self, method: str, request: bytes, context: Context) -> _Answer:
        call = self._backend.unary(method, request, _request_metadata(context), context.time_remaining())
        try:
            reply = await ended(call)
        except grpc.aio.AioRpcError as error:
            await _abort_with(error, context)
        return _Answer(reply, _passable(await call.initial_metadata()), _passable(await call.trailing_metadata()))

    async def _forward_stream(self, method: str, request: bytes, context: Context) -> AsyncIterator[bytes]:
        call = self._backend.stream(method, request, _request_metadata(context), context.time_remaining())
        replies = messages(call)
        try:
            await _pass_metadata(_passable(await initial_metadata(call)), (), context)
            async for message in replies:
                yield message
        except grpc.aio.AioRpcError as error:
            await _abort_with(error, context)
        finally:
            await replies.aclose()
            cancel(call)  # where it failed before its first reply was waited for
        await _pass_metadata((), _passable(await call.trailing_metadata()), context)

    async def _pull(self, method: str, content: bytes, context: Context) -> bytes:
        try:
            request = read_pull_request(content, _traceparent(context))
        except UnreadableMessageError as error:
            # Not even its name can be read; containerd reads it with the same rules, and says so to kubelet.
            log.warning("pull-not-read", error=error)
            metrics.FALLBACKS.add(reason="pull-not-read")
            return await self._forward(method, content, context)
        with tracing.span("PullImage", parent=request.traceparent):
            return await self._pull_as_chosen(method, request, context)

    async def _pull_as_chosen(self, method: str, request: PullRequest, context: Context) -> bytes:
        outcome = await self._chooser.choose(request, context.time_remaining())
        if isinstance(outcome, Rewrite):
            return await self._pull_chosen(method, request, outcome, context)
        return await self._pull_not_rewritten(method, request, outcome, context)

    async def _pull_not_rewritten(
        self, method: str, request: PullRequest, outcome: PassThrough | Refuse, context: Context
    ) -> bytes:
        match outcome:
            case PassThrough(reference):
                async with self._records.kept(method, reference):
                    with _timed_pull():
                        return await self._forward(method, request.content, context)
            case Refuse(message):
                code = grpc.StatusCode.UNAVAILABLE if outcome.transient else grpc.StatusCode.FAILED_PRECONDITION
                return await context.abort(code, message)
            case _:
                assert_never(outcome)

    async def _pull_chosen(self, method: str, request: PullRequest, rewrite: Rewrite, context: Context) -> bytes:
        rewritten = request.rewritten(rewrite.chosen_name)
        answers: list[_Answer] = []

        async def pull() -> bytes:
            with _timed_pull():
                answers.append(await self._answer(method, rewritten, context))
            return answers[-1].reply

        try:
            reply = await self._records.pulled(method, rewrite, pull)
        except RecordsError as error:
            log.warning("records-failed", image=rewrite.reference, chosen=rewrite.chosen_digest, error=error)
            outcome = self._chooser.records_failed(request, rewrite, error)
        else:
            await _pass_metadata(answers[-1].initial, answers[-1].trailing, context)
            return reply
        return await self._pull_not_rewritten(method, request, outcome, context)


@contextlib.contextmanager
def _timed_pull() -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        metrics.STEP_SECONDS.observe(time.perf_counter() - started, step="pull")


def _request_metadata(context: Context) -> Metadata:
    metadata = _passable(context.invocation_metadata())
    ours = tracing.traceparent()
    if not ours:
        return metadata
    return (*((key, value) for key, value in metadata if key != _TRACEPARENT), (_TRACEPARENT, ours))


def _traceparent(context: Context) -> str:
    return next((str(value) for key, value in context.invocation_metadata() or () if key == _TRACEPARENT), "")


def _passable(metadata: Any) -> Metadata:  # noqa: ANN401 - grpc's several metadata types
    return tuple((key, value) for key, value in metadata or () if key not in _HOP_BY_HOP)


async def _pass_metadata(initial: Metadata, trailing: Metadata, context: Context) -> None:
    if initial:
        await context.send_initial_metadata(initial)
    if trailing:
        context.set_trailing_metadata(trailing)


async def _abort_with(error: grpc.aio.AioRpcError, context: Context) -> NoReturn:
    """End a call as containerd ended it, trailers with the status details included."""
    trailing = _passable(error.trailing_metadata())
    await context.abort(error.code(), error.details() or "", trailing)
    raise error  # abort does not return
