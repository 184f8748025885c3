"""The commands themselves: help, version, the configuration that each of them takes, and what is no command."""

import re
import shlex
from importlib.metadata import version
from pathlib import Path

import pytest

from cli.conftest import COLUMNS, LINES, Imagefit, child
from imagefit.cli.arguments import parser, serve_parser
from imagefit.cli.main import main

COMMANDS = [
    (),
    *((name,) for name in parser().known),
    *(("config", name) for name in ("check", "show", "schema", "example")),
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
    for command in (
        "serve",
        "explain",
        "doctor",
        "decisions",
        "check",
        "validate",
        "schema",
        "node",
        "install",
        "uninstall",
        "status",
        "config",
        "completion",
    ):
        assert f"\n    {command} " in text


@pytest.mark.parametrize(
    "command",
    [
        *("explain", "doctor", "decisions", "check", "validate", "schema", "node", "install", "uninstall", "status"),
        "config show",
    ],
)
def test_a_help_shows_examples_that_are_commands(imagefit: Imagefit, command: str) -> None:
    lines = imagefit(*command.split(), "--help").out.splitlines()
    examples = [line.strip() for line in lines[lines.index(next(one for one in lines if one.startswith("example"))) :]]
    shown = [re.split(" [|>] ", one)[0] for one in examples[1:]]
    assert shown
    for example in shown:
        assert parser().parse_args(shlex.split(example)[1:]).command == command.split(maxsplit=1)[0]


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str], imagefit: Imagefit) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == imagefit("--help").out


MISTAKES = [
    pytest.param(("frobnicate",), "there are serve, explain, doctor, decisions", id="unknown-command"),
    pytest.param((), "COMMAND", id="no-command"),
    pytest.param(("config",), "ACTION", id="no-action"),
    pytest.param(("explian",), "did you mean 'explain'?", id="nearest-command"),
    pytest.param(("config", "chekc"), "did you mean 'check'?", id="nearest-action"),
    pytest.param(("config", "zzz"), "there are check, show, schema, example", id="unknown-action"),
    pytest.param(("explain",), "REF|FILE", id="no-image"),
    pytest.param(("doctor",), "REF", id="no-reference"),
    pytest.param(("doctor", "x", "-o", "yaml"), "yaml", id="unknown-output-of-doctor"),
    pytest.param(("explain", "x", "--creds"), "--creds", id="no-credentials"),
    pytest.param(("node", "-o", "yaml"), "yaml", id="unknown-output"),
    pytest.param(("completion", "fish"), "fish", id="unknown-shell"),
    pytest.param(("explain", "x", "--annotation", "tag"), "KEY=VALUE", id="no-pair"),
    pytest.param(("explain", "x", "--annotation", "=tag"), "KEY=VALUE", id="no-key"),
    pytest.param(
        ("explain", "x", "--annotation", "a=1", "--annotation", "b=1", "--annotation", "a=2"),
        "'a' is given",
        id="twice",
    ),
    pytest.param(("schema", "ndf"), "nfd", id="unknown-dialect"),
    pytest.param(("decisions", "--since", "yesterday"), "90s", id="no-time"),
    pytest.param(("decisions", "--since", "1w"), "90s", id="unknown-unit"),
    pytest.param(("decisions", "-n", "0"), "from 1 on", id="none-at-all"),
    pytest.param(("decisions", "-n", "-1"), "-n", id="negative-number"),
    pytest.param(("decisions", "--result", "pulled"), "pulled", id="unknown-result"),
    pytest.param(("explain", "x", "y"), "y", id="too-many"),
    pytest.param(("node", "--frob"), "--frob", id="unknown-option"),
]


