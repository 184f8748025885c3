"""Tables say what was found and can be read at 80 columns."""

import io

import pytest
from rich.console import Console

from benchmarks.comparing import Change
from benchmarks.measuring import SHARE
from benchmarks.results import Run
from benchmarks.table import number, print_changes, print_figures, quantity, spread
from benchmarks_test.conftest import a_figure


@pytest.fixture
def screen() -> Console:
    return Console(file=io.StringIO(), width=80, highlight=False)


def shown(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.01234, "0.012"), (-0.0001, "0"), (5.0, "5"), (99.94, "99.9"), (1234.5, "1,234"), (-0.5, "-0.5")],
)
def test_a_number_has_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_ratio_has_its_unit_close() -> None:
    assert (quantity(2.5, "x"), quantity(2.5, "ms")) == ("2.5x", "2.5 ms")


def test_a_share_is_told_in_percent() -> None:
    assert quantity(0.126, SHARE) == "13%"


def test_a_range_is_shown_where_there_is_one() -> None:
    assert spread(a_figure(lowest=1.0, highest=2.0)) == "1 to 2"
    assert spread(a_figure(lowest=2.0, highest=2.0)) == ""


def test_every_figure_is_shown_with_its_part_and_limit(run: Run, screen: Console) -> None:
    print_figures(run.figures, screen)
    lines = shown(screen).splitlines()
    assert [line.split() for line in lines if "a call" in line] == [
        ["a", "call", "2x", "1.5", "to", "2.5", "≤", "8", "ok"]
    ]
    assert next(line for line in lines if "a list" in line).split()[-1] == "MISSED"
    assert next(line for line in lines if "CPU" in line).split() == ["CPU", "2", "µs", "1.5", "to", "2.5"]
    assert [line.strip() for line in lines if line.strip() in {"pass-through", "pull"}] == ["pass-through", "pull"]


def test_the_longest_name_fits(screen: Console) -> None:
    name = "x" * 20 + " " + "y" * 20
    print_figures([a_figure(name, value=1_234.0, lowest=1_200.0, highest=1_300.0, limit=1.5, unit="ms")], screen)
    text = shown(screen)
    assert all(len(line) <= 80 for line in text.splitlines())
    for words in (name, "1,234 ms", "1,200 to 1,300", "≤ 1.5", "MISSED"):
        assert words in text


def test_changes_are_shown_with_both_values(screen: Console) -> None:
    print_changes(
        [
            Change(a_figure("slow"), 1.0, 2.0, "worse"),
            Change(a_figure("gone"), 1.0, None, "missing"),
            Change(a_figure("fresh"), None, 2.0, "new"),
        ],
        screen,
    )
    rows = [line.split() for line in shown(screen).splitlines() if "pass-through" in line]
    assert rows == [
        ["pass-through", "slow", "1x", "2x", "worse"],
        ["pass-through", "gone", "1x", "missing"],
        ["pass-through", "fresh", "2x", "new"],
    ]
