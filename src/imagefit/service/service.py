"""What becomes of one pull: the loop between session, registry and facts.

Knows the order resolve, fetch, decide, and the time budget. Leaves to ``metadata`` how its pieces are fetched, to
``consequence`` what the policy makes of a decision or of an error, and to ``recent`` what need not be decided again.
Fail-open lives here, once: whatever goes wrong, the outcome is what the operator set for errors.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from imagefit import telemetry
from imagefit.cri.wire import PullRequest
from imagefit.errors import BudgetSpentError, ImagefitError, InvalidReferenceError, RecordsError
from imagefit.formats.contract import Locator
from imagefit.model.credentials import AuthConfig
from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.oci import INDEX_MEDIA_TYPES, Descriptor, parse_index
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.policy import Mode, Policies, Policy, Pull
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.registry.client import Resolved
from imagefit.registry.time_limit import time_limit
from imagefit.selection.session import Selection
from imagefit.selection.wording import cut
from imagefit.service.consequence import of_decision, of_error
from imagefit.service.metadata import Metadata, Source, Vouch
from imagefit.service.recent import Recent
from imagefit.service.report import Keep, Steps, Told, tell, tell_again
from imagefit.telemetry import tracing

log = telemetry.part("service")
_T = TypeVar("_T")
# A selection, what it wants next and, where that is nothing, its decision.
_Judged = tuple[Selection, tuple[Locator, ...], Decision | None]

_THREADS = 2
_SHARE_OF_CALLERS_TIME = 0.25
# Of what is left of the budget: one piece that does not come must leave time to decide without it.
_SHARE_OF_METADATA = 0.6


class Registry(Source, Protocol):
    """What a decision needs of a registry client."""

    async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
        """Return what a reference stands for."""


class Service:
    """Decides for one node.

    Attributes:
        policies: the operator's; may be replaced at any time, a decision under way keeps its own.
        vouch: checks the signatures of referrers for policies that require them; may be replaced, too.
    """

    def __init__(
        self,
        registry: Registry,
        node: Callable[[], Awaitable[Node]],
        policies: Policies | None = None,
        keep: Keep | None = None,
        vouch: Vouch | None = None,
    ) -> None:
        """Decide with these parts.

        Args:
            registry: where indexes and metadata come from.
            node: returns the node's facts; waits for their first detection if need be.
            policies: the operator's; without them the defaults.
            keep: is given the record of every decision, too.
            vouch: checks signatures; without it no referrer is believed where a policy requires them.
        """
        self.policies = policies or Policies()
        self.vouch = vouch
        self._registry = registry
        self._node = node
        self._keep = keep
        self._recent = Recent()
        self._threads = ThreadPoolExecutor(_THREADS, "judging")

    async def choose(self, request: PullRequest, remaining_seconds: float | None = None) -> Outcome:
        """Decide what becomes of one PullImage request. Never raises, short of being cancelled.

        Args:
            request: as kubelet sent it.
            remaining_seconds: how long its caller still waits, None where that is not limited. A decision takes at most
                a quarter of it, so that the pull itself has time.
        """
        steps = Steps()
        decision: Decision | None = None
        try:
            reference = parse_reference(request.image)
        except InvalidReferenceError as error:
            pull, policy = _pull(request, cut(request.image)), self.policies.default
            outcome: Outcome = PassThrough(None, Reason.NO_NAME, error.message)
        else:
            pull = _pull(request, str(reference))
            policy = self.policies.of(pull)
            outcome, decision = await self._decided_or_failed(reference, request.auth, policy, remaining_seconds, steps)
        self._tell(tell, Told(pull, policy, outcome, decision, steps, _trace(request)))
        return outcome

    def records_failed(self, request: PullRequest, rewrite: Rewrite, error: RecordsError) -> PassThrough | Refuse:
        """Return what becomes of a pull after all, where containerd did not take or not show what was chosen."""
        pull = _pull(request, str(rewrite.reference))
        policy = self.policies.of(pull)
        outcome = of_error(rewrite.reference, policy, error)
        self._tell(tell_again, Told(pull, policy, outcome, None, Steps(), _trace(request)))
        return outcome

    async def decide(
        self,
        reference: ImageReference,
        auth: AuthConfig | None,
        policy: Policy,
        *,
        remaining_seconds: float | None = None,
        complete: bool = False,
        steps: Steps | None = None,
    ) -> Decision | None:
        """Resolve a reference and decide over its index.

        Args:
            reference: what to resolve.
            auth: the credentials of the request, or None.
            policy: of this pull.
            remaining_seconds: see ``choose``.
            complete: judge the metadata of every entry that may fit, for a person to read.
            steps: what times the steps.

        Returns:
            The decision, or None where the reference stands for no index.

        Raises:
            RegistryError: the index could not be had; BudgetSpentError if not in time.
            InvalidIndexError: it cannot be read.
        """
        budget_seconds = policy.budget_seconds
        if remaining_seconds is not None:
            budget_seconds = min(budget_seconds, remaining_seconds * _SHARE_OF_CALLERS_TIME)
        steps = steps or Steps()
        loop = asyncio.get_running_loop()
        end = loop.time() + budget_seconds
        try:
            async with time_limit(end):
                with steps.step("resolve"):
                    resolved = await self._registry.resolve(reference, auth)
                if resolved.media_type not in INDEX_MEDIA_TYPES:
                    return None
                with steps.step("node"):
                    node = await self._node()
                known = None if complete else self._recent.find(reference, resolved.digest, policy, node)
                if known is not None:
                    return known
                content = await self._index(reference, auth, resolved, steps)
                fetch_until = loop.time() + (end - loop.time()) * _SHARE_OF_METADATA
                metadata = Metadata(self._registry, reference, auth, policy, fetch_until, self.vouch)
                start = partial(
                    _started,
                    *(content, resolved.digest, node, policy),
                    complete=complete,
                    pulse=partial(_check_time, loop, end),
                    is_late=lambda: loop.time() > fetch_until,
                )
                decision, is_alone = await self._decided(start, metadata, steps)
        except TimeoutError as error:
            raise BudgetSpentError(f"no decision within {budget_seconds:.3g} s") from error
        if is_alone and not complete:
            self._recent.keep(reference, decision, node)
        return decision

    def _tell(self, telling: Callable[[Told, Keep | None], None], told: Told) -> None:
        try:
            telling(told, self._keep)
        except Exception as error:  # noqa: BLE001 - nor must a defect in telling it
            log.failure("defect", error, image=told.pull.image)

    async def _decided_or_failed(
        self,
        reference: ImageReference,
        auth: AuthConfig | None,
        policy: Policy,
        remaining_seconds: float | None,
        steps: Steps,
    ) -> tuple[Outcome, Decision | None]:
        if policy.mode is Mode.OFF:
            return PassThrough(reference, Reason.OFF, "mode is off"), None
        try:
            decision = await self.decide(reference, auth, policy, remaining_seconds=remaining_seconds, steps=steps)
        except ImagefitError as error:
            return of_error(reference, policy, error), None
        except Exception as error:  # noqa: BLE001 - a defect of ours must not cost a pull
            log.failure("defect", error, image=reference)
            return of_error(reference, policy, ImagefitError("an internal error, see the log of imagefit")), None
        if decision is None:
            return PassThrough(reference, Reason.NO_INDEX, "it is a single manifest, not an index"), None
        return of_decision(reference, decision), decision

    async def _index(
        self, reference: ImageReference, auth: AuthConfig | None, resolved: Resolved, steps: Steps
    ) -> bytes:
        descriptor = Descriptor(resolved.digest, resolved.media_type, resolved.size_bytes)
        with steps.step("index"):
            return await self._registry.fetch(reference, descriptor, auth, kind="manifests")

    async def _decided(self, start: Callable[[], _Judged], metadata: Metadata, steps: Steps) -> tuple[Decision, bool]:
        """Return the decision, and whether the index alone led to it."""
        with steps.step("judge"):
            selection, wanted, decision = await self._in_thread(start)
        is_alone = decision is not None
        while decision is None:
            with steps.step("metadata"):
                async with asyncio.TaskGroup() as group:
                    fetches = {locator: group.create_task(metadata.fetch(locator)) for locator in wanted}
                for locator, fetched in fetches.items():
                    selection.supply(locator, fetched.result())
            with steps.step("judge"):
                selection, wanted, decision = await self._in_thread(_judged, selection)
        return replace(decision, notes=metadata.notes) if metadata.notes else decision, is_alone

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Work in a thread: a hostile index takes seconds, in which every other call of the node must be served.

        The threads are few and of their own, so that such work waits for its like and for nothing else.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _started(content: bytes, digest: str, node: Node, policy: Policy, **options: Any) -> _Judged:  # noqa: ANN401 - Selection's
    return _judged(Selection(parse_index(content, digest), node, policy, **options))


def _judged(selection: Selection) -> _Judged:
    """Judge as far as it goes, in one go: each hand-over to a thread costs as much as a small index does."""
    wanted = selection.wanted()
    return selection, wanted, None if wanted else selection.decide()


def _check_time(loop: asyncio.AbstractEventLoop, end: float) -> None:
    """End work that nobody waits for any more; called in its thread. Raises ``BudgetSpentError``."""
    if loop.time() > end:
        raise BudgetSpentError("the time for a decision is over")


def _pull(request: PullRequest, image: str) -> Pull:
    return Pull(image, request.namespace, request.runtime_handler, request.annotations)


def _trace(request: PullRequest) -> str:
    """Return the trace that the call belongs to: our own span's, where spans are recorded."""
    return tracing.trace_id(tracing.traceparent() or request.traceparent)
