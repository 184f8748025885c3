"""Proposal C: groups of keys below reverse domain names; all keys of all groups are needed."""

import pytest

from builders import node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.model.facts import Node
from imagefit.selection.match import judge_document


def _node(**facts: str) -> Node:
    return node(
        flags={"cpu.cpuid": ["AVX2"]},
        attributes={"operator.fact": {f"org.network.b.{name}": value for name, value in facts.items()}},
    )


def _truth(content: bytes, where: Node) -> str:
    return judge_document(parse(content), where).truth


_FORMS = [
    pytest.param(to_bytes({"org.network.b": {"mtu": "1350", "vxlan": "false"}}), id="flat"),
    pytest.param(
        to_bytes({"org.network.b": {"version": "1.0.0", "annotations": {"mtu": 1350, "vxlan": False}}}), id="versioned"
    ),
    pytest.param(b"org.network.b:\n  mtu: 1350\n  vxlan: false\n", id="yaml"),
]


@pytest.mark.parametrize("content", _FORMS)
def test_every_key_is_needed_in_either_form(content: bytes) -> None:
    assert _truth(content, _node(mtu="1350", vxlan="false")) == "yes"
    assert _truth(content, _node(mtu="1500", vxlan="false")) == "no"
    assert _truth(content, _node(mtu="1350")) == "unknown"


def test_every_group_is_needed() -> None:
    content = to_bytes({"org.network.b": {"mtu": "1350"}, "io.kubernetes.nfd": {"cpu-cpuid.AVX512F": True}})
    assert _truth(content, _node(mtu="1350")) == "no"


def test_the_version_of_a_group_says_nothing_of_a_node() -> None:
    first, second = (
        parse(to_bytes({"org.network.b": {"version": version, "annotations": {"mtu": "1350"}}}))
        for version in ("1.0.0", "9")
    )
    assert first == second


def test_a_group_without_keys_asks_for_nothing() -> None:
    assert _truth(b'{"org.network.b": {}}', _node()) == "yes"


def test_a_group_that_stands_twice_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match="twice"):
        parse(b'{"org.network.b": {"mtu": "1350"}, "org.network.b": {"mtu": "3000"}}')


def test_all_faults_are_named() -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(to_bytes({"org.a": {"b": None}, "org.c": {"annotations": {"d": []}, "e": "f"}, "oci.cpu": {"g": "h"}}))
    assert [one.place for one in (caught.value, *caught.value.others)] == ["/org.a/b", "/org.c/e"]
