"""``imagefit decisions``: which of the daemon's decisions are shown, how, and what is said where there are none."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Imagefit
from imagefit.telemetry.decisions import Ring

ENTRIES = [
    {"position": 3, "digest": "sha256:" + "3" * 64, "platform": "linux/amd64/v3", "verdict": "yes", "rank": 1},
    {"position": 0, "digest": "sha256:" + "0" * 64, "platform": "linux/amd64", "verdict": "no", "rank": 2},
]
for one, why in zip(ENTRIES, ("mpich: oci.kernel.version holds", "kernel.version <5.0: full is 6.1.0"), strict=True):
    one["reason"] = why


def decided(image: str = "example.org/team/app:1", minutes_ago: float = 0, **more: object) -> dict[str, Any]:
    when = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {
        "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "image": image,
        "namespace": "",
        "runtimeHandler": "",
        "result": "rewrite",
        "reason": "chosen",
        "why": "it is built closer to this CPU (v3 against v1)",
        "mode": "enforce",
        "rule": "",
        "notes": [],
        "index": "sha256:" + "a" * 64,
        "chosen": {"position": 3, "digest": "sha256:" + "3" * 64, "platform": "linux/amd64/v3"},
        "decidedBy": "cpu",
        "ms": {"total": 12.3},
        "trace": "",
        "entries": ENTRIES,
        "more": 0,
        **more,
    }


REFUSED = decided("example.org/other:2", 90, result="refuse", reason="no-match", why="no build fits", chosen=None)
OBSERVED = decided("docker.io/library/nginx:1", 30, result="pass-through", reason="observe", namespace="web")
CHOSEN = decided()
SOME = (REFUSED, OBSERVED, CHOSEN)


@pytest.fixture
def path(config: Path, tmp_path: Path) -> Path:
    """The file of decisions that the configuration names; not made."""
    found = tmp_path / "decisions.jsonl"
    config.write_text(config.read_text() + f'[decisions]\nfile = "{found}"\n')
    return found


@pytest.fixture
def kept(path: Path) -> Path:
    """The same, with decisions in it."""
    keep(path, *SOME)
    return path


@pytest.fixture
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def keep(path: Path, *records: dict[str, Any]) -> None:
    ring = Ring(path, 1000)
    for record in records:
        ring.add(record)
    ring.close()


def shown(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_has_a_line_per_record_as_it_was_kept(imagefit: Imagefit, kept: Path) -> None:
    ended = imagefit("decisions", "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    assert shown(ended.out) == list(SOME)


CHOICES = [
    pytest.param((), SOME, id="all"),
    pytest.param(("app",), (CHOSEN,), id="part-of-a-name"),
    pytest.param(("example.org/*",), (REFUSED, CHOSEN), id="pattern"),
    pytest.param(("example.org/team/app:?",), (CHOSEN,), id="any-character"),
    pytest.param(("*/app",), (), id="a-pattern-is-for-all-of-the-name"),
    pytest.param(("[a]",), (), id="brackets-are-characters"),
    pytest.param(("--result", "refuse"), (REFUSED,), id="result"),
    pytest.param(("--result", "pass-through"), (OBSERVED,), id="another-result"),
    pytest.param(("--reason", "no-match"), (REFUSED,), id="reason"),
    pytest.param(("--reason", "observe"), (OBSERVED,), id="another-reason"),
    pytest.param(("--reason", "no"), (), id="a-reason-is-a-whole-word"),
    pytest.param(("--namespace", "web"), (OBSERVED,), id="namespace"),
    pytest.param(("--namespace", "we"), (), id="another-namespace"),
    pytest.param(("--since", "1h"), (OBSERVED, CHOSEN), id="an-hour"),
    pytest.param(("--since", "1200s"), (CHOSEN,), id="seconds"),
    pytest.param(("--since", "1d"), SOME, id="a-day"),
    pytest.param(("-n", "2"), (OBSERVED, CHOSEN), id="the-last"),
    pytest.param(("-n", "1", "--result", "refuse"), (REFUSED,), id="the-last-of-those"),
    pytest.param(("example.org/*", "--result", "rewrite", "--since", "20m"), (CHOSEN,), id="everything-together"),
]


@pytest.mark.parametrize(("arguments", "records"), CHOICES)
def test_what_is_asked_for_is_shown(
    imagefit: Imagefit, kept: Path, arguments: tuple[str, ...], records: tuple[dict[str, Any], ...]
) -> None:
    ended = imagefit("decisions", *arguments, "-o", "json")
    assert ended.code == 0
    assert shown(ended.out) == list(records)
    assert ("none of 3 decisions" in ended.err) is (not records)


def test_twenty_are_shown_unless_more_are_asked_for(imagefit: Imagefit, path: Path) -> None:
    keep(path, *(decided(f"example.org/app:{number}") for number in range(30)))
    assert [one["image"][-2:] for one in shown(imagefit("decisions", "-o", "json").out)] == [
        str(number) for number in range(10, 30)
    ]
    assert len(shown(imagefit("decisions", "-n", "100", "-o", "json").out)) == 30


@pytest.mark.usefixtures("_in_utc")
def test_a_table_says_when_what_became_of_which_image_and_why(
    imagefit: Imagefit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    keep(path, {**CHOSEN, "time": "2026-11-21T14:00:00.123Z"}, {**OBSERVED, "time": "2026-01-02T03:04:05.000Z"})
    ended = imagefit("decisions")
    assert (ended.code, ended.err) == (0, "")
    first, why, second, *_ = (line.rstrip() for line in ended.out.splitlines())
    assert first == "Nov 21 14:00:00  rewrite       example.org/team/app:1"
    assert why == "                 entry 3 (linux/amd64/v3): it is built closer to this CPU (v3 against v1)"
    assert second == "Jan 02 03:04:05  pass-through  docker.io/library/nginx:1 in web"
    assert "[observe]" in ended.out
    assert "mpich" not in ended.out


def test_a_table_shows_the_entries_if_asked_to(imagefit: Imagefit, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    keep(path, {**CHOSEN, "more": 7})
    lines = [line.strip() for line in imagefit("decisions", "--entries").out.splitlines()]
    assert "1. entry 3 (linux/amd64/v3) yes: mpich: oci.kernel.version holds" in lines
    assert "2. entry 0 (linux/amd64) no: kernel.version <5.0: full is 6.1.0" in lines
    assert "by the policy for all images, mode enforce, 12.3 ms" in lines
    assert lines[-1] == "and 7 more; 'imagefit explain' shows all"


def test_with_the_entries_it_shows_the_rule_and_what_the_pod_was_not_granted(imagefit: Imagefit, path: Path) -> None:
    keep(path, decided(rule="[[image]] 2 (example.org/*)", mode="observe", notes=["no tag for you"], trace="f" * 32))
    lines = " ".join(imagefit("decisions", "--entries").out.split())
    assert f"by [[image]] 2 (example.org/*), mode observe, 12.3 ms, trace {'f' * 32}" in lines
    assert "note: no tag for you" in lines
    assert "observe" not in imagefit("decisions").out


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_a_table_fits_the_terminal(
    imagefit: Imagefit, kept: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    keep(kept, decided("example.org/" + "long/" * 40 + "name:1", why="because " * 50))
    lines = imagefit("decisions", "--entries").out.splitlines()
    assert max(map(len, lines)) <= columns


HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e\u2028\r\n\x00[bold]"
STRANGE = [
    pytest.param({"time": HOSTILE}, id="time"),
    pytest.param({"time": 5}, id="time-of-another-type"),
    pytest.param({"time": "2026-11-21T14:00:00"}, id="time-without-zone"),
    pytest.param({"time": "0001-01-01T00:00:00Z"}, id="time-before-all-zones"),
    pytest.param({"image": HOSTILE, "why": HOSTILE, "namespace": HOSTILE, "reason": HOSTILE}, id="texts"),
    pytest.param({"result": HOSTILE}, id="result"),
    pytest.param({"result": ["x"]}, id="result-of-another-type"),
    pytest.param({"chosen": HOSTILE}, id="chosen-of-another-type"),
    pytest.param({"chosen": {"platform": HOSTILE}}, id="chosen-without-position"),
    pytest.param({"entries": 5}, id="entries-of-another-type"),
    pytest.param({"notes": 5, "ms": 5, "rule": 5}, id="details-of-another-type"),
    pytest.param({"notes": [HOSTILE, 5], "ms": {"total": HOSTILE}, "rule": HOSTILE, "trace": HOSTILE}, id="details"),
    pytest.param({"entries": [5, {"verdict": HOSTILE, "reason": [HOSTILE]}], "more": HOSTILE}, id="entries"),
]


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("strange", STRANGE)
def test_a_strange_record_is_shown_and_commands_no_terminal(
    imagefit: Imagefit, path: Path, strange: dict[str, object], output: str
) -> None:
    keep(path, {**decided(), **strange}, CHOSEN)
    ended = imagefit("decisions", "--entries", "-o", output)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.replace("\n", "").isprintable()
    assert "example.org/team/app:1" in ended.out
    assert imagefit("decisions", "--since", "1h", "--result", "rewrite", "-o", output).code == 0


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("field", ["time", "image", "result", "reason"])
def test_what_does_not_say_what_was_decided_is_damaged(imagefit: Imagefit, path: Path, field: str, output: str) -> None:
    keep(path, {name: value for name, value in CHOSEN.items() if name != field})
    ended = imagefit("decisions", "--entries", "-o", output)
    assert (ended.code, ended.out) == (0, "")
    assert "1 damaged lines" in ended.err


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_record_without_anything_else_is_shown(imagefit: Imagefit, path: Path, output: str) -> None:
    keep(path, {name: CHOSEN[name] for name in ("time", "image", "result", "reason")})
    ended = imagefit("decisions", "--entries", "-o", output)
    assert (ended.code, ended.err) == (0, "")
    assert "example.org/team/app:1" in ended.out


def test_damaged_lines_are_told(imagefit: Imagefit, kept: Path) -> None:
    kept.write_text("nonsense\n" + kept.read_text() + "[]\n")
    ended = imagefit("decisions", "-o", "json")
    assert ended.code == 0
    assert len(shown(ended.out)) == 3
    assert "2 damaged lines" in ended.err


def test_where_no_daemon_has_decided_the_hint_says_what_to_look_at(imagefit: Imagefit, path: Path) -> None:
    ended = imagefit("decisions")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"imagefit: {path} cannot be read: No such file")
    assert "imagefit serve" in ended.err


def test_an_empty_file_is_no_error(imagefit: Imagefit, path: Path) -> None:
    path.touch()
    ended = imagefit("decisions")
    assert (ended.code, ended.out) == (0, "")
    assert "no decision yet" in ended.err


def test_where_none_are_kept_it_says_so(imagefit: Imagefit, config: Path) -> None:
    config.write_text(config.read_text() + '[decisions]\nfile = ""\n')
    ended = imagefit("decisions")
    assert (ended.code, ended.out) == (2, "")
    assert "[decisions] file" in ended.err


NO_FILES = [
    pytest.param(Path.mkdir, "a folder", id="folder"),
    pytest.param(os.mkfifo, "no ordinary file", id="pipe"),
    pytest.param(lambda path: path.symlink_to(__file__), "a link, which is not followed", id="link"),
    pytest.param(lambda path: path.symlink_to("/none"), "a link, which is not followed", id="link-to-nowhere"),
]


@pytest.mark.parametrize("follow", [(), ("--follow",)], ids=["once", "follow"])
@pytest.mark.parametrize(("make", "told"), NO_FILES)
def test_what_is_no_file_is_told_once_with_what_to_do(
    imagefit: Imagefit, path: Path, make: Callable[[Path], object], told: str, follow: tuple[str, ...]
) -> None:
    make(path)
    ended = imagefit("decisions", *follow)
    assert (ended.code, ended.out) == (2, "")
    words = " ".join(ended.err.split())
    assert words.startswith(f"imagefit: {path} is {told} the daemon writes nothing there")
    assert words.count(str(path)) == 1
    assert "name another [decisions] file" in words
    assert "serve" not in words


AS_NOBODY = """
import os, sys
import imagefit.cli.decisions
import imagefit.cli.terminal
from imagefit.cli.arguments import parser
from imagefit.cli.main import main
parser()  # what is imported only now may lie where nobody may read
if os.geteuid() == 0:
    os.seteuid(65534)
