"""Figures are medians over rounds in which all ways take turns."""

from functools import partial

import pytest

from benchmarks.limits import LIMITS
from benchmarks.measuring import figure, interleaved, percentile, ratios
from benchmarks_test.conftest import a_figure


def test_a_figure_is_the_median_of_its_rounds() -> None:
    found = figure("start", "spawn", "ms", [5.0, 1.0, 3.0])
    assert (found.value, found.lowest, found.highest) == (3.0, 1.0, 5.0)


@pytest.mark.parametrize(
    ("value", "limit", "missed"),
    [(2.0, None, False), (2.0, 2.0, False), (2.01, 2.0, True)],
    ids=["no-limit", "at-the-limit", "above"],
)
def test_a_limit_is_missed_above_it(value: float, limit: float | None, missed: bool) -> None:  # noqa: FBT001
    assert a_figure(value=value, limit=limit).is_missed is missed


def test_a_figure_has_the_limit_of_the_table_and_no_other() -> None:
    for (part, name), limit in LIMITS.items():
        assert figure(part, name, "x", [1.0]).limit == limit
        assert figure(part, f"another {name}", "x", [1.0]).limit is None


def test_every_way_takes_its_turn_once_a_round_and_none_is_always_first() -> None:
    done: list[str] = []
    told: list[str] = []

    def does(name: str) -> int:
        done.append(name)
        return len(done)

    found = interleaved({name: partial(does, name) for name in "abc"}, 3, told.append)
    assert done == [*"abc", *"bca", *"cab"]
    assert found == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}
    assert told[3] == "b: round 2 of 3"


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 99.5, 100)] == [1, 50, 99, 100, 100]
    assert percentile([7.0], 99) == 7


def test_ratios_are_of_one_round_each() -> None:
    assert ratios([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
