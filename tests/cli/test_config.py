"""``imagefit config``: what is good, what holds and since which line, and which policy a pull gets."""

import json
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from imagefit.cli.config import check_config, show_config, show_config_schema, show_example, show_policy
from imagefit.config import DEFAULT_PATH, Config, FaultyConfigurationError, load_config, parse_config
from imagefit.config.schema import config_schema
from imagefit.errors import InvalidConfigurationError, InvalidReferenceError

MAIN = """\
[policy]
mode = "observe"

[[prefer]]
tag = "cuda"
runtime-handler = "nvidia"

[[prefer]]
tag = "small"

[[image]]
match = "registry.example.org/*"
mode = "enforce"
prefer = [
  { tag = "gpu", runtime-handler = "nvidia", weight = 9 },
  { label = "org.example.blas", value = "mkl" },
]
"""
LATER = """\
[policy]
time-budget = 2.5
[[image]]
namespace = "batch"
runtime-handler = "wasm"
platforms = ["wasi/wasm"]
"""
Out = Callable[[], str]


@pytest.fixture
def main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files, by short names."""
    monkeypatch.chdir(tmp_path)
    path = Path("c.toml")
    path.write_text(MAIN)
    Path("c.d").mkdir()
    Path("c.d/20-more.toml").write_text(LATER)
    return path


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Out:
    """Return what was printed on standard output."""
    return lambda: capsys.readouterr().out


def test_check_names_the_files_and_counts_the_rules(main: Path, out: Out) -> None:
    assert check_config(main) == 0
    assert out().splitlines() == [
        "c.toml: good",
        "c.d/20-more.toml: good",
        "rules: 2 [[image]], 2 [[prefer]], 0 [[require]]",
    ]


def test_check_says_that_the_default_file_need_not_be_there(out: Out) -> None:
    assert check_config(None) == 0
    told = "good" if DEFAULT_PATH.exists() else "not there, the defaults hold"
    assert out().startswith(f"{DEFAULT_PATH}: {told}\n")


WARNED = """\
[[image]]
match = "registry.example.org/*"

[[image]]
match = "a/*"
namespace = "\\u001b[31m"

