"""Node profiles: a node's platform and facts as a file that can be saved, edited and replayed.

Knows two forms, in JSON or YAML: the one that ``imagefit node -o json`` writes, and the Kubernetes ``NodeFeature``
object of Node Feature Discovery (``nfd.k8s-sigs.io/v1alpha1``, ``spec.features``). Of the latter every built-in
feature of NFD counts as covered: NFD looked at all of them.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from imagefit.errors import InvalidDocumentError, InvalidProfileError
from imagefit.formats.reading import at, list_of, object_of, text_of, words_of
from imagefit.formats.syntax import Tree, load, pointer
from imagefit.model.facts import NFD_FEATURES, Attributes, Facts, Node
from imagefit.model.microarchitecture import level_of, normalize

_Elements = TypeVar("_Elements")

_KEYS: Final = frozenset({"os", "architecture", "variant", "features", "unseen"})
_SHAPES: Final = frozenset({"flags", "attributes", "instances"})
_ADVICE: Final = "'imagefit node -o json' writes a profile to start from; a NodeFeature object is accepted, too"
_CPU_FLAGS: Final = "cpu.cpuid"
_LIBC: Final = "system.libc"
# Versions of NFD differ in whether they have it.
_NOT_ALWAYS: Final = frozenset({_LIBC, "rule.matched"})
_BUILT_IN: Final = Facts(
    {name: frozenset() for name, shape in NFD_FEATURES.items() if shape == "flags"},
    {name: {} for name, shape in NFD_FEATURES.items() if shape == "attributes" and name not in _NOT_ALWAYS},
    {name: () for name, shape in NFD_FEATURES.items() if shape == "instances"},
)
# What tells the architecture of a NodeFeature object, which does not name it: flags that only one has.
_TELLING_FLAGS: Final = (("arm64", frozenset({"ASIMD", "EVTSTRM"})), ("amd64", frozenset({"SSE2", "CMOV", "X87"})))
_TELLING_ENDINGS: Final = ("amd64", "x86_64", "arm64", "aarch64", "ppc64le", "riscv64", "s390x")


def parse_profile(content: bytes) -> Node:
    """Read a node profile.

    Args:
        content: JSON or YAML, at most 4 MiB: ``{"os", "architecture", "variant", "features": {"flags", "attributes",
            "instances"}, "unseen": [feature, …]}``, or a ``NodeFeature`` object.

    Raises:
        InvalidProfileError: it is neither; the message names the place.
    """
    try:
        tree = object_of(load(content))
        return _node_feature(tree) if tree.get("kind") == "NodeFeature" else _profile(tree)
    except InvalidDocumentError as error:
        place = f" at {error.place}" if error.place else ""
        raise InvalidProfileError(f"not a node profile: {error.message}{place}", advice=_ADVICE) from error


def format_profile(node: Node) -> bytes:
    """Write a node profile, keys sorted, so that equal nodes give equal bytes; ``parse_profile`` reads it back."""
    facts = node.facts
    features = {
        "flags": {name: {"elements": {flag: {} for flag in flags}} for name, flags in facts.flags.items()},
        "attributes": {name: {"elements": dict(elements)} for name, elements in facts.attributes.items()},
        "instances": {
            name: {"elements": [{"attributes": dict(one)} for one in some]} for name, some in facts.instances.items()
        },
    }
    profile: dict[str, object] = {
        "os": node.os,
        "architecture": node.architecture,
        "variant": node.variant,
        "features": features,
    }
    if facts.unseen:
        profile["unseen"] = sorted(facts.unseen)
    return msgspec.json.format(msgspec.json.encode(profile, order="sorted"), indent=2) + b"\n"


def _profile(tree: Mapping[str, Tree]) -> Node:
    for key in tree:
        if key not in _KEYS:
            raise InvalidDocumentError("an unknown key", place=f"/{key[:80]}")
    if not {"os", "architecture"} <= tree.keys():
        raise InvalidDocumentError("'os' and 'architecture' are needed")
    os, architecture = (_word(tree, key) for key in ("os", "architecture"))
    with at("unseen"):
        unseen = frozenset(words_of(tree.get("unseen")))
    facts = replace(_facts(tree.get("features"), "features"), unseen=unseen)
    return Node(os, architecture, _word(tree, "variant"), facts)


def _node_feature(tree: Mapping[str, Tree]) -> Node:
    with at("spec"):
        found = _facts(object_of(tree.get("spec")).get("features"), "features")
    facts = found.merged(_BUILT_IN)
    flags = facts.flags[_CPU_FLAGS]
    architecture = _architecture(flags, facts.attributes["kernel.version"].get("full", ""))
    return Node("linux", architecture, level_of(architecture, flags) or normalize(architecture, "")[1], facts)


def _architecture(flags: frozenset[str], kernel: str) -> str:
    """Return what a NodeFeature object does not name: the architecture, empty where nothing tells."""
    by_flags = (name for name, some in _TELLING_FLAGS if some & flags)
    by_kernel = (normalize(ending, "")[0] for ending in _TELLING_ENDINGS if kernel.endswith(ending))
    return next(iter((*by_flags, *by_kernel, "")))


def _facts(tree: Tree, key: str) -> Facts:
    with at(key):
        shapes = object_of(tree)
        for shape in shapes:
            if shape not in _SHAPES:
                raise InvalidDocumentError("an unknown key", place=pointer(shape[:80]))
        return Facts(
            _features(shapes, "flags", lambda elements: frozenset(object_of(elements))),
            {name: _named(name, found) for name, found in _features(shapes, "attributes", _attributes).items()},
            _features(shapes, "instances", _instances),
        )


def _features(shapes: Mapping[str, Tree], shape: str, read: Callable[[Tree], _Elements]) -> dict[str, _Elements]:
    found: dict[str, _Elements] = {}
    with at(shape):
        for name, feature in object_of(shapes.get(shape)).items():
            with at(name):
                elements = object_of(feature).get("elements")
                with at("elements"):
                    found[name] = read(elements)
    return found


def _instances(tree: Tree) -> tuple[Attributes, ...]:
    return tuple(_instance(number, one) for number, one in enumerate(list_of(tree)))


def _instance(number: int, tree: Tree) -> Attributes:
    with at(number):
        instance = object_of(tree)
    with at(number, "attributes"):
        return _attributes(instance.get("attributes"))


def _attributes(tree: Tree) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in object_of(tree).items():
        with at(name):
            found[name] = text_of(value)
    return found


def _named(feature: str, attributes: dict[str, str]) -> Attributes:
    """Return NFD's C library, a name and a version, with the element that imagefit's detector gives, too."""
    name, version = attributes.get("name"), attributes.get("version")
    return {name: version, **attributes} if feature == _LIBC and name and version else attributes


def _word(tree: Mapping[str, Tree], key: str) -> str:
    with at(key):
        return text_of(tree.get(key, ""))
