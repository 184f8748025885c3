"""NFD's terms against features of every kind: flags, attributes, both, instances, and what nobody looked at."""

import pytest

from builders import facts
from imagefit.model.facts import Facts
from imagefit.model.requirement import Expression, MatchesTerm, Op
from imagefit.model.truth import Truth
from imagefit.selection.expressions import matches

_YES, _NO, _UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
_FACTS = facts(
    {"f.flags": ["A", "B"], "f.both": ["A"], "f.mixed": ["A"], "f.none": []},
    {"f.values": {"n": "5", "w": "word", "t": "true"}, "f.both": {"V": "2", "A": "x"}},
    {
        "f.devices": [{"vendor": "10de", "n": "1"}, {"vendor": "15b3", "n": "word", "ports": "2"}],
        "f.empty": [],
        "f.mixed": [{"X": "1"}],
    },
)
_EXISTS, _ABSENT, _ANY = Expression(Op.EXISTS), Expression(Op.DOES_NOT_EXIST), Expression(Op.ANY)
_IS_TRUE, _IS_FALSE = Expression(Op.IS_TRUE), Expression(Op.IS_FALSE)


def _is(*values: str) -> Expression:
    return Expression(Op.IN, values)


def _is_not(*values: str) -> Expression:
    return Expression(Op.NOT_IN, values)


def _like(*patterns: str) -> Expression:
    return Expression(Op.IN_REGEXP, patterns)


def _number(op: Op, *bounds: str) -> Expression:
    return Expression(op, bounds)


def _truth(feature: str, elements: dict[str, Expression] | None = None, name: Expression | None = None) -> Truth:
    asked = None if elements is None else tuple(elements.items())
    return matches(MatchesTerm(feature, asked, name), _FACTS)[0]


# Of every operator: on a flag that is there, on one that is not; on an attribute that passes, that does not, whose
# value is no number, that is not there; on instances of which one passes, none does.
_OPERATORS = {
    "any": (_ANY, _YES, _YES, _YES, _YES),
    "Exists": (_EXISTS, _YES, _NO, _YES, _NO),
    "DoesNotExist": (_ABSENT, _NO, _YES, _NO, _YES),
    "In": (_is("5", "6"), _NO, _NO, _YES, _NO),
    "NotIn": (_is_not("4", "6"), _NO, _NO, _YES, _NO),
    "InRegexp": (_like("^5$"), _NO, _NO, _YES, _NO),
    "Gt": (_number(Op.GT, "4"), _NO, _NO, _YES, _NO),
    "Ge": (_number(Op.GE, "5"), _NO, _NO, _YES, _NO),
    "Lt": (_number(Op.LT, "6"), _NO, _NO, _YES, _NO),
    "Le": (_number(Op.LE, "5"), _NO, _NO, _YES, _NO),
    "GtLt": (_number(Op.GT_LT, "4", "6"), _NO, _NO, _YES, _NO),
    "GeLe": (_number(Op.GE_LE, "5", "6"), _NO, _NO, _YES, _NO),
    "IsTrue": (_IS_TRUE, _NO, _NO, _NO, _NO),
    "IsFalse": (_IS_FALSE, _NO, _NO, _NO, _NO),
}


@pytest.mark.parametrize("name", _OPERATORS)
def test_an_operator_on_flags_and_attributes_present_and_absent(name: str) -> None:
    expression, flag, absent_flag, attribute, absent_attribute = _OPERATORS[name]
    assert _truth("f.flags", {"A": expression}) is flag
    assert _truth("f.flags", {"C": expression}) is absent_flag
    assert _truth("f.values", {"n": expression}) is attribute
    assert _truth("f.values", {"c": expression}) is absent_attribute


