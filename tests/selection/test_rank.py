"""Order: each criterion decides where all the more important ones are equal, and position always does."""

from itertools import permutations

import pytest

from builders import asks, decide, digest, entry, index, node, prefers, rank, without_platform
from imagefit.model.decision import AlternativeVerdict, Bar, Barred, DocumentVerdict, Finding, Verdict
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.policy import ORDER, Criterion, Policy, Preference, Requirement, Trait, Unknown
from imagefit.model.requirement import Alternative, Check, Document, HasFlag, RunsOn
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Traits
from imagefit.selection.rank import (
    advantages,
    decided_by,
    highest_preference,
    plain_choice,
    preference,
    surely_barred,
)

_PREFER = Policy(prefer=(prefers("gpu", "yes", 5), prefers("size", "small", 2), prefers("debug", "yes", -3)))
_MIDDLE = (Criterion.PREFERENCE, Criterion.SCORE, Criterion.CPU, Criterion.SPECIFICITY)
_ORDERS = [
    pytest.param((Criterion.TIER, *middle, Criterion.POSITION), id="-".join(middle) or "none")
    for length in range(len(_MIDDLE) + 1)
    for middle in permutations(_MIDDLE, length)
]
"""Every order that there is: all criteria in every sequence, and every selection of them."""


def _ordered(*order: Criterion) -> Policy:
    return Policy(order=order, prefer=_PREFER.prefer)


_GPU = asks(Trait.ANNOTATION, "gpu", "yes")
_NEVER = asks(Trait.ANNOTATION, "never")
_ALSO_NEVER = asks(Trait.ANNOTATION, "also-never")


def _both(one: Requirement, other: Requirement) -> Requirement:
    return Requirement(one.conditions + other.conditions)


def _finding(truth: Truth = Truth.YES, depth: int = 0) -> Finding:
    return Finding(Check("x", "x", HasFlag(("f",), ("A",)), depth=depth), truth, "seen")


def _document(score: int) -> DocumentVerdict:
    alternative = Alternative((), score)
    verdict = AlternativeVerdict(alternative, Truth.YES, ())
    return DocumentVerdict(Document("d", (alternative,)), Truth.YES, (verdict,), 0)


def _candidate(
    truth: Truth = Truth.YES, *, gpu: bool = False, score: int = 0, depth: int = 0, checks: int = 1, variant: str = ""
) -> tuple[Descriptor, Verdict]:
    findings = (_finding(depth=depth), *(_finding() for _ in range(checks - 1)))
    claims = {"gpu": "yes"} if gpu else {}
    documents = (_document(score),) if score else ()
    platform = Platform("linux", "s390x", variant)
    return Descriptor(digest=digest("x"), platform=platform), Verdict(truth, findings, documents, (), claims)


def _better_in(*criteria: Criterion) -> tuple[Descriptor, Verdict]:
    """Return a candidate that is better than a plain one in these criteria, and equal in all others."""
    return _candidate(
        gpu=Criterion.PREFERENCE in criteria,
        score=int(Criterion.SCORE in criteria),
        depth=int(Criterion.CPU in criteria),
        checks=1 + (Criterion.SPECIFICITY in criteria),
    )


def test_the_criteria_have_the_order_of_the_design() -> None:
    assert (Criterion.TIER, *_MIDDLE, Criterion.POSITION) == ORDER == Policy().order


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize("criterion", _MIDDLE)
def test_each_criterion_decides_alone_in_every_order_that_has_it_and_in_no_other(
    criterion: Criterion, order: tuple[Criterion, ...]
) -> None:
    ranking = rank([_better_in(), _better_in(criterion)], _ordered(*order))
    counts = criterion in order
    assert [ranked.position for ranked in ranking] == ([1, 0] if counts else [0, 1])
    assert decided_by(ranking[0], ranking[1], order) is (criterion if counts else Criterion.POSITION)


