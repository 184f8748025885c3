"""Order: which of several entries is the better one, a total order that is the same for the same input.

Knows the criteria of a ranking, who is no candidate by policy, and how containerd itself would choose. Leaves fit to
``match`` and what conditions ask to ``conditions``. Sources: the OCI image specification (``image-index.md``: the first
matching entry wins among equals) and github.com/containerd/platforms (``compare.go``, ``Only``).
"""

from collections.abc import Iterable, Sequence

from imagefit.model.decision import Bar, Barred, Decision, Ranked, Verdict
from imagefit.model.facts import Node, platform_name
from imagefit.model.microarchitecture import depth, normalize
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Criterion, Policy, Preference, Unknown
from imagefit.model.requirement import RunsOn
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Documents, Traits

_BARRED_TIER = 1
_TIERS = {Truth.YES: 3, Truth.UNKNOWN: 2, Truth.NO: 0}
# What containerd takes where nothing of the node's own architecture is there, below everything else: these builds, the
# higher variant first, and at the very end entries that name no platform.
_LAST_RESORTS = frozenset({("amd64", "386"), ("arm64", "arm")})
_FOREIGN = frozenset(build for _, build in _LAST_RESORTS)
_LAST_RESORT_CLOSENESS = -100
_NO_PLATFORM_CLOSENESS = -200


def rank(
    entries: Iterable[tuple[Descriptor, Verdict]],
    policy: Policy,
    *,
    also_runs: frozenset[str] = frozenset(),
    documents: Documents | None = None,
) -> tuple[Ranked, ...]:
    """Order judged entries.

    Args:
        entries: in the order of the index, each with its verdict.
        policy: the operator's.
        also_runs: the node's ``also_runs``, by which the entries were judged.
        documents: what is known already of the documents in the verdicts.

    Returns:
        The same entries, best first: those that may be chosen, those that the policy bars, those that do not fit.
    """
    known = documents or Documents()
    ranked = (
        _ranked(position, descriptor, verdict, policy, Traits(descriptor, verdict, known), also_runs)
        for position, (descriptor, verdict) in enumerate(entries)
    )
    return ordered(ranked, policy.order)


def ordered(ranked: Iterable[Ranked], order: Sequence[Criterion]) -> tuple[Ranked, ...]:
    """Return entries by their merits, best first; ``order`` says which of these count, most important first."""
    return tuple(sorted(ranked, key=lambda one: [one.merits[criterion] for criterion in order], reverse=True))


def decided_by(better: Ranked, worse: Ranked, order: Sequence[Criterion]) -> Criterion:
    """Return the first criterion that tells two entries apart; position always does."""
    return next(criterion for criterion in order if better.merits[criterion] != worse.merits[criterion])


def advantages(decision: Decision) -> tuple[Criterion | None, ...]:
    """Return for each entry of the ranking the criterion that put it before the next; None for the last."""
    pairs = zip(decision.ranking, decision.ranking[1:], strict=False)
    found = (decided_by(better, worse, decision.policy.order) for better, worse in pairs)
    return (*found, None) if decision.ranking else ()


def barred(policy: Policy, traits: Traits, truth: Truth) -> Barred | None:
    """Return by what the policy bars an entry, None where it does not.

    Args:
        policy: the operator's, with what a pod forbids.
        traits: of the entry.
        truth: whether it fits; one that does not is not barred besides.
    """
    if truth is Truth.NO:
        return None
    # Anybody may attach a tag to an image: it lets nobody in unless it is signed.
    inside = not policy.require_signature
    missing = next((one for one in policy.require if not traits.meets(one, inside=inside)), None)
    if missing is not None:
        return Barred(Bar.REQUIRE, missing)
    forbidden = next((one for one in policy.forbid if traits.meets(one)), None)
    if forbidden is not None:
        return Barred(Bar.FORBID, forbidden)
    return Barred(Bar.UNKNOWN) if truth is Truth.UNKNOWN and policy.unknown is Unknown.REJECT else None


def surely_barred(policy: Policy, own: Traits, truth: Truth) -> bool:
    """Tell whether the policy bars an entry whatever its metadata says; arguments as of ``barred``, without any."""
    if truth is Truth.UNKNOWN and policy.unknown is Unknown.REJECT:
        return True
    lacks = any(not own.may_meet(one) for one in policy.require)
    return lacks or any(own.meets(one) for one in policy.forbid)


def preference(policy: Policy, traits: Traits) -> int:
    """Return the sum of the weights of the preferences that an entry meets."""
    return sum(one.weight for one in _met(policy, traits))


def highest_preference(policy: Policy, own: Traits) -> int:
    """Return the most that an entry's preference can become with metadata; ``own`` are its traits without any."""
    return sum(
        one.weight for one in policy.prefer if any(map(own.may_meet if one.weight > 0 else own.meets, one.wishes))
    )


def plain_choice(entries: Sequence[Descriptor], node: Node) -> frozenset[int]:
    """Return the positions that containerd on its own considers, without any metadata.

    Args:
        entries: in the order of the index.
        node: its platform.

    Returns:
        Every entry that containerd might pull; it is sure of its choice only where there is one. Entries whose
        treatment differs between containerd's versions (``os.features``) are counted in.
    """
    return frozenset(position for position, entry in enumerate(entries) if _is_plain(entry, node))


def _ranked(
    position: int, descriptor: Descriptor, verdict: Verdict, policy: Policy, traits: Traits, also_runs: frozenset[str]
) -> Ranked:
    met = _met(policy, traits)
    bar = barred(policy, traits, verdict.truth)
    merits = {
        Criterion.TIER: _TIERS[verdict.truth] if bar is None else _BARRED_TIER,
        Criterion.PREFERENCE: sum(one.weight for one in met),
        Criterion.SCORE: _score(verdict),
        Criterion.CPU: _closeness(verdict, also_runs),
        Criterion.SPECIFICITY: verdict.holding,
        Criterion.POSITION: -position,
    }
    return Ranked(position, descriptor, verdict, merits, bar, met)


def _met(policy: Policy, traits: Traits) -> tuple[Preference, ...]:
    return tuple(one for one in policy.prefer if any(map(traits.meets, one.wishes)))


def _score(verdict: Verdict) -> int:
    deciding = (document.deciding for document in verdict.documents)
    return max((one.alternative.score for one in deciding if one), default=0)


def _closeness(verdict: Verdict, also_runs: frozenset[str]) -> int:
    questions = (finding.check.question for finding in verdict.findings)
    platform = next((question for question in questions if isinstance(question, RunsOn)), None)
    if platform is not None and platform_name(platform.os, platform.architecture) in also_runs:
        return 0  # levels of another machine say nothing of this CPU
    if verdict.depth:
        return verdict.depth
    if platform is None:
        return _NO_PLATFORM_CLOSENESS
    if platform.architecture in _FOREIGN:
        return depth(platform.architecture, platform.variant) + _LAST_RESORT_CLOSENESS
    return 0


def _is_plain(entry: Descriptor, node: Node) -> bool:
    platform = entry.platform
    if platform is None:
        return True
    if platform.os.lower() not in {"", node.os.lower()}:
        return False
    default = normalize(node.architecture, "")
    want = normalize(platform.architecture, platform.variant)
    # On 32-bit Arm containerd looks at the CPU for its default; count every variant in.
    return want == default or want[0] == default[0] == "arm" or (default[0], want[0]) in _LAST_RESORTS
