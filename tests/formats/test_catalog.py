"""Which dialect a document is written in, by its shape alone: exactly one says of a sample that it is its own."""

import itertools
from typing import Final

import pytest

from builders import to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import DIALECTS, read, recognize
from imagefit.formats.contract import Dialect, Fragment
from imagefit.formats.syntax import load

_SAMPLES: Final[dict[str, tuple[bytes, ...]]] = {
    "annotations": (
        b'{"com.example.gpu": "example-gpu-model"}',
        b'{"com.example.cores": 7, "com.example.fast": true}',
        b'{"version": "1.0"}',
        b"com.example.gpu: example-gpu-model\n",
        b'"com.example.gpu": h100\ntier: gold\n',
    ),
    "compatibility-spec": (
        b'{"version": "0.0.0", "kind": "CompatibilitySpec", "compatibilities": []}',
        b'{"kind": "CompatibilitySpec", "compatibilities": [{"name": "a.b", "annotations": {"k": "v"}}]}',
        b'{"kind": "CompatibilitySpec", "compatibilities": [{"name": "a.b", "attributes": {"k": "v"}}]}',
        b'{"version": "0.0.0", "compatibilities": [{"name": "a.b", "attributes": {"k": "v"}}]}',
        b'{"kind": "CompatibilitySpec"}',
        b"kind: CompatibilitySpec\ncompatibilities:\n- name: a.b\n  annotations: {k: v}\n",
    ),
    "features": (
        b'["avx2"]',
        b'["avx2", "bmi2"]',
        b'["avx2", {"rules": []}]',
        b'["avx2", 7]',
        b"- avx2\n- bmi2\n",
    ),
    "flat-sets": (
        b"[]",
        b" \n[{}]",
        b'[{"oci.cpu.features": "AVX2"}]',
        b'{"compatibilities": []}',
        b'{"compatibilities": [{}]}',
        b'\t{"schema": 1, "compatibilities" : [ ]}',
        b'{"mediaType": "x", "annotations": {"a": "b"}, "compatibilities": [{"a": "b"}]}',
        b'{"compatibilities": [{"tags": ["a"], "description": "d", "compatibility-score": 5}]}',
        b"[7]",
        b"compatibilities:\n- oci.kernel.version: '>=5'\n",
    ),
    "groups": (
        b'{"compatibilities": {}}',
        b'{"compatibilities": {"nfd": {"memory-numa": true}}}',
        b'{"compatibilities": {"io.archspec": {"target": "arm64"}, "org.supercontainers": {"mpi.version": 4}}}',
        b'{"compatibilities": {"a.b": {"version": "1", "annotations": {"k": "v"}}}}',
        b'{"compatibilities": {"mediaType": "x", "digest": "y", "size": 7}}',
        b"compatibilities:\n  nfd:\n    kernel-version.major: 4\n",
    ),
    "namespaces": (
        b'{"org.network.b": {"mtu": "1350"}}',
        b'{"org.network.b": {}}',
        b'{"org.network.b": {"version": "1.0.0", "annotations": {"mtu": "1350"}}}',
        b'{"org.network.a": {"rules": []}, "org.network.b": {"mtu": 7}}',
        b"org.supercontainers.mpi:\n  implementation: openmpi\n  version: 4.2.1\n",
    ),
    "nfd": (
        b'{"version": "v1alpha1", "compatibilities": [{"rules": []}]}',
        b'{"compatibilities": [{"rules": [{"name": "a"}], "weight": 7}]}',
        b'{"compatibilities": [{"tag": "a", "rules": [{"matchFeatures": []}]}]}',
        b"version: v1alpha1\ncompatibilities:\n- rules:\n  - name: a\n",
    ),
    "platform": (
        b'{"os": "linux", "architecture": "amd64"}',
        b'{"os": "linux"}',
        b'{"architecture": "arm64", "variant": "v8"}',
        b'{"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1", "os.features": ["win32k"]}',
        b'{"os": "linux", "architecture": "amd64", "features": ["avx2"]}',
        b"os: linux\narchitecture: amd64\nfeatures: [avx2]\n",
    ),
    "relations": (
        b'{"spec": {"compatibilities": []}}',
        b'{"spec": {"compatibilities": [{"id": "a", "domain": "b.c", "attributes": {}}]}}',
        b'{"spec": {"compatibilties": []}}',
        b'{"spec": {"relations": {"graphs": {}}}}',
        b'{"version": "1", "spec": {"compatibilities": [{"rules": []}]}}',
        b"spec:\n  compatibilities:\n  - {id: a, domain: b.c, attributes: {d: e}}\n",
    ),
}


def _parameters() -> list[object]:
    return [
        pytest.param(name, content, id=f"{name}-{number}")
        for name, samples in _SAMPLES.items()
        for number, content in enumerate(samples)
    ]


def test_every_dialect_has_samples() -> None:
    assert set(_SAMPLES) == {dialect.name for dialect in DIALECTS}


@pytest.mark.parametrize(("name", "content"), _parameters())
def test_a_sample_is_recognized(name: str, content: bytes) -> None:
    assert recognize(load(content)).name == name


