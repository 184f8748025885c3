"""NFD image compatibility: sets, rules, terms, what a rule may ask of earlier ones, and what a broken set costs."""

from typing import Any

import pytest

from builders import node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse, recognize
from imagefit.formats.syntax import load
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Check, Document, Expression, Group, MatchesTerm, Op
from imagefit.model.truth import Truth
from imagefit.selection.explain import alternatives_as_data
from imagefit.selection.match import judge_document

_YES, _NO, _UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
_EXISTS, _ABSENT = {"op": "Exists"}, {"op": "DoesNotExist"}
_NODE = node("linux/amd64/v3", {"cpu.cpuid": ["AVX2"]}, {"kernel.version": {"major": "5"}}, {"pci.device": []})


def _document(*sets: Any, **keys: Any) -> Document:
    return parse(to_bytes({"version": "v1alpha1", "compatibilities": sets} | keys))


def _set(*rules: Any, **keys: Any) -> dict[str, Any]:
    return {"rules": list(rules)} | keys


def _rule(name: str = "r", *terms: Any, **keys: Any) -> dict[str, Any]:
    return {"name": name, "matchFeatures": list(terms)} | keys


def _flag(element: str = "AVX2", expression: Any = _EXISTS) -> dict[str, Any]:
    return {"feature": "cpu.cpuid", "matchExpressions": {element: expression}}


def _matched(element: str, expression: Any = _EXISTS) -> dict[str, Any]:
    return {"feature": "rule.matched", "matchExpressions": {element: expression}}


def _named(expression: Any) -> dict[str, Any]:
    return {"feature": "rule.matched", "matchName": expression}


def _truths(document: Document, where: Node = _NODE) -> list[Truth]:
    return [one.truth for one in judge_document(document, where).alternatives]


def _truth(*rules: Any) -> Truth:
    document = _document(_set(*rules))
    assert document.problems == ()
    return _truths(document)[0]


def _places(document: Document) -> list[str]:
    return [problem.place for problem in document.problems]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"compatibilities": [{"rules": []}]}', id="without a version"),
        pytest.param(b"version: v1alpha1\ncompatibilities:\n- rules: []\n", id="YAML"),
        pytest.param(b'{"compatibilities": [{}, {"rules": [{}]}]}', id="one set of several has rules"),
        pytest.param(b'{"schema": "x", "compatibilities": [{"tag": "a", "rules": []}]}', id="other keys"),
    ],
)
def test_a_list_of_sets_with_rules_is_nfd(content: bytes) -> None:
    assert recognize(load(content)).name == "nfd"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"compatibilities": []}', id="no sets"),
        pytest.param(b'{"compatibilities": [{"rules": "x"}]}', id="rules that are a label"),
        pytest.param(b'{"compatibilities": [{"tags": "x"}]}', id="flat sets"),
        pytest.param(b'[{"rules": "a"}]', id="bare list"),
    ],
)
def test_another_shape_is_not_nfd(content: bytes) -> None:
    assert recognize(load(content)).name != "nfd"


def test_a_set_is_an_alternative_with_a_group_per_rule() -> None:
    document = _document(_set(_rule("a", _flag()), _rule("b"), weight=7, tag="gpu", description="for GPUs"))
    check = Check("cpu.cpuid", "AVX2 Exists", MatchesTerm("cpu.cpuid", (("AVX2", Expression(Op.EXISTS)),)), depth=3)
    groups = (Group(any_of=False, members=(check,), name="a"), Group(any_of=False, members=(), name="b"))
    assert document == Document("nfd", (Alternative(groups, 7, ("gpu",), "for GPUs", "/compatibilities/0"),))


@pytest.mark.parametrize(
    ("keys", "score", "tags", "description"),
    [
        pytest.param({}, 0, (), "", id="nothing"),
        pytest.param({"weight": None, "tag": None, "description": None}, 0, (), "", id="nulls"),
        pytest.param({"weight": -5, "tag": "", "description": ""}, -5, (), "", id="negative and empty"),
        pytest.param({"weight": "90", "tag": 7}, 90, ("7",), "", id="number as text and text as number"),
    ],
)
def test_a_set_may_have_weight_tag_and_description(
    keys: dict[str, Any], score: int, tags: tuple[str, ...], description: str
) -> None:
    (found,) = _document(_set(**keys)).alternatives
    assert (found.score, found.tags, found.description) == (score, tags, description)


