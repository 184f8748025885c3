"""Proposal E: ``platform.features`` is a list of CPU features that are all mandatory."""

import pytest

from builders import node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.formats.cpu_features import MAX_FEATURES
from imagefit.formats.dialects.features import parse_features
from imagefit.model.requirement import HasFlag
from imagefit.selection.match import judge_document


def test_every_feature_is_one_check_in_the_order_of_the_author() -> None:
    checks = parse_features(to_bytes(["avx2", "bmi2", "sse41"]))
    assert [check.asked for check in checks] == ["avx2", "bmi2", "sse41"]
    assert all(isinstance(check.question, HasFlag) for check in checks)


@pytest.mark.parametrize("content", [b"", b"[]", b"null"])
def test_no_features_ask_for_nothing(content: bytes) -> None:
    assert parse_features(content) == ()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{}", id="object"),
        pytest.param(b'"avx2"', id="text"),
        pytest.param(b"7", id="number"),
        pytest.param(b"[7]", id="list of numbers"),
        pytest.param(b'["avx2", null]', id="null in the list"),
        pytest.param(b'["avx2", ""]', id="empty name"),
        pytest.param(b'["avx2", " "]', id="blank name"),
        pytest.param(b'["avx2"', id="cut off"),
        pytest.param(b'["\xff"]', id="no text"),
    ],
)
def test_what_is_no_list_of_names_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        parse_features(content)


def test_there_are_at_most_so_many_features() -> None:
    names = [f"f{number}" for number in range(MAX_FEATURES + 1)]
    assert len(parse_features(to_bytes(names[1:]))) == MAX_FEATURES
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_FEATURES}"):
        parse_features(to_bytes(names))


def test_every_name_that_is_none_is_named() -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_features(to_bytes(["avx2", 7, "bmi2", None]))
    assert [one.place for one in (caught.value, *caught.value.others)] == ["/1", "/3"]


@pytest.mark.parametrize(
    ("names", "truth"),
    [
        pytest.param(["avx2", "AVX2", "sse4_1", "sse41"], "yes", id="spellings"),
        pytest.param(["avx2", "bmi2"], "no", id="one that the CPU lacks"),
        pytest.param(["avx2", "warpdrive"], "no", id="one that nobody knows"),
    ],
)
def test_a_list_is_a_document_of_which_every_feature_is_needed(names: list[str], truth: str) -> None:
    document = parse(to_bytes(names))
    assert document.dialect == "features"
    assert judge_document(document, node(flags={"cpu.cpuid": ["AVX2", "SSE4"]})).truth == truth


def test_names_of_arm64_are_read() -> None:
    where = node("linux/arm64/v8.2", flags={"cpu.cpuid": ["ASIMDDP", "ATOMICS", "AES"]})
    assert judge_document(parse(to_bytes(["asimddp", "atomics", "aes"])), where).truth == "yes"
    assert judge_document(parse(to_bytes(["asimddp", "sve"])), where).truth == "no"


def test_what_nobody_looked_for_is_unknown() -> None:
    assert judge_document(parse(b'["avx2"]'), node()).truth == "unknown"
