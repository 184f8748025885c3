"""Judging is a pure function of document and facts that more knowledge makes only more certain."""

import random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import none_of
from imagefit.model.facts import Facts, Node
from imagefit.model.ranges import parse_ranges
from imagefit.model.requirement import (
    Alternative,
    Check,
    Document,
    EqualTo,
    Expression,
    Group,
    HasFlag,
    HasInstance,
    HasValue,
    Includes,
    InRanges,
    MatchesTerm,
    Need,
    Op,
    RunsOn,
    negated,
)
from imagefit.model.truth import Truth, opposite
from imagefit.selection.match import judge_document

_FEATURES = st.sampled_from(["a.flags", "a.values", "a.devices", "cpu.cpuid"])
_NAMES = st.sampled_from(["x", "y", "z"])
_TEXTS = st.sampled_from(["1", "2", "10", "true", "false", "one", "6.1.0", ""])
_TESTS = st.one_of(
    st.builds(lambda values: EqualTo(tuple(values)), st.lists(_TEXTS, min_size=1, max_size=2)),
    st.builds(lambda text: InRanges(parse_ranges(text)), st.sampled_from([">=2", "<2", "[1, 6.1]", "10"])),
    st.builds(Includes, _TEXTS),
)
_ONE_VALUE = st.sampled_from([Op.GT, Op.GE, Op.LT, Op.LE])
_POSITIVE_EXPRESSIONS = st.one_of(
    st.builds(Expression, st.sampled_from([Op.ANY, Op.EXISTS, Op.IS_TRUE, Op.IS_FALSE])),
    st.builds(lambda values: Expression(Op.IN, tuple(values)), st.lists(_TEXTS, min_size=1, max_size=2)),
    st.builds(lambda pattern: Expression(Op.IN_REGEXP, (pattern,)), st.sampled_from(["^1", "e$", "."])),
    st.builds(lambda op, value: Expression(op, (value,)), _ONE_VALUE, st.sampled_from(["1", "2"])),
    st.builds(lambda op: Expression(op, ("1", "6"), versions=True), st.sampled_from([Op.GT_LT, Op.GE_LE])),
)
_EXPRESSIONS = st.one_of(
    _POSITIVE_EXPRESSIONS,
    st.just(Expression(Op.DOES_NOT_EXIST)),
    st.builds(lambda value: Expression(Op.NOT_IN, (value,)), _TEXTS),
)


def _terms(expressions: st.SearchStrategy[Expression]) -> st.SearchStrategy[MatchesTerm]:
    elements = st.lists(st.tuples(_NAMES, expressions), max_size=2).map(tuple)
    return st.builds(MatchesTerm, _FEATURES, st.none() | elements, st.none() | expressions)


def _needs(expressions: st.SearchStrategy[Expression]) -> st.SearchStrategy[Need]:
    """Return needs in which nothing is negated but what ``expressions`` negate."""
    features = st.lists(_FEATURES, min_size=1, max_size=2, unique=True).map(tuple)
    questions = st.one_of(
        st.builds(HasFlag, features, st.lists(_NAMES, min_size=1, max_size=2).map(tuple)),
        st.builds(HasValue, features, _NAMES, _TESTS),
        st.builds(HasInstance, _FEATURES, st.lists(st.tuples(_NAMES, _TESTS), min_size=1, max_size=2).map(tuple)),
        st.builds(RunsOn, st.sampled_from(["linux", "windows"]), st.sampled_from(["amd64"]), _NAMES),
        _terms(expressions),
    )
    checks = st.builds(lambda question: Check("label", "asked", question), questions)
    return st.recursive(
        checks,
        lambda inner: st.builds(
            lambda any_of, members: Group(any_of, tuple(members)), st.booleans(), st.lists(inner, max_size=3)
        ),
        max_leaves=5,
    )


_POSITIVE = _needs(_POSITIVE_EXPRESSIONS)
_ANY_NEED = st.recursive(
    _needs(_EXPRESSIONS),
    lambda inner: st.builds(negated, inner) | st.builds(none_of, st.lists(inner, max_size=3)),
    max_leaves=4,
)


def _documents(needs: st.SearchStrategy[Need]) -> st.SearchStrategy[Document]:
    alternatives = st.builds(
        lambda some, score: Alternative(tuple(some), score), st.lists(needs, max_size=3), st.integers(0, 2)
    )
    return st.builds(lambda sets: Document("d", tuple(sets)), st.lists(alternatives, max_size=3))


_ATTRIBUTES = st.dictionaries(_NAMES, _TEXTS, max_size=3)
_FACTS = st.builds(
    Facts,
    st.dictionaries(_FEATURES, st.frozensets(_NAMES), max_size=2),
    st.dictionaries(_FEATURES, _ATTRIBUTES, max_size=2),
    st.dictionaries(_FEATURES, st.lists(_ATTRIBUTES, max_size=2).map(tuple), max_size=2),
)


def _truth(document: Document, facts: Facts) -> Truth:
    return judge_document(document, Node("linux", "amd64", "v3", facts)).truth


@given(_documents(_ANY_NEED), _FACTS)
def test_a_verdict_is_a_function_of_document_and_facts(document: Document, facts: Facts) -> None:
    node = Node("linux", "amd64", "v3", facts)
    assert judge_document(document, node) == judge_document(document, node)


@given(_documents(_POSITIVE), _FACTS, _FACTS)
def test_adding_facts_never_turns_yes_into_anything_else_where_nothing_is_negated(
    document: Document, facts: Facts, more: Facts
) -> None:
    """Where something is negated, a new fact may turn the yes of one set into no and leave another unknown."""
    # An attribute that is there keeps its value: that would be another fact, not one more.
    if _truth(document, facts) is Truth.YES:
        assert _truth(document, more.merged(facts)) is Truth.YES


@given(_documents(_ANY_NEED), _FACTS, st.data())
def test_removing_cover_never_turns_unknown_into_yes(document: Document, facts: Facts, data: st.DataObject) -> None:
    gone = data.draw(_FEATURES)
    fewer = Facts(
        {name: some for name, some in facts.flags.items() if name != gone},
        {name: some for name, some in facts.attributes.items() if name != gone},
        {name: some for name, some in facts.instances.items() if name != gone},
        frozenset({gone}),
    )
    if _truth(document, facts) is not Truth.YES:
        assert _truth(document, fewer) is not Truth.YES


@given(_documents(_ANY_NEED), _FACTS, st.randoms(use_true_random=False))
def test_the_order_of_sets_and_of_needs_changes_no_verdict(
    document: Document, facts: Facts, order: random.Random
) -> None:
    sets = [replace(one, needs=tuple(order.sample(one.needs, len(one.needs)))) for one in document.alternatives]
    order.shuffle(sets)
    node = Node("linux", "amd64", "v3", facts)
    before, after = (judge_document(one, node) for one in (document, replace(document, alternatives=tuple(sets))))
    assert before.truth is after.truth
    if before.deciding and after.deciding:
        assert before.deciding.truth is after.deciding.truth
        assert before.deciding.alternative.score == after.deciding.alternative.score


@given(_ANY_NEED, _FACTS)
def test_a_negated_need_is_the_opposite_and_negating_twice_changes_nothing(need: Need, facts: Facts) -> None:
    positive, negative, twice = (
        _truth(Document("d", (Alternative((one,)),)), facts) for one in (need, negated(need), negated(negated(need)))
    )
    assert negative is opposite(positive)
    assert twice is positive