@pytest.mark.parametrize(
    ("term", "asked"),
    [
        pytest.param(_flag(), ["AVX2 Exists"], id="flag"),
        pytest.param(
            {"feature": "kernel.version", "matchExpressions": {"major": {"op": "Ge", "value": ["5"]}, "minor": {}}},
            ["major Ge 5", "minor any"],
            id="attributes, one by one",
        ),
        pytest.param(
            {"feature": "kernel.config", "matchExpressions": {"A": _EXISTS}, "matchName": {"op": "In", "value": ["B"]}},
            ["A Exists", "name In B"],
            id="attribute and name",
        ),
        pytest.param({"feature": "kernel.config", "matchExpressions": {}}, ["known"], id="no expressions"),
        pytest.param({"feature": "kernel.config"}, ["known"], id="only a feature"),
        pytest.param({"feature": "kernel.config", "matchName": _EXISTS}, ["name Exists"], id="only a name"),
        pytest.param(
            {"feature": "pci.device", "matchExpressions": {"vendor": _EXISTS, "class": {}}, "matchName": _EXISTS},
            ["vendor Exists, class any, name Exists"],
            id="instances, together",
        ),
        pytest.param(
            {"feature": "vendor.gpu", "matchExpressions": {"a": _EXISTS, "b": _ABSENT}},
            ["a Exists, b DoesNotExist"],
            id="a feature of unknown kind, together",
        ),
    ],
)
def test_a_term_is_one_check_per_expression_where_these_are_about_elements(
    term: dict[str, Any], asked: list[str]
) -> None:
    (rule,) = _document(_set(_rule("r", term))).alternatives[0].needs
    assert isinstance(rule, Group)
    checks = [member for member in rule.members if isinstance(member, Check)]
    assert [check.asked for check in checks] == asked
    assert {check.label for check in checks} == {term["feature"]}


@pytest.mark.parametrize(
    ("term", "depth"),
    [
        pytest.param(_flag("AVX512F"), 4, id="flag of a level"),
        pytest.param(_flag("SOMETHING"), 0, id="flag of no level"),
        pytest.param(_flag("AVX512F", _ABSENT), 0, id="absence implies nothing"),
        pytest.param(_flag("AVX512F", {}), 0, id="any implies nothing"),
        pytest.param({"feature": "kernel.config", "matchExpressions": {"AVX512F": _EXISTS}}, 0, id="no CPU flag"),
    ],
)
def test_a_flag_that_must_exist_implies_its_level(term: dict[str, Any], depth: int) -> None:
    (rule,) = _document(_set(_rule("r", term))).alternatives[0].needs
    assert isinstance(rule, Group)
    assert [member.depth for member in rule.members if isinstance(member, Check)] == [depth]


_YES_TERM, _NO_TERM, _UNKNOWN_TERM = _flag(), _flag("SSE9"), {"feature": "memory.numa"}
_TERMS = {_YES: _YES_TERM, _NO: _NO_TERM, _UNKNOWN: _UNKNOWN_TERM}


@pytest.mark.parametrize(
    ("terms", "any_of", "expected"),
    [
        pytest.param([], None, _YES, id="neither"),
        pytest.param([_YES], None, _YES, id="terms"),
        pytest.param([_YES, _NO], None, _NO, id="every term must hold"),
        pytest.param([_YES, _UNKNOWN], None, _UNKNOWN, id="a term is not known"),
        pytest.param([_NO, _UNKNOWN], None, _NO, id="a term fails, another is not known"),
        pytest.param([], [[_NO], [_YES]], _YES, id="one of any"),
        pytest.param([], [[_NO], [_NO]], _NO, id="none of any"),
        pytest.param([], [[_NO], [_UNKNOWN]], _UNKNOWN, id="any of no and unknown"),
        pytest.param([], [[_YES, _NO], [_YES, _YES]], _YES, id="every term of one of any"),
        pytest.param([_YES], [[_YES]], _YES, id="both hold"),
        pytest.param([_NO], [[_YES]], _NO, id="both, the terms fail"),
        pytest.param([_YES], [[_NO]], _NO, id="both, any fails"),
        pytest.param([], [], _YES, id="an empty any is none"),
        pytest.param([], [[_NO], []], _YES, id="one of any asks for nothing"),
    ],
)
def test_a_rule_holds_with_all_its_terms_and_one_of_any(
    terms: list[Truth], any_of: list[list[Truth]] | None, expected: Truth
) -> None:
    rule = {"name": "r", "matchFeatures": [_TERMS[truth] for truth in terms]}
    if any_of is not None:
        rule["matchAny"] = [{"matchFeatures": [_TERMS[truth] for truth in some]} for some in any_of]
    assert _truth(rule) is expected


