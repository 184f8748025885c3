"""The JSON Schemas that the package ships: up to date, valid, and of one mind with reading about shapes."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagefit.formats.catalog import DIALECTS
from imagefit.formats.schemas import SCHEMAS, schema_of

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src/imagefit/schemas"
PAGES = ROOT / "docs/reference/formats"
EXAMPLE = re.compile(r"^```json verdict=(?:yes|no|unknown)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(page.stem, json.loads(content), id=f"{page.stem}-{number}")
    for page in sorted(PAGES.glob("*.md"))
    if page.stem in SCHEMAS
    for number, content in enumerate(EXAMPLE.findall(page.read_text()))
]


def holds(dialect: str, document: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(schema_of(dialect)).is_valid(document))


def test_every_dialect_has_a_schema() -> None:
    assert {dialect.name for dialect in DIALECTS} == set(SCHEMAS)


@pytest.mark.parametrize("dialect", SCHEMAS)
def test_the_shipped_schema_is_a_valid_one_and_the_one_that_is_made(dialect: str) -> None:
    shipped = json.loads((SHIPPED / f"{dialect}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(shipped)
    assert shipped == schema_of(dialect), "run 'make docs'"


def test_nothing_else_is_shipped() -> None:
    assert {path.name for path in SHIPPED.iterdir()} == {f"{dialect}.schema.json" for dialect in SCHEMAS}


@pytest.mark.parametrize(("dialect", "document"), EXAMPLES)
def test_the_examples_of_the_reference_pages_pass(dialect: str, document: Any) -> None:
    assert holds(dialect, document)


RULE = {"name": "r", "matchFeatures": [{"feature": "cpu.cpuid", "matchExpressions": {"AVX2": {"op": "Exists"}}}]}


def nfd(**expression: Any) -> Any:
    term = {"feature": "kernel.version", "matchExpressions": {"major": expression}}
    return {"version": "v1alpha1", "compatibilities": [{"rules": [{"name": "r", "matchFeatures": [term]}]}]}


CORPUS = ROOT / "tests/corpus"
JUDGED = [
    pytest.param(dialect, CORPUS / dialect / name, id=f"{dialect}/{name}")
    for dialect in SCHEMAS
    for name, one in tomllib.loads((CORPUS / dialect / "expected.toml").read_text()).items()
    if name.endswith(".json") and "problems" not in one and "error" not in one["verdicts"].values()
]


@pytest.mark.parametrize(("dialect", "path"), JUDGED)
def test_every_document_of_the_corpus_without_a_fault_passes(dialect: str, path: Path) -> None:
    assert holds(dialect, json.loads(path.read_text()))


BAD = [
    pytest.param("flat-sets", [7], id="a set that is a number"),
    pytest.param("flat-sets", [{"oci.kernel.version": None}], id="a label that is null"),
    pytest.param("flat-sets", [{"compatibility-score": "high"}], id="a score that is a word"),
    pytest.param("flat-sets", [{"oci.kernel.modules.x": []}], id="a module that is a list"),
    pytest.param("nfd", nfd(op="Foo"), id="an unknown operator"),
    pytest.param("nfd", nfd(op="Exists", value=["1"]), id="a value too many"),
    pytest.param("nfd", nfd(op="GtLt", value=["1"]), id="a value too few"),
    pytest.param("nfd", nfd(op="Gt", value=["1"], type="date"), id="an unknown type"),
    pytest.param("nfd", {"compatibilities": [{"rules": [RULE], "wieght": 1}]}, id="a misspelt key"),
    pytest.param("nfd", {"compatibilities": [{"rules": [{"matchFeatures": []}]}]}, id="a rule without a name"),
    pytest.param("annotations", {"a": {}}, id="an annotation that is an object"),
    pytest.param("annotations", {}, id="no annotation"),
    pytest.param("relations", {"spec": {}}, id="nothing to relate"),
    pytest.param("namespaces", {"word": {"a": "b"}}, id="a group without a dot"),
    pytest.param("compatibility-spec", {"kind": "Other", "compatibilities": []}, id="another kind"),
    pytest.param("features", [], id="no features"),
    pytest.param("features", ["avx2", 7], id="a feature that is a number"),
    pytest.param("groups", {"compatibilities": {"g": "x"}}, id="a group that is text"),
    pytest.param("platform", {"os": "linux"}, id="no architecture"),
]


@pytest.mark.parametrize(("dialect", "document"), BAD)
def test_what_is_of_another_shape_does_not_pass(dialect: str, document: Any) -> None:
    assert not holds(dialect, document)


GOOD = [
    pytest.param("nfd", nfd(op="Gt", value=[5]), id="a number as a value"),
    pytest.param("nfd", nfd(op="GeLe", value=["5.1", "6"], type="version"), id="two versions"),
    pytest.param("nfd", nfd(), id="no operator"),
    pytest.param("flat-sets", {"schemaVersion": 1, "compatibilities": [{"site": 7, "tags": "a"}]}, id="a free label"),
]


@pytest.mark.parametrize(("dialect", "document"), GOOD)
def test_what_is_of_the_shape_passes(dialect: str, document: Any) -> None:
    assert holds(dialect, document)
