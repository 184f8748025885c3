"""Fit: the three truths, how they combine, and what a verdict rests on."""

import pytest
from msgspec.structs import replace

from builders import Json, entry, facts, index, node, none_of
from imagefit.formats.profile import profile_of
from imagefit.model.decision import GroupFinding, leaves
from imagefit.model.facts import Node
from imagefit.model.ranges import parse_ranges
from imagefit.model.requirement import (
    Alternative,
    Check,
    Document,
    EqualTo,
    Group,
    HasFlag,
    HasInstance,
    HasValue,
    Includes,
    InRanges,
    Need,
    Problem,
    Profile,
    RunsOn,
    Test,
)
from imagefit.model.truth import Truth, all_of, any_of
from imagefit.selection.match import evaluate, judge, judge_document

_YES, _NO, _UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
_NODE = node("linux/amd64/v3", {"known": ["A"]}, {"known": {"element": "1"}}, {"devices": [{"v": "1", "d": "2"}]})
_NODE_WITH_WASM = _NODE.with_platforms(["wasi/wasm"])
_HOLDS = Check("holds", "A", HasFlag(("known",), ("A",)))
_FAILS = Check("fails", "B", HasFlag(("known",), ("B",)))
_IS_UNKNOWN = Check("is unknown", "A", HasFlag(("other",), ("A",)))
_CHECKS = {_YES: _HOLDS, _NO: _FAILS, _UNKNOWN: _IS_UNKNOWN}


def _value(value: str, test: Test) -> Truth:
    check = Check("x", "x", HasValue(("f",), "e", test))
    return judge(check, node(attributes={"f": {"e": value}})).truth


@pytest.mark.parametrize(
    ("truths", "expected"),
    [
        ([], _YES),
        ([_YES], _YES),
        ([_UNKNOWN], _UNKNOWN),
        ([_NO], _NO),
        ([_YES, _YES], _YES),
        ([_YES, _UNKNOWN], _UNKNOWN),
        ([_UNKNOWN, _YES], _UNKNOWN),
        ([_YES, _NO], _NO),
        ([_NO, _YES], _NO),
        ([_UNKNOWN, _NO], _NO),
        ([_NO, _UNKNOWN], _NO),
        ([_UNKNOWN, _UNKNOWN], _UNKNOWN),
        ([_NO, _NO], _NO),
        ([_YES, _UNKNOWN, _NO], _NO),
    ],
)
def test_all_of_no_wins_then_unknown(truths: list[Truth], expected: Truth) -> None:
    assert all_of(truths) is expected


@pytest.mark.parametrize(
    ("truths", "expected"),
    [
        ([], _NO),
        ([_YES], _YES),
        ([_UNKNOWN], _UNKNOWN),
        ([_NO], _NO),
        ([_YES, _YES], _YES),
        ([_YES, _UNKNOWN], _YES),
        ([_UNKNOWN, _YES], _YES),
        ([_YES, _NO], _YES),
        ([_NO, _YES], _YES),
        ([_UNKNOWN, _NO], _UNKNOWN),
        ([_NO, _UNKNOWN], _UNKNOWN),
        ([_UNKNOWN, _UNKNOWN], _UNKNOWN),
        ([_NO, _NO], _NO),
        ([_NO, _UNKNOWN, _YES], _YES),
    ],
)
def test_any_of_yes_wins_then_unknown(truths: list[Truth], expected: Truth) -> None:
    assert any_of(truths) is expected


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param(_HOLDS, _YES, id="present flag"),
        pytest.param(_FAILS, _NO, id="absent flag of a covered feature"),
        pytest.param(_IS_UNKNOWN, _UNKNOWN, id="flag of an uncovered feature"),
        pytest.param(Check("x", "x", HasFlag(("known",), ("B", "A"))), _YES, id="second name"),
        pytest.param(Check("x", "x", HasFlag(("other", "known"), ("A",))), _YES, id="second feature"),
        pytest.param(Check("x", "x", HasFlag(("other", "known"), ("B",))), _UNKNOWN, id="one feature uncovered"),
        pytest.param(Check("x", "x", HasValue(("known",), "element", EqualTo(("1",)))), _YES, id="value"),
        pytest.param(Check("x", "x", HasValue(("known",), "element", EqualTo(("2",)))), _NO, id="other value"),
        pytest.param(Check("x", "x", HasValue(("known",), "absent", EqualTo(("1",)))), _NO, id="absent element"),
        pytest.param(Check("x", "x", HasValue(("other",), "element", EqualTo(("1",)))), _UNKNOWN, id="uncovered"),
        pytest.param(Check("x", "x", HasInstance("devices", (("v", EqualTo(("1",))),))), _YES, id="instance"),
        pytest.param(Check("x", "x", HasInstance("devices", (("v", EqualTo(("2",))),))), _NO, id="no such instance"),
        pytest.param(Check("x", "x", HasInstance("devices", (("z", EqualTo(("1",))),))), _NO, id="no such attribute"),
        pytest.param(Check("x", "x", HasInstance("others", (("v", EqualTo(("1",))),))), _UNKNOWN, id="no detector"),
        pytest.param(
            Check("x", "x", HasInstance("devices", (("v", InRanges(parse_ranges(">0"))),))),
            _YES,
            id="instance by range",
        ),
    ],
)
def test_a_missing_fact_is_no_only_where_a_detector_looked(check: Check, expected: Truth) -> None:
    assert judge(check, _NODE).truth is expected