def test_every_rule_of_a_set_must_hold_and_one_set_is_enough() -> None:
    good, bad = _rule("good", _YES_TERM), _rule("bad", _NO_TERM)
    assert _truth(good, bad) is _NO
    assert judge_document(_document(_set(bad), _set(good)), _NODE).truth is _YES
    assert judge_document(_document(_set(), _set(bad)), _NODE).truth is _YES


def test_a_rule_may_stand_without_a_name() -> None:
    assert _truth({"matchFeatures": [_YES_TERM]}) is _YES


def test_the_name_of_a_feature_has_any_case_and_that_of_an_element_has_not() -> None:
    assert _truth(_rule("r", _flag() | {"feature": "CPU.cpuID"})) is _YES
    assert _truth(_rule("r", _flag("avx2"))) is _NO


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        pytest.param(7, "", id="rule that is a number"),
        pytest.param({"name": []}, "/name", id="name that is a list"),
        pytest.param({"nmae": "a"}, "/nmae", id="misspelt name"),
        pytest.param({"matchFeature": []}, "/matchFeature", id="misspelt matchFeatures"),
        pytest.param({"matchfeatures": []}, "/matchfeatures", id="matchFeatures in another case"),
        pytest.param({"matchFeatures": {}}, "/matchFeatures", id="terms that are an object"),
        pytest.param({"matchFeatures": ["a"]}, "/matchFeatures/0", id="term that is text"),
        pytest.param({"matchFeatures": [{}]}, "/matchFeatures/0/feature", id="term without a feature"),
        pytest.param({"matchFeatures": [{"feature": ""}]}, "/matchFeatures/0/feature", id="empty feature"),
        pytest.param({"matchFeatures": [{"feature": []}]}, "/matchFeatures/0/feature", id="feature that is a list"),
        pytest.param(
            {"matchFeatures": [{"feature": "a.b", "matchExpression": {}}]},
            "/matchFeatures/0/matchExpression",
            id="misspelt matchExpressions",
        ),
        pytest.param(
            {"matchFeatures": [{"feature": "a.b", "matchExpressions": []}]},
            "/matchFeatures/0/matchExpressions",
            id="expressions that are a list",
        ),
        pytest.param(
            {"matchFeatures": [{"feature": "a.b", "matchExpressions": {"c/d": None}}]},
            "/matchFeatures/0/matchExpressions/c~1d",
            id="expression that is null",
        ),
        pytest.param(
            {"matchFeatures": [{"feature": "a.b", "matchName": {"op": "In"}}]},
            "/matchFeatures/0/matchName/value",
            id="name without values",
        ),
        pytest.param({"matchAny": {}}, "/matchAny", id="matchAny that is an object"),
        pytest.param({"matchAny": [None]}, "/matchAny/0", id="member of matchAny that is null"),
        pytest.param({"matchAny": [{}]}, "/matchAny/0", id="member of matchAny that is empty"),
        pytest.param({"matchAny": [{"matchName": {}}]}, "/matchAny/0/matchName", id="member of another kind"),
        pytest.param(
            {"matchAny": [{"matchFeatures": [{"feature": 1, "matchName": 2}]}]},
            "/matchAny/0/matchFeatures/0/matchName",
            id="fault in matchAny",
        ),
        pytest.param({"vars": []}, "/vars", id="vars that are a list"),
        pytest.param({"labels": {"a": {}}}, "/labels/a", id="label that is an object"),
    ],
)
def test_a_broken_rule_costs_its_set_and_says_where(rule: Any, place: str) -> None:
    document = _document(_set(_rule("good")), _set(_rule("a"), rule), _set(_rule("good")))
    assert [one.place for one in document.alternatives] == ["/compatibilities/0", "/compatibilities/2"]
    assert _places(document) == [f"/compatibilities/1/rules/1{place}"]


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        pytest.param(None, "", id="null"),
        pytest.param([], "", id="list"),
        pytest.param({}, "/rules", id="no rules"),
        pytest.param({"rules": None}, "/rules", id="rules that are null"),
        pytest.param({"rules": {}}, "/rules", id="rules that are an object"),
        pytest.param({"rules": [], "weight": 1.5}, "/weight", id="weight that is a fraction"),
        pytest.param({"rules": [], "weight": 10**9}, "/weight", id="weight of ten digits"),
        pytest.param({"rules": [], "tag": ["a"]}, "/tag", id="tag that is a list"),
        pytest.param({"rules": [], "description": {}}, "/description", id="description that is an object"),
        pytest.param({"rules": [], "tags": "a"}, "/tags", id="key of another dialect"),
    ],
)
def test_a_broken_set_costs_only_itself(broken: Any, place: str) -> None:
    document = _document(_set(_rule("good")), broken)
    assert [one.place for one in document.alternatives] == ["/compatibilities/0"]
    assert _places(document) == [f"/compatibilities/1{place}"]


