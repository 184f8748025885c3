"""PullImage: asked of the chooser, then of containerd as it was chosen.

Knows what becomes of each outcome. Leaves the choice to the chooser, containerd's records to ``records``, and how a
call is passed on to the proxy.
"""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol, assert_never

import grpc

from imagefit import telemetry
from imagefit.cri.calls import Answer
from imagefit.cri.methods import TRACEPARENT
from imagefit.cri.proxy import Context, Proxy, pass_on
from imagefit.cri.records import Records
from imagefit.cri.wire import PullRequest, UnreadableMessageError, read_pull_request
from imagefit.errors import RecordsError
from imagefit.model.outcome import Outcome, PassThrough, Refuse, Rewrite
from imagefit.telemetry import metrics, tracing

log = telemetry.part("cri")


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


class Pulls:
    """Answers PullImage. To be used inside one event loop."""

    def __init__(self, proxy: Proxy, records: Records, chooser: Chooser) -> None:
        """Have pulls chosen.

        Args:
            proxy: passes calls on to containerd.
            records: of the images that are chosen.
            chooser: decides what becomes of a pull.
        """
        self._proxy = proxy
        self._records = records
        self._chooser = chooser

    async def pull(self, method: str, content: bytes, context: Context) -> bytes:
        """Answer PullImage.

        Args:
            method: of any version of CRI.
            content: the request.
            context: of the call, which an error ends.
        """
        try:
            request = read_pull_request(content, _traceparent(context))
        except UnreadableMessageError as error:
            # Not even its name can be read; containerd reads it with the same rules, and says so to kubelet.
            log.warning("pull-not-read", error=error)
            metrics.FALLBACKS.add(reason="pull-not-read")
            return await self._proxy.forward(method, content, context)
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
                        return await self._proxy.forward(method, request.content, context)
            case Refuse(message):
                code = grpc.StatusCode.UNAVAILABLE if outcome.transient else grpc.StatusCode.FAILED_PRECONDITION
                return await context.abort(code, message)
            case _:
                assert_never(outcome)

    async def _pull_chosen(self, method: str, request: PullRequest, rewrite: Rewrite, context: Context) -> bytes:
        rewritten = request.rewritten(rewrite.chosen_name)
        answers: list[Answer] = []

        async def pull() -> bytes:
            with _timed_pull():
                answers.append(await self._proxy.asked(method, rewritten, context))
            return answers[-1].reply

        try:
            reply = await self._records.pulled(method, rewrite, pull)
        except RecordsError as error:
            log.warning("records-failed", image=rewrite.reference, chosen=rewrite.chosen_digest, error=error)
            outcome = self._chooser.records_failed(request, rewrite, error)
        else:
            await pass_on(answers[-1], context)
            return reply
        return await self._pull_not_rewritten(method, request, outcome, context)


@contextlib.contextmanager
def _timed_pull() -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        metrics.STEP_SECONDS.observe(time.perf_counter() - started, step="pull")


def _traceparent(context: Context) -> str:
    return next((str(value) for key, value in context.invocation_metadata() or () if key == TRACEPARENT), "")
