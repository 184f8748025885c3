"""The page on performance is what the base says."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.limits import LIMITS
from benchmarks.measuring import figure
from benchmarks.results import BASE, Run, read_run
from benchmarks_test.conftest import a_figure, a_run
from docs.generators.performance import NOT_MEASURED, UnknownMarkError, files, performance_page


def test_the_page_is_up_to_date() -> None:
    for path, text in files().items():
        assert path.read_text() == text, "run `make docs`"


def test_every_plot_of_the_page_is_drawn_from_the_base() -> None:
    ((path, text),) = files().items()
    plots = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert plots
    said = f"Drawn from the run of {read_run(BASE).date}"
    assert [plot for plot in plots if said not in (path.parent / plot).read_text()] == [], "run `make bench-plots`"


def test_no_mark_is_left_and_no_link_is_dead() -> None:
    ((path, text),) = files().items()
    assert text.count("<!--") == 1
    for link in re.findall(r"(?<!!)\[[^]]+\]\(([^)#]+)", text):
        assert (path.parent / link).exists(), link


def test_a_mark_is_replaced_and_the_words_stay(run: Run) -> None:
    page = performance_page("Before.\n\n<!-- figures of pull -->\n\nAfter.\n", run)
    table = "| figure | value | rounds | limit |  |\n|---|--:|--:|--:|---|\n| asked | 0 requests |  |  |  |"
    assert page.split("\n\n", 1)[1] == f"Before.\n\n{table}\n\nAfter.\n"


def test_every_limit_is_a_row_that_says_whether_it_is_kept() -> None:
    part, call = "pass-through", "ImageStatus, 1 at once: imagefit "
    run = a_run(figure(part, f"{call}p50", "x", [7.0, 5.0, 8.0]), figure(part, f"{call}p99", "x", [7.5]))
    _, _, *rows = performance_page("<!-- limits -->", run).split("\n\n", 1)[1].splitlines()
    assert len(rows) == len(LIMITS)
    assert rows[:3] == [
        f"| {part} | {call}p50 | 7x | 5 to 8 | ≤ 8 | ok |",
        f"| {part} | {call}p99 | 7.5x |  | ≤ 7 | **missed** |",
        f"| {part} | ListImages, 1 at once: imagefit p50 | {NOT_MEASURED} |  | ≤ 5 |  |",
    ]


def test_values_are_quoted_and_lines_filled_around_them_and_nowhere_else(run: Run) -> None:
    text = "It takes <!-- pass-through: a call --> and\n<!-- pull: asked -->; <!-- pull: a call -->.\n\nAs it\nis.\n"
    assert performance_page(text, run).endswith(f"It takes 2x and 0 requests; {NOT_MEASURED}.\n\nAs it\nis.\n")
    text = "- It takes\n  <!-- pass-through: a call -->\n- and\n  more"
    assert performance_page(text, run).endswith("- It takes 2x\n- and more")


def test_everything_that_the_page_shows_was_measured() -> None:
    ((_, text),) = files().items()
    assert NOT_MEASURED not in text


def test_what_is_missed_is_listed_and_nothing_else(run: Run) -> None:
    assert performance_page("<!-- missed -->", run).endswith("- pass-through, a list: 2x, limit ≤ 1")
    assert performance_page("<!-- missed -->", a_run(a_figure(limit=8.0))).endswith("No limit is missed.")


def test_the_machine_is_told(run: Run) -> None:
    page = performance_page("<!-- machine -->", replace(run, is_dirty=True))
    assert "| measured | 2026-07-28T11:22Z, commit `c0ffeec0ffee` with changes, 5 rounds |" in page
    assert "| versions | python 3.11.7 |" in page


def test_a_mark_of_an_unknown_part_is_an_error(run: Run) -> None:
    for mark in ("<!-- figures of choise -->", "<!-- choise: a call -->"):
        with pytest.raises(UnknownMarkError, match="'choise'"):
            performance_page(mark, run)


def test_a_part_that_was_not_measured_is_told(run: Run) -> None:
    assert NOT_MEASURED in performance_page("<!-- figures of start -->", run)


def test_a_name_stays_in_its_cell(run: Run) -> None:
    page = performance_page("<!-- figures of pull -->", a_run(a_figure("a|b", part="pull")))
    assert "| a\\|b |" in page
    assert Path(next(iter(files()))).name == "performance.md"
