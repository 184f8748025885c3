"""NFD's terms: whether a feature of the node matches the expressions of one.

Knows NFD's operators, how they treat flags, attributes and instances, and what an absent element means. Leaves the form
of a term to the dialect. Implements NFD ``pkg/apis/nfd/nodefeaturerule`` (``expression.go``, ``rule.go``) with three
truths: for a feature that nothing could look at, and where NFD reports an error about the node's own value, the answer
is unknown.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from imagefit.model.facts import NFD_FEATURES, Attributes, Facts
from imagefit.model.ranges import parse_version
from imagefit.model.regexp import compile_pattern
from imagefit.model.requirement import Expression, MatchesTerm, Op
from imagefit.model.truth import Truth, all_of, any_of, truth_of

Answer = tuple[Truth, str]
"""A truth and, in words, what was seen on the node."""

Elements = tuple[tuple[str, Expression], ...]

_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")
# What of a bound must hold of the node's number; two of them for the operators with two bounds, in their order.
_BOUNDS: Final[Mapping[Op, tuple[Callable[[Any, Any], bool], ...]]] = {
    Op.GT: (operator.gt,),
    Op.GE: (operator.ge,),
    Op.LT: (operator.lt,),
    Op.LE: (operator.le,),
    Op.GT_LT: (operator.gt, operator.lt),
    Op.GE_LE: (operator.ge, operator.le),
}
_OF_A_VALUE: Final[Mapping[Op, Callable[[str, tuple[str, ...]], bool]]] = {
    Op.IN: lambda value, values: value in values,
    Op.NOT_IN: lambda value, values: value not in values,
    Op.IN_REGEXP: lambda value, values: any(compile_pattern(one).search(value) for one in values),
    Op.IS_TRUE: lambda value, _: value == "true",
    Op.IS_FALSE: lambda value, _: value == "false",
}


def matches(term: MatchesTerm, facts: Facts) -> Answer:
    """Tell whether a node's feature matches a term.

    A feature that no detector knows, and NFD neither, is no; one that could not be looked at is unknown.
    """
    feature = term.feature
    if not facts.covers(feature):
        if feature in NFD_FEATURES or feature in facts.unseen:
            return Truth.UNKNOWN, f"{feature} is not known"
        return Truth.NO, f"no detector knows {feature}"
    answers: list[Answer] = []
    if term.elements is not None or term.name is None:
        answers.append(_elements(term.elements or (), feature, facts))
    if term.name is not None:
        answers.append(_name(term.name, feature, facts))
    truth = all_of(found for found, _ in answers)
    return next(one for one in answers if one[0] is truth)


def number_of(text: str, *, versions: bool) -> tuple[int, ...] | None:
    """Return a text as a number to compare: a whole one, or the leading numbers of a version; None if it is neither."""
    if versions:
        version = parse_version(text)
        return None if version is None else version.release
    return (int(text),) if _WHOLE_NUMBER.fullmatch(text) else None


def passes(expression: Expression, value: str | None, *, exists: bool = True) -> Truth:
    """Tell whether an element passes an expression.

    Args:
        expression: what is asked.
        value: the element's value, None for a flag.
        exists: whether there is such an element; an absent one fails all but ``""`` and ``DoesNotExist``.
    """
    match expression.op:
        case Op.ANY:
            return Truth.YES
        case Op.EXISTS:
            return truth_of(exists)
        case Op.DOES_NOT_EXIST:
            return truth_of(not exists)
        case op if not exists or value is None:
            return Truth.NO
        case op if op in _OF_A_VALUE:
            return truth_of(_OF_A_VALUE[op](value, expression.values))
        case op:
            return _in_bounds(op, expression, value)


def _in_bounds(op: Op, expression: Expression, value: str) -> Truth:
    have = number_of(value, versions=expression.versions)
    if have is None:
        return Truth.UNKNOWN
    bounds = (number_of(one, versions=expression.versions) for one in expression.values)
    return truth_of(all(holds(have, bound) for holds, bound in zip(_BOUNDS[op], bounds, strict=True)))


def _elements(expressions: Elements, feature: str, facts: Facts) -> Answer:
    """Judge the expressions of a term: flags and attributes together, instances one by one; either is enough."""
    answers: list[Answer] = []
    if feature in facts.flags or feature in facts.attributes:
        answers.append(_of_elements(expressions, feature, facts))
    if feature in facts.instances:
        answers.append(_of_instances(expressions, feature, facts.instances[feature]))
    truth = any_of(found for found, _ in answers)
    return next(one for one in answers if one[0] is truth)


def _of_elements(expressions: Elements, feature: str, facts: Facts) -> Answer:
    flags, attributes = facts.flags.get(feature, frozenset()), facts.attributes.get(feature, {})
    truths = [_element(expression, name, flags, attributes) for name, expression in expressions]
    truth = all_of(truths)
    if not expressions:
        return truth, f"{feature} is known"
    name = expressions[truths.index(truth)][0]
    if name in attributes:
        return truth, f"{feature} {name} is {attributes[name]}"
    return truth, f"{feature} {'has' if name in flags else 'lacks'} {name}"


def _element(expression: Expression, name: str, flags: frozenset[str], attributes: Attributes) -> Truth:
    if name in flags:
        as_flag = passes(expression, None)
        return any_of((as_flag, passes(expression, attributes[name]))) if name in attributes else as_flag
    return passes(expression, attributes.get(name), exists=name in attributes)


def _of_instances(expressions: Elements, feature: str, instances: Sequence[Attributes]) -> Answer:
    truths = [
        all_of(passes(asked, instance.get(name), exists=name in instance) for name, asked in expressions)
        for instance in instances
    ]
    truth = any_of(truths)
    if truth is Truth.YES:
        return truth, f"{feature} {_shown(instances[truths.index(truth)], expressions)}".rstrip()
    return truth, f"none of {len(instances)} {feature} instances"


def _shown(instance: Attributes, expressions: Elements) -> str:
    return " ".join(f"{name}={instance[name]}" for name, _ in expressions if name in instance)


def _name(expression: Expression, feature: str, facts: Facts) -> Answer:
    """Judge ``matchName``: one name of an element, or of an attribute of an instance, must pass."""
    names = [*facts.flags.get(feature, ()), *facts.attributes.get(feature, ())]
    names.extend(name for instance in facts.instances.get(feature, ()) for name in instance)
    truths = [passes(expression, name) for name in sorted(names)]
    truth = any_of(truths)
    if truth is Truth.YES:
        return truth, f"{feature} has {sorted(names)[truths.index(truth)]}"
    return truth, f"no name in {feature} matches"