def test_all_faults_of_a_set_are_named() -> None:
    bad = {"feature": "a.b", "matchExpressions": {"c": {"op": "x"}, "d": {"op": "Gt", "value": ["y"]}}, "e": 1}
    document = _document(_set(_rule("r", bad), {"f": 1}, weight="w", g=1))
    at_rule = "/compatibilities/0/rules/0/matchFeatures/0"
    assert _places(document) == [
        "/compatibilities/0/g",
        "/compatibilities/0/weight",
        f"{at_rule}/e",
        f"{at_rule}/matchExpressions/c/op",
        f"{at_rule}/matchExpressions/d/value/0",
        "/compatibilities/0/rules/1/f",
    ]


@pytest.mark.parametrize("version", ["v1alpha2", "", 1, True, ["v1alpha1"]])
def test_another_version_is_not_read(version: Any) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        _document(_set(), version=version)
    assert caught.value.place == "/version"


def test_a_version_may_be_missing() -> None:
    assert _document(_set(), version=None).problems == ()


def test_beyond_its_limits_a_document_is_not_read() -> None:
    with pytest.raises(InvalidDocumentError, match="10000 values"):
        _document(_set(*[{}] * 10_000))


_GIVING = {"vars": {"v": "7", "both": "var"}, "labels": {"l": "true", "both": "label", "empty": None}}


@pytest.mark.parametrize(
    ("element", "expression", "expected"),
    [
        pytest.param("first", _EXISTS, _YES, id="name"),
        pytest.param("first", {"op": "IsTrue"}, _YES, id="a name is true"),
        pytest.param("first", _ABSENT, _NO, id="name that should be absent"),
        pytest.param("v", {"op": "Gt", "value": ["6"]}, _YES, id="var"),
        pytest.param("v", {"op": "Gt", "value": ["7"]}, _NO, id="var with another value"),
        pytest.param("l", {"op": "IsTrue"}, _YES, id="label"),
        pytest.param("l", {"op": "IsFalse"}, _NO, id="label with another value"),
        pytest.param("both", {"op": "In", "value": ["var"]}, _YES, id="a var wins over a label"),
        pytest.param("empty", {"op": "In", "value": [""]}, _YES, id="label without a value"),
        pytest.param("third", _EXISTS, _NO, id="later rule"),
        pytest.param("second", _EXISTS, _NO, id="itself"),
        pytest.param("other", _EXISTS, _NO, id="nobody"),
        pytest.param("other", {"op": "NotIn", "value": ["x"]}, _NO, id="nobody is not other than some"),
        pytest.param("other", _ABSENT, _YES, id="nobody, and should be absent"),
        pytest.param("other", {}, _YES, id="nobody, any"),
    ],
)
def test_a_rule_sees_what_earlier_rules_of_its_set_give(element: str, expression: Any, expected: Truth) -> None:
    rules = (_rule("first", **_GIVING), _rule("second", _matched(element, expression)), _rule("third", **_GIVING))
    assert _truth(*rules) is expected
    assert _truths(_document(_set(*rules)), Node("linux", "amd64")) == [expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param({"op": "InRegexp", "value": ["^fir"]}, _YES, id="rule"),
        pytest.param({"op": "In", "value": ["x", "v"]}, _YES, id="var"),
        pytest.param({"op": "In", "value": ["third"]}, _NO, id="later rule"),
        pytest.param(_ABSENT, _NO, id="no name is absent"),
        pytest.param({"op": "Gt", "value": ["1"]}, _NO, id="no name is a number"),
    ],
)
def test_a_rule_can_ask_for_names_that_earlier_rules_give(expression: Any, expected: Truth) -> None:
    assert _truth(_rule("first", **_GIVING), _rule("second", _named(expression)), _rule("third")) is expected


