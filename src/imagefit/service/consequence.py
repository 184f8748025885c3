"""What the policy makes of a decision, or of an error: the outcome of a pull.

Knows modes and what happens where nothing fits or nothing can be decided. Leaves the words to ``selection.explain``.
"""

from typing import Final

from imagefit.errors import ImagefitError, NotNamedError
from imagefit.model.decision import Bar, Decision
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.policy import Mode, NoMatch, OnError, Policy
from imagefit.model.reference import ImageReference
from imagefit.selection.explain import refusal, why_chosen
from imagefit.selection.wording import cut
from imagefit.telemetry import redacted

_MAX_REFUSAL_CHARACTERS: Final = 900


def of_decision(reference: ImageReference, decision: Decision) -> Outcome:
    """Return what becomes of a pull that has been decided on."""
    policy, chosen = decision.policy, decision.chosen
    observing = policy.mode is Mode.OBSERVE
    if chosen is None:
        message = redacted(refusal(decision, str(reference)))
        # What a pod forbids must not come in as containerd's own choice, which knows no policy.
        is_forbidden = Bar.FORBID in decision.ranking.bars
        if observing or (policy.no_match is NoMatch.PASS_THROUGH and not is_forbidden):
            return PassThrough(reference, Reason.NO_MATCH, message)
        return Refuse(message, Reason.NO_MATCH)
    if decision.is_plain:
        return PassThrough(reference, Reason.PLAIN, "containerd itself would choose this entry and no other")
    if observing:
        return PassThrough(reference, Reason.OBSERVE, f"mode is observe; otherwise: {why_chosen(decision)}")
    return Rewrite(reference, decision.index_digest, chosen.descriptor.digest)


def of_error(reference: ImageReference, policy: Policy, error: ImagefitError) -> PassThrough | Refuse:
    """Return what becomes of a pull where nothing could be decided, or what was decided could not be done.

    Where what was in the way passes by itself, kubelet's next pull gets the build that fits, and not any: a plain pull
    would do no better now, or bring another build under the tag for good.
    """
    if isinstance(error, NotNamedError):
        message = redacted(f"imagefit: {reference} was chosen and not named: {error}; pull again")
        return Refuse(cut(message, _MAX_REFUSAL_CHARACTERS), error.code, transient=True)
    if policy.on_error is OnError.FAIL and policy.mode is Mode.ENFORCE:
        message = redacted(f"imagefit: no decision on {reference}: {error}")
        return Refuse(cut(message, _MAX_REFUSAL_CHARACTERS), error.code, transient=True)
    return PassThrough(reference, error.code, str(error))
