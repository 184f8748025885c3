"""The reference pages name every label, limit and dialect there is, and their examples are judged as they say."""

import re
from pathlib import Path

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.formats import carriers, catalog, reading, syntax, vocabulary
from imagefit.formats.node_profile import parse_profile
from imagefit.library import evaluate
from imagefit.model import oci
from imagefit.selection import gathering, session

FOLDER = Path(__file__).parents[2] / "docs/reference/formats"
PAGES = {page.stem: page.read_text() for page in FOLDER.glob("*.md")}
NODE = parse_profile((FOLDER / "node.json").read_bytes())
EXAMPLE = re.compile(r"^```(?:json|yaml) verdict=(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(verdict, content, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, (verdict, content) in enumerate(EXAMPLE.findall(page))
]


@pytest.mark.parametrize("label", [*vocabulary._LABELS, *(f"{prefix}<name>" for prefix in vocabulary._PREFIXES)])
def test_every_label_stands_on_the_page_of_flat_sets(label: str) -> None:
    assert f"`{label}`" in PAGES["flat-sets"]


@pytest.mark.parametrize("dialect", [dialect.name for dialect in catalog.DIALECTS])
def test_every_dialect_has_a_page_with_examples_that_hold_and_that_do_not(dialect: str) -> None:
    page = PAGES[dialect]
    verdicts = {verdict for verdict, _ in EXAMPLE.findall(page)}
    assert "yes" in verdicts
    assert "no" in verdicts or dialect == "annotations"
    for heading in ("**Where it sits**", "## How it is read", "## What is refused", "## How it differs"):
        assert heading in page
    assert f"({dialect}.md)" in PAGES["README"]


@pytest.mark.parametrize(("verdict", "content"), EXAMPLES)
def test_an_example_is_judged_as_its_page_says(verdict: str, content: str) -> None:
    if verdict == "error":
        with pytest.raises(InvalidDocumentError):
            evaluate(content.encode(), NODE)
    else:
        assert evaluate(content.encode(), NODE).truth == verdict


@pytest.mark.parametrize(
    "limit",
    [
        f"{oci.MAX_DOCUMENT_BYTES // 1024**2} MiB",
        f"{oci.MAX_ENTRIES:,} entries",
        f"{reading.MAX_SETS:,} sets",
        f"{reading.MAX_CHECKS:,} checks",
        f"{syntax.MAX_DEPTH} levels",
        f"{syntax.MAX_PARTS:,} values",
        f"{syntax.MAX_YAML_PARTS:,} as YAML",
        f"{vocabulary._MAX_VALUE_CHARACTERS:,} characters",
        f"{gathering.MAX_FETCHES} pieces",
        f"{session.MAX_CHECKS:,} checks",
        f"{carriers._MAX_LAYERS} layers",
    ],
)
def test_every_limit_stands_on_the_overview(limit: str) -> None:
    assert limit in " ".join(PAGES["README"].split())


@pytest.mark.parametrize("media_type", sorted(carriers._ARTIFACTS))
def test_every_artifact_type_stands_on_the_overview(media_type: str) -> None:
    assert f"`{media_type}`" in PAGES["README"]
