"""The reference page names every label and limit that the code has."""

from pathlib import Path

import pytest

from imagefit.formats import vocabulary
from imagefit.formats import reading
from imagefit.model import oci
from imagefit.selection import session

PAGE = (Path(__file__).parents[2] / "docs/reference/formats.md").read_text()


@pytest.mark.parametrize("label", [*vocabulary._LABELS, *(f"{prefix}<name>" for prefix in vocabulary._PREFIXES)])
def test_every_label_stands_on_the_reference_page(label: str) -> None:
    assert f"`{label}`" in PAGE


@pytest.mark.parametrize(
    "limit",
    [
        f"{oci.MAX_DOCUMENT_BYTES // 1024**2} MiB",
        f"{oci.MAX_ENTRIES:,} entries",
        f"{reading.MAX_SETS:,} sets",
        f"{reading.MAX_CHECKS:,} checks",
        f"{vocabulary._MAX_VALUE_CHARACTERS:,} characters",
        f"{session.MAX_FETCHES} pieces",
        f"{session.MAX_CHECKS:,} checks",
    ],
)
def test_every_limit_stands_on_the_reference_page(limit: str) -> None:
    assert limit in " ".join(PAGE.split())