@pytest.mark.parametrize(
    ("expression", "value", "truth"),
    [
        pytest.param(_is("4"), "n", _NO, id="In"),
        pytest.param(_is_not("5"), "n", _NO, id="NotIn"),
        pytest.param(_like("^4"), "n", _NO, id="InRegexp"),
        pytest.param(_number(Op.GT, "5"), "n", _NO, id="Gt"),
        pytest.param(_number(Op.GE, "6"), "n", _NO, id="Ge"),
        pytest.param(_number(Op.LT, "5"), "n", _NO, id="Lt"),
        pytest.param(_number(Op.LE, "4"), "n", _NO, id="Le"),
        pytest.param(_number(Op.GT_LT, "5", "6"), "n", _NO, id="GtLt"),
        pytest.param(_number(Op.GE_LE, "6", "7"), "n", _NO, id="GeLe"),
        pytest.param(_IS_TRUE, "t", _YES, id="IsTrue of true"),
        pytest.param(_IS_FALSE, "t", _NO, id="IsFalse of true"),
        pytest.param(_number(Op.GT, "4"), "w", _UNKNOWN, id="a number of a word"),
    ],
)
def test_an_attribute_does_not_pass_or_is_not_known(expression: Expression, value: str, truth: Truth) -> None:
    assert _truth("f.values", {value: expression}) is truth


@pytest.mark.parametrize(
    ("elements", "truth"),
    [
        pytest.param({"n": _EXISTS, "t": _IS_TRUE}, _YES, id="both hold"),
        pytest.param({"n": _EXISTS, "t": _IS_FALSE}, _NO, id="one fails"),
        pytest.param({"n": _EXISTS, "w": _number(Op.GT, "1")}, _UNKNOWN, id="one is not known"),
        pytest.param({"n": _ABSENT, "w": _number(Op.GT, "1")}, _NO, id="one fails, one is not known"),
        pytest.param({}, _YES, id="nothing asked"),
    ],
)
def test_all_expressions_of_a_term_must_hold(elements: dict[str, Expression], truth: Truth) -> None:
    assert _truth("f.values", elements) is truth


@pytest.mark.parametrize(
    ("elements", "truth"),
    [
        pytest.param({"A": _EXISTS}, _YES, id="flag"),
        pytest.param({"V": _EXISTS}, _YES, id="attribute"),
        pytest.param({"V": _number(Op.GE, "2"), "A": _EXISTS}, _YES, id="flag and attribute"),
        pytest.param({"A": _is("x")}, _YES, id="both, by the value"),
        pytest.param({"A": _is("y")}, _NO, id="both, by another value"),
        pytest.param({"A": _ABSENT}, _NO, id="both, should be absent"),
        pytest.param({"V": _ABSENT}, _NO, id="attribute that should be absent"),
        pytest.param({"C": _ABSENT}, _YES, id="neither, and should be absent"),
        pytest.param({"C": _EXISTS}, _NO, id="neither"),
        pytest.param({"A": _number(Op.GT, "1")}, _UNKNOWN, id="both, a value that is no number"),
    ],
)
def test_flags_and_attributes_of_one_feature_answer_together(elements: dict[str, Expression], truth: Truth) -> None:
    assert _truth("f.both", elements) is truth


@pytest.mark.parametrize(
    ("elements", "truth"),
    [
        pytest.param({"vendor": _is("10de")}, _YES, id="the first"),
        pytest.param({"vendor": _is("15b3"), "ports": _number(Op.GE, "2")}, _YES, id="all on the second"),
        pytest.param({"vendor": _is("10de"), "ports": _EXISTS}, _NO, id="spread over two"),
        pytest.param({"vendor": _is("10de"), "ports": _ABSENT}, _YES, id="absent on one"),
        pytest.param({"ports": _is_not("2")}, _NO, id="an absent attribute is not other than some"),
        pytest.param({"vendor": _is("8086")}, _NO, id="none"),
        pytest.param({"vendor": _ANY}, _YES, id="any"),
        pytest.param({"none": _ABSENT}, _YES, id="absent on all"),
        pytest.param({"n": _number(Op.GT, "1")}, _UNKNOWN, id="no number on one, less on the other"),
        pytest.param({"n": _number(Op.GT, "0")}, _YES, id="no number on one, more on the other"),
        pytest.param({"n": _number(Op.GT, "1"), "vendor": _is("10de")}, _NO, id="no number on one that fails anyway"),
        pytest.param({"n": _number(Op.GT, "1"), "ports": _EXISTS}, _UNKNOWN, id="no number on one that holds else"),
        pytest.param({}, _YES, id="nothing asked of at least one"),
    ],
)
def test_one_instance_must_pass_all_expressions(elements: dict[str, Expression], truth: Truth) -> None:
    assert _truth("f.devices", elements) is truth


