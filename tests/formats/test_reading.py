"""What all dialects read alike: values of one type, faults with their places, and the limits of one document."""

from collections.abc import Callable

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.formats import reading
from imagefit.formats.reading import (
    Faults,
    at,
    check_keys,
    each_alternative,
    list_of,
    object_of,
    problems_of,
    score_of,
    text_of,
    words_of,
)
from imagefit.formats.syntax import Number, Tree
from imagefit.model.requirement import Alternative, Check, Group, HasFlag, Problem

_CHECK = Check("a", "b", HasFlag(("c",), ("d",)))


def _fail(message: str) -> None:
    raise InvalidDocumentError(message)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        pytest.param(text_of, "a", "a", id="text"),
        pytest.param(text_of, Number("1.10"), "1.10", id="number as text"),
        pytest.param(text_of, True, "true", id="true as text"),
        pytest.param(text_of, False, "false", id="false as text"),
        pytest.param(object_of, {"a": None}, {"a": None}, id="object"),
        pytest.param(object_of, None, {}, id="null as an object"),
        pytest.param(list_of, ["a", None], ["a", None], id="list"),
        pytest.param(list_of, None, [], id="null as a list"),
        pytest.param(words_of, None, (), id="null as words"),
        pytest.param(words_of, "a", ("a",), id="one word"),
        pytest.param(words_of, ["a", "b"], ("a", "b"), id="words"),
        pytest.param(score_of, "+7", 7, id="score with a sign"),
        pytest.param(score_of, Number("-999999999"), -999_999_999, id="lowest score"),
    ],
)
def test_a_value_of_the_expected_type_is_read(read: Callable[[Tree], object], value: Tree, expected: object) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        pytest.param(text_of, None, id="null for text"),
        pytest.param(text_of, [], id="list for text"),
        pytest.param(text_of, {}, id="object for text"),
        pytest.param(object_of, [], id="list for an object"),
        pytest.param(object_of, "", id="text for an object"),
        pytest.param(list_of, {}, id="object for a list"),
        pytest.param(list_of, True, id="boolean for a list"),
        pytest.param(words_of, True, id="boolean for words"),
        pytest.param(words_of, ["a", True], id="boolean among words"),
        pytest.param(words_of, {}, id="object for words"),
        pytest.param(score_of, "1.0", id="fraction for a score"),
        pytest.param(score_of, "", id="empty score"),
        pytest.param(score_of, "1234567890", id="ten digits"),
        pytest.param(score_of, "1\n", id="score and a newline"),
        pytest.param(score_of, "\u0663", id="score outside ASCII"),
        pytest.param(score_of, None, id="null for a score"),
        pytest.param(score_of, True, id="boolean for a score"),
    ],
)
def test_a_value_of_another_type_is_refused(read: Callable[[Tree], object], value: Tree) -> None:
    with pytest.raises(InvalidDocumentError, match="expected"):
        read(value)


def test_a_fault_gets_the_place_of_what_is_read() -> None:
    with pytest.raises(InvalidDocumentError) as caught, at("a", 0), at("b/c"):
        _fail("broken")
    assert (caught.value.message, caught.value.place) == ("broken", "/a/0/b~1c")


def test_all_faults_of_a_set_are_named_in_their_order() -> None:
    inner, outer = Faults(), Faults()
    with outer.at("x"):
        for number in range(2):
            with inner.at(number):
                _fail(f"inner {number}")
        inner.raise_all()
    with outer.at("y"):
        _fail("outer")
    with outer.at("z"):
        pass
    with pytest.raises(InvalidDocumentError) as caught:
        outer.raise_all()
    assert problems_of(caught.value.below("/s")) == (
        Problem("inner 0", "/s/x/0"),
        Problem("inner 1", "/s/x/1"),
        Problem("outer", "/s/y"),
    )


def test_without_a_fault_nothing_is_raised() -> None:
    Faults().raise_all()


def test_at_the_most_faults_a_set_is_not_read_on() -> None:
    faults = Faults()
    for number in range(reading.MAX_FAULTS - 1):
        with faults.at(number):
            _fail("broken")
    with pytest.raises(InvalidDocumentError) as caught, faults.at("last"):
        _fail("broken")
    assert len(problems_of(caught.value)) == reading.MAX_FAULTS


def test_a_key_that_nothing_reads_is_a_fault_that_names_those_there_are() -> None:
    check_keys("a thing", {"b": 1}, ("a", "b"))
    with pytest.raises(InvalidDocumentError) as caught:
        check_keys("a thing", {"a": 1, "c": 2, "d": 3}, ("a", "b"))
    assert [problem.place for problem in problems_of(caught.value)] == ["/c", "/d"]
    assert caught.value.message == "an unknown key; a thing has a, b"


def _read(tree: Tree, place: str) -> Alternative:
    if tree is None:
        raise InvalidDocumentError("broken", place="/x")
    return Alternative((_CHECK,) * int(text_of(tree)), place=place)


def test_a_broken_set_costs_itself_and_has_its_place() -> None:
    document = each_alternative("d", ["1", None, "2"], _read, "sets")
    assert document.dialect == "d"
    assert [one.place for one in document.alternatives] == ["/sets/0", "/sets/2"]
    assert document.problems == (Problem("broken", "/sets/1/x"),)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        pytest.param(["0"] * (reading.MAX_SETS + 1), "10000 sets", id="sets"),
        pytest.param(["9999", "2"], "10000 checks", id="checks"),
    ],
)
def test_beyond_the_limits_a_document_is_refused(sets: list[Tree], message: str) -> None:
    with pytest.raises(InvalidDocumentError, match=message):
        each_alternative("d", sets, _read)


def test_beyond_the_most_faults_a_document_is_refused() -> None:
    def read(_: Tree, __: str) -> Alternative:
        raise InvalidDocumentError("a", others=tuple(InvalidDocumentError("b") for _ in range(999)))

    assert len(each_alternative("d", [None] * 10, read).problems) == reading.MAX_PROBLEMS
    with pytest.raises(InvalidDocumentError, match="10000 faults"):
        each_alternative("d", [None] * 11, read)


def test_checks_inside_groups_count() -> None:
    group = Group(any_of=True, members=(_CHECK,) * (reading.MAX_CHECKS + 1))
    with pytest.raises(InvalidDocumentError, match="10000 checks"):
        each_alternative("d", ["0"], lambda _, place: Alternative((group,), place=place))
