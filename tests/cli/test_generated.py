"""The man page and the shell completions are those of the command line as it is."""

import re
import subprocess
from pathlib import Path

import pytest

from cli.conftest import Imagefit
from docs.generators.manual import MAN_PAGE, completion, man_page
from imagefit.cli.arguments import parser


def test_the_man_page_is_as_generated() -> None:
    assert MAN_PAGE.read_text() == man_page(), "run `make docs`"


def test_the_man_page_names_every_command_and_exit_code() -> None:
    page = man_page().replace("\\-", "-")
    for command in parser().known:
        assert f".SS \\fBimagefit {command}\\fR" in page
    assert re.findall(r"^\.B (\d)$", page, re.MULTILINE) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_completion_is_as_generated(imagefit: Imagefit, shell: str) -> None:
    ended = imagefit("completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == completion(shell), "run `make docs`"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_completion_knows_every_command_and_option(imagefit: Imagefit, shell: str) -> None:
    text = imagefit("completion", shell).out
    for word in (*parser().known, "all-checks", "runtime-handler", "follow", "metrics", "pass-through"):
        assert word in text


WORDS = [
    pytest.param("exp", ["explain"], id="command"),
    pytest.param("explain --all", ["--all-checks"], id="option"),
    pytest.param("explain -o y", ["yaml"], id="value"),
    pytest.param("config ch", ["check"], id="action"),
    pytest.param("decisions --result re", ["refuse", "rewrite"], id="several"),
    pytest.param("schema n", ["namespaces", "nfd"], id="operand"),
    pytest.param("frob", [], id="nothing"),
]


@pytest.mark.parametrize(("typed", "offered"), WORDS)
def test_bash_completes(imagefit: Imagefit, tmp_path: Path, typed: str, offered: list[str]) -> None:
    words = typed.split()
    script = tmp_path / "complete.bash"
    script.write_text(
        imagefit("completion", "bash").out
        + f"\nCOMP_WORDS=(imagefit {typed}) COMP_CWORD={len(words)}\n"
        + f"_shtab_imagefit imagefit {words[-1]}\n"
        + 'echo "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run(("bash", "--norc", str(script)), capture_output=True, text=True, check=True, timeout=60)
    assert sorted(ended.stdout.split()) == offered
    assert ended.stderr == ""
