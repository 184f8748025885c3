"""The commands themselves: help, version, ``config check``, and what is no command."""

from importlib.metadata import version
from pathlib import Path

import pytest

from cli.conftest import COLUMNS, LINES, Imagefit, child
from imagefit.cli.main import main

COMMANDS = [
    (),
    ("serve",),
    ("explain",),
    ("node",),
    ("config",),
    ("config", "check"),
    ("version",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(command) or "imagefit" for command in COMMANDS])
def test_help_fits_a_small_terminal(imagefit: Imagefit, command: tuple[str, ...]) -> None:
    ended = imagefit(*command, "--help")
    lines = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert lines[0].startswith(" ".join(("usage: imagefit", *command)).removesuffix(" "))
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= COLUMNS


def test_help_names_every_command(imagefit: Imagefit) -> None:
    text = imagefit("--help").out
    for command in ("serve", "explain", "node", "config", "version"):
        assert f"\n    {command} " in text


MISTAKES = [
    pytest.param(("frobnicate",), "frobnicate", id="unknown-command"),
    pytest.param((), "COMMAND", id="no-command"),
    pytest.param(("config",), "ACTION", id="no-action"),
    pytest.param(("config", "chekc"), "chekc", id="unknown-action"),
    pytest.param(("explain",), "REF|FILE", id="no-image"),
    pytest.param(("explain", "x", "-o", "yaml"), "yaml", id="unknown-output"),
    pytest.param(("explain", "x", "y"), "y", id="too-many"),
    pytest.param(("node", "--frob"), "--frob", id="unknown-option"),
]


@pytest.mark.parametrize(("arguments", "named"), MISTAKES)
def test_what_is_no_command_is_an_error(imagefit: Imagefit, arguments: tuple[str, ...], named: str) -> None:
    ended = imagefit(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err
    assert ended.err.startswith("usage: ")


def test_version(imagefit: Imagefit) -> None:
    ended = imagefit("version")
    assert (ended.code, ended.out, ended.err) == (0, f"imagefit {version('imagefit')}\n", "")


def test_the_program_is_a_process_too() -> None:
    ended = child("version")
    assert (ended.code, ended.out, ended.err) == (0, f"imagefit {version('imagefit')}\n", "")


def test_a_good_configuration_is_good(imagefit: Imagefit, config: Path) -> None:
    ended = imagefit("config", "check")
    assert (ended.code, ended.out, ended.err) == (0, f"{config}: good\n", "")


CHECKED = [
    pytest.param('[policy]\nmdoe = "off"\n', "unknown key 'policy.mdoe'", "did you mean 'mode'?", id="key"),
    pytest.param('[policy]\nmode = "of"\n', "policy.mode", "", id="value"),
    pytest.param("[policy\n", "line 1", "", id="syntax"),
]


@pytest.mark.parametrize(("text", "fault", "advice"), CHECKED)
def test_a_bad_configuration_is_named_on_standard_error(
    imagefit: Imagefit, config: Path, text: str, fault: str, advice: str
) -> None:
    config.write_text(text)
    ended = imagefit("config", "check")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"imagefit: {config}: ")
    assert fault in ended.err
    assert advice in ended.err


BAD = [("node",), ("explain", "x"), ("serve",), ("config", "check")]


@pytest.mark.parametrize("command", BAD, ids=[" ".join(command) for command in BAD])
def test_every_command_refuses_a_bad_configuration(imagefit: Imagefit, config: Path, command: tuple[str, ...]) -> None:
    config.write_text("nonsense")
    ended = imagefit(*command)
    assert (ended.code, ended.out) == (2, "")
    assert str(config) in ended.err


def test_a_named_configuration_must_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.toml"), "config", "check"]) == 2
    assert capsys.readouterr().err == f"imagefit: {tmp_path}/none.toml does not exist\n"


def test_no_control_character_of_a_key_reaches_the_terminal(imagefit: Imagefit, config: Path) -> None:
    config.write_text('"\\u001b[31m\\n" = 1\n')
    ended = imagefit("config", "check")
    assert ended.code == 2
    assert ended.err.replace("\n", "").isprintable()
