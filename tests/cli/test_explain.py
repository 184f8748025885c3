"""``imagefit explain``: exit codes, table and JSON, of files and of a real registry."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builders import digest, entry, index_bytes, node, to_bytes
from cli.conftest import COLUMNS, Imagefit, child
from harness.images import push_image, push_index
from harness.process import free_port
from harness.registry import Registry
from imagefit.formats.node_profile import format_profile
from imagefit.model.oci import MAX_DOCUMENT_BYTES

FITS = {"oci.kernel.version": ">=6.0", "tags": ["new"]}
FAILS = {"oci.kernel.version": "<5.0"}
NOT_KNOWN = {"org.example.nobody-knows": "1"}

YES = index_bytes(entry("other", compatibilities=[FAILS]), entry("fits", compatibilities=[FITS]))
NONE = index_bytes(entry("other", compatibilities=[FAILS]), entry("foreign", "linux/s390x"))
MAYBE = index_bytes(entry("perhaps", compatibilities=[NOT_KNOWN]))
INDEXES = [pytest.param(YES, 0, id="yes"), pytest.param(NONE, 1, id="none"), pytest.param(MAYBE, 3, id="unknown")]

FILES: list[Any] = [
    pytest.param(b"", id="empty"),
    pytest.param(b"hello", id="not-json"),
    pytest.param(b"[]", id="list"),
    pytest.param(b"{}", id="no-manifests"),
    pytest.param(b"\xff\xfe", id="not-utf-8"),
    pytest.param(b"[" * 100_000, id="nested-too-deeply"),
    pytest.param(to_bytes({"schemaVersion": 2, "config": {}, "layers": []}), id="a-manifest"),
    pytest.param(
        to_bytes({"mediaType": "application/vnd.oci.image.manifest.v1+json", "manifests": []}), id="says-manifest"
    ),
    pytest.param(to_bytes({"manifests": [{"digest": "sha256:x"}]}), id="no-digest"),
    pytest.param(YES + b" " * MAX_DOCUMENT_BYTES, id="too-large"),
]


def of_version(name: str, os_version: str) -> dict[str, Any]:
    one = entry(name, "windows/amd64")
    one["platform"] |= {"os.version": os_version, "os.features": [os_version]}
    return one


def written(folder: Path, content: bytes, name: str = "index.json") -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(("content", "code"), INDEXES)
def test_the_exit_code_says_whether_something_is_pulled(
    imagefit: Imagefit, profile: Path, tmp_path: Path, content: bytes, code: int, output: str
) -> None:
    ended = imagefit("explain", written(tmp_path, content), "--node", str(profile), "-o", output)
    assert (ended.code, ended.err) == (code, "")


@pytest.mark.parametrize(("content", "code"), INDEXES)
def test_a_process_ends_with_that_exit_code(
    config: Path, profile: Path, tmp_path: Path, content: bytes, code: int
) -> None:
    ended = child("--config", str(config), "explain", written(tmp_path, content), "--node", str(profile))
    assert (ended.code, ended.err) == (code, "")


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("content", FILES)
def test_a_file_that_is_no_index_is_an_error_that_names_it(
    imagefit: Imagefit, profile: Path, tmp_path: Path, content: bytes, output: str
) -> None:
    path = written(tmp_path, content)
    ended = imagefit("explain", path, "--node", str(profile), "-o", output)
    assert (ended.code, ended.out) == (2, "")
    first, *advice = ended.err.splitlines()
    assert first.startswith(f"imagefit: {path}: ")
    assert advice == ([] if "more than" in first else ["  expected an OCI image index or Docker list"])


def test_a_missing_file_is_an_error(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    ended = imagefit("explain", str(tmp_path / "none.json"), "--node", str(profile))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"imagefit: {tmp_path}/none.json cannot be read: No such file or directory\n"


def test_a_folder_is_an_error(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    ended = imagefit("explain", str(tmp_path), "--node", str(profile))
    assert (ended.code, ended.err) == (2, f"imagefit: {tmp_path} cannot be read: Is a directory\n")


def test_a_file_in_this_folder_needs_no_path(
    imagefit: Imagefit, profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, YES, "index")
    assert imagefit("explain", "index", "--node", str(profile)).code == 0


def test_json_holds_the_whole_decision(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, YES)
    data = json.loads(imagefit("explain", path, "--node", str(profile), "-o", "json").out)
    assert set(data) == {"image", "index", "policy", "chosen", "why", "decidedBy", "notes", "entries"}
    assert (data["image"], data["index"]) == (path, digest(YES))
    assert data["chosen"]["digest"] == digest("fits")
    assert data["chosen"]["position"] == 1
    assert [one["position"] for one in data["entries"]] == [0, 1]
    assert [one["digest"] for one in data["entries"]] == [digest("other"), digest("fits")]
    assert [one["verdict"] for one in data["entries"]] == ["no", "yes"]
    assert [one["rank"] for one in data["entries"]] == [2, 1]
    asked = {"label": "oci.kernel.version", "asked": "<5.0", "verdict": "no"}
    assert any(finding.items() >= asked.items() for finding in data["entries"][0]["findings"])


@pytest.mark.parametrize(("content", "verdict"), [(NONE, "no"), (MAYBE, "unknown")], ids=["none", "unknown"])
def test_json_of_an_index_without_an_entry_that_fits(
    imagefit: Imagefit, profile: Path, tmp_path: Path, content: bytes, verdict: str
) -> None:
    data = json.loads(imagefit("explain", written(tmp_path, content), "--node", str(profile), "-o", "json").out)
    assert (data["chosen"] is None) is (verdict == "no")
    assert data["entries"][0]["verdict"] == verdict


def test_an_empty_index_chooses_nothing(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, index_bytes())
    data = json.loads(imagefit("explain", path, "--node", str(profile), "-o", "json").out)
    assert (data["chosen"], data["entries"]) == (None, [])
    ended = imagefit("explain", path, "--node", str(profile))
    assert ended.code == 1
    assert "none of 0 entries" in ended.out


def test_a_large_weight_is_written_as_json(imagefit: Imagefit, config: Path, profile: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text() + '[[prefer]]\nannotation = "a"\nvalue = "b"\nweight = 1000000\n')
    path = written(tmp_path, index_bytes(entry("a"), entry("b", annotations={"a": "b"})))
    data = json.loads(imagefit("explain", path, "--node", str(profile), "-o", "json").out)
    assert (data["chosen"]["position"], data["decidedBy"]) == (1, "preference")
    assert data["entries"][1]["merits"]["preference"] == 1_000_000


WIDE = index_bytes(
    entry("a", "linux/amd64/" + "v" * 300, compatibilities=[{"oci.kernel.version": "<" + "1" * 500}]),
    entry("b", compatibilities=[{"oci.kernel.version": "<5.0", "tags": ["tag"] * 50}]),
    entry("c", compatibilities=[{"org.example." + "word-" * 40: "value " * 40}]),
    entry("d", compatibilities="nonsense" * 40),
    *(of_version(str(number), "10.0.14393.1066") for number in range(200)),
)


@pytest.mark.parametrize("content", [YES, NONE, MAYBE, WIDE], ids=["yes", "none", "unknown", "wide"])
def test_a_table_fits_the_terminal(imagefit: Imagefit, profile: Path, tmp_path: Path, content: bytes) -> None:
    ended = imagefit("explain", written(tmp_path, content), "--node", str(profile))
    assert max(map(len, ended.out.splitlines())) <= COLUMNS


def test_a_table_shows_every_entry_with_its_reason_and_the_choice(
    imagefit: Imagefit, profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    content = index_bytes(entry("other", compatibilities=[FAILS]), entry("fits"), entry("foreign", "linux/s390x"))
    lines = imagefit("explain", written(tmp_path, content), "--node", str(profile)).out.splitlines()
    chosen, kernel, platform = (
        next(number for number, line in enumerate(lines) if digest(name)[7:19] in line)
        for name in ("fits", "other", "foreign")
    )
    assert lines[0].split() == ["RANK", "ENTRY", "PLATFORM", "DIGEST", "FITS", "SCORE", "BECAUSE"]
    assert lines[chosen].split()[:4] == ["→", "1", "1", "linux/amd64"]
    assert "yes" in lines[chosen]
    assert "no" in lines[kernel].split()
    assert "oci.kernel.version <5.0" in lines[kernel]
    assert "linux/s390x" in lines[platform]
    assert digest("fits") in lines
    assert "Entry 1 (linux/amd64) is chosen" in "\n".join(lines)


def test_a_table_names_what_could_not_be_read(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, index_bytes(entry("broken", compatibilities="nonsense")))
    ended = imagefit("explain", path, "--node", str(profile))
    assert ended.code == 3
    assert "Entry 0: platform.compatibilities: neither a list of sets nor a descriptor" in ended.out


NODES = [
    pytest.param("linux/amd64/v3", 0, id="the-same-platform"),
    pytest.param("linux/arm64/v8", 1, id="another-architecture"),
]


@pytest.mark.parametrize(("platform", "code"), NODES)
def test_a_profile_is_judged_in_place_of_this_node(
    imagefit: Imagefit, tmp_path: Path, platform: str, code: int
) -> None:
    profile = tmp_path / "other.json"
    profile.write_bytes(format_profile(node(platform)))
    path = written(tmp_path, index_bytes(entry("a")))
    assert imagefit("explain", path, "--node", str(profile)).code == code


PROFILES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"{}", id="no-platform"),
    pytest.param(b'{"os":"linux","architecture":"amd64","facts":{}}', id="unknown-key"),
    pytest.param(b'{"os":"linux","architecture":[]}', id="wrong-type"),
    pytest.param(b'{"os":"linux","architecture":"\xff"}', id="not-utf-8"),
    pytest.param(b"[" * 100_000, id="nested-too-deeply"),
    pytest.param(b" " * (MAX_DOCUMENT_BYTES + 1), id="too-large"),
    pytest.param(None, id="missing"),
]


@pytest.mark.parametrize("content", PROFILES)
def test_a_broken_profile_is_an_error_that_names_it(imagefit: Imagefit, tmp_path: Path, content: bytes | None) -> None:
    profile = tmp_path / "broken.json"
    if content is not None:
        profile.write_bytes(content)
    ended = imagefit("explain", written(tmp_path, YES), "--node", str(profile))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"imagefit: {profile}")


HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\x85\u202e\u2028\r\n\x00\x7f"
SETS = [{"oci.cpu.features": HOSTILE, "tags": [HOSTILE], "description": HOSTILE}]
HOSTILES = [
    pytest.param(entry("a", f"linux/amd64/{HOSTILE}"), id="variant"),
    pytest.param(entry("a", f"{HOSTILE}/{HOSTILE}"), id="os-and-architecture"),
    pytest.param(of_version("a", HOSTILE), id="os-version"),
    pytest.param(entry("a", annotations={HOSTILE: HOSTILE}), id="annotations"),
    pytest.param(entry("a", compatibilities=[{HOSTILE: HOSTILE}]), id="label"),
    pytest.param(entry("a", compatibilities=[{f"oci.kernel.version{HOSTILE}": 3}]), id="place"),
    pytest.param(entry("a", compatibilities=[{f"org.{HOSTILE}": {HOSTILE: HOSTILE}}]), id="nested"),
    pytest.param(entry("a", compatibilities=[{"oci.kernel.version": HOSTILE}]), id="value"),
    pytest.param(entry("a", compatibilities=SETS), id="set"),
    pytest.param(entry("a", compatibilities=[{"tags": [HOSTILE]}]), id="tag-of-a-set-that-holds"),
    pytest.param(entry("a", compatibilities=HOSTILE), id="no-sets"),
    pytest.param(entry("a", features=[HOSTILE]), id="features"),
    pytest.param(entry("a", compatibilities={"mediaType": HOSTILE, "digest": digest("x"), "size": 1}), id="carrier"),
    pytest.param(
        entry("a", compatibilities={"mediaType": "application/json", "digest": HOSTILE, "size": 1}), id="digest"
    ),
    pytest.param(entry("a") | {"mediaType": HOSTILE, "artifactType": HOSTILE}, id="media-type"),
    pytest.param(entry("a") | {"digest": f"sha256:{HOSTILE}"}, id="digest-of-an-entry"),
    pytest.param(entry("a") | {HOSTILE: HOSTILE}, id="unknown-key"),
    pytest.param(entry("a") | {"size": HOSTILE}, id="wrong-type"),
]


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("hostile", HOSTILES)
def test_no_control_character_of_an_author_reaches_the_terminal(
    imagefit: Imagefit, profile: Path, tmp_path: Path, hostile: dict[str, Any], output: str
) -> None:
    ended = imagefit("explain", written(tmp_path, index_bytes(hostile)), "--node", str(profile), "-o", output)
    assert (ended.out + ended.err).replace("\n", "").isprintable()
    assert len(ended.err.splitlines()) <= 2


@pytest.mark.parametrize("output", ["table", "json"])
def test_no_control_character_of_an_index_or_profile_reaches_the_terminal(
    imagefit: Imagefit, profile: Path, tmp_path: Path, output: str
) -> None:
    path = written(tmp_path, to_bytes({"mediaType": HOSTILE, "manifests": []}))
    ended = imagefit("explain", path, "--node", str(profile), "-o", output)
    assert ended.code == 2
    assert (ended.out + ended.err).replace("\n", "").isprintable()
    profile.write_bytes(to_bytes({"os": "linux", "architecture": "amd64", HOSTILE: 1}))
    ended = imagefit("explain", written(tmp_path, YES), "--node", str(profile), "-o", output)
    assert ended.code == 2
    assert (ended.out + ended.err).replace("\n", "").isprintable()


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("closed", ["at-once", "after-a-line"])
def test_a_reader_that_leaves_ends_it_quietly(
    config: Path, profile: Path, tmp_path: Path, output: str, closed: str
) -> None:
    many = [entry(str(number), compatibilities=[FAILS]) for number in range(2000 if closed == "after-a-line" else 1)]
    path = written(tmp_path, index_bytes(entry("fits"), *many))
    command = ("--config", str(config), "explain", path, "--node", str(profile), "-o", output)
    with subprocess.Popen(
        (sys.executable, "-m", "imagefit.cli.main", *command), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if closed == "after-a-line":
            assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_head_gets_its_line(config: Path, profile: Path, tmp_path: Path) -> None:
    path = written(tmp_path, index_bytes(*(entry(str(number)) for number in range(2000))))
    command = f'"{sys.executable}" -m imagefit.cli.main --config "{config}" explain "{path}" --node "{profile}"'
    ended = subprocess.run(("sh", "-c", f"{command} | head -1"), capture_output=True, check=True, timeout=60)
    assert ended.stdout.split() == [b"RANK", b"ENTRY", b"PLATFORM", b"FITS", b"SCORE", b"BECAUSE"]
    assert ended.stderr == b""


@pytest.mark.parametrize("output", ["table", "json"])
def test_an_output_that_cannot_be_written_is_an_error_and_not_a_no(
    config: Path, profile: Path, tmp_path: Path, output: str
) -> None:
    path = written(tmp_path, YES)
    command = ("--config", str(config), "explain", path, "--node", str(profile), "-o", output)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            (sys.executable, "-m", "imagefit.cli.main", *command),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert ended.returncode == 2
    assert ended.stderr == b"imagefit: [Errno 28] No space left on device\n"


def test_a_terminal_without_unicode_gets_what_it_can_show(config: Path, profile: Path, tmp_path: Path) -> None:
    command = ("--config", str(config), "explain", written(tmp_path, YES), "--node", str(profile))
    ended = child(*command, environment={"PYTHONIOENCODING": "ascii"})
    assert (ended.code, ended.err) == (0, "")
    assert digest("fits") in ended.out


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_file_name_need_not_be_utf_8(config: Path, profile: Path, tmp_path: Path, output: str) -> None:
    path = written(tmp_path, YES, os.fsdecode(b"\xff.json"))
    ended = child("--config", str(config), "explain", path, "--node", str(profile), "-o", output)
    assert (ended.code, ended.err) == (0, "")


def test_an_index_of_a_registry_is_explained(
    imagefit: Imagefit, profile: Path, registry: Registry, repository: str
) -> None:
    entries = [push_image(registry, repository, None, text, architecture="amd64") for text in ("other", "fits")]
    for one, sets in zip(entries, (FAILS, FITS), strict=True):
        one["platform"]["compatibilities"] = [sets]
    index = push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    ended = imagefit("explain", name, "--node", str(profile), "-o", "json")
    data = json.loads(ended.out)
    assert ended.code == 0
    assert ended.err == f"resolving {name} …\n"
    assert (data["image"], data["index"]) == (name, index)
    assert data["chosen"]["digest"] == entries[1]["digest"]
    table = imagefit("explain", f"{registry.address}/{repository}@{index}", "--node", str(profile))
    assert table.code == 0
    assert entries[1]["digest"] in table.out


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_plain_manifest_leaves_nothing_to_choose(
    imagefit: Imagefit, profile: Path, registry: Registry, repository: str, output: str
) -> None:
    push_image(registry, repository, "1", "plain")
    name = f"{registry.address}/{repository}:1"
    ended = imagefit("explain", name, "--node", str(profile), "-o", output)
    assert ended.code == 0
    assert "not an index" in ended.out
    if output == "json":
        data = json.loads(ended.out)
        assert (data["image"], data["index"], data["chosen"], data["entries"]) == (name, None, None, [])


def test_a_missing_image_is_an_error(imagefit: Imagefit, profile: Path, registry: Registry, repository: str) -> None:
    name = f"{registry.address}/{repository}:missing"
    ended = imagefit("explain", name, "--node", str(profile))
    assert (ended.code, ended.out) == (2, "")
    assert "imagefit: " in ended.err
    assert "missing" in ended.err.splitlines()[1]


def test_a_registry_that_is_down_is_an_error(imagefit: Imagefit, profile: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = imagefit("explain", f"{address}/x:1", "--node", str(profile))
    assert (ended.code, ended.out) == (2, "")
    assert address in ended.err.splitlines()[1]
    assert "Traceback" not in ended.err


MALFORMED = [
    "UPPER",
    "a b",
    "x:",
    "",
    "-o",
    "host:5000/",
    "a" * 64,
    "x" * 300,
    "x/" * 200 + "x",
    "x@sha256:abc",
    "a\x1b",
]


@pytest.mark.parametrize("name", MALFORMED, ids=[name[:20].encode("unicode_escape").decode() for name in MALFORMED])
def test_a_malformed_name_is_an_error(imagefit: Imagefit, profile: Path, name: str) -> None:
    ended = imagefit("explain", "--node", str(profile), "--", name)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("imagefit: ")
    assert "Traceback" not in ended.err
    assert ended.err.replace("\n", "").isprintable()
