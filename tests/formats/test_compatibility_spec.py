"""Proposal D and compspec: a list of named groups; all keys of all groups are needed, schemas are never fetched."""

import pytest

from builders import Json, node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.model.requirement import Check
from imagefit.selection.match import judge_document

_NODE = node(
    flags={"cpu.microarchitecture": ["x86_64"]},
    attributes={"cpu.model": {"vendor_id": "Intel"}, "system.osrelease": {"ID": "ubuntu", "VERSION_ID": "22.04"}},
)


def _spec(*groups: object, **more: object) -> bytes:
    return to_bytes({"version": "0.0.0", "kind": "CompatibilitySpec", "compatibilities": list(groups)} | more)


def _group(name: str, key: str = "annotations", **attributes: object) -> Json:
    return {"name": name, "version": "0.0.0", key: {k.replace("_", "."): v for k, v in attributes.items()}}


@pytest.mark.parametrize("key", ["annotations", "attributes"])
@pytest.mark.parametrize(
    ("vendor", "version", "truth"),
    [("ubuntu", "22.04", "yes"), ("ubuntu", "20.04", "no"), ("rocky", "22.04", "no")],
)
def test_every_key_is_needed(key: str, vendor: str, version: str, truth: str) -> None:
    content = _spec(_group("org.supercontainers", key, os_vendor=vendor, os_version=version))
    assert judge_document(parse(content), _NODE).truth == truth


@pytest.mark.parametrize(("target", "truth"), [("amd64", "yes"), ("arm64", "no")])
def test_every_group_is_needed(target: str, truth: str) -> None:
    groups = [_group("org.supercontainers", os_vendor="ubuntu"), _group("io.archspec", cpu_target=target)]
    assert judge_document(parse(_spec(*groups)), _NODE).truth == truth


def test_schemas_change_nothing() -> None:
    plain = _group("io.archspec", cpu_vendor="GenuineIntel")
    schema = "https://registry.invalid/compspec.json"
    with_schema = _spec(plain | {"schema": schema}, metadata={"jsonSchema": schema, "schemas": {"io.archspec": schema}})
    assert parse(with_schema) == parse(_spec(plain))


def test_the_name_of_the_document_is_its_tag() -> None:
    assert parse(_spec(metadata={"name": "lammps"})).alternatives[0].tags == ("lammps",)
    assert parse(_spec(metadata=None)).alternatives[0].tags == ()


def test_keys_divided_elsewhere_mean_the_same() -> None:
    whole, divided = (
        parse(_spec(group)).alternatives[0].needs
        for group in (
            _group("org.supercontainers", mpi_version="4.1"),
            _group("org.supercontainers.mpi", version="4.1"),
        )
    )
    assert whole == divided
    assert isinstance(whole[0], Check)
    assert whole[0].label == "org.supercontainers.mpi.version"


@pytest.mark.parametrize(
    ("content", "places"),
    [
        pytest.param(to_bytes({"kind": "CompatibilitySpec"}), ["/compatibilities"], id="no groups"),
        pytest.param(_spec(compatibilities={"a": {}}), ["/compatibilities"], id="groups that are an object"),
        pytest.param(_spec("a"), ["/compatibilities/0"], id="a group that is text"),
        pytest.param(_spec({"annotations": {}}), ["/compatibilities/0/name"], id="no name"),
        pytest.param(_spec({"name": "", "annotations": {}}), ["/compatibilities/0/annotations"], id="an empty name"),
        pytest.param(_spec({"name": "a.b"}), ["/compatibilities/0"], id="no annotations"),
        pytest.param(_spec({"name": "a.b", "annotations": []}), ["/compatibilities/0"], id="annotations in a list"),
        pytest.param(
            _spec({"name": "a.b", "annotations": {}, "anotations": {}}),
            ["/compatibilities/0/anotations"],
            id="a misspelt key",
        ),
        pytest.param(
            _spec(_group("a.b", c=None), _group("d.e", f=[]), metadata={"name": {}}),
            ["/metadata/name", "/compatibilities/0/annotations/c", "/compatibilities/1/annotations/f"],
            id="several faults",
        ),
        pytest.param(_spec(metadata="a"), ["/metadata"], id="metadata that is text"),
    ],
)
def test_a_fault_costs_the_document_and_has_its_place(content: bytes, places: list[str]) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(content)
    assert [one.place for one in (caught.value, *caught.value.others)] == places