def test_a_reference_needs_no_expression() -> None:
    assert _truth(_rule("r", {"feature": "rule.matched"})) is _YES
    assert _truth(_rule("r", {"feature": "Rule.Matched", "matchExpressions": {}})) is _YES


def test_a_given_value_that_is_no_number_cannot_be_compared() -> None:
    document = _document(_set(_rule("a", **_GIVING), _rule("b", _matched("l", {"op": "Gt", "value": ["1"]}))))
    assert _places(document) == ["/compatibilities/0/rules/1/matchFeatures/0/matchExpressions/l"]


@pytest.mark.parametrize("template", ["varsTemplate", "labelsTemplate"])
@pytest.mark.parametrize(
    ("term", "place"),
    [
        pytest.param(_matched("x"), "/matchExpressions/x", id="element"),
        pytest.param(_matched("x", _ABSENT), "/matchExpressions/x", id="absence of an element"),
        pytest.param(_named({"op": "In", "value": ["x"]}), "/matchName", id="name"),
    ],
)
def test_what_a_template_might_give_cannot_be_asked_for(template: str, term: Any, place: str) -> None:
    document = _document(_set(_rule("a", **{template: "{{ x }}"}), _rule("b", term)))
    assert _places(document) == [f"/compatibilities/0/rules/1/matchFeatures/0{place}"]
    assert "template" in document.problems[0].message


@pytest.mark.parametrize(
    "term",
    [
        pytest.param(_matched("a"), id="name of the rule"),
        pytest.param(_matched("v"), id="var beside the template"),
        pytest.param(_matched("x", {}), id="any"),
        pytest.param(_named({"op": "In", "value": ["v"]}), id="name of a var"),
    ],
)
def test_what_is_given_beside_a_template_can_be_asked_for(term: Any) -> None:
    assert _truth(_rule("a", vars={"v": "1"}, varsTemplate="{{ x }}"), _rule("b", term)) is _YES


def test_a_template_of_a_later_rule_or_an_empty_one_does_not_matter() -> None:
    rules = _rule("a", labelsTemplate="", varsTemplate=None), _rule("b", _matched("x", _ABSENT))
    assert _truth(*rules, _rule("c", varsTemplate="{{ x }}")) is _YES


@pytest.mark.parametrize(
    ("term", "truths"),
    [
        pytest.param(_matched("R"), [_YES, _NO, _UNKNOWN], id="Exists"),
        pytest.param(_matched("R", {"op": "IsTrue"}), [_YES, _NO, _UNKNOWN], id="IsTrue"),
        pytest.param(_matched("R", {"op": "In", "value": ["true"]}), [_YES, _NO, _UNKNOWN], id="In true"),
        pytest.param(_matched("R", {"op": "NotIn", "value": ["x"]}), [_YES, _NO, _UNKNOWN], id="NotIn"),
        pytest.param(_matched("R", {"op": "InRegexp", "value": ["^t"]}), [_YES, _NO, _UNKNOWN], id="InRegexp"),
        pytest.param(_matched("R", _ABSENT), [_NO, _YES, _UNKNOWN], id="DoesNotExist"),
        pytest.param(_matched("R", {"op": "IsFalse"}), [_NO, _NO, _NO], id="IsFalse"),
        pytest.param(_matched("R", {"op": "In", "value": ["1"]}), [_NO, _NO, _NO], id="In something else"),
        pytest.param(_matched("R", {}), [_YES, _YES, _YES], id="any"),
        pytest.param(_named({"op": "In", "value": ["R"]}), [_YES, _NO, _UNKNOWN], id="name"),
        pytest.param(_named({"op": "In", "value": ["S"]}), [_NO, _NO, _NO], id="another name"),
        pytest.param(_matched("v"), [_NO, _NO, _NO], id="vars stay in their set"),
        pytest.param(_matched("l"), [_NO, _NO, _NO], id="labels stay in their set"),
    ],
)
def test_a_rule_of_an_earlier_set_stands_for_what_it_needs(term: Any, truths: list[Truth]) -> None:
    for needs, expected in zip((_YES, _NO, _UNKNOWN), truths, strict=True):
        earlier = _set(_rule("R", _YES_TERM, _TERMS[needs], **_GIVING))
        document = _document(earlier, _set(_rule("S", term)))
        assert document.problems == ()
        assert _truths(document) == [needs, expected]