sys.exit(main(sys.argv[1:]))
"""


def test_who_may_not_read_it_is_told_who_may() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "config.toml").write_text(f'[decisions]\nfile = "{folder}/decisions.jsonl"\n')
        (folder / "decisions.jsonl").touch(0)
        command = (sys.executable, "-c", AS_NOBODY, "--config", f"{folder}/config.toml", "decisions")
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{folder}/decisions.jsonl cannot be read: Permission denied" in ended.stderr
    assert "only root can read it: sudo imagefit decisions" in ended.stderr


@pytest.fixture
def following(config: Path, kept: Path) -> Iterator["subprocess.Popen[str]"]:
    """``imagefit decisions --follow`` as a process, from the last of the decisions on."""
    command = ("--config", str(config), "decisions", "--follow", "-n", "1", "-o", "json")
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        (sys.executable, "-m", "imagefit.cli.main", *command),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        yield process
        process.kill()


def test_following_shows_what_comes_until_it_is_interrupted(following: "subprocess.Popen[str]", kept: Path) -> None:
    assert following.stdout is not None
    assert following.stderr is not None
    assert json.loads(following.stdout.readline()) == CHOSEN
    for image in ("example.org/first:1", "example.org/second:1"):
        keep(kept, decided(image))
        assert json.loads(following.stdout.readline())["image"] == image
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 0
    assert (following.stdout.read(), following.stderr.read()) == ("", "")


def test_following_ends_with_its_reader(following: "subprocess.Popen[str]", kept: Path) -> None:
    assert following.stdout is not None
    assert following.stderr is not None
    following.stdout.readline()
    following.stdout.close()
    keep(kept, decided())
    assert following.wait(60) == 0
    assert following.stderr.read() == ""
