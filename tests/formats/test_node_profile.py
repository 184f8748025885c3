"""A Kubernetes NodeFeature object is a node profile, in which all of NFD's built-in features are covered."""

import pytest

from builders import to_bytes
from imagefit.errors import InvalidProfileError
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.library import evaluate
from imagefit.model.facts import NFD_FEATURES, Facts, Node

NODE_FEATURE = b"""
apiVersion: nfd.k8s-sigs.io/v1alpha1
kind: NodeFeature
metadata:
  name: worker-1
  namespace: node-feature-discovery
  labels:
    nfd.node.kubernetes.io/node-name: worker-1
spec:
  labels:
    feature.node.kubernetes.io/cpu-cpuid.AVX2: "true"
  features:
    flags:
      cpu.cpuid:
        elements: {CMOV: {}, CMPXCHG8: {}, FXSR: {}, MMX: {}, SSE: {}, SSE2: {}, X87: {}, AVX2: null}
      kernel.loadedmodule:
        elements: {}
    attributes:
      kernel.version:
        elements: {full: 5.14.0-427.el9.x86_64, major: "5", minor: "14", revision: "0"}
      cpu.topology:
        elements: {hardware_multithreading: true}
      memory.numa:
        elements: null
      system.libc:
        elements: {name: glibc, version: "2.34"}
    instances:
      pci.device:
        elements:
        - attributes: {class: "0302", vendor: 10de, device: "2336"}
      storage.block:
        elements:
"""


def truth(label: str, value: str, node: Node) -> str:
    return evaluate(to_bytes([{label: value}]), node).truth


def test_its_facts_are_read_as_nfd_writes_them() -> None:
    node = parse_profile(NODE_FEATURE)
    assert (node.os, node.architecture, node.variant) == ("linux", "amd64", "v1")
    assert "AVX2" in node.facts.flags["cpu.cpuid"]
    assert node.facts.attributes["cpu.topology"] == {"hardware_multithreading": "true"}
    assert node.facts.attributes["kernel.version"]["full"] == "5.14.0-427.el9.x86_64"
    assert node.facts.instances["pci.device"] == ({"class": "0302", "vendor": "10de", "device": "2336"},)


def test_all_built_in_features_are_covered_and_what_is_not_nfds_is_unknown() -> None:
    node = parse_profile(NODE_FEATURE)
    assert all(node.facts.covers(feature) for feature in NFD_FEATURES if feature != "rule.matched")
    assert truth("oci.kernel.modules", "nvidia", node) == "no"
    assert truth("oci.kernel.selinux", "true", node) == "no"
    assert truth("oci.kernel.cmdline.iommu", "pt", node) == "unknown"
    assert truth("oci.cpu.microarchitecture", "zen", node) == "unknown"


@pytest.mark.parametrize(("asked", "expected"), [(">=2.31", "yes"), (">=2.35", "no")])
def test_the_c_library_is_known_by_its_name(asked: str, expected: str) -> None:
    assert truth("oci.os.glibc", asked, parse_profile(NODE_FEATURE)) == expected


def test_a_version_of_nfd_that_knows_no_c_library_leaves_it_unknown() -> None:
    bare = to_bytes({"kind": "NodeFeature", "spec": {"features": {}}})
    assert truth("oci.os.glibc", ">=2", parse_profile(bare)) == "unknown"


ARCHITECTURES = [
    pytest.param({"flags": {"cpu.cpuid": {"elements": {"ASIMD": {}, "FP": {}}}}}, "arm64", id="flags of Arm"),
    pytest.param({"flags": {"cpu.cpuid": {"elements": {"SSE2": {}}}}}, "amd64", id="flags of x86"),
    pytest.param(
        {"attributes": {"kernel.version": {"elements": {"full": "6.1.0-18-arm64"}}}}, "arm64", id="kernel of Debian"
    ),
    pytest.param(
        {"attributes": {"kernel.version": {"elements": {"full": "4.18.0-553.el8.ppc64le"}}}}, "ppc64le", id="kernel"
    ),
    pytest.param({}, "", id="nothing tells"),
]


@pytest.mark.parametrize(("features", "architecture"), ARCHITECTURES)
def test_the_architecture_is_what_flags_or_the_kernel_tell(features: object, architecture: str) -> None:
    content = to_bytes({"kind": "NodeFeature", "spec": {"features": features}})
    node = parse_profile(content)
    assert node.architecture == architecture
    platform = evaluate(to_bytes({"os": "linux", "architecture": "s390x"}), node).truth
    assert platform == ("no" if architecture else "unknown")


BAD = [
    pytest.param({"features": []}, "/spec/features", id="features that are a list"),
    pytest.param({"features": {"flag": {}}}, "/spec/features/flag", id="a shape that does not exist"),
    pytest.param({"features": {"flags": {"a.b": 7}}}, "/spec/features/flags/a.b", id="a feature that is a number"),
    pytest.param(
        {"features": {"instances": {"a.b": {"elements": [{}, {"attributes": {"c": []}}]}}}},
        "/spec/features/instances/a.b/elements/1/attributes/c",
        id="an attribute that is a list",
    ),
]


@pytest.mark.parametrize(("spec", "place"), BAD)
def test_a_fault_is_named_with_its_place(spec: object, place: str) -> None:
    with pytest.raises(InvalidProfileError, match="not a node profile") as caught:
        parse_profile(to_bytes({"kind": "NodeFeature", "spec": spec}))
    assert place in str(caught.value)


def test_features_that_could_not_be_looked_at_survive_in_a_profile() -> None:
    node = Node("linux", "amd64", "v3", Facts(unseen=frozenset({"kernel.config", "site.rack"})))
    assert parse_profile(format_profile(node)) == node
    for broken in (
        b'{"os": "linux", "architecture": "a", "unseen": {}}',
        b'{"os": "linux", "architecture": "a", "x": 1}',
    ):
        with pytest.raises(InvalidProfileError):
            parse_profile(broken)
