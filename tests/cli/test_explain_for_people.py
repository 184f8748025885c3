"""What ``imagefit explain`` tells a person: order, reasons, the policy that holds, at every width, and as data."""

import json
import os
import pty
import re
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
import yaml

from builders import digest, entry, index_bytes
from cli.conftest import Imagefit
from cli.test_explain import FAILS, FITS, NOT_KNOWN, written
from harness.images import push_image, push_index
from harness.registry import Registry

BETTER = {"oci.kernel.version": ">=6.0", "tags": ["mpich"], "oci.compatibility-score": 7}
SETS = [{"oci.kernel.version": "<4.0", "tags": ["old"]}, FITS]
INDEX = index_bytes(
    entry("other", compatibilities=[FAILS]),
    entry("plain"),
    entry("perhaps", compatibilities=[NOT_KNOWN]),
    entry("scored", compatibilities=[BETTER]),
    entry("fits", compatibilities=SETS),
)
RULES = """
[[image]]
match = "example.org/team/*"
mode = "observe"
prefer = [{ tag = "new", weight = 5 }]
[[image]]
namespace = "batch"
mode = "off"
[[image]]
match = "example.org/strict:*"
require = [{ tag = "mpich" }]
unknown = "reject"
no-match = "pass-through"
[[image]]
runtime-handler = "gpu"
require = [{ tag = "nothing-has-it" }]
[[image]]
match = "example.org/open/*"
pod-annotations = ["imagefit.dev/forbid-tag"]
"""


@pytest.fixture
def index(tmp_path: Path, profile: Path) -> tuple[str, ...]:
    """The arguments by which an index of every kind of entry is judged for the node that never changes."""
    return (written(tmp_path, INDEX), "--node", str(profile))


@pytest.fixture
def _rules(config: Path) -> None:
    config.write_text(config.read_text() + RULES)


def words(text: str) -> str:
    return " ".join(text.split())


def rows(text: str) -> list[list[str]]:
    """Return rank, entry, platform, verdict and score of each row of a table of 80 columns."""
    table = text.partition("\n\n")[0].replace("→", " ")
    return [line.split()[:5] for line in table.splitlines()[1:] if re.match(r" +[0-9]+ +[0-9]+ ", line)]


def test_a_table_has_the_entries_in_rank_order(imagefit: Imagefit, index: tuple[str, ...]) -> None:
    ended = imagefit("explain", *index)
    assert ended.code == 0
    assert rows(ended.out) == [
        ["1", "3", "linux/amd64", "yes", "7"],
        ["2", "4", "linux/amd64", "yes", "0"],
        ["3", "1", "linux/amd64", "yes", "0"],
        ["4", "2", "linux/amd64", "unknown", "0"],
        ["5", "0", "linux/amd64", "no", "0"],
    ]
    assert [line.split()[0] for line in ended.out.splitlines() if "→" in line] == ["→"]