@pytest.mark.parametrize("order", _ORDERS)
def test_each_criterion_decides_before_all_that_come_later_or_are_left_out(order: tuple[Criterion, ...]) -> None:
    for place, criterion in enumerate(order[1:-1], start=1):
        outweighed = set(_MIDDLE) - set(order[: place + 1])
        ranking = rank([_better_in(*outweighed), _better_in(criterion)], _ordered(*order))
        assert [ranked.position for ranked in ranking] == [1, 0]
        assert decided_by(ranking[0], ranking[1], order) is criterion


_UNKNOWN_REJECTED = Policy(prefer=_PREFER.prefer, unknown=Unknown.REJECT)
_REQUIRED = Policy(prefer=_PREFER.prefer, require=(asks(Trait.VARIANT, "v1"),))


@pytest.mark.parametrize("order", _ORDERS)
@pytest.mark.parametrize(
    ("worse", "better", "policy"),
    [
        pytest.param(
            _candidate(Truth.UNKNOWN, gpu=True, score=9, depth=4, checks=9),
            _candidate(),
            _PREFER,
            id="yes before unknown",
        ),
        pytest.param(
            _candidate(Truth.NO, gpu=True, score=9, depth=4, checks=9),
            _candidate(Truth.UNKNOWN),
            _PREFER,
            id="unknown before no",
        ),
        pytest.param(
            _candidate(gpu=True, score=9, depth=4, checks=9),
            _candidate(Truth.UNKNOWN, variant="v1"),
            _REQUIRED,
            id="unknown before barred",
        ),
        pytest.param(
            _candidate(Truth.NO, gpu=True, score=9, depth=4, checks=9),
            _candidate(Truth.UNKNOWN),
            _UNKNOWN_REJECTED,
            id="barred before no",
        ),
    ],
)
def test_the_tier_comes_before_all_else_in_every_order(
    worse: tuple[Descriptor, Verdict],
    better: tuple[Descriptor, Verdict],
    policy: Policy,
    order: tuple[Criterion, ...],
) -> None:
    policy = Policy(order=order, prefer=policy.prefer, unknown=policy.unknown, require=policy.require)
    ranking = rank([worse, better], policy)
    assert [ranked.position for ranked in ranking] == [1, 0]
    assert decided_by(ranking[0], ranking[1], order) is Criterion.TIER


@pytest.mark.parametrize("order", _ORDERS)
def test_among_equals_the_first_in_the_index_wins_in_every_order(order: tuple[Criterion, ...]) -> None:
    ranking = rank([_candidate()] * 3, _ordered(*order))
    assert [ranked.position for ranked in ranking] == [0, 1, 2]
    assert decided_by(ranking[0], ranking[1], order) is Criterion.POSITION


def test_a_negative_score_is_worse_than_none() -> None:
    ranking = rank([_candidate(score=-1, depth=4, checks=9), _candidate()], _PREFER)
    assert [ranked.position for ranked in ranking] == [1, 0]


def test_what_told_each_entry_from_the_next_is_known_of_all_but_the_last() -> None:
    entries = (
        entry("a"),
        entry("b", "linux/amd64/v2"),
        entry("c", "linux/arm64"),
        entry("d", "linux/amd64/v2", {"gpu": "yes"}),
        entry("e", "linux/arm64"),
    )
    decision = decide(index(*entries), node(), _PREFER)
    assert [ranked.position for ranked in decision.ranking] == [3, 1, 0, 2, 4]
    assert advantages(decision) == (
        Criterion.PREFERENCE,
        Criterion.CPU,
        Criterion.TIER,
        Criterion.POSITION,
        None,
    )
    assert advantages(decide(index(), node())) == ()
    assert advantages(decide(index(entries[0]), node())) == (None,)