@pytest.mark.parametrize(
    ("check", "expected"), [(_HOLDS, _NO), (_FAILS, _YES), (_IS_UNKNOWN, _UNKNOWN)], ids=["yes", "no", "unknown"]
)
def test_a_negated_check_turns_yes_and_no_and_leaves_unknown(check: Check, expected: Truth) -> None:
    assert judge(Check("x", "x", check.question, negated=True), _NODE).truth is expected


def test_an_instance_whose_value_is_no_version_is_not_known_unless_another_holds() -> None:
    check = Check("x", "x", HasInstance("f", (("v", InRanges(parse_ranges(">=2"))),)))
    assert judge(check, node(instances={"f": [{"v": "new"}]})).truth is _UNKNOWN
    assert judge(check, node(instances={"f": [{"v": "new"}, {"v": "2"}]})).truth is _YES


def test_a_value_that_passes_in_one_place_is_enough() -> None:
    check = Check("x", "x", HasValue(("f", "g"), "e", EqualTo(("1",))))
    assert judge(check, node(attributes={"f": {"e": "2"}, "g": {"e": "1"}})).truth is _YES
    assert judge(check, node(attributes={"f": {"e": "1"}, "g": {"e": "2"}})).truth is _YES
    assert judge(check, node(attributes={"f": {"e": "2"}, "g": {"e": "3"}})).truth is _NO


@pytest.mark.parametrize(
    ("value", "test"),
    [
        pytest.param("a", EqualTo(("b", "a")), id="any of some values"),
        pytest.param("10DE", EqualTo(("10de",), ignore_case=True), id="any case where the author says so"),
        pytest.param("True", EqualTo(("true",)), id="booleans have any case"),
        pytest.param("4.0", EqualTo(("4",)), id="numbers compare as such"),
        pytest.param("1.2.0", EqualTo(("1.2",)), id="versions compare as such"),
        pytest.param("a, b", Includes("b"), id="item of a list"),
        pytest.param("a", Includes("a"), id="item of a list of one"),
        pytest.param("2.0", InRanges(parse_ranges("[2,3)")), id="range"),
    ],
)
def test_a_value_passes(value: str, test: Test) -> None:
    assert _value(value, test) is _YES


@pytest.mark.parametrize(
    ("value", "test"),
    [
        pytest.param("c", EqualTo(("b", "a")), id="none of some values"),
        pytest.param("a", EqualTo(()), id="no values"),
        pytest.param("10DE", EqualTo(("10de",)), id="case counts"),
        pytest.param("true", EqualTo(("1",)), id="a boolean is no number"),
        pytest.param("4.0-1", EqualTo(("4",)), id="only whole versions compare as such"),
        pytest.param("abc", Includes("b"), id="part of an item"),
        pytest.param("", Includes("b"), id="empty list"),
        pytest.param("3", InRanges(parse_ranges("[2,3)")), id="range"),
    ],
)
def test_a_value_does_not_pass(value: str, test: Test) -> None:
    assert _value(value, test) is _NO