def test_the_reasons_name_the_label_what_was_asked_and_what_the_node_has(
    imagefit: Imagefit, index: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = imagefit("explain", *index).out
    assert "oci.kernel.version <5.0: kernel.version full is 6.1.0" in text
    assert "org.example.nobody-knows 1: nothing on the node declares org.example.nobody-knows" in text


def test_each_candidate_says_what_it_has_over_the_next(
    imagefit: Imagefit, index: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = imagefit("explain", *index).out
    assert "before rank 2: its author scores it higher (7 against 0)" in text
    assert "before rank 3: it names more of what this node has (2 against 1 checks)" in text
    assert "before rank 4: it surely fits, the next one only may" in text
    assert "before rank 5" not in text  # which does not fit at all


def test_the_winner_is_told_apart_from_the_runner_up_by_criterion_and_values(
    imagefit: Imagefit, index: tuple[str, ...]
) -> None:
    text = words(imagefit("explain", *index).out)
    assert (
        "Entry 3 (linux/amd64) is chosen, by score before the runner-up, entry 4 (linux/amd64): its author scores it "
        f"higher (7 against 0). {digest('scored')} By the policy for all images, mode enforce: containerd is told"
    ) in text


def test_a_winner_without_a_runner_up_has_none(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    only = index_bytes(entry("other", compatibilities=[FAILS]), entry("fits", compatibilities=[FITS]))
    text = words(imagefit("explain", written(tmp_path, only), "--node", str(profile)).out)
    assert "Entry 1 (linux/amd64) is chosen: it is the only entry that may be pulled on this node." in text
    assert "runner-up" not in text


@pytest.mark.parametrize("columns", [30, 60, 71, 72, 80, 99, 100, 120, 200])
@pytest.mark.parametrize("arguments", [(), ("--all-checks",)], ids=["short", "all-checks"])
def test_every_width_shows_every_entry(
    imagefit: Imagefit,
    index: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = imagefit("explain", *index, *arguments).out
    longest = max(len(line) for line in text.splitlines() if line != digest("scored"))
    assert longest <= columns
    assert digest("scored") in text.splitlines()  # in one piece, to be copied
    assert ("DIGEST" in text) is (columns >= 100)
    assert words(text).count("nothing on the node declares") >= 1
    short = digest("other")[7:19]
    assert (short in text) is (columns >= 100)


def test_without_all_checks_only_what_decides_is_shown(imagefit: Imagefit, index: tuple[str, ...]) -> None:
    text = words(imagefit("explain", *index).out)
    assert "tag old" not in text
    assert "<4.0" not in text


def test_all_checks_shows_each_check_of_each_set(
    imagefit: Imagefit, index: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = imagefit("explain", *index, "--all-checks").out
    blocks = {block.partition(" (")[0]: [line.strip() for line in block.splitlines()] for block in text.split("\n\n")}
    of_fits = blocks["Rank 2, entry 4"]
    assert "yes     platform linux/amd64: the node is amd64/v3" in of_fits
    assert "no      /0, tag old" in of_fits
    assert "no      oci.kernel.version <4.0: kernel.version full is 6.1.0" in of_fits
    assert "yes     /1, tag new, decides" in of_fits
    assert "yes     oci.kernel.version >=6.0: kernel.version full is 6.1.0" in of_fits
    assert "no      oci.kernel.version <5.0: kernel.version full is 6.1.0" in blocks["Rank 5, entry 0"]


def test_all_checks_of_an_endless_document_end(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    many = [{"oci.kernel.version": f"<{number}"} for number in range(1, 1000)]
    path = written(tmp_path, index_bytes(entry("many", compatibilities=many)))
    text = imagefit("explain", path, "--node", str(profile), "--all-checks").out
    assert "… and more; '-o json' has all" in text
    assert len(text.splitlines()) < 1100
    few = written(tmp_path, index_bytes(entry("few", compatibilities=many[:3])), "few.json")
    assert "and more" not in imagefit("explain", few, "--node", str(profile), "--all-checks").out


def test_what_could_not_be_read_is_named_once(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, index_bytes(entry("broken", compatibilities="nonsense"), entry("plain")))
    for arguments in ((), ("--all-checks",)):
        text = words(imagefit("explain", path, "--node", str(profile), *arguments).out).partition("is chosen")
        assert "platform.compatibilities: neither a list of sets nor a descriptor" in text[0] + text[2]


POLICIES = [
    pytest.param((), "", "enforce", 3, id="no-name"),
    pytest.param(("--as", "example.org/team/app:1"), "[[image]] 1 (example.org/team/*)", "observe", 4, id="named"),
    pytest.param(("--as", "example.org/app:1"), "", "enforce", 3, id="another-name"),
    pytest.param(("--namespace", "batch"), "[[image]] 2", "off", 3, id="namespace"),
    pytest.param(("--namespace", "web"), "", "enforce", 3, id="another-namespace"),
    pytest.param(("--runtime-handler", "gpu"), "[[image]] 4", "enforce", None, id="runtime-handler"),
    pytest.param(("--as", "example.org/strict:1"), "[[image]] 3", "enforce", 3, id="required"),
    pytest.param(
        ("--as", "example.org/open/app:1", "--annotation", "imagefit.dev/forbid-tag=mpich,x"),
        "[[image]] 5",
        "enforce",
        4,
        id="annotation",
    ),
    pytest.param(
        ("--annotation", "imagefit.dev/forbid-tag=mpich", "--annotation", "a=b"), "", "enforce", 3, id="not-allowed"
    ),
]


@pytest.mark.usefixtures("_rules")
@pytest.mark.parametrize(("arguments", "rule", "mode", "position"), POLICIES)
def test_the_policy_is_that_of_the_pod_and_the_image(
    imagefit: Imagefit, index: tuple[str, ...], arguments: tuple[str, ...], rule: str, mode: str, position: int | None
) -> None:
    ended = imagefit("explain", *index, *arguments, "-o", "json")
    data = json.loads(ended.out)
    assert ended.code == (1 if position is None else 0)
    assert data["policy"]["mode"] == mode
    assert data["policy"]["rule"].startswith(rule)
    assert bool(data["policy"]["rule"]) is bool(rule)
    assert (data["chosen"] or {}).get("position") == position
    assert bool(data["policy"]["notes"]) is ("a=b" in arguments)


CONSEQUENCES = [
    pytest.param((), "By the policy for all images, mode enforce: containerd is told to pull this entry.", id="pulled"),
    pytest.param(
        ("--as", "example.org/team/app:1"),
        "By [[image]] 1 (example.org/team/*), mode observe: this is only logged, the pull goes as asked.",
        id="observed",
    ),
    pytest.param(("--namespace", "batch"), "mode off: nothing is looked up, the pull goes as asked.", id="off"),
    pytest.param(
        ("--runtime-handler", "gpu"),
        "mode enforce: the pull fails before anything is fetched (no-match = reject).",
        id="refused",
    ),
]


@pytest.mark.usefixtures("_rules")
@pytest.mark.parametrize(("arguments", "said"), CONSEQUENCES)
def test_a_table_says_what_becomes_of_the_pull(
    imagefit: Imagefit, index: tuple[str, ...], arguments: tuple[str, ...], said: str
) -> None:
    assert said in words(imagefit("explain", *index, *arguments).out)


@pytest.mark.usefixtures("_rules")
def test_barred_entries_say_by_what(imagefit: Imagefit, index: tuple[str, ...], profile: Path, tmp_path: Path) -> None:
    text = imagefit("explain", *index, "--as", "example.org/strict:1").out
    assert [row[3] for row in rows(text)] == ["yes", "barred", "barred", "barred", "no"]
    assert "the operator requires tag mpich" in words(text)
    none = written(tmp_path, index_bytes(entry("plain")), "plain.json")
    ended = imagefit("explain", none, "--node", str(profile), "--as", "example.org/strict:1")
    assert ended.code == 1
    assert "Nothing is chosen: none of 1 entries may be pulled" in words(ended.out)
    assert "the pull goes as asked (no-match = pass-through)." in words(ended.out)


def test_where_containerd_would_choose_the_same_it_says_so(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, index_bytes(entry("plain"), entry("foreign", "linux/s390x")))
    text = words(imagefit("explain", path, "--node", str(profile)).out)
    assert "containerd itself would choose this entry and no other, so the pull goes as asked." in text


@pytest.mark.usefixtures("_rules")
def test_what_the_pod_was_not_granted_is_noted(imagefit: Imagefit, index: tuple[str, ...]) -> None:
    text = words(imagefit("explain", *index, "--annotation", "imagefit.dev/mode=off").out)
    assert "Note: imagefit.dev/mode is not allowed by the operator" in text


def test_a_malformed_name_for_a_file_is_an_error(imagefit: Imagefit, index: tuple[str, ...]) -> None:
    ended = imagefit("explain", *index, "--as", "UPPER")
    assert (ended.code, ended.out) == (2, "")
    assert "UPPER" in ended.err


HOSTILE = "\x1b[31mred\x9b2J\u202e\u2028\r\n\x00 \U0001f600: - 'x' \"y\" # {a}"


@pytest.mark.parametrize(
    "content",
    [
        INDEX,
        index_bytes(),
        index_bytes(entry("a", compatibilities=[{"oci.kernel.version": HOSTILE, "tags": [HOSTILE]}])),
    ],
    ids=["every-kind", "empty", "hostile"],
)
def test_yaml_says_what_json_says(imagefit: Imagefit, profile: Path, tmp_path: Path, content: bytes) -> None:
    path = written(tmp_path, content)
    as_json = imagefit("explain", path, "--node", str(profile), "-o", "json")
    as_yaml = imagefit("explain", path, "--node", str(profile), "-o", "yaml")
    assert as_yaml.code == as_json.code
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out)
    assert [*yaml.safe_load(as_yaml.out)] == [*json.loads(as_json.out)]
    assert as_yaml.out.replace("\n", "").isascii()
    assert as_yaml.out.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        pytest.param({"TERM": "xterm"}, True, id="terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="no-colour-wanted"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_only_a_terminal_gets_colours(
    config: Path, index: tuple[str, ...], environment: dict[str, str], *, coloured: bool
) -> None:
    command = (sys.executable, "-m", "imagefit.cli.main", "--config", str(config), "explain", *index)
    base = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR", "TERM"}}
    master, slave = pty.openpty()
    with Popen(command, stdout=slave, env={**base, **environment}) as process:
        os.close(slave)
        text = _rest(master)
        assert process.wait(60) == 0
    os.close(master)
    assert "BECAUSE" in text
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-7]m", text)) is coloured


def _rest(terminal: int) -> str:
    parts = []
    try:
        while part := os.read(terminal, 4096):
            parts.append(part)
    except OSError:  # how a terminal ends
        pass
    return b"".join(parts).decode()


def test_what_is_no_terminal_gets_none(imagefit: Imagefit, index: tuple[str, ...]) -> None:
    assert "\x1b" not in imagefit("explain", *index, "--all-checks").out


def test_a_cache_that_cannot_be_used_is_done_without(
    imagefit: Imagefit, config: Path, tmp_path: Path, profile: Path, registry: Registry, repository: str
) -> None:
    (tmp_path / "cache").write_text("no folder")
    entries: list[dict[str, Any]] = [push_image(registry, repository, None, "a", architecture="amd64")]
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    ended = imagefit("explain", name, "--node", str(profile))
    assert (ended.code, ended.err) == (0, f"resolving {name} …\n")


def test_an_image_of_a_registry_gets_the_policy_of_its_name(
    imagefit: Imagefit, config: Path, profile: Path, registry: Registry, repository: str
) -> None:
    config.write_text(
        config.read_text() + f'[[image]]\nmatch = "{registry.address}/{repository}:1"\nmode = "observe"\n'
    )
    entries: list[dict[str, Any]] = [push_image(registry, repository, None, "a", architecture="amd64")]
    digest_of_index = push_index(registry, repository, "1", entries)
    for name, mode in ((":1", "observe"), (f"@{digest_of_index}", "enforce")):
        ended = imagefit("explain", f"{registry.address}/{repository}{name}", "--node", str(profile), "-o", "json")
        assert json.loads(ended.out)["policy"]["mode"] == mode


def test_a_host_file_that_is_left_out_is_told(
    imagefit: Imagefit, tmp_path: Path, profile: Path, registry: Registry, repository: str
) -> None:
    folder = tmp_path / "certs.d" / registry.address
    folder.mkdir()
    (folder / "hosts.toml").write_text("[nonsense")
    push_image(registry, repository, "1", "plain")
    ended = imagefit("explain", f"{registry.address}/{repository}:1", "--node", str(profile))
    assert "hosts.toml" in ended.err
    assert ended.err.replace("\n", "").isprintable()