@pytest.mark.parametrize(
    ("truth", "gpu", "policy", "expected"),
    [
        pytest.param(Truth.YES, True, Policy(), None, id="nothing asked"),
        pytest.param(Truth.UNKNOWN, True, Policy(), None, id="not known, and that may be"),
        pytest.param(Truth.YES, True, Policy(unknown=Unknown.REJECT), None, id="known"),
        pytest.param(Truth.UNKNOWN, True, Policy(unknown=Unknown.REJECT), Bar.UNKNOWN, id="not known"),
        pytest.param(Truth.YES, True, Policy(require=(_GPU,)), None, id="a requirement that is met"),
        pytest.param(Truth.YES, False, Policy(require=(_GPU,)), Bar.REQUIRE, id="a requirement that is not"),
        pytest.param(Truth.YES, True, Policy(require=(_GPU, _NEVER)), Bar.REQUIRE, id="one of two is not"),
        pytest.param(Truth.UNKNOWN, True, Policy(require=(_GPU,)), None, id="not known, but met"),
        pytest.param(Truth.YES, True, Policy(forbid=(_GPU,)), Bar.FORBID, id="what is forbidden"),
        pytest.param(Truth.YES, True, Policy(forbid=(_NEVER, _GPU)), Bar.FORBID, id="one of two is forbidden"),
        pytest.param(Truth.YES, False, Policy(forbid=(_GPU,)), None, id="what is not forbidden"),
        pytest.param(
            Truth.UNKNOWN,
            False,
            Policy(unknown=Unknown.REJECT, require=(_GPU,)),
            Bar.REQUIRE,
            id="what is surely missing is told before what is not known",
        ),
        pytest.param(Truth.NO, False, Policy(require=(_GPU,)), None, id="what does not fit is not barred besides"),
    ],
)
def test_the_policy_bars_what_lacks_something_has_something_or_is_not_known(
    truth: Truth,
    gpu: bool,  # noqa: FBT001
    policy: Policy,
    expected: Bar | None,
) -> None:
    (ranked,) = rank([_candidate(truth, gpu=gpu)], policy)
    assert (ranked.barred and ranked.barred.bar) is expected
    assert ranked.is_candidate is (expected is None and truth is not Truth.NO)
    assert (ranked.merits[Criterion.TIER] == 1) is (expected is not None)


def test_the_first_requirement_that_is_not_met_is_named_and_the_first_that_is_forbidden() -> None:
    gpu = _candidate(gpu=True)
    assert rank([gpu], Policy(require=(_GPU, _NEVER, _ALSO_NEVER)))[0].barred == Barred(Bar.REQUIRE, _NEVER)
    assert rank([gpu], Policy(forbid=(_NEVER, _GPU, _GPU)))[0].barred == Barred(Bar.FORBID, _GPU)
    unknown = rank([_candidate(Truth.UNKNOWN)], Policy(unknown=Unknown.REJECT))[0]
    assert unknown.barred == Barred(Bar.UNKNOWN)


def test_barred_entries_are_ranked_among_themselves() -> None:
    policy = Policy(require=(_NEVER,), prefer=_PREFER.prefer)
    ranking = rank([_candidate(), _candidate(Truth.UNKNOWN, gpu=True), _candidate(depth=2)], policy)
    assert [ranked.position for ranked in ranking] == [1, 2, 0]


def test_only_checks_that_hold_count() -> None:
    failing = Verdict(Truth.UNKNOWN, (_finding(Truth.UNKNOWN, 4), _finding(Truth.NO, 4)), (), ())
    plain = Verdict(Truth.UNKNOWN, (), (), ())
    ranking = rank([(Descriptor(digest=digest("x")), verdict) for verdict in (plain, failing)], Policy())
    assert [ranked.position for ranked in ranking] == [0, 1]


def test_the_checks_of_the_deciding_set_count() -> None:
    alternative = Alternative((), 0)
    judged = AlternativeVerdict(alternative, Truth.YES, (_finding(depth=4),), depth=4, holding=1)
    document = DocumentVerdict(Document("d", (alternative,)), Truth.YES, (judged,), 0)
    deep = Verdict(Truth.YES, (_finding(depth=1),), (document,), ())
    ranking = rank([_candidate(depth=3, checks=9), (Descriptor(digest=digest("x")), deep)], Policy())
    assert [ranked.position for ranked in ranking] == [1, 0]
    assert (ranking[0].merits[Criterion.CPU], ranking[0].merits[Criterion.SPECIFICITY]) == (4, 2)