@pytest.mark.parametrize(
    ("feature", "elements", "truth"),
    [
        pytest.param("f.empty", {}, _NO, id="no instance, nothing asked"),
        pytest.param("f.empty", {"a": _ABSENT}, _NO, id="no instance, absence asked"),
        pytest.param("f.empty", None, _YES, id="no instance, no expressions"),
        pytest.param("f.none", {}, _YES, id="no flag, nothing asked"),
        pytest.param("f.none", {"a": _ABSENT}, _YES, id="no flag, absence asked"),
        pytest.param("f.none", None, _YES, id="no flag, no expressions"),
        pytest.param("f.mixed", {"A": _EXISTS}, _YES, id="flag beside instances"),
        pytest.param("f.mixed", {"X": _is("1")}, _YES, id="instance beside flags"),
        pytest.param("f.mixed", {"A": _EXISTS, "X": _EXISTS}, _NO, id="spread over flags and instances"),
        pytest.param("vendor.secret", {"A": _EXISTS}, _NO, id="a feature that nobody knows"),
        pytest.param("vendor.secret", {"A": _ABSENT}, _NO, id="absence in a feature that nobody knows"),
        pytest.param("vendor.secret", {}, _NO, id="nothing asked of a feature that nobody knows"),
        pytest.param("vendor.secret", None, _NO, id="no expressions on a feature that nobody knows"),
        pytest.param("pci.device", {"vendor": _EXISTS}, _UNKNOWN, id="NFD's feature that nothing looked at"),
        pytest.param("pci.device", {"vendor": _ABSENT}, _UNKNOWN, id="absence in what nothing looked at"),
        pytest.param("pci.device", None, _UNKNOWN, id="no expressions on what nothing looked at"),
        pytest.param("rule.matched", {}, _YES, id="what earlier rules settle"),
    ],
)
def test_a_feature_without_elements_or_that_is_not_covered(
    feature: str, elements: dict[str, Expression] | None, truth: Truth
) -> None:
    assert _truth(feature, elements) is truth


def test_a_feature_that_a_detector_could_not_look_at_is_not_known() -> None:
    term = MatchesTerm("vendor.gpu", (("a", _EXISTS),), _EXISTS)
    assert matches(term, Facts(unseen=frozenset({"vendor.gpu"})))[0] is _UNKNOWN
    assert matches(term, Facts())[0] is _NO


@pytest.mark.parametrize(
    ("feature", "name", "truth"),
    [
        pytest.param("f.flags", _is("B", "C"), _YES, id="In, flag"),
        pytest.param("f.flags", _is("C"), _NO, id="In, no flag"),
        pytest.param("f.values", _is("n"), _YES, id="In, attribute"),
        pytest.param("f.devices", _is("ports"), _YES, id="In, attribute of an instance"),
        pytest.param("f.devices", _is("10de"), _NO, id="In, a value is no name"),
        pytest.param("f.both", _is("V"), _YES, id="In, flags and attributes"),
        pytest.param("f.mixed", _is("X"), _YES, id="In, flags and instances"),
        pytest.param("f.flags", _is_not("A"), _YES, id="NotIn, another is there"),
        pytest.param("f.flags", _is_not("A", "B"), _NO, id="NotIn, no other is there"),
        pytest.param("f.none", _is_not("A"), _NO, id="NotIn, nothing is there"),
        pytest.param("f.flags", _like("^A", "^B"), _YES, id="InRegexp"),
        pytest.param("f.flags", _like("^C"), _NO, id="InRegexp, none"),
        pytest.param("f.devices", _like("^por"), _YES, id="InRegexp, instances"),
        pytest.param("f.flags", _EXISTS, _YES, id="Exists"),
        pytest.param("f.none", _EXISTS, _NO, id="Exists, nothing is there"),
        pytest.param("f.empty", _EXISTS, _NO, id="Exists, no instance"),
        pytest.param("f.flags", _ANY, _YES, id="any"),
        pytest.param("f.none", _ANY, _NO, id="any, nothing is there"),
        pytest.param("f.flags", _ABSENT, _NO, id="DoesNotExist"),
        pytest.param("f.none", _ABSENT, _NO, id="DoesNotExist, nothing is there"),
        pytest.param("f.flags", _IS_TRUE, _NO, id="IsTrue"),
        pytest.param("f.flags", _number(Op.GT, "1"), _UNKNOWN, id="Gt of words"),
        pytest.param("f.none", _number(Op.GT, "1"), _NO, id="Gt of nothing"),
        pytest.param("vendor.secret", _EXISTS, _NO, id="a feature that nobody knows"),
        pytest.param("pci.device", _EXISTS, _UNKNOWN, id="what nothing looked at"),
    ],
)
def test_one_name_must_pass(feature: str, name: Expression, truth: Truth) -> None:
    assert _truth(feature, None, name) is truth