@pytest.mark.parametrize(
    ("platform", "where", "expected"),
    [
        pytest.param(RunsOn("linux", "amd64", "v3"), _NODE, _YES, id="own"),
        pytest.param(RunsOn("", "amd64", "v1"), _NODE, _YES, id="no system named"),
        pytest.param(RunsOn("linux", "amd64", "v4"), _NODE, _NO, id="variant above"),
        pytest.param(RunsOn("windows", "amd64", "v1"), _NODE, _NO, id="other system"),
        pytest.param(RunsOn("unknown", "unknown", ""), _NODE, _NO, id="attestation"),
        pytest.param(RunsOn("linux", "amd64", "v2"), node("linux/amd64"), _UNKNOWN, id="node of unknown variant"),
        pytest.param(RunsOn("linux", "amd64", "v1"), node("linux/amd64"), _YES, id="lowest on unknown variant"),
        pytest.param(RunsOn("linux", "amd64", "v1"), Node("linux", ""), _UNKNOWN, id="node of unknown architecture"),
        pytest.param(RunsOn("linux", "arm", "v7"), node("linux/arm64/v8"), _UNKNOWN, id="32-bit on arm64"),
        pytest.param(RunsOn("linux", "386", ""), _NODE, _UNKNOWN, id="32-bit on amd64"),
        pytest.param(RunsOn("linux", "amd64", "v2"), Node("Linux", "x86_64", "V3"), _YES, id="node in other spelling"),
        pytest.param(RunsOn("linux", "arm64", "v8.6"), node("linux/arm64/v9.1"), _YES, id="v8.6 on v9.1"),
        pytest.param(RunsOn("wasi", "wasm", ""), _NODE, _NO, id="what no runtime handler runs"),
        pytest.param(RunsOn("wasi", "wasm", ""), _NODE_WITH_WASM, _YES, id="what a runtime handler runs"),
        pytest.param(RunsOn("linux", "wasm", ""), _NODE_WITH_WASM, _NO, id="another system than it runs"),
        pytest.param(RunsOn("", "wasm", ""), _NODE_WITH_WASM, _NO, id="no system named, and not the node's"),
        pytest.param(RunsOn("wasi", "wasm", ""), replace(_NODE_WITH_WASM, architecture=""), _YES, id="on any node"),
        pytest.param(RunsOn("linux", "amd64", "v4"), _NODE_WITH_WASM, _NO, id="the node's own as ever"),
        pytest.param(RunsOn("linux", "arm64", "v8.7"), node("linux/arm64/v9.1"), _NO, id="v8.7 on v9.1"),
    ],
)
def test_a_platform_runs_where_system_architecture_and_variant_fit(
    platform: RunsOn, where: Node, expected: Truth
) -> None:
    assert judge(Check("platform", "x", platform), where).truth is expected


@pytest.mark.parametrize(
    ("check", "seen"),
    [
        pytest.param(_HOLDS, "known has A", id="present flag"),
        pytest.param(_FAILS, "known lacks B", id="absent flag"),
        pytest.param(_IS_UNKNOWN, "other is not known", id="uncovered"),
        pytest.param(Check("x", "x", HasValue(("known",), "element", EqualTo(("2",)))), "element is 1", id="value"),
        pytest.param(
            Check("x", "x", HasInstance("devices", (("v", EqualTo(("1",))), ("d", EqualTo(("2",)))))),
            "devices 1.2",
            id="instance",
        ),
        pytest.param(
            Check("x", "x", HasInstance("devices", (("v", EqualTo(("9",))),))), "none of 1 devices", id="no instance"
        ),
        pytest.param(Check("x", "x", HasInstance("others", ())), "others is not known", id="uncovered instances"),
        pytest.param(Check("x", "x", RunsOn("windows", "amd64", "v1")), "linux", id="system"),
        pytest.param(Check("x", "x", RunsOn("linux", "amd64", "v4")), "amd64/v3", id="platform"),
        pytest.param(Check("x", "x", RunsOn("Wasi", "wasm", "")), "runtime handler runs wasi/wasm", id="handler"),
    ],
)
def test_a_finding_says_what_was_seen(check: Check, seen: str) -> None:
    assert seen in judge(check, _NODE_WITH_WASM).seen


