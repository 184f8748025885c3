"""NFD's terms: whether a feature of the node matches the expressions of one.

Knows how flags, attributes and instances are asked, and what an absent element and an absent feature mean. Leaves one
value to ``model.operators`` and the form of a term to the dialect. Implements NFD
``pkg/apis/nfd/nodefeaturerule`` (``MatchMulti`` and ``MatchNamesMulti`` in ``expression.go``, ``rule.go``) with three
truths: a feature that NFD knows but nothing on this node could look at is unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from imagefit.model.facts import NFD_FEATURES, Attributes, Facts
from imagefit.model.operators import RULE_MATCHED, passes
from imagefit.model.requirement import Expression, MatchesTerm, Op
from imagefit.model.truth import Truth, all_of, any_of, truth_of

Answer = tuple[Truth, str]
"""A truth and, in words, what was seen on the node."""

Elements = tuple[tuple[str, Expression], ...]


def matches(term: MatchesTerm, facts: Facts) -> Answer:
    """Tell whether a node's feature matches a term.

    A feature that no detector knows, and NFD neither, is no; one that could not be looked at is unknown. What earlier
    rules give is settled where a document is read: what is left of it here holds.
    """
    feature = term.feature
    if feature == RULE_MATCHED:
        return Truth.YES, "earlier rules of the document settle it"
    if not facts.covers(feature) and not _is_stated(term, facts):
        if feature in NFD_FEATURES or feature in facts.unseen:
            return Truth.UNKNOWN, f"{feature} is not known"
        return Truth.NO, f"no detector knows {feature}"
    answers = tuple(_parts(term, facts))
    if not answers:
        return Truth.YES, f"{feature} is known"
    truth = all_of(found for found, _ in answers)
    return next(one for one in answers if one[0] is truth)


def _parts(term: MatchesTerm, facts: Facts) -> Iterator[Answer]:
    if term.elements is not None:
        yield _elements(term.elements, term.feature, facts)
    if term.name is not None:
        yield _name(term.name, term.feature, facts)


def _is_stated(term: MatchesTerm, facts: Facts) -> bool:
    """Tell whether all elements that are asked for are stated of a feature that nothing could look at."""
    stated = facts.flags.get(term.feature, frozenset()) | facts.attributes.get(term.feature, {}).keys()
    return bool(term.elements) and term.name is None and all(name in stated for name, _ in term.elements or ())


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
    truth = Truth.NO
    for instance in instances:
        match _instance(expressions, instance):
            case Truth.YES:
                return Truth.YES, f"{feature} {_shown(instance, expressions)}".rstrip()
            case Truth.UNKNOWN:
                truth = Truth.UNKNOWN
            case _:
                pass
    return truth, f"none of {len(instances)} {feature} instances"


def _instance(expressions: Elements, instance: Attributes) -> Truth:
    truth = Truth.YES
    for name, asked in expressions:
        one = passes(asked, instance.get(name), exists=name in instance)
        if one is Truth.NO:
            return one
        truth = one if one is Truth.UNKNOWN else truth
    return truth


def _shown(instance: Mapping[str, str], expressions: Elements) -> str:
    return " ".join(f"{name}={instance[name]}" for name, _ in expressions if name in instance)


def _name(expression: Expression, feature: str, facts: Facts) -> Answer:
    """Judge ``matchName``: one name of an element, or of an attribute of an instance, must pass."""
    sets = (facts.flags.get(feature, ()), facts.attributes.get(feature, ()), *facts.instances.get(feature, ()))
    truth, name = _of_names(expression, sets)
    match truth:
        case Truth.YES:
            return truth, f"{feature} has {name or 'such a name'}"
        case _:
            return truth, f"no name in {feature} matches"


def _of_names(expression: Expression, sets: Iterable[Iterable[str]]) -> tuple[Truth, str]:
    """Return whether a name passes, and the name where one stands out; a kernel has ten thousand options to look at."""
    sets = tuple(sets)
    match expression.op:
        case Op.ANY | Op.EXISTS:
            return truth_of(any(sets)), ""
        case Op.IN:
            found = next((name for name in expression.values if any(name in some for some in sets)), None)
            return truth_of(found is not None), found or ""
        case Op.NOT_IN:
            excluded = frozenset(expression.values)
            return truth_of(any(name not in excluded for name in chain.from_iterable(sets))), ""
        case Op.DOES_NOT_EXIST:
            return Truth.NO, ""
        case _:
            return _scanned(expression, frozenset(chain.from_iterable(sets)))


def _scanned(expression: Expression, names: frozenset[str]) -> tuple[Truth, str]:
    truths = {name: passes(expression, name) for name in names}
    passing = [name for name, truth in truths.items() if truth is Truth.YES]
    return any_of(truths.values()), min(passing, default="")