def test_the_merits_of_a_set_are_those_that_judging_found_and_are_not_counted_again_for_every_entry() -> None:
    judged = AlternativeVerdict(Alternative(()), Truth.YES, (), depth=4, holding=9)
    document = DocumentVerdict(Document("d", (judged.alternative,)), Truth.YES, (judged,), 0)
    (ranked,) = rank([(Descriptor(digest=digest("x")), Verdict(Truth.YES, (), (document,), ()))], Policy())
    assert (ranked.merits[Criterion.CPU], ranked.merits[Criterion.SPECIFICITY]) == (4, 9)


def test_a_document_without_sets_has_no_score() -> None:
    empty = DocumentVerdict(Document("d"), Truth.YES, (), None)
    verdict = Verdict(Truth.YES, (), (empty,), ())
    assert rank([(Descriptor(digest=digest("x")), verdict)], Policy())[0].merits[Criterion.SCORE] == 0


def test_no_entries_have_no_order() -> None:
    assert rank([], _PREFER) == ()


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param({}, 0, id="no claims"),
        pytest.param({"gpu": "yes"}, 5, id="one"),
        pytest.param({"gpu": "yes", "size": "small"}, 7, id="the sum"),
        pytest.param({"gpu": "yes", "debug": "yes"}, 2, id="the sum with a negative weight"),
        pytest.param({"debug": "yes"}, -3, id="negative"),
        pytest.param({"gpu": "no"}, 0, id="other value"),
        pytest.param({"gpu": "Yes"}, 0, id="other case"),
        pytest.param({"GPU": "yes"}, 0, id="other key"),
    ],
)
def test_the_weights_of_matching_preferences_are_summed(claims: dict[str, str], expected: int) -> None:
    entry_of = (Descriptor(digest=digest("x")), Verdict(Truth.YES, (), (), (), claims))
    assert preference(_PREFER, Traits(*entry_of)) == expected
    (ranked,) = rank([entry_of], _PREFER)
    assert ranked.merits[Criterion.PREFERENCE] == expected
    assert ranked.met == tuple(one for one in _PREFER.prefer if Traits(*entry_of).meets(one.wish))


_TAG = asks(Trait.TAG, "mpi")
_OWN = Traits(*_candidate(gpu=True))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param(Policy(prefer=(Preference(_TAG, 3),)), 3, id="what metadata may bring counts"),
        pytest.param(Policy(prefer=(Preference(_TAG, -3),)), 0, id="what it may cost does not"),
        pytest.param(_PREFER, 5, id="what is there counts, what is not and cannot come does not"),
        pytest.param(Policy(prefer=(Preference(_GPU, -3),)), -3, id="what is surely lost"),
        pytest.param(Policy(prefer=(Preference(_both(_GPU, _TAG), 3),)), 3, id="one condition there, one may come"),
        pytest.param(Policy(prefer=(Preference(_both(_NEVER, _TAG), 3),)), 0, id="one condition surely not there"),
        pytest.param(Policy(prefer=(Preference(_both(_GPU, _TAG), -3),)), 0, id="a loss that is not sure"),
    ],
)
def test_the_highest_preference_that_metadata_can_lead_to(policy: Policy, expected: int) -> None:
    assert highest_preference(policy, _OWN) == expected