@pytest.mark.parametrize(
    ("sets", "expected", "best"),
    [
        pytest.param([[_YES]], _YES, 0, id="one set"),
        pytest.param([[_NO], [_YES]], _YES, 1, id="yes before no"),
        pytest.param([[_UNKNOWN], [_YES]], _YES, 1, id="yes before unknown"),
        pytest.param([[_NO], [_UNKNOWN]], _UNKNOWN, 1, id="unknown before no"),
        pytest.param([[_YES, _NO], [_YES, _UNKNOWN]], _UNKNOWN, 1, id="all of a set must hold"),
        pytest.param([[_NO], [_NO]], _NO, 0, id="the first of equals"),
        pytest.param([[], [_NO]], _YES, 0, id="an empty set holds"),
        pytest.param([[_YES], [_YES, _YES]], _YES, 1, id="more checks that hold"),
    ],
)
def test_one_alternative_that_holds_is_enough(sets: list[list[Truth]], expected: Truth, best: int) -> None:
    document = Document("d", tuple(Alternative(tuple(_CHECKS[truth] for truth in truths)) for truths in sets))
    verdict = judge_document(document, _NODE)
    assert (verdict.truth, verdict.best) == (expected, best)
    assert verdict.deciding is verdict.alternatives[best]


def test_the_highest_score_among_the_sets_that_hold_decides() -> None:
    alternatives = (Alternative((_HOLDS,), 1), Alternative((_HOLDS,), 5), Alternative((_FAILS,), 9))
    assert judge_document(Document("d", alternatives), _NODE).best == 1


def test_at_equal_scores_the_set_closer_to_the_cpu_decides() -> None:
    deep = Check("deep", "A", HasFlag(("known",), ("A",)), depth=4)
    alternatives = (Alternative((_HOLDS, _HOLDS)), Alternative((deep,)))
    assert judge_document(Document("d", alternatives), _NODE).best == 1


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(Document("d"), _YES, id="no sets ask for nothing"),
        pytest.param(Document("d", (), (Problem("x"),)), _UNKNOWN, id="nothing could be read"),
        pytest.param(
            Document("d", (Alternative((_HOLDS,)),), (Problem("x"),)), _YES, id="a broken set beside a good one"
        ),
        pytest.param(
            Document("d", (Alternative((_FAILS,)),), (Problem("x"),)), _NO, id="a broken set beside a bad one"
        ),
    ],
)
def test_a_broken_set_costs_itself_and_an_unreadable_document_is_not_known(document: Document, expected: Truth) -> None:
    assert judge_document(document, _NODE).truth is expected


_GOOD, _BAD, _DIM = (Document("d", (Alternative((check,)),)) for check in (_HOLDS, _FAILS, _IS_UNKNOWN))


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        pytest.param(Profile(), _YES, id="nothing"),
        pytest.param(Profile((_HOLDS,)), _YES, id="a need that holds"),
        pytest.param(Profile((_HOLDS, _IS_UNKNOWN)), _UNKNOWN, id="a need that is not known"),
        pytest.param(Profile((_FAILS, _IS_UNKNOWN)), _NO, id="a need that fails"),
        pytest.param(Profile((_HOLDS,), (_GOOD, _GOOD)), _YES, id="documents that hold"),
        pytest.param(Profile((_HOLDS,), (_GOOD, _DIM)), _UNKNOWN, id="a document that is not known"),
        pytest.param(Profile((_HOLDS,), (_GOOD, _BAD)), _NO, id="a document that fails"),
        pytest.param(Profile((_FAILS,), (_GOOD,)), _NO, id="a document does not save a need that fails"),
        pytest.param(Profile((_HOLDS,), problems=(Problem("x"),)), _UNKNOWN, id="a problem of the entry"),
        pytest.param(Profile((_FAILS,), problems=(Problem("x"),)), _NO, id="a problem and a need that fails"),
        pytest.param(
            Profile((_HOLDS,), (Document("d", (), (Problem("x"),)),)), _UNKNOWN, id="a document that cannot be read"
        ),
        pytest.param(Profile((_HOLDS,), claims={"a": "b"}), _YES, id="claims exclude nothing"),
    ],
)
def test_every_need_and_every_document_must_hold(profile: Profile, expected: Truth) -> None:
    assert evaluate(profile, _NODE).truth is expected