@pytest.mark.parametrize(
    ("name", "truth"),
    [
        pytest.param("1", _NO, id="number below"),
        pytest.param("2", _YES, id="number above"),
        pytest.param("x", _UNKNOWN, id="word"),
    ],
)
def test_names_that_are_numbers_compare_as_such(name: str, truth: Truth) -> None:
    known = facts(attributes={"f": {name: ""}})
    assert matches(MatchesTerm("f", None, _number(Op.GT, "1")), known)[0] is truth


@pytest.mark.parametrize(
    ("elements", "name", "truth"),
    [
        pytest.param({"n": _EXISTS}, _is("w"), _YES, id="both hold"),
        pytest.param({"n": _EXISTS}, _is("x"), _NO, id="the name fails"),
        pytest.param({"x": _EXISTS}, _is("w"), _NO, id="the expressions fail"),
        pytest.param({"w": _number(Op.GT, "1")}, _is("w"), _UNKNOWN, id="the expressions are not known"),
        pytest.param({}, _is("w"), _YES, id="nothing asked but the name"),
    ],
)
def test_expressions_and_name_must_both_hold(elements: dict[str, Expression], name: Expression, truth: Truth) -> None:
    assert _truth("f.values", elements, name) is truth


@pytest.mark.parametrize(
    ("term", "seen"),
    [
        pytest.param(MatchesTerm("f.flags", (("A", _EXISTS),)), "f.flags has A", id="flag"),
        pytest.param(MatchesTerm("f.flags", (("A", _EXISTS), ("C", _EXISTS))), "f.flags lacks C", id="absent flag"),
        pytest.param(MatchesTerm("f.values", (("n", _is("4")),)), "f.values n is 5", id="attribute"),
        pytest.param(MatchesTerm("f.values", ()), "f.values is known", id="nothing asked"),
        pytest.param(MatchesTerm("f.empty", None), "f.empty is known", id="no expressions"),
        pytest.param(
            MatchesTerm("f.devices", (("vendor", _is("15b3")), ("x", _ABSENT))), "f.devices vendor=15b3", id="instance"
        ),
        pytest.param(MatchesTerm("f.devices", (("x", _EXISTS),)), "none of 2 f.devices instances", id="no instance"),
        pytest.param(MatchesTerm("f.mixed", (("X", _EXISTS),)), "f.mixed X=1", id="instance beside flags"),
        pytest.param(MatchesTerm("f.flags", None, _like("A|B")), "f.flags has A", id="name"),
        pytest.param(MatchesTerm("f.flags", None, _is("C", "B")), "f.flags has B", id="name by value"),
        pytest.param(MatchesTerm("f.flags", None, _EXISTS), "f.flags has such a name", id="any name"),
        pytest.param(MatchesTerm("f.flags", None, _is("C")), "no name in f.flags matches", id="no name"),
        pytest.param(MatchesTerm("f.flags", (("A", _EXISTS),), _is("C")), "no name in f.flags matches", id="decides"),
        pytest.param(MatchesTerm("a.b", None), "no detector knows a.b", id="nobody knows it"),
        pytest.param(MatchesTerm("cpu.cpuid", None), "cpu.cpuid is not known", id="nothing looked"),
    ],
)
def test_an_answer_says_what_was_seen(term: MatchesTerm, seen: str) -> None:
    assert matches(term, _FACTS)[1] == seen