[[image]]
match = "registry.example.org/team/*"
"""


def test_check_warns_of_rules_that_no_pull_can_reach(main: Path, out: Out) -> None:
    main.write_text(WARNED)
    assert check_config(main) == 0
    first, more, none, behind, rules = out().splitlines()
    assert (first, more) == ("c.toml: good", "c.d/20-more.toml: good")
    assert none.startswith("c.toml:4: warning: [[image]] 2 (a/*, namespace ")
    assert none.endswith("matches no image: names are always full (did you mean 'docker.io/a/*'?)")
    assert behind.startswith(
        "c.toml:8: warning: [[image]] 3 (registry.example.org/team/*) is never reached: [[image]] 1 "
    )
    assert rules.startswith("rules: 4 [[image]]")
    assert (none + behind).isprintable()


def test_check_prints_the_first_20_warnings(main: Path, out: Out) -> None:
    main.write_text('[[image]]\nmatch = "a/*"\n' * 23)
    assert check_config(main) == 0
    lines = out().splitlines()
    assert sum(": warning: " in line for line in lines) == 20
    assert "and 3 more warnings" in lines


def test_check_of_one_fault_raises_it(main: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.write_text('[policy]\nmode = "of"\n')
    with pytest.raises(FaultyConfigurationError, match=r"c\.toml:2: policy\.mode is 'of'"):
        check_config(main)
    assert capsys.readouterr() == ("", "")


def test_check_prints_each_of_several_faults_on_a_line(main: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.write_text('[policy]\nmode = "of"\nunknwon = "last"\n')
    Path("c.d/20-more.toml").write_text("=")
    with pytest.raises(InvalidConfigurationError, match=r"^3 faults$"):
        check_config(main)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "c.toml:2: policy.mode is 'of', not 'enforce', 'observe' or 'off' (did you mean 'off'?)",
        "c.toml:3: unknown key 'policy.unknwon' (did you mean 'unknown'?)",
        "c.d/20-more.toml:1: Invalid statement (column 1)",
    ]


def test_check_prints_the_first_20_faults(main: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main.write_text("".join(f"x{number} = 1\n" for number in range(23)))
    with pytest.raises(InvalidConfigurationError, match="23 faults, of which 3 are not shown"):
        check_config(main)
    assert len(capsys.readouterr().err.splitlines()) == 20


def test_show_is_toml_that_loads_to_the_same_and_says_where_each_value_comes_from(main: Path, out: Out) -> None:
    assert show_config(main, as_json=False) == 0
    shown = out()
    assert parse_config(shown.encode(), "shown") == load_config(main)
    lines = shown.splitlines()
    assert lines[:2] == ["# read: c.toml", "# read: c.d/20-more.toml"]
    for line in (
        'mode = "observe"  # c.toml:2',
        'no-match = "reject"  # default',
        "time-budget = 2.5  # c.d/20-more.toml:2",
        "[[prefer]]  # c.toml:8",
        "[[image]]  # c.toml:11",
        'mode = "enforce"  # c.toml:13',
        "prefer = [  # c.toml:14",
        '  { label = "org.example.blas", value = "mkl", weight = 1 },',
        "[[image]]  # c.d/20-more.toml:3",
        'namespace = "batch"  # c.d/20-more.toml:4',
        "# no [[require]]",
    ):
        assert line in lines


def test_every_line_of_show_that_says_something_says_from_where(main: Path, out: Out) -> None:
    show_config(main, as_json=False)
    printed = out().splitlines()
    for before, line in pairwise(printed):
        is_key = line[:1].isalpha()
        assert not is_key or "  # " in line or before == "# default", line
    assert max(map(len, printed)) <= 80


def test_show_of_no_file_is_the_default(tmp_path: Path, out: Out) -> None:
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    show_config(empty, as_json=False)
    shown = out()
    assert parse_config(shown.encode(), "shown") == Config()
    assert f"{empty}:" not in shown
    assert max(len(line) for line in shown.splitlines()[1:]) <= 80


def test_show_as_json_has_files_values_and_origins(main: Path, out: Out) -> None:
    assert show_config(main, as_json=True) == 0
    shown = json.loads(out())
    assert shown["files"] == ["c.toml", "c.d/20-more.toml"]
    assert shown["values"]["policy"]["mode"] == "observe"
    assert shown["values"]["image"][1] == {
        "namespace": "batch",
        "runtime-handler": "wasm",
        "platforms": ["wasi/wasm"],
    }
    origins = shown["origins"]
    assert origins["policy.mode"] == "c.toml:2"
    assert origins["server.socket"] == "default"
    assert origins["image 1.prefer 2.value"] == "c.toml:14"
    assert origins["image 2.platforms"] == "c.d/20-more.toml:6"


def policy(out: Out, main: Path, *pull: str) -> dict[str, Any]:
    assert show_policy(main, *pull, as_json=True) == 0
    data: dict[str, Any] = json.loads(out())
    return data


def test_a_pull_that_no_rule_is_for_gets_what_holds_for_every_pull(main: Path, out: Out) -> None:
    shown = policy(out, main, "nginx")
    assert (shown["image"], shown["rule"]) == ("docker.io/library/nginx:latest", "")
    assert shown["policy"]["mode"] == "observe"
    assert shown["policy"]["prefer"] == [{"tag": "small", "weight": 1}]
    assert shown["origins"]["rule"] == ""
    assert shown["origins"]["mode"] == "c.toml:2"
    assert shown["origins"]["prefer 1.tag"] == "c.toml:9"
    assert shown["origins"]["prefer 1.weight"] == "default"
    assert shown["origins"]["ranking"] == "default"
    assert (shown["policy"]["trust"], shown["origins"]["trust"]) == (["index"], "default")


def test_whose_word_is_believed_is_shown_as_it_holds(main: Path, out: Out) -> None:
    main.write_text('[policy]\ntrust = ["index", "referrers"]\n[trust.referrers]\ndialects = ["nfd"]\n')
    shown = policy(out, main, "nginx")
    values = {name: shown["policy"][name] for name in ("trust", "dialects", "require-signature")}
    assert values == {"trust": ["index", "referrers"], "dialects": ["nfd"], "require-signature": False}
    origins = [shown["origins"][name] for name in ("trust", "dialects", "require-signature")]
    assert origins == ["c.toml:2", "c.toml:4", "default"]
    show_policy(main, "nginx", as_json=False)
    assert 'trust = ["index", "referrers"]  # c.toml:2' in out()


def test_a_pull_gets_the_policy_of_its_rule(main: Path, out: Out) -> None:
    shown = policy(out, main, "registry.example.org/a:1", "", "nvidia")
    assert shown["rule"] == "[[image]] 1 (registry.example.org/*)"
    assert (shown["policy"]["mode"], shown["origins"]["mode"]) == ("enforce", "c.toml:13")
    assert shown["origins"]["rule"] == "c.toml:11"
    assert shown["policy"]["prefer"] == [
        {"tag": "gpu", "runtime-handler": "nvidia", "weight": 9},
        {"label": "org.example.blas", "value": "mkl", "weight": 1},
    ]
    assert (shown["policy"]["time-budget"], shown["origins"]["time-budget"]) == (2.5, "c.d/20-more.toml:2")


def test_namespace_and_runtime_handler_choose_the_rule(main: Path, out: Out) -> None:
    assert policy(out, main, "nginx", "batch")["rule"] == ""
    shown = policy(out, main, "nginx", "batch", "wasm")
    assert shown["rule"] == "[[image]] 2 (namespace batch, runtime-handler wasm)"
    assert shown["origins"]["platforms"] == "c.d/20-more.toml:6"


def test_a_policy_is_shown_as_toml_in_80_columns(main: Path, out: Out) -> None:
    assert show_policy(main, "registry.example.org/a:1", as_json=False) == 0
    shown = out()
    assert shown.splitlines()[:4] == [
        "# image: registry.example.org/a:1",
        '# namespace: "", runtime handler: ""',
        "# rule: [[image]] 1 (registry.example.org/*)",
        "#   c.toml:11",
    ]
    assert 'mode = "enforce"  # c.toml:13' in shown
    assert max(map(len, shown.splitlines())) <= 80
    written = tomllib.loads(shown)
    assert [*written] == [
        *("mode", "no-match", "unknown", "on-error", "trust", "time-budget", "pod-annotations"),
        *("ranking", "prefer", "require", "platforms"),
    ]
    show_policy(main, "nginx", as_json=False)
    assert "# rule: none, what holds for every pull\nmode" in out()


def test_no_control_character_reaches_the_terminal(main: Path, out: Out) -> None:
    main.write_text('[[image]]\nnamespace = "\\u001b[31m"\nplatforms = []\n[[prefer]]\ntag = "\\u202e"\n')
    check_config(main)
    show_config(main, as_json=False)
    show_config(main, as_json=True)
    show_policy(main, "nginx", "\x1b[31m", as_json=False)
    assert out().replace("\n", "").isprintable()


def test_what_is_no_image_name_is_refused(main: Path) -> None:
    with pytest.raises(InvalidReferenceError):
        show_policy(main, "No Image", as_json=False)


def test_the_schema_is_printed(out: Out) -> None:
    assert show_config_schema() == 0
    assert json.loads(out())["$id"] == config_schema()["$id"]


def test_the_example_is_printed_and_is_the_default(out: Out) -> None:
    assert show_example() == 0
    assert parse_config(out().encode(), "example") == Config()