def test_a_verdict_rests_on_the_needs_and_on_the_deciding_sets() -> None:
    two = Document("d", (Alternative((_FAILS,)), Alternative((_HOLDS,))))
    verdict = evaluate(Profile((_HOLDS,), (two, Document("d"))), _NODE)
    assert [finding.check for finding in verdict.deciding] == [_HOLDS, _HOLDS]


def test_problems_of_entry_and_documents_are_all_kept() -> None:
    profile = Profile((), (Document("d", (), (Problem("b"),)), Document("d", (), (Problem("c"),))), {}, (Problem("a"),))
    assert [problem.message for problem in evaluate(profile, _NODE).problems] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("features", "flags", "expected"),
    [
        pytest.param(["avx2"], {"cpu.cpuid": ["AVX2"]}, _YES, id="present"),
        pytest.param(["avx2", "bmi2"], {"cpu.cpuid": ["AVX2"]}, _NO, id="one missing"),
        pytest.param(["nosuchfeature"], {"cpu.cpuid": ["AVX2"]}, _NO, id="unknown name"),
        pytest.param(["avx2"], {}, _UNKNOWN, id="no detector"),
    ],
)
def test_every_feature_of_the_platform_is_mandatory(
    features: list[str], flags: dict[str, list[str]], expected: Truth
) -> None:
    profile = profile_of(index(entry("x", features=features)).entries[0])
    assert evaluate(profile, node(flags=flags)).truth is expected


@pytest.mark.parametrize(
    ("wanted", "flags", "expected"),
    [
        pytest.param(["a"], {"os.features": ["a", "b"]}, _YES, id="subset"),
        pytest.param([], {}, _YES, id="empty"),
        pytest.param(["a", "c"], {"os.features": ["a", "b"]}, _NO, id="no subset"),
        pytest.param(["a"], {}, _UNKNOWN, id="not known"),
    ],
)
def test_os_features_are_a_subset_of_those_of_the_node(
    wanted: list[str], flags: dict[str, list[str]], expected: Truth
) -> None:
    keys: Json = {"os.features": wanted}
    profile = profile_of(index(entry("x", **keys)).entries[0])
    assert evaluate(profile, node(flags=flags)).truth is expected


def test_an_empty_feature_of_one_shape_is_covered_in_every_shape() -> None:
    check = Check("x", "x", HasFlag(("f",), ("A",)))
    assert judge(check, Node("linux", "amd64", facts=facts(instances={"f": []}))).truth is _NO


def _group(any_of: object, *truths: Truth, depth: int = 0) -> Group:
    return Group(bool(any_of), tuple(replace(_CHECKS[truth], depth=depth) for truth in truths))


@pytest.mark.parametrize(
    ("truths", "all_hold", "one_holds", "none_holds"),
    [
        pytest.param([], _YES, _NO, _YES, id="nothing"),
        pytest.param([_YES], _YES, _YES, _NO, id="yes"),
        pytest.param([_NO], _NO, _NO, _YES, id="no"),
        pytest.param([_UNKNOWN], _UNKNOWN, _UNKNOWN, _UNKNOWN, id="unknown"),
        pytest.param([_YES, _NO], _NO, _YES, _NO, id="yes and no"),
        pytest.param([_YES, _UNKNOWN], _UNKNOWN, _YES, _NO, id="yes and unknown"),
        pytest.param([_NO, _UNKNOWN], _NO, _UNKNOWN, _UNKNOWN, id="no and unknown"),
        pytest.param([_YES, _UNKNOWN, _NO], _NO, _YES, _NO, id="all three"),
    ],
)
def test_a_group_is_all_of_any_of_or_none_of(
    truths: list[Truth], all_hold: Truth, one_holds: Truth, none_holds: Truth
) -> None:
    checks = [_CHECKS[truth] for truth in truths]
    none = none_of(checks)
    assert isinstance(none, Group)
    groups = _group(False, *truths), _group(True, *truths), none
    for order in (slice(None), slice(None, None, -1)):
        turned = [replace(group, members=group.members[order]) for group in groups]
        found = [_judged(group).truth for group in turned]
        assert found == [all_hold, one_holds, none_holds]


