"""Proposal E: ``platform.features`` is a list of CPU features that are all mandatory."""

import pytest

from builders import to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.dialects.features import parse_features
from imagefit.model.requirement import HasFlag


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
