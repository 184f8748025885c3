"""What was found is kept, and comes back the same."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.limits import LIMITS
from benchmarks.machine import cpu_name, load_average, this_machine, version_in
from benchmarks.measuring import ROUNDS
from benchmarks.parts import PARTS
from benchmarks.results import (
    BASE,
    FOLDER,
    SCHEMA,
    Run,
    UnreadableRunError,
    commit,
    now,
    path_of,
    read_run,
    write_run,
)
from benchmarks.table import print_figures


def test_a_run_comes_back_the_same(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run(run, path)
    assert read_run(path) == run


def test_the_file_is_for_people_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run(run, path)
    text = path.read_text()
    assert text.endswith("}\n")
    assert '\n  "schema": 1,\n' in text
    assert json.loads(text)["figures"][0]["name"] == "a call"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "No such file", id="not-there"),
        pytest.param("{}", "missing required field", id="not-a-run"),
        pytest.param("{", "truncated", id="not-json"),
    ],
)
def test_a_file_that_holds_no_run_is_refused(tmp_path: Path, content: str | None, said: str) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UnreadableRunError, match=said):
        read_run(path)


def test_a_run_of_another_schema_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_run(run, path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(UnreadableRunError, match=f"schema 2, not {SCHEMA}"):
        read_run(path)


def test_runs_of_one_day_have_files_of_their_own() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", now())
    assert path_of("2026-07-28T11:22Z") == FOLDER / "2026-07-28T1122Z.json"
    assert path_of("2026-07-28T11:23Z") != path_of("2026-07-28T11:22Z")


def test_the_base_is_a_whole_run_of_a_clean_tree() -> None:
    base = read_run(BASE)
    assert base.failed == ()
    assert not base.is_dirty
    assert base.rounds >= ROUNDS
    assert {figure.part for figure in base.figures} == set(PARTS)


def test_every_limit_is_of_a_figure_of_the_base_and_no_figure_has_another() -> None:
    limits = {(figure.part, figure.name): figure.limit for figure in read_run(BASE).figures}
    assert {key: limit for key, limit in limits.items() if limit is not None} == LIMITS


def test_no_row_of_the_base_wraps() -> None:
    figures = read_run(BASE).figures
    screen = io.StringIO()
    print_figures(figures, Console(file=screen, width=80))
    lines = screen.getvalue().splitlines()
    assert [figure.name for figure in figures if not any(line.startswith(f"{figure.name} ") for line in lines)] == []


def test_the_commit_is_a_hash_or_none() -> None:
    assert re.fullmatch(r"([0-9a-f]{40})?", commit()[0])


def test_this_machine_is_known() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory_mb > 0
    assert machine.versions["python"].startswith("3.")
    assert set(machine.versions) >= {"grpcio", "containerd", "nginx", "socat"}
    assert load_average() >= 0


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 9654\nflags\t: fpu\n", "AMD EPYC 9654"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nModel\t\t: Raspberry Pi 5\n", "Raspberry Pi 5"),
        ("processor\t: 0\n", "unknown"),
    ],
    ids=["amd64", "arm64", "none"],
)
def test_the_cpu_has_a_name(cpuinfo: str, name: str) -> None:
    assert cpu_name(cpuinfo) == name


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+b1\n", "1.6.20~ds1"),
        ("containerd github.com/containerd/containerd v2.1.4 75cb2b7\n", "2.1.4"),
        ("nginx version: nginx/1.22.1\n", "1.22.1"),
        ("socat by Gerhard Rieger\nsocat version 1.7.4.4 on 06 Nov 2022\n", "1.7.4.4"),
        ("", ""),
    ],
)
def test_a_program_says_its_version(text: str, version: str) -> None:
    assert version_in(text) == version
