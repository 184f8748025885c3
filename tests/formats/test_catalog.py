"""Which dialect a fragment is written in, by its shape alone."""

import pytest

from builders import to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import read, recognize
from imagefit.formats.syntax import load
from imagefit.formats.contract import Fragment


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[]", id="list"),
        pytest.param(b" \n[{}]", id="list after space"),
        pytest.param(b'{"compatibilities": [{}]}', id="wrapped"),
        pytest.param(b'\t{"schema": 1, "compatibilities" : [ ]}', id="wrapped after space"),
    ],
)
def test_a_list_of_sets_is_flat_sets(content: bytes) -> None:
    assert recognize(load(content)).name == "flat-sets"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"7", id="number"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b'{"compatibilities": ', id="cut off"),
        pytest.param(b'{"compatibilities": {"a": {"b": 1}}}', id="groups are another dialect"),
        pytest.param(b'{"compatibilities": null}', id="null sets"),
        pytest.param(b'{"spec": {"compatibilities": []}}', id="relations are another dialect"),
        pytest.param(b'{"a": ' + b"[" * 100_000, id="nested deeply"),
    ],
)
def test_no_dialect_claims_another_shape(content: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        recognize(load(content))


def test_places_lead_from_the_carrier_to_the_fault() -> None:
    document = read(Fragment(to_bytes([{"a": None}, {"a": "b"}]), "platform.compat"))
    assert document.dialect == "flat-sets"
    assert [problem.place for problem in document.problems] == ["platform.compat/0/a"]
    assert len(document.alternatives) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b'{"compatibilities": [}', b"\xff"])
def test_what_cannot_be_read_is_a_document_with_a_problem_and_no_alternative(content: bytes) -> None:
    document = read(Fragment(content, "platform.compat"))
    assert not document.readable
    assert document.problems[0].place == "platform.compat"
