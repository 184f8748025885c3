"""Parts run one after the other; one that fails costs itself and the exit code."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import compile_imagefit, main
from benchmarks.measuring import Figure
from benchmarks.parts import PARTS, Part
from benchmarks.progress import Progress
from benchmarks.results import read_run, write_run
from benchmarks_test.conftest import a_figure, a_run


def finds(*figures: Figure) -> Part:
    def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
        tell(f"round 1 of {rounds}")
        return list(figures)

    return Part("finds what it was told", measure)


def fails(error: BaseException) -> Part:
    def measure(_: int, __: Callable[[str], None]) -> list[Figure]:
        raise error

    return Part("fails", measure)


CALLS, PULLS = a_figure("calls"), a_figure("pulls", part="pull")
BOTH = {"pass-through": finds(CALLS), "pull": finds(PULLS)}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.json"
    write_run(a_run(CALLS, PULLS), path)
    return path


def kept(base: Path) -> list[Path]:
    return sorted(path for path in base.parent.glob("*.json") if path != base)


def test_a_whole_run_is_shown_and_kept(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], BOTH, base) == 0
    (path,) = kept(base)
    assert read_run(path).figures == (CALLS, PULLS)
    shown = capsys.readouterr()
    assert "calls" in shown.out
    assert "pass-through (part 1 of 2): round 1 of 5" in shown.err


@pytest.mark.parametrize("words", [["pull"], ["--rounds", "4"], ["--check"]], ids=["a-part", "few-rounds", "a-check"])
def test_another_run_is_kept_only_where_that_is_asked_for(base: Path, tmp_path: Path, words: list[str]) -> None:
    assert main(words, BOTH, base) == 0
    assert kept(base) == []
    path = tmp_path / "kept.txt"
    main([*words, "--results", str(path)], BOTH, base)
    assert read_run(path).figures in {(CALLS, PULLS), (PULLS,)}


def test_parts_run_in_their_own_order_and_once(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    main(["pull", "pass-through", "pull", "--results", str(path)], BOTH, base)
    assert read_run(path).figures == (CALLS, PULLS)


def test_a_part_that_fails_is_named_and_the_others_go_on(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], BOTH | {"pass-through": fails(RuntimeError("socat is not installed"))}, base) == 1
    run = read_run(kept(base)[0])
    assert (run.failed, run.figures) == (("pass-through",), (PULLS,))
    assert "benchmarks: pass-through failed: socat is not installed" in capsys.readouterr().err


def test_an_interrupt_ends_the_run_and_nothing_is_kept(base: Path) -> None:
    assert main([], BOTH | {"pull": fails(KeyboardInterrupt())}, base) == 130
    assert kept(base) == []


def test_a_check_passes_where_nothing_is_worse(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], BOTH, base) == 0
    assert "nothing is worse" in capsys.readouterr().out


def test_a_check_fails_where_a_figure_is_worse(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = {"pull": finds(a_figure("pulls", part="pull", value=9.0, lowest=8.0))}
    assert main(["--check"], BOTH | slow, base) == 1
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line.split() for line in lines if line.rstrip().endswith("worse"))
    assert row == ["pull", "pulls", "2x", "9x", "worse"]


def test_a_check_needs_a_base(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], BOTH, tmp_path / "base.json") == 1
    assert "No such file" in capsys.readouterr().err


def test_what_is_missing_is_named_before_anything_is_measured(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The shell is there, the other two are not; one of those is needed by both parts."""
    needing = {
        "pass-through": replace(fails(AssertionError("measured")), needs=("no-such-program", "sh")),
        "pull": replace(finds(PULLS), needs=("no-such-program", "nor-this-one")),
        "start": finds(),
    }
    assert main([], needing, base) == 2
    said = "benchmarks: not installed: no-such-program, nor-this-one; `make bench` installs what is missing\n"
    assert capsys.readouterr().err == said
    assert main(["start"], needing, base) == 0


def test_how_long_it_takes_is_told_first(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {name: replace(part, minutes=0.7) for name, part in BOTH.items()}
    main([], parts, base)
    assert capsys.readouterr().err.startswith("benchmarks: about 7 minutes; ")


def test_results_that_cannot_be_kept_are_shown_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(_: int, __: Callable[[str], None]) -> list[Figure]:
        path.mkdir()
        return [CALLS]

    path = tmp_path / "run.json"
    assert main(["--results", str(path)], {"pass-through": Part("breaks", breaks)}, tmp_path / "base.json") == 1
    shown = capsys.readouterr()
    assert "benchmarks: not kept: " in shown.err
    assert "calls" in shown.out


@pytest.mark.parametrize(
    ("place", "said"),
    [(".", "is a directory"), ("none/run.json", "there is no directory"), ("file/run.json", "there is no directory")],
)
def test_a_place_for_results_is_looked_at_first(
    place: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["--results", str(tmp_path / place)], {"pull": fails(AssertionError("measured"))}, tmp_path / "base.json")
    assert said in capsys.readouterr().err


def test_sigterm_unwinds(tmp_path: Path) -> None:
    program = f"""
import contextlib, pathlib, signal, time
from benchmarks.__main__ import main, unwind_when_terminated
from benchmarks.parts import Part

def measure(rounds, tell):
    with contextlib.ExitStack() as ending:
        ending.callback(pathlib.Path({str(tmp_path / "ended")!r}).touch)
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)

unwind_when_terminated()
main(["--rounds", "1"], {{"pull": Part("waits", measure)}})
"""
    ended = subprocess.run((sys.executable, "-c", program), check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == 143
    assert (tmp_path / "ended").exists()


def test_bytecode_is_written_or_the_benchmarks_do_not_begin(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text("pass")
    compile_imagefit(tmp_path)
    assert list(tmp_path.glob("__pycache__/right.*.pyc"))
    (tmp_path / "wrong.py").write_text("(")
    with pytest.raises(SystemExit, match="cannot be written"):
        compile_imagefit(tmp_path)


@pytest.mark.parametrize("words", [["pulls"], ["--rounds", "0"], ["--rounds", "-1"], ["--rounds", "x"]])
def test_words_that_say_nothing_are_refused(words: list[str], base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words, BOTH, base)
    assert words[-1] in capsys.readouterr().err


def test_help_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for name, part in PARTS.items():
        assert f"{name:13} {part.about}" in text


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_line_that_is_gone_in_the_end() -> None:
    screen = Screen()
    with Progress(screen, columns=10) as progress:
        progress.tell("something long")
        progress.tell("more")
        progress.say("stays")
    erase = "\r\x1b[K"
    assert screen.getvalue() == f"{erase}something {erase}more{erase}stays\n{erase}"


def test_elsewhere_every_step_is_a_line() -> None:
    file = io.StringIO()
    with Progress(file, columns=10) as progress:
        progress.tell("something long")
        progress.say("stays")
    assert file.getvalue() == "something long\nstays\n"