@pytest.mark.parametrize(
    ("claiming", "other"), list(itertools.permutations(DIALECTS, 2)), ids=lambda dialect: dialect.name
)
def test_no_dialect_claims_what_is_another_s(claiming: Dialect, other: Dialect) -> None:
    assert [content for content in _SAMPLES[other.name] if claiming.claims(load(content))] == []


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param(
            b'{"os": "linux", "architecture": "amd64", "compatibilities": [{"a": "b"}]}',
            ("flat-sets", "platform"),
            id="a platform that carries sets",
        ),
        pytest.param(
            b'{"os": "linux", "architecture": "amd64", "compatibilities": {"a.b": {"c": "d"}}}',
            ("groups", "platform"),
            id="a platform that carries groups",
        ),
        pytest.param(
            b'{"kind": "CompatibilitySpec", "spec": {"compatibilities": []}, "compatibilities": []}',
            ("compatibility-spec", "relations"),
            id="a kind and a spec",
        ),
        pytest.param(
            b'{"spec": {"compatibilities": []}, "os": "linux"}',
            ("platform", "relations"),
            id="a spec and an operating system",
        ),
    ],
)
def test_a_shape_of_two_dialects_is_a_problem_that_names_them(content: bytes, names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidDocumentError, match="at once") as caught:
        recognize(load(content))
    assert all(name in caught.value.message for name in names)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(
            b'{"compatibilities": [{"rules": []}, {"name": "a.b", "annotations": {}}]}', "nfd", id="rules and groups"
        ),
        pytest.param(b'{"compatibilities": [{"rules": []}, {"oci.os.glibc": "2"}]}', "nfd", id="rules and flat sets"),
        pytest.param(
            b'{"kind": "CompatibilitySpec", "compatibilities": {"a.b": {"c": "d"}}}',
            "compatibility-spec",
            id="a kind and groups that are an object",
        ),
        pytest.param(b'{"org.a": {"compatibilities": []}, "org.b": {}}', "namespaces", id="groups of any keys"),
        pytest.param(b'{"os.version": {"full": "7"}}', "namespaces", id="a group that sounds like a platform"),
    ],
)
def test_a_mixed_shape_is_decided(content: bytes, name: str) -> None:
    assert recognize(load(content)).name == name


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b"7", id="number"),
        pytest.param(b'"avx2"', id="text"),
        pytest.param(b"avx2", id="plain text"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b'{"compatibilities": null}', id="null sets"),
        pytest.param(b'{"compatibilities": "a"}', id="sets that are text"),
        pytest.param(b'{"oci.cpu.features": "AVX2"}', id="a set that is in no list"),
        pytest.param(b'{"a": "b", "compatibility-score": 7}', id="a score without a list of sets"),
        pytest.param(b'{"a": null}', id="an annotation without a value"),
        pytest.param(b'{"a": ["b"]}', id="an annotation that is a list"),
        pytest.param(b'{"nfd": {"memory-numa": true}}', id="a group whose name is no domain"),
        pytest.param(b'{"org.a": {"b": "c"}, "org.d": "e"}', id="a group and an annotation"),
        pytest.param(b'{"kind": "NodeFeatureRule", "spec": {"rules": []}}', id="another kind"),
        pytest.param(
            b'{"kind": "Other", "compatibilities": [{"name": "a", "annotations": {}}]}', id="groups of another"
        ),
        pytest.param(b'{"spec": {}}', id="an empty spec"),
        pytest.param(b'{"spec": "a"}', id="a spec that is text"),
        pytest.param(b'{"compatibilities": [{"annotations": {}}, {"a": "b"}]}', id="groups and flat sets"),
        pytest.param(b'{"os": "linux", "architecture": "amd64", "features": {"flags": {}}}', id="a profile of a node"),
        pytest.param(b'{"os.features": ["win32k"]}', id="a platform without its words"),
        pytest.param(b'[["avx2"], {"rules": []}]', id="a list of lists and rules"),
    ],
)
def test_a_shape_of_no_dialect_is_a_problem_that_names_those_there_are(content: bytes) -> None:
    with pytest.raises(InvalidDocumentError, match="no dialect has this shape") as caught:
        recognize(load(content))
    assert all(dialect.name in caught.value.message for dialect in DIALECTS)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b'{"compatibilities": ', id="cut off"),
        pytest.param(b'{"a": ' + b"[" * 100_000, id="nested deeply"),
    ],
)
def test_what_is_no_document_is_no_dialect(content: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        recognize(load(content))


def test_places_lead_from_the_carrier_to_the_fault() -> None:
    document = read(Fragment(to_bytes([{"a": None}, {"a": "b"}]), "platform.compat"))
    assert document.dialect == "flat-sets"
    assert [problem.place for problem in document.problems] == ["platform.compat/0/a"]
    assert len(document.alternatives) == 1


def test_the_carrier_s_name_is_the_first_tag() -> None:
    content = to_bytes({"kind": "CompatibilitySpec", "metadata": {"name": "b"}, "compatibilities": []})
    assert read(Fragment(content, "layers/0", "a")).alternatives[0].tags == ("a", "b")


@pytest.mark.parametrize("content", [b"", b"{}", b"[", b'{"compatibilities": [}', b"\xff"])
def test_what_cannot_be_read_is_a_document_with_a_problem_and_no_alternative(content: bytes) -> None:
    document = read(Fragment(content, "platform.compat"))
    assert not document.readable
    assert document.problems[0].place == "platform.compat"