def _judged(need: Need) -> GroupFinding:
    verdict = judge_document(Document("d", (Alternative((need,)),)), _NODE)
    (found,) = verdict.alternatives[0].findings
    assert isinstance(found, GroupFinding)
    return found


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        pytest.param(Group(any_of=True, members=(_group(False, _YES, _NO), _HOLDS)), _YES, id="all of in any of"),
        pytest.param(Group(any_of=False, members=(_group(True, _YES, _NO), _FAILS)), _NO, id="any of in all of"),
        pytest.param(Group(any_of=True, members=(none_of([_HOLDS]), none_of([_FAILS]))), _YES, id="none of in any of"),
        pytest.param(none_of([_group(True, _NO, _YES)]), _NO, id="none of any of"),
        pytest.param(none_of([_group(False, _NO, _YES)]), _YES, id="none of all of"),
        pytest.param(none_of([none_of([_HOLDS])]), _YES, id="none of none of"),
    ],
)
def test_groups_stand_in_groups(group: Group, expected: Truth) -> None:
    assert _judged(group).truth is expected


def test_an_all_of_rests_on_all_its_members() -> None:
    found = _judged(_group(False, _NO, _YES, _UNKNOWN))
    assert found.decisive == found.members
    assert [finding.truth for finding in leaves((found,))] == [_NO, _YES, _UNKNOWN]


@pytest.mark.parametrize(
    ("members", "decisive"),
    [
        pytest.param([_FAILS, _HOLDS], [1], id="the one that holds"),
        pytest.param([_HOLDS, _HOLDS], [0], id="the first of equals"),
        pytest.param([_FAILS, _IS_UNKNOWN], [1], id="the one that is not known"),
        pytest.param([_FAILS, _FAILS], [0, 1], id="none holds: every one"),
        pytest.param([], [], id="nothing"),
        pytest.param([_HOLDS, replace(_HOLDS, depth=3)], [1], id="the one closest to the CPU"),
        pytest.param([_HOLDS, _group(False, _YES, _YES)], [1], id="the one of most checks"),
        pytest.param([_group(True, _YES, _YES), _group(False, _YES, _YES)], [1], id="only what decides counts"),
        pytest.param([_group(False, _YES, depth=2), _group(False, _YES, _YES)], [0], id="the CPU before the checks"),
    ],
)
def test_an_any_of_rests_on_its_best_member(members: list[Need], decisive: list[int]) -> None:
    found = _judged(Group(any_of=True, members=tuple(members)))
    assert found.decisive == tuple(found.members[number] for number in decisive)


def test_a_set_is_as_close_to_the_cpu_as_the_decisive_members_of_its_groups() -> None:
    deep_but_failing = Group(any_of=True, members=(_HOLDS, replace(_FAILS, depth=4)))
    shallow = Group(any_of=True, members=(replace(_HOLDS, depth=1), _FAILS))
    document = Document("d", (Alternative((deep_but_failing,)), Alternative((shallow,))))
    assert judge_document(document, _NODE).best == 1


def test_a_verdict_rests_on_checks_inside_groups() -> None:
    group = Group(any_of=True, members=(_group(False, _YES, _NO), _group(False, _YES, _YES)))
    verdict = evaluate(Profile((), (Document("d", (Alternative((group, _HOLDS)),)),)), _NODE)
    assert [finding.truth for finding in verdict.deciding] == [_YES, _YES, _YES]
