"""Order: which of several entries is the better one, a total order that is the same for the same input.

Knows the criteria of a ranking and how containerd itself would choose. Leaves fit to ``match``. Sources: the OCI image
specification (``image-index.md``: the first matching entry wins among equals) and github.com/containerd/platforms
(``compare.go``, ``Only``).
"""

from collections.abc import Iterable, Mapping, Sequence

from imagefit.model.decision import Criterion, Ranked, Verdict
from imagefit.model.facts import Node
from imagefit.model.microarchitecture import depth, normalize
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Preference
from imagefit.model.requirement import RunsOn
from imagefit.model.truth import Truth

ORDER = (
    Criterion.TIER,
    Criterion.PREFERENCE,
    Criterion.SCORE,
    Criterion.CPU,
    Criterion.SPECIFICITY,
    Criterion.POSITION,
)
"""The criteria, most important first."""

_TIERS = {Truth.YES: 2, Truth.UNKNOWN: 1, Truth.NO: 0}
# What containerd takes where nothing of the node's own architecture is there, below everything else: these builds, the
# higher variant first, and at the very end entries that name no platform.
_LAST_RESORTS = frozenset({("amd64", "386"), ("arm64", "arm")})
_FOREIGN = frozenset(build for _, build in _LAST_RESORTS)
_LAST_RESORT_CLOSENESS = -100
_NO_PLATFORM_CLOSENESS = -200


def rank(entries: Iterable[tuple[Descriptor, Verdict]], prefer: Sequence[Preference]) -> tuple[Ranked, ...]:
    """Order judged entries.

    Args:
        entries: in the order of the index, each with its verdict.
        prefer: the operator's preferences.

    Returns:
        The same entries, best first.
    """
    ranked = (
        Ranked(position, descriptor, verdict, _merits(position, verdict, prefer))
        for position, (descriptor, verdict) in enumerate(entries)
    )
    return tuple(sorted(ranked, key=_key, reverse=True))


def preference(claims: Mapping[str, str], prefer: Iterable[Preference]) -> int:
    """Return the sum of the weights of the preferences that an entry's claims match."""
    return sum(one.weight for one in prefer if claims.get(one.annotation) == one.value)


def decided_by(better: Ranked, worse: Ranked) -> Criterion:
    """Return the first criterion that tells two entries apart; position always does."""
    return next(criterion for criterion in ORDER if better.merits[criterion] != worse.merits[criterion])


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


def _merits(position: int, verdict: Verdict, prefer: Sequence[Preference]) -> dict[Criterion, int]:
    return {
        Criterion.TIER: _TIERS[verdict.truth],
        Criterion.PREFERENCE: preference(verdict.claims, prefer),
        Criterion.SCORE: _score(verdict),
        Criterion.CPU: _closeness(verdict),
        Criterion.SPECIFICITY: verdict.holding,
        Criterion.POSITION: -position,
    }


def _key(ranked: Ranked) -> tuple[int, ...]:
    return tuple(ranked.merits[criterion] for criterion in ORDER)


def _score(verdict: Verdict) -> int:
    deciding = (document.deciding for document in verdict.documents)
    return max((one.alternative.score for one in deciding if one), default=0)


def _closeness(verdict: Verdict) -> int:
    questions = (finding.check.question for finding in verdict.findings)
    platform = next((question for question in questions if isinstance(question, RunsOn)), None)
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
