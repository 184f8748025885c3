"""Order: each criterion decides where all the more important ones are equal, and position always does."""

import pytest

from builders import digest, entry, index, node, without_platform
from imagefit.model.decision import AlternativeVerdict, Criterion, DocumentVerdict, Finding, Verdict
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.policy import Preference
from imagefit.model.requirement import Alternative, Check, Document, HasFlag
from imagefit.model.truth import Truth
from imagefit.selection.rank import ORDER, decided_by, plain_choice, preference, rank

_PREFER = (Preference("gpu", "yes", 5), Preference("size", "small", 2), Preference("debug", "yes", -3))


def _finding(truth: Truth = Truth.YES, depth: int = 0) -> Finding:
    return Finding(Check("x", "x", HasFlag(("f",), ("A",)), depth=depth), truth, "seen")


def _document(score: int) -> DocumentVerdict:
    alternative = Alternative((), score)
    verdict = AlternativeVerdict(alternative, Truth.YES, ())
    return DocumentVerdict(Document("d", (alternative,)), Truth.YES, (verdict,), 0)


def _candidate(
    truth: Truth = Truth.YES, *, gpu: bool = False, score: int = 0, depth: int = 0, checks: int = 1
) -> tuple[Descriptor, Verdict]:
    findings = (_finding(depth=depth), *(_finding() for _ in range(checks - 1)))
    claims = {"gpu": "yes"} if gpu else {}
    documents = (_document(score),) if score else ()
    return Descriptor(digest=digest("x")), Verdict(truth, findings, documents, (), claims)


def test_the_criteria_have_the_order_of_the_design() -> None:
    assert ORDER == (
        Criterion.TIER,
        Criterion.PREFERENCE,
        Criterion.SCORE,
        Criterion.CPU,
        Criterion.SPECIFICITY,
        Criterion.POSITION,
    )


@pytest.mark.parametrize(
    ("worse", "better", "criterion"),
    [
        pytest.param(
            _candidate(Truth.UNKNOWN, gpu=True, score=9, depth=4, checks=9),
            _candidate(Truth.YES),
            Criterion.TIER,
            id="yes before unknown",
        ),
        pytest.param(
            _candidate(Truth.NO, gpu=True, score=9, depth=4, checks=9),
            _candidate(Truth.UNKNOWN),
            Criterion.TIER,
            id="unknown before no",
        ),
        pytest.param(
            _candidate(score=9, depth=4, checks=9), _candidate(gpu=True), Criterion.PREFERENCE, id="preference"
        ),
        pytest.param(_candidate(depth=4, checks=9), _candidate(score=1), Criterion.SCORE, id="score"),
        pytest.param(_candidate(score=-1, depth=4, checks=9), _candidate(), Criterion.SCORE, id="negative score"),
        pytest.param(_candidate(depth=3, checks=9), _candidate(depth=4), Criterion.CPU, id="closeness to the CPU"),
        pytest.param(_candidate(checks=1), _candidate(checks=2), Criterion.SPECIFICITY, id="specificity"),
    ],
)
def test_each_criterion_decides_alone_and_before_all_less_important_ones(
    worse: tuple[Descriptor, Verdict], better: tuple[Descriptor, Verdict], criterion: Criterion
) -> None:
    ranking = rank([worse, better], _PREFER)
    assert [ranked.position for ranked in ranking] == [1, 0]
    assert decided_by(ranking[0], ranking[1]) is criterion


def test_among_equals_the_first_in_the_index_wins() -> None:
    ranking = rank([_candidate()] * 3, _PREFER)
    assert [ranked.position for ranked in ranking] == [0, 1, 2]
    assert decided_by(ranking[0], ranking[1]) is Criterion.POSITION


def test_only_checks_that_hold_count() -> None:
    failing = Verdict(Truth.UNKNOWN, (_finding(Truth.UNKNOWN, 4), _finding(Truth.NO, 4)), (), ())
    plain = Verdict(Truth.UNKNOWN, (), (), ())
    ranking = rank([(Descriptor(digest=digest("x")), verdict) for verdict in (plain, failing)], ())
    assert [ranked.position for ranked in ranking] == [0, 1]


def test_the_checks_of_the_deciding_set_count() -> None:
    alternative = Alternative((), 0)
    judged = AlternativeVerdict(alternative, Truth.YES, (_finding(depth=4),), depth=4, holding=1)
    document = DocumentVerdict(Document("d", (alternative,)), Truth.YES, (judged,), 0)
    deep = Verdict(Truth.YES, (_finding(depth=1),), (document,), ())
    ranking = rank([_candidate(depth=3, checks=9), (Descriptor(digest=digest("x")), deep)], ())
    assert [ranked.position for ranked in ranking] == [1, 0]
    assert (ranking[0].merits[Criterion.CPU], ranking[0].merits[Criterion.SPECIFICITY]) == (4, 2)


def test_the_merits_of_a_set_are_those_that_judging_found_and_are_not_counted_again_for_every_entry() -> None:
    judged = AlternativeVerdict(Alternative(()), Truth.YES, (), depth=4, holding=9)
    document = DocumentVerdict(Document("d", (judged.alternative,)), Truth.YES, (judged,), 0)
    (ranked,) = rank([(Descriptor(digest=digest("x")), Verdict(Truth.YES, (), (document,), ()))], ())
    assert (ranked.merits[Criterion.CPU], ranked.merits[Criterion.SPECIFICITY]) == (4, 9)


def test_a_document_without_sets_has_no_score() -> None:
    empty = DocumentVerdict(Document("d"), Truth.YES, (), None)
    verdict = Verdict(Truth.YES, (), (empty,), ())
    assert rank([(Descriptor(digest=digest("x")), verdict)], ())[0].merits[Criterion.SCORE] == 0


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
    assert preference(claims, _PREFER) == expected


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