@pytest.mark.parametrize(("arguments", "named"), MISTAKES)
def test_what_is_no_command_is_an_error(imagefit: Imagefit, arguments: tuple[str, ...], named: str) -> None:
    ended = imagefit(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err
    assert ended.err.startswith("usage: ")


SERVED = [("serve",), ("--config", "x", "serve", "-v"), ("serve", "--config", "y", "--metrics", "off")]


@pytest.mark.parametrize("arguments", SERVED, ids=" ".join)
def test_serve_is_parsed_alone_as_among_all_commands(arguments: tuple[str, ...]) -> None:
    assert serve_parser().parse_args(arguments) == parser().parse_args(arguments)
    assert serve_parser().known["serve"].format_help() == parser().known["serve"].format_help()


@pytest.mark.parametrize("arguments", [("--config", "serve", "config", "check"), ("--config=serve", "node")])
def test_a_file_called_serve_is_no_command(arguments: tuple[str, ...]) -> None:
    assert "serve: does not exist" in " ".join(child(*arguments).err.split())


def test_version(imagefit: Imagefit) -> None:
    ended = imagefit("version")
    assert (ended.code, ended.out, ended.err) == (0, f"imagefit {version('imagefit')}\n", "")


def test_the_program_is_a_process_too() -> None:
    ended = child("version")
    assert (ended.code, ended.out, ended.err) == (0, f"imagefit {version('imagefit')}\n", "")


BAD = [
    ("node",),
    ("explain", "x"),
    ("doctor", "x"),
    ("decisions",),
    ("check", __file__),
    ("serve",),
    ("install",),
    ("status",),
    ("config", "check"),
]


@pytest.mark.parametrize("command", BAD, ids=[command[0] for command in BAD])
def test_every_command_refuses_a_bad_configuration(imagefit: Imagefit, config: Path, command: tuple[str, ...]) -> None:
    config.write_text("nonsense")
    ended = imagefit(*command)
    assert (ended.code, ended.out) == (2, "")
    assert str(config) in ended.err


def test_a_named_configuration_must_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.toml"), "config", "check"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"imagefit: {tmp_path}/none.toml")
    assert "does not exist" in error


def test_the_configuration_may_be_named_after_the_command_too(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check", "--config", str(config)]) == 0
    assert str(config) in capsys.readouterr().out
    # What is said last holds, as for any option.
    assert main(["--config", str(config), "config", "--config", str(tmp_path / "none.toml"), "check"]) == 2
    assert "none.toml" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["show", "schema", "example"])
def test_every_action_on_the_configuration_prints(imagefit: Imagefit, action: str) -> None:
    ended = imagefit("config", action)
    assert (ended.code, ended.err) == (0, "")
    assert len(ended.out.splitlines()) > 10


def test_what_holds_for_an_image_is_shown(imagefit: Imagefit, config: Path) -> None:
    config.write_text(config.read_text() + '[[image]]\nmatch = "example.org/*"\nnamespace = "batch"\nmode = "off"\n')
    for namespace, mode in (("batch", "off"), ("web", "enforce")):
        ended = imagefit("config", "show", "--image", "example.org/app:1", "--namespace", namespace, "-o", "json")
        assert ended.code == 0
        assert f'"mode": "{mode}"' in ended.out


@pytest.mark.parametrize("option", ["--namespace", "--runtime-handler"])
def test_whose_pull_is_said_only_with_an_image(imagefit: Imagefit, option: str) -> None:
    ended = imagefit("config", "show", option, "x")
    assert (ended.code, ended.out) == (2, "")
    assert "give --image" in ended.err
    assert imagefit("config", "show", option, "x", "--image", "nginx").code == 0


def test_the_dialects_are_those_that_have_a_schema(imagefit: Imagefit) -> None:
    (schema,) = (action for action in parser().known["schema"]._actions if action.dest == "dialect")
    assert list(schema.choices or ()) == imagefit("schema").out.split()


CODES = [
    pytest.param(command, codes, id=" ".join(command) or "imagefit")
    for command, codes in (
        ((), "0123"),
        (("explain",), "0123"),
        (("check",), "0123"),
        (("validate",), "012"),
        (("status",), "0123"),
        (("config", "check"), "02"),
        *(((name,), "") for name in ("serve", "decisions", "schema", "node", "config", "completion", "version")),
        *(((name,), "") for name in ("install", "uninstall")),
        *((("config", name), "") for name in ("show", "schema", "example")),
    )
]


@pytest.mark.parametrize(("command", "codes"), CODES)
def test_a_help_names_the_exit_codes_that_say_more_than_success(
    imagefit: Imagefit, command: tuple[str, ...], codes: str
) -> None:
    text = " ".join(imagefit(*command, "--help").out.split())
    told = re.search(r"Exit codes: ([^.]*)\.", text)
    assert sorted(re.findall(r"\b[0-3]\b", told[1] if told else "")) == list(codes)


def test_no_control_character_of_a_key_reaches_the_terminal(imagefit: Imagefit, config: Path) -> None:
    config.write_text('"\\u001b[31m\\n" = 1\n')
    ended = imagefit("config", "check")
    assert ended.code == 2
    assert ended.err.replace("\n", "").isprintable()
