"""Proposal A: annotations state what a build is; as a document they ask for nothing."""

import pytest

from builders import node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.model.requirement import Document
from imagefit.selection.match import judge_document


@pytest.mark.parametrize("value", ["example-gpu-model", 7, True, ""])
def test_annotations_hold_on_every_node(value: object) -> None:
    document = parse(to_bytes({"com.example.gpu": value}))
    assert document == Document("annotations")
    assert judge_document(document, node()).truth == "yes"


@pytest.mark.parametrize(
    "key",
    [
        *("os.version", "variant", "features", "kind", "spec", "compatibilities", "compatibilties", "rules"),
        *("compatibility-score", "oci.kernel.version"),
    ],
)
def test_a_key_of_another_dialect_is_no_annotation(key: str) -> None:
    with pytest.raises(InvalidDocumentError):
        parse(to_bytes({"com.example.gpu": "a", key: "b"}))
