"""NFD's operators on one value: each with what passes, what does not, and what is not known."""

import pytest

from imagefit.model.operators import number_of, passes
from imagefit.model.requirement import Expression, Op
from imagefit.model.truth import Truth

_YES, _NO, _UNKNOWN = Truth.YES, Truth.NO, Truth.UNKNOWN
# What an operator takes, where it takes anything.
_VALUES = {
    Op.IN: ("1", "2"),
    Op.NOT_IN: ("1", "2"),
    Op.IN_REGEXP: ("^1", "2$"),
    Op.GT: ("2",),
    Op.GE: ("2",),
    Op.LT: ("2",),
    Op.LE: ("2",),
    Op.GT_LT: ("1", "3"),
    Op.GE_LE: ("1", "3"),
}


def _expression(op: Op) -> Expression:
    return Expression(op, _VALUES.get(op, ()))


@pytest.mark.parametrize(
    ("op", "value", "truth"),
    [
        pytest.param(Op.ANY, "x", _YES, id="any"),
        pytest.param(Op.EXISTS, "", _YES, id="exists"),
        pytest.param(Op.DOES_NOT_EXIST, "", _NO, id="exists, though it should not"),
        pytest.param(Op.IN, "2", _YES, id="one of some"),
        pytest.param(Op.IN, "3", _NO, id="none of some"),
        pytest.param(Op.IN, "1.0", _NO, id="values are text"),
        pytest.param(Op.NOT_IN, "3", _YES, id="other than some"),
        pytest.param(Op.NOT_IN, "1", _NO, id="not other than some"),
        pytest.param(Op.IN_REGEXP, "12", _YES, id="pattern"),
        pytest.param(Op.IN_REGEXP, "31", _NO, id="no pattern"),
        pytest.param(Op.GT, "3", _YES, id="greater"),
        pytest.param(Op.GT, "2", _NO, id="equal is not greater"),
        pytest.param(Op.GE, "2", _YES, id="greater or equal"),
        pytest.param(Op.GE, "1", _NO, id="less is not greater or equal"),
        pytest.param(Op.LT, "-10", _YES, id="less"),
        pytest.param(Op.LT, "2", _NO, id="equal is not less"),
        pytest.param(Op.LE, "2", _YES, id="less or equal"),
        pytest.param(Op.LE, "3", _NO, id="greater is not less or equal"),
        pytest.param(Op.GT_LT, "2", _YES, id="between"),
        pytest.param(Op.GT_LT, "1", _NO, id="the first is not between"),
        pytest.param(Op.GT_LT, "3", _NO, id="the second is not between"),
        pytest.param(Op.GE_LE, "1", _YES, id="the first included"),
        pytest.param(Op.GE_LE, "3", _YES, id="the second included"),
        pytest.param(Op.GE_LE, "4", _NO, id="beyond the second"),
        pytest.param(Op.GE_LE, "0", _NO, id="before the first"),
        pytest.param(Op.IS_TRUE, "true", _YES, id="true"),
        pytest.param(Op.IS_TRUE, "True", _NO, id="true in another case"),
        pytest.param(Op.IS_TRUE, "1", _NO, id="one is not true"),
        pytest.param(Op.IS_FALSE, "false", _YES, id="false"),
        pytest.param(Op.IS_FALSE, "true", _NO, id="true is not false"),
        pytest.param(Op.IS_FALSE, "", _NO, id="nothing is not false"),
        *(
            pytest.param(op, value, _UNKNOWN, id=f"{op} of {value or 'nothing'}")
            for op in (Op.GT, Op.GE, Op.LT, Op.LE, Op.GT_LT, Op.GE_LE)
            for value in ("one", "2.0", "", " 2")
        ),
    ],
)
def test_a_value_passes_or_not(op: Op, value: str, truth: Truth) -> None:
    assert passes(_expression(op), value) is truth


@pytest.mark.parametrize("op", Op)
def test_of_a_flag_only_its_existence_can_be_asked(op: Op) -> None:
    expected = _YES if op in {Op.ANY, Op.EXISTS} else _NO
    assert passes(_expression(op), None) is expected


@pytest.mark.parametrize("op", Op)
@pytest.mark.parametrize("value", [None, "true", "2"])
def test_what_is_absent_passes_only_any_and_does_not_exist(op: Op, value: str | None) -> None:
    expected = _YES if op in {Op.ANY, Op.DOES_NOT_EXIST} else _NO
    assert passes(_expression(op), value, exists=False) is expected


@pytest.mark.parametrize(
    ("op", "bounds", "value", "truth"),
    [
        pytest.param(Op.GE, ("5.14",), "5.14.0-427.el9.x86_64", _YES, id="leading numbers"),
        pytest.param(Op.GT, ("5.14",), "5.14.0-427.el9.x86_64", _NO, id="a build is not greater"),
        pytest.param(Op.GT, ("5.9",), "5.14", _YES, id="numbers, not text"),
        pytest.param(Op.LE, ("2",), "2.0.0", _YES, id="trailing zeros"),
        pytest.param(Op.LT, ("2.0.1",), "2", _YES, id="missing numbers are zeros"),
        pytest.param(Op.GT_LT, ("1.0.1", "10.0.1"), "1.0.2", _YES, id="between"),
        pytest.param(Op.GT_LT, ("1.0.1", "10.0.1"), "10.0.1", _NO, id="not between"),
        pytest.param(Op.GE_LE, ("1", "10"), "10", _YES, id="ends included"),
        pytest.param(Op.GE_LE, ("1", "10"), "10.0.1", _NO, id="beyond the end"),
        pytest.param(Op.GE, ("1",), "unreleased", _UNKNOWN, id="no number"),
        pytest.param(Op.GE, ("1",), "", _UNKNOWN, id="nothing"),
        pytest.param(Op.GE, ("1",), "-11", _UNKNOWN, id="negative"),
    ],
)
def test_versions_compare_by_their_leading_numbers(op: Op, bounds: tuple[str, ...], value: str, truth: Truth) -> None:
    assert passes(Expression(op, bounds, versions=True), value) is truth


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("+5", 5),
        ("-5", -5),
        ("007", 7),
        ("0" * 100 + "1", 1),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
    ],
)
def test_a_whole_number_is_what_go_takes_for_one(text: str, number: int) -> None:
    assert number_of(text, versions=False) == (number,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "1.0",
        "1e3",
        "0x1",
        "1_000",
        " 1",
        "1\n",
        "\u0663",
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 5000,
    ],
)
def test_anything_else_is_no_whole_number(text: str) -> None:
    assert number_of(text, versions=False) is None
