"""A later run fails by what became worse or was not measured, by nothing else."""

import pytest

from benchmarks.comparing import WORSE, changes, is_worse
from benchmarks_test.conftest import a_figure

PART = "pass-through"


@pytest.mark.parametrize(
    ("unit", "base", "now", "worse"),
    [
        pytest.param("x", 2.0, 2.0 * WORSE, False, id="ratio-within"),
        pytest.param("x", 2.0, 2.0 * WORSE + 0.01, True, id="ratio-beyond"),
        pytest.param("x", 2.0, 0.1, False, id="ratio-better"),
        pytest.param("MB", 40.0, 51.9, False, id="memory-within"),
        pytest.param("MB", 40.0, 52.1, True, id="memory-beyond"),
        pytest.param("requests", 10.0, 10.0, False, id="count-equal"),
        pytest.param("requests", 10.0, 10.5, True, id="count-any-more"),
        pytest.param("requests", 0.0, 1.0, True, id="count-from-none"),
        pytest.param("requests", 3.0, 2.0, False, id="count-fewer"),
    ],
)
def test_what_is_worse(unit: str, base: float, now: float, worse: bool) -> None:  # noqa: FBT001
    before, after = (a_figure(unit=unit, value=value, lowest=value, highest=value) for value in (base, now))
    assert is_worse(before, after) is worse


@pytest.mark.parametrize(
    ("unit", "lowest", "worse"),
    [
        pytest.param("x", 2.6, True, id="every-round-above-every-round-of-the-base"),
        pytest.param("x", 2.5, False, id="a-round-as-low-as-one-of-the-base"),
        pytest.param("requests", 1.0, True, id="a-count-whatever-its-rounds"),
    ],
)
def test_what_may_be_chance_is_not_worse(unit: str, lowest: float, worse: bool) -> None:  # noqa: FBT001
    base = a_figure(unit=unit, value=2.0, lowest=1.5, highest=2.5)
    assert is_worse(base, a_figure(unit=unit, value=4.0, lowest=lowest, highest=5.0)) is worse


def test_a_figure_that_became_worse_is_named_with_both_values() -> None:
    (found,) = changes([a_figure(value=1.0, highest=1.2)], [a_figure(value=2.0)], [PART])
    assert (found.word, found.base, found.now, found.fails) == ("worse", 1.0, 2.0, True)


def test_a_figure_that_is_missing_fails_and_a_new_one_does_not() -> None:
    found = changes([a_figure("old")], [a_figure("other")], [PART])
    assert [(one.figure.name, one.word, one.fails) for one in found] == [
        ("old", "missing", True),
        ("other", "new", False),
    ]


def test_a_part_that_was_not_asked_for_is_not_missing() -> None:
    assert changes([a_figure(part="pull")], [a_figure()], [PART]) == changes([], [a_figure()], [PART])


def test_figures_of_one_machine_only_are_not_compared() -> None:
    fast, slow = (a_figure(unit="ms", value=value, is_compared=False) for value in (1.0, 9.0))
    assert changes([fast], [slow], [PART]) == []
    assert changes([fast], [], [PART]) == []


def test_the_same_figures_have_no_changes() -> None:
    assert changes([a_figure()], [a_figure()], [PART]) == []
