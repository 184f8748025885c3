"""Proposal F: an object of groups; all keys of all groups are needed."""

import pytest

from builders import node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.selection.match import judge_document

_NODE = node(
    flags={"cpu.microarchitecture": ["aarch64"]},
    attributes={
        "cpu.topology": {"hardware_multithreading": "true"},
        "kernel.version": {"major": "4"},
        "memory.numa": {"is_numa": "true"},
        "operator.fact": {"org.supercontainers.mpi.version": "4.1.6"},
    },
)


def _truth(**groups: object) -> str:
    return judge_document(parse(to_bytes({"compatibilities": groups})), _NODE).truth


@pytest.mark.parametrize(
    ("keys", "truth"),
    [
        pytest.param({"cpu-hardware_multithreading": True, "kernel-version.major": 4}, "yes", id="both hold"),
        pytest.param({"cpu-hardware_multithreading": "true", "kernel-version.major": "4"}, "yes", id="as text"),
        pytest.param({"memory-numa": False}, "no", id="what is not wanted is there"),
        pytest.param({"kernel-version.major": 5}, "no", id="another number"),
        pytest.param({"memory-numa": True, "memory-nv.present": True}, "unknown", id="nobody looked"),
        pytest.param({"memory-numa": False, "memory-nv.present": True}, "no", id="no wins over unknown"),
        pytest.param({}, "yes", id="no keys"),
    ],
)
def test_all_keys_are_needed(keys: dict[str, object], truth: str) -> None:
    assert _truth(nfd=keys) == truth


@pytest.mark.parametrize(
    ("target", "version", "truth"),
    [("arm64", "4.1.6", "yes"), ("arm64", "5.0", "no"), ("amd64", "4.1.6", "no")],
)
def test_all_groups_are_needed(target: str, version: str, truth: str) -> None:
    groups: dict[str, object] = {"io.archspec": {"target": target}, "org.supercontainers": {"mpi.version": version}}
    assert _truth(**groups) == truth


def test_a_versioned_group_is_read() -> None:
    assert _truth(nfd={"version": "1", "annotations": {"kernel-version.major": 4}}) == "yes"
    assert _truth(nfd={"version": "1", "annotations": {"kernel-version.major": 5}}) == "no"


@pytest.mark.parametrize(
    ("groups", "places"),
    [
        pytest.param({"nfd": {"a": None}, "org.b": {"c": []}}, ["/nfd/a", "/org.b/c"], id="values"),
        pytest.param({"nfd": "a"}, ["/nfd"], id="a group that is text"),
        pytest.param({"": {"a": "b"}}, ["/"], id="a group without a name"),
        pytest.param({"nfd": {"memory-nv.present": "some"}}, ["/nfd/memory-nv.present"], id="no boolean"),
    ],
)
def test_a_fault_costs_the_document_and_has_its_place(groups: dict[str, object], places: list[str]) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(to_bytes({"compatibilities": groups}))
    found = [one.place for one in (caught.value, *caught.value.others)]
    assert found == [f"/compatibilities{place}" for place in places]
