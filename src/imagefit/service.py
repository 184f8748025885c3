"""What becomes of one pull: the loop between session, registry and facts.

Knows the order resolve, fetch, decide, the time budget, and what the policy makes of a decision or of an error. Leaves
to ``metadata`` how its pieces are fetched. Fail-open lives here, once: whatever goes wrong, the outcome is what the
operator set for errors.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from msgspec.structs import replace

from imagefit import telemetry
from imagefit.cri.wire import PullRequest
from imagefit.errors import BudgetSpentError, ImagefitError, InvalidReferenceError, RecordsError
from imagefit.metadata import Metadata, Source, Vouch
from imagefit.model.credentials import AuthConfig
from imagefit.model.decision import Bar, Decision, Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.facts import Node
from imagefit.model.oci import INDEX_MEDIA_TYPES, Descriptor, ImageIndex, parse_index
from imagefit.model.policy import Mode, NoMatch, OnError, Policies, Policy, Pull
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.registry.client import Resolved
from imagefit.registry.time_limit import time_limit
from imagefit.report import Keep, Steps, Told, tell, tell_again
from imagefit.selection.explain import refusal, why_chosen
from imagefit.selection.session import Selection
from imagefit.selection.wording import cut
from imagefit.telemetry import redacted, tracing

log = telemetry.part("service")
_T = TypeVar("_T")

_THREADS = 2
_MAX_REFUSAL_CHARACTERS = 900
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
        outcome = _failed(rewrite.reference, policy, error)
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
                index = await self._index(reference, auth, steps)
                if index is None:
                    return None
                fetch_until = loop.time() + (end - loop.time()) * _SHARE_OF_METADATA
                metadata = Metadata(self._registry, reference, auth, policy, fetch_until, self.vouch)
                start = partial(
                    Selection,
                    complete=complete,
                    pulse=partial(_check_time, loop, end),
                    is_late=lambda: loop.time() > fetch_until,
                )
                return await self._decided(start, index, policy, metadata, steps)
        except TimeoutError as error:
            raise BudgetSpentError(f"no decision within {budget_seconds:.3g} s") from error

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
            return _failed(reference, policy, error), None
        except Exception as error:  # noqa: BLE001 - a defect of ours must not cost a pull
            log.failure("defect", error, image=reference)
            return _failed(reference, policy, ImagefitError("an internal error, see the log of imagefit")), None
        if decision is None:
            return PassThrough(reference, Reason.NO_INDEX, "it is a single manifest, not an index"), None
        return _outcome(reference, decision), decision

    async def _index(self, reference: ImageReference, auth: AuthConfig | None, steps: Steps) -> ImageIndex | None:
        with steps.step("resolve"):
            resolved = await self._registry.resolve(reference, auth)
        if resolved.media_type not in INDEX_MEDIA_TYPES:
            return None
        descriptor = Descriptor(resolved.digest, resolved.media_type, resolved.size_bytes)
        with steps.step("index"):
            content = await self._registry.fetch(reference, descriptor, auth, kind="manifests")
            return await self._in_thread(parse_index, content, resolved.digest)

    async def _decided(
        self, start: Callable[..., Selection], index: ImageIndex, policy: Policy, metadata: Metadata, steps: Steps
    ) -> Decision:
        with steps.step("node"):
            node = await self._node()
        with steps.step("judge"):
            selection = await self._in_thread(start, index, node, policy)
            wanted = await self._in_thread(selection.wanted)
        while wanted:
            with steps.step("metadata"):
                async with asyncio.TaskGroup() as group:
                    fetches = {locator: group.create_task(metadata.fetch(locator)) for locator in wanted}
                for locator, fetched in fetches.items():
                    selection.supply(locator, fetched.result())
            with steps.step("judge"):
                wanted = await self._in_thread(selection.wanted)
        with steps.step("judge"):
            decision = await self._in_thread(selection.decide)
        return replace(decision, notes=metadata.notes) if metadata.notes else decision

    async def _in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Work in a thread: a hostile index takes seconds, in which every other call of the node must be served.

        The threads are few and of their own, so that such work waits for its like and for nothing else.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _check_time(loop: asyncio.AbstractEventLoop, end: float) -> None:
    """End work that nobody waits for any more; called in its thread. Raises ``BudgetSpentError``."""
    if loop.time() > end:
        raise BudgetSpentError("the time for a decision is over")


def _outcome(reference: ImageReference, decision: Decision) -> Outcome:
    policy, chosen = decision.policy, decision.chosen
    observing = policy.mode is Mode.OBSERVE
    if chosen is None:
        message = redacted(refusal(decision, str(reference)))
        # What a pod forbids must not come in as containerd's own choice, which knows no policy.
        is_forbidden = any(one.barred and one.barred.bar is Bar.FORBID for one in decision.ranking)
        if observing or (policy.no_match is NoMatch.PASS_THROUGH and not is_forbidden):
            return PassThrough(reference, Reason.NO_MATCH, message)
        return Refuse(message, Reason.NO_MATCH)
    if decision.is_plain:
        return PassThrough(reference, Reason.PLAIN, "containerd itself would choose this entry and no other")
    if observing:
        return PassThrough(reference, Reason.OBSERVE, f"mode is observe; otherwise: {why_chosen(decision)}")
    return Rewrite(reference, decision.index_digest, chosen.descriptor.digest)


def _pull(request: PullRequest, image: str) -> Pull:
    return Pull(image, request.namespace, request.runtime_handler, request.annotations)


def _trace(request: PullRequest) -> str:
    """Return the trace that the call belongs to: our own span's, where spans are recorded."""
    return tracing.trace_id(tracing.traceparent() or request.traceparent)


def _failed(reference: ImageReference, policy: Policy, error: ImagefitError) -> PassThrough | Refuse:
    if policy.on_error is OnError.FAIL and policy.mode is Mode.ENFORCE:
        message = redacted(f"imagefit: no decision on {reference}: {error}")
        return Refuse(cut(message, _MAX_REFUSAL_CHARACTERS), error.code, transient=True)
    return PassThrough(reference, error.code, str(error))