@pytest.mark.parametrize(
    ("expression", "expected"), [(_EXISTS, _YES), (_ABSENT, _NO), ({}, _YES)], ids=["Exists", "DoesNotExist", "any"]
)
def test_an_earlier_rule_that_asks_for_nothing_has_matched(expression: Any, expected: Truth) -> None:
    nothing = {"name": "R", "matchAny": [{"matchFeatures": []}, {"matchFeatures": [_NO_TERM]}]}
    document = _document(_set(nothing), _set(_rule("S", _matched("R", expression))))
    assert _truths(document) == [_YES, expected]


def test_of_earlier_rules_of_one_name_any_will_do() -> None:
    sets = _set(_rule("R", _NO_TERM)), _set(_rule("R", _YES_TERM))
    assert _truths(_document(*sets, _set(_rule("S", _matched("R")))))[-1] is _YES
    assert _truths(_document(*sets, _set(_rule("S", _matched("R", _ABSENT)))))[-1] is _NO


def test_a_rule_of_its_own_set_comes_before_that_of_an_earlier_one() -> None:
    document = _document(_set(_rule("R", _NO_TERM)), _set(_rule("R"), _rule("S", _matched("R"))))
    assert _truths(document) == [_NO, _YES]


def test_references_lead_through_several_sets() -> None:
    sets = _set(_rule("a", _NO_TERM)), _set(_rule("b", _matched("a", _ABSENT))), _set(_rule("c", _matched("b")))
    assert _truths(_document(*sets)) == [_NO, _YES, _YES]


@pytest.mark.parametrize("term", [_matched("R"), _matched("R", _ABSENT), _named({"op": "In", "value": ["R"]})])
def test_a_rule_that_cannot_be_read_cannot_be_referred_to(term: Any) -> None:
    broken = _set(_rule("R", _flag(expression={"op": "x"})), 7, {"name": []})
    document = _document(broken, _set(_rule("S", term)), _set(_rule("T", _YES_TERM)))
    assert [one.place for one in document.alternatives] == ["/compatibilities/2"]
    assert "cannot be read" in document.problems[-1].message


def test_a_verdict_always_rests_on_a_check() -> None:
    """Whoever explains a no needs one to name."""
    document = _document(_set(_rule("R")), _set(_rule("S", _matched("R", _ABSENT), _matched("x"))))
    verdict = judge_document(document, _NODE).alternatives[1]
    (rule,) = alternatives_as_data(judge_document(document, _NODE))[1]["findings"]
    assert verdict.truth is _NO
    assert [member["label"] for member in rule["allOf"]] == ["rule.matched R", "rule.matched x"]
    assert rule["allOf"][1]["asked"] == "Exists"


def test_references_that_multiply_are_bounded() -> None:
    sets = [_set(_rule("r0", _YES_TERM))]
    sets += [
        _set(_rule(f"r{number}", _matched(f"r{number - 1}"), _matched(f"r{number - 1}"))) for number in range(1, 60)
    ]
    document = _document(*sets)
    assert 5 < len(document.alternatives) < 20
    assert "more than 10000 checks" in document.problems[0].message


def test_references_that_lead_too_far_are_refused() -> None:
    sets = [_set(_rule("r0", _YES_TERM))]
    sets += [_set(_rule(f"r{number}", _matched(f"r{number - 1}"))) for number in range(1, 60)]
    document = _document(*sets)
    assert 5 < len(document.alternatives) < 20
    assert "too many sets" in document.problems[0].message


def test_names_that_are_asked_for_again_and_again_are_bounded() -> None:
    rules = [_rule(f"r{number}") for number in range(1000)]
    document = _document(_set(*rules, _rule("S", *[_named({"op": "In", "value": ["x"]})] * 11)))
    assert "more than 10000 checks" in document.problems[0].message
