"""``imagefit check`` and ``imagefit validate``: the exit code is the verdict, faults have places, nothing is lost."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from builders import to_bytes
from cli.conftest import Imagefit
from imagefit.model.oci import MAX_DOCUMENT_BYTES

FITS = {"oci.kernel.version": ">=6", "tags": "new", "compatibility-score": 7, "description": "for new kernels"}
MISFITS = {"oci.kernel.version": ">=7"}
UNKNOWN = {"site.example/rack": "7"}
BROKEN = {"oci.kernel.version": "new", "oci.pci.devices": "x", "tags": {}}


@pytest.fixture
def document(tmp_path: Path) -> Any:
    def write(content: object) -> str:
        path = tmp_path / "document"
        path.write_bytes(content if isinstance(content, bytes) else to_bytes(content))
        return str(path)

    return write


CODES = [
    pytest.param([FITS], 0, "yes", id="yes"),
    pytest.param([MISFITS], 1, "no", id="no"),
    pytest.param([UNKNOWN], 3, "unknown", id="unknown"),
    pytest.param([], 0, "yes", id="nothing asked"),
    pytest.param([MISFITS, FITS], 0, "yes", id="one of two"),
    pytest.param([BROKEN, FITS], 0, "yes", id="a broken set costs itself"),
    pytest.param([BROKEN, MISFITS], 1, "no", id="a broken set makes nothing unknown"),
]


@pytest.mark.parametrize(("sets", "code", "verdict"), CODES)
def test_the_exit_code_is_the_verdict(
    imagefit: Imagefit, profile: Path, document: Any, sets: list[Any], code: int, verdict: str
) -> None:
    path = document(sets)
    text = imagefit("check", path, "--node", str(profile))
    assert (text.code, text.out.split()[0], text.err) == (code, verdict, "")
    data = imagefit("check", path, "--node", str(profile), "-o", "json")
    assert (data.code, json.loads(data.out)["verdict"]) == (code, verdict)


def test_the_data_has_verdict_dialect_alternatives_and_problems(
    imagefit: Imagefit, profile: Path, document: Any
) -> None:
    data = json.loads(imagefit("check", document([BROKEN, FITS]), "--node", str(profile), "-o", "json").out)
    assert list(data) == ["verdict", "dialect", "deciding", "alternatives", "problems"]
    (alternative,) = data["alternatives"]
    assert (alternative["place"], alternative["tags"], alternative["score"]) == ("/1", ["new"], 7)
    (finding,) = alternative["findings"]
    assert finding == {
        "label": "oci.kernel.version",
        "asked": ">=6",
        "verdict": "yes",
        "seen": "kernel.version full is 6.1.0",
    }
    assert [problem["place"] for problem in data["problems"]] == [
        "/0/oci.kernel.version",
        "/0/oci.pci.devices",
        "/0/tags",
    ]


def test_the_text_shows_every_set_with_what_was_asked_and_seen(
    imagefit: Imagefit, profile: Path, document: Any
) -> None:
    out = imagefit("check", document([MISFITS, FITS]), "--node", str(profile)).out
    for words in ("/0", "/1, tag new, score 7, decides", "for new kernels", ">=7: kernel.version full is 6.1.0"):
        assert words in out


UNREADABLE = [
    pytest.param(b"", "0 YAML documents", id="empty"),
    pytest.param(b"{", "line 1", id="no JSON"),
    pytest.param(b"a: [", "line 2", id="no YAML"),
    pytest.param(b"[1", "line 1", id="cut off"),
    pytest.param(to_bytes([BROKEN]), "/0/oci.kernel.version", id="no set is left"),
    pytest.param(b'[{"a": "1", "a": "2"}]', "stands twice", id="key twice"),
    pytest.param(b"\xff", "UTF-8", id="no text"),
    pytest.param(b" " * (MAX_DOCUMENT_BYTES + 1), "more than", id="too large"),
]


@pytest.mark.parametrize(("content", "words"), UNREADABLE)
def test_a_document_that_cannot_be_judged_is_an_error_with_the_place_on_standard_error(
    imagefit: Imagefit, profile: Path, document: Any, content: bytes, words: str
) -> None:
    for output in ("table", "json"):
        ended = imagefit("check", document(content), "--node", str(profile), "-o", output)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err


def test_a_missing_document_is_an_error(imagefit: Imagefit, profile: Path, tmp_path: Path) -> None:
    ended = imagefit("check", str(tmp_path / "none"), "--node", str(profile))
    assert (ended.code, ended.out) == (2, "")
    assert "No such file" in ended.err


def test_a_document_may_come_from_standard_input(
    imagefit: Imagefit, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(to_bytes([MISFITS]))))
    assert imagefit("check", "-", "--node", str(profile)).code == 1


def test_an_index_is_for_another_command(imagefit: Imagefit, profile: Path, document: Any) -> None:
    ended = imagefit("check", document({"schemaVersion": 2, "manifests": []}), "--node", str(profile))
    assert ended.code == 2
    assert "imagefit explain" in ended.err


def test_every_fault_is_named_with_its_place(imagefit: Imagefit, document: Any) -> None:
    ended = imagefit("validate", document([BROKEN, FITS, 7]))
    assert (ended.code, ended.out) == (1, "")
    places = ["/0/oci.kernel.version", "/0/oci.pci.devices", "/0/tags", "/2"]
    assert [place in line for place, line in zip(places, ended.err.splitlines(), strict=True)] == [True] * 4


def test_a_document_without_fault_is_said_to_be_one(imagefit: Imagefit, document: Any) -> None:
    ended = imagefit("validate", document([FITS]))
    assert (ended.code, ended.err) == (0, "")
    assert "flat-sets, no fault" in ended.out


def test_of_several_files_each_is_validated(imagefit: Imagefit, tmp_path: Path) -> None:
    good, bad, missing = (tmp_path / name for name in ("good", "bad", "missing"))
    good.write_bytes(to_bytes([FITS]))
    bad.write_bytes(to_bytes([BROKEN]))
    ended = imagefit("validate", str(good), str(bad), str(missing), "-o", "json")
    assert ended.code == 2
    assert [one["valid"] for one in json.loads(ended.out)] == [True, False, False]
    assert imagefit("validate", str(good), str(bad)).code == 1


def test_standard_input_is_read_once(imagefit: Imagefit, profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert imagefit("validate", "-", "-").code == 2
    monkeypatch.setattr("sys.stdin", None)
    ended = imagefit("check", "-", "--node", str(profile))
    assert (ended.code, ended.err) == (2, "imagefit: there is no standard input\n")


def test_a_file_that_is_not_there_is_named_once(imagefit: Imagefit, tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    assert imagefit("validate", path).err.count(path) == 1


def test_of_very_many_faults_the_first_hundred_are_shown(imagefit: Imagefit, document: Any) -> None:
    lines = imagefit("validate", document([7] * 250)).err.splitlines()
    assert (len(lines), lines[-1].partition(": ")[2]) == (101, "and 150 more faults")


def test_what_an_author_wrote_does_not_steer_the_terminal(imagefit: Imagefit, profile: Path, document: Any) -> None:
    hostile = "\x1b[31m\r\n\x9b"
    path = document([{hostile: hostile, "tags": hostile, "description": hostile}, {hostile: [], "good": "1"}])
    for ended in (imagefit("check", path, "--node", str(profile)), imagefit("validate", path)):
        assert not {"\x1b", "\r", "\x9b"} & set(ended.out + ended.err)
