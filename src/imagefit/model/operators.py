"""NFD's operators: whether one value passes one expression.

Knows what each operator compares and what numbers and versions are. Leaves to others which values a node has and how an
expression is written. Implements NFD ``pkg/apis/nfd/nodefeaturerule/expression.go`` with three truths: where NFD
reports an error because the value of a node is no number, the answer is unknown.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from imagefit.model.ranges import parse_version
from imagefit.model.regexp import matches_any
from imagefit.model.requirement import Expression, Op
from imagefit.model.truth import Truth, truth_of

RULE_MATCHED: Final = "rule.matched"
"""NFD's name for what earlier rules of a document gave: of the document, never of a node."""

_WHOLE_NUMBER: Final = re.compile(r"[+-]?0{0,100}[0-9]{1,19}")
_MOST: Final = 1 << 63
# What of a bound must hold of the node's number; two of them for the operators with two bounds, in their order.
_BOUNDS: Final[Mapping[Op, tuple[Callable[[Any, Any], bool], ...]]] = {
    Op.GT: (operator.gt,),
    Op.GE: (operator.ge,),
    Op.LT: (operator.lt,),
    Op.LE: (operator.le,),
    Op.GT_LT: (operator.gt, operator.lt),
    Op.GE_LE: (operator.ge, operator.le),
}
BOUNDS: Final[Mapping[Op, int]] = {op: len(bounds) for op, bounds in _BOUNDS.items()}
"""The operators that compare numbers, and how many numbers each of them takes."""
_OF_A_VALUE: Final[Mapping[Op, Callable[[str, tuple[str, ...]], bool]]] = {
    Op.IN: lambda value, values: value in values,
    Op.NOT_IN: lambda value, values: value not in values,
    Op.IN_REGEXP: lambda value, values: matches_any(values, value),
    Op.IS_TRUE: lambda value, _: value == "true",
    Op.IS_FALSE: lambda value, _: value == "false",
}


def number_of(text: str, *, versions: bool) -> tuple[int, ...] | None:
    """Return a text as a number to compare: a whole one, or the leading numbers of a version; None if it is neither.

    Whole numbers are those that Go's ``strconv.Atoi`` takes: with a sign or without, of at most 64 bits.
    """
    if versions:
        version = parse_version(text)
        return None if version is None else version.release
    if not _WHOLE_NUMBER.fullmatch(text):
        return None
    number = int(text)
    return (number,) if -_MOST <= number < _MOST else None


def passes(expression: Expression, value: str | None, *, exists: bool = True) -> Truth:
    """Tell whether an element passes an expression.

    Args:
        expression: what is asked.
        value: the element's value, None for a flag.
        exists: whether there is such an element; an absent one fails all but ``""`` and ``DoesNotExist``.
    """
    op = expression.op
    if op is Op.ANY:
        return Truth.YES
    if op is Op.EXISTS:
        return truth_of(exists)
    if op is Op.DOES_NOT_EXIST:
        return truth_of(not exists)
    if not exists or value is None:
        return Truth.NO
    test = _OF_A_VALUE.get(op)
    return _in_bounds(op, expression, value) if test is None else truth_of(test(value, expression.values))


def _in_bounds(op: Op, expression: Expression, value: str) -> Truth:
    have = number_of(value, versions=expression.versions)
    if have is None:
        return Truth.UNKNOWN
    bounds = (number_of(one, versions=expression.versions) for one in expression.values)
    return truth_of(all(holds(have, bound) for holds, bound in zip(_BOUNDS[op], bounds, strict=True)))
