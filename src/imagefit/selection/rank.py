"""Order: which of several entries is the better one, a total order that is the same for the same input.

Knows the criteria of a ranking, who is no candidate by policy, and how containerd itself would choose. Leaves fit to
``match`` and what conditions ask to ``conditions``. Sources: the OCI image specification (``image-index.md``: the first
matching entry wins among equals) and github.com/containerd/platforms (``compare.go``, ``Only``).
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from imagefit.model.decision import Bar, Barred, Decision, Ranked, Ranking, Rated, Verdict
from imagefit.model.facts import Node, platform_name
from imagefit.model.microarchitecture import depth, normalize
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.policy import ORDER, Criterion, Policy, Preference, Unknown
from imagefit.model.requirement import RunsOn
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Documents, Traits

_BARRED_TIER = 1
# What containerd takes where nothing of the node's own architecture is there, below everything else: these builds, the
# higher variant first, and at the very end entries that name no platform.
_LAST_RESORTS = frozenset({("amd64", "386"), ("arm64", "arm")})
_FOREIGN = frozenset(build for _, build in _LAST_RESORTS)
_LAST_RESORT_CLOSENESS = -100
_NO_PLATFORM_CLOSENESS = -200


def rank(
    entries: Sequence[Descriptor],
    judged: Iterable[tuple[Sequence[int], Verdict]],
    policy: Policy,
    *,
    also_runs: frozenset[str] = frozenset(),
    documents: Documents | None = None,
) -> Ranking:
    """Order judged entries.

    Args:
        entries: in the order of the index.
        judged: the verdicts, each with the positions of the entries that it is on; every entry has one.
        policy: the operator's.
        also_runs: the node's ``also_runs``, by which the entries were judged.
        documents: what is known already of the documents in the verdicts.

    Returns:
        The same entries, best first: those that may be chosen, those that the policy bars, those that do not fit.
    """
    known = documents or Documents()
    rated = [
        _rated(positions, Traits(entries[positions[0]], verdict, known), policy, also_runs)
        for positions, verdict in judged
    ]
    return ordered(rated, entries, policy.order)


def ordered(rated: Iterable[Rated], entries: Sequence[Descriptor], order: Sequence[Criterion]) -> Ranking:
    """Return entries by their merits, best first; among equals the one that comes first in the index.

    Args:
        rated: every entry's rating.
        entries: in the order of the index.
        order: the criteria that count, most important first, ``POSITION`` last.
    """
    counting = [ORDER.index(criterion) for criterion in order[:-1]]
    equals: dict[tuple[int, ...], list[Rated]] = {}
    bars: set[Bar] = set()
    for one in rated:
        if one.barred is not None:
            bars.add(one.barred.bar)
        equals.setdefault(tuple([one.merits[number] for number in counting]), []).append(one)
    places: list[tuple[int, Rated]] = []
    for merits in sorted(equals, reverse=True):
        tied = [(position, one) for one in equals[merits] for position in one.positions]
        places += sorted(tied, key=itemgetter(0))
    return Ranking(entries, places, frozenset(bars))


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
    for one in policy.require:
        if not traits.meets(one, inside=inside):
            return Barred(Bar.REQUIRE, one)
    for one in policy.forbid:
        if traits.meets(one):
            return Barred(Bar.FORBID, one)
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
    known: dict[tuple[str, str, str] | None, bool] = {}
    found: list[int] = []
    for position, entry in enumerate(entries):
        platform = entry.platform
        name = None if platform is None else (platform.os, platform.architecture, platform.variant)
        if name not in known:
            known[name] = platform is None or _is_plain(platform, node)
        if known[name]:
            found.append(position)
    return frozenset(found)


def _rated(positions: Sequence[int], traits: Traits, policy: Policy, also_runs: frozenset[str]) -> Rated:
    verdict = traits.verdict
    met = _met(policy, traits)
    bar = barred(policy, traits, verdict.truth)
    merits = (
        _tier(verdict.truth) if bar is None else _BARRED_TIER,
        sum([one.weight for one in met]) if met else 0,
        _score(verdict),
        _closeness(verdict, also_runs),
        verdict.holding,
    )
    return Rated(positions, verdict, merits, bar, met)


def _tier(truth: Truth) -> int:
    if truth is Truth.YES:
        return 3
    return 2 if truth is Truth.UNKNOWN else 0


def _met(policy: Policy, traits: Traits) -> tuple[Preference, ...]:
    return tuple([one for one in policy.prefer if any(map(traits.meets, one.wishes))]) if policy.prefer else ()


def _score(verdict: Verdict) -> int:
    return max([one.alternative.score for document in verdict.documents if (one := document.deciding)], default=0)


def _closeness(verdict: Verdict, also_runs: frozenset[str]) -> int:
    # An entry's platform is the first of its own checks.
    first = verdict.findings[0].check.question if verdict.findings else None
    platform = first if isinstance(first, RunsOn) else None
    if also_runs and platform is not None and platform_name(platform.os, platform.architecture) in also_runs:
        return 0  # levels of another machine say nothing of this CPU
    if deepest := verdict.depth:
        return deepest
    if platform is None:
        return _NO_PLATFORM_CLOSENESS
    if platform.architecture in _FOREIGN:
        return depth(platform.architecture, platform.variant) + _LAST_RESORT_CLOSENESS
    return 0


def _is_plain(platform: Platform, node: Node) -> bool:
    if platform.os.lower() not in {"", node.os.lower()}:
        return False
    default = normalize(node.architecture, "")
    want = normalize(platform.architecture, platform.variant)
    # On 32-bit Arm containerd looks at the CPU for its default; count every variant in.
    return want == default or want[0] == default[0] == "arm" or (default[0], want[0]) in _LAST_RESORTS