@pytest.mark.parametrize(
    ("policy", "truth", "expected"),
    [
        pytest.param(Policy(), Truth.UNKNOWN, False, id="nothing asked"),
        pytest.param(Policy(unknown=Unknown.REJECT), Truth.YES, False, id="it may turn out not to be known"),
        pytest.param(Policy(unknown=Unknown.REJECT), Truth.UNKNOWN, True, id="it will never be known"),
        pytest.param(Policy(require=(_TAG,)), Truth.YES, False, id="a requirement that metadata may meet"),
        pytest.param(Policy(require=(_NEVER,)), Truth.YES, True, id="a requirement that no metadata meets"),
        pytest.param(Policy(require=(_GPU, _NEVER)), Truth.YES, True, id="one of two that no metadata meets"),
        pytest.param(Policy(forbid=(_TAG,)), Truth.YES, False, id="what metadata may bring is forbidden"),
        pytest.param(Policy(forbid=(_GPU,)), Truth.YES, True, id="what is there is forbidden"),
    ],
)
def test_an_entry_is_surely_barred_where_no_metadata_can_help_it(
    policy: Policy,
    truth: Truth,
    expected: bool,  # noqa: FBT001
) -> None:
    assert surely_barred(policy, _OWN, truth) is expected


@pytest.mark.parametrize(
    ("platform", "depth", "expected"),
    [
        pytest.param(RunsOn("wasi", "wasm", ""), 0, 0, id="no levels"),
        pytest.param(RunsOn("Linux", "arm64", "v8.2"), 3, 0, id="levels of another machine"),
        pytest.param(RunsOn("linux", "386", ""), 0, 0, id="no last resort"),
        pytest.param(RunsOn("linux", "amd64", "v3"), 3, 3, id="the node's own"),
    ],
)
def test_what_only_the_runtime_handler_runs_is_not_close_to_the_cpu(
    platform: RunsOn, depth: int, expected: int
) -> None:
    verdict = Verdict(Truth.YES, (Finding(Check("platform", "x", platform, depth=depth), Truth.YES, "seen"),), (), ())
    also = frozenset({"wasi/wasm", "linux/arm64", "linux/386"})
    (ranked,) = rank([(Descriptor(digest=digest("x")), verdict)], Policy(), also_runs=also)
    assert ranked.merits[Criterion.CPU] == expected


@pytest.mark.parametrize(
    ("where", "platforms", "expected"),
    [
        pytest.param("linux/amd64/v3", ["linux/amd64", "linux/amd64/v3"], {0}, id="a variant above the default"),
        pytest.param("linux/amd64/v3", ["linux/amd64/v1", "linux/arm64"], {0}, id="v1 is the default"),
        pytest.param("linux/amd64/v3", ["linux/amd64", "linux/386"], {0, 1}, id="32-bit PC"),
        pytest.param("linux/amd64/v3", ["linux/amd64", "linux/amd64"], {0, 1}, id="twice"),
        pytest.param("linux/amd64/v3", ["linux/X86_64", "Linux/AMD64"], {0, 1}, id="other spelling"),
        pytest.param("linux/amd64/v3", ["windows/amd64", "unknown/unknown"], set(), id="none"),
        pytest.param("linux/arm64/v8.2", ["linux/arm64", "linux/arm64/v8", "linux/arm64/v8.1"], {0, 1}, id="arm64"),
        pytest.param("linux/arm64/v8.2", ["linux/arm/v7", "linux/arm/v5", "linux/amd64"], {0, 1}, id="32-bit arm"),
        pytest.param("linux/s390x", ["linux/s390x", "linux/ppc64le"], {0}, id="no variants"),
    ],
)
def test_containerd_considers_its_own_platform_in_its_default_variant(
    where: str, platforms: list[str], expected: set[int]
) -> None:
    entries = index(*(entry(str(number), platform) for number, platform in enumerate(platforms))).entries
    assert plain_choice(entries, node(where)) == expected


def test_containerd_considers_entries_without_a_platform_or_a_system() -> None:
    entries = index(without_platform("x"), entry("y")).entries
    no_system = Descriptor(digest=digest("z"), platform=Platform(architecture="amd64"))
    assert plain_choice((*entries, no_system), node()) == {0, 1, 2}
