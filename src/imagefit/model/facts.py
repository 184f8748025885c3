"""What is known of a node, in Node Feature Discovery's words.

Knows the three shapes a feature can have and what "covered" means. Leaves to others where facts come from and what an
image asks. The model and the profile format are those of NFD's ``NodeFeature`` object (``spec.features``), with the
platform beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from imagefit.errors import InvalidProfileError

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a node's detectors found out.

    A feature that is a key here is *covered*: a detector looked, so what is absent below it is known to be absent.

    Attributes:
        flags: feature → names that are set, such as ``cpu.cpuid`` → {``AVX2``}.
        attributes: feature → element → value, such as ``kernel.version`` → {``full``: ``6.1.0``}.
        instances: feature → one attribute map per instance, such as ``pci.device`` → ({``vendor``: ``10de``},).
    """

    flags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    attributes: Mapping[str, Attributes] = field(default_factory=dict)
    instances: Mapping[str, tuple[Attributes, ...]] = field(default_factory=dict)

    def covers(self, feature: str) -> bool:
        """Tell whether a detector looked for ``feature``."""
        return feature in self.flags or feature in self.attributes or feature in self.instances

    def merged(self, other: "Facts") -> "Facts":
        """Return both together; where both have a feature of one shape, ``other``'s replaces it."""
        return Facts(
            {**self.flags, **other.flags},
            {**self.attributes, **other.attributes},
            {**self.instances, **other.instances},
        )


@dataclass(frozen=True, slots=True)
class Node:
    """One node: the platform it runs and its facts.

    Attributes:
        os: as OCI writes it, such as ``linux``.
        architecture: as OCI writes it, such as ``amd64``.
        variant: the highest that the CPU runs, such as ``v3``; empty where it is not known.
        facts: everything else.
    """

    os: str
    architecture: str
    variant: str = ""
    facts: Facts = field(default_factory=Facts)


class _FlagElements(msgspec.Struct):
    elements: dict[str, dict[str, str] | None] = {}


class _AttributeElements(msgspec.Struct):
    elements: dict[str, str] = {}


class _Instance(msgspec.Struct):
    attributes: dict[str, str] = {}


class _InstanceElements(msgspec.Struct):
    elements: list[_Instance] = []


class _Features(msgspec.Struct):
    flags: dict[str, _FlagElements] = {}
    attributes: dict[str, _AttributeElements] = {}
    instances: dict[str, _InstanceElements] = {}


class _Profile(msgspec.Struct, forbid_unknown_fields=True):
    os: str
    architecture: str
    variant: str = ""
    features: _Features = msgspec.field(default_factory=_Features)


_PROFILE_DECODER = msgspec.json.Decoder(_Profile)


def parse_profile(content: bytes) -> Node:
    """Read a node profile as ``imagefit node -o json`` writes it.

    Args:
        content: JSON ``{"os", "architecture", "variant", "features": {"flags", "attributes", "instances"}}``.

    Raises:
        InvalidProfileError: it is not of that shape; the message names the place.
    """
    try:
        profile = _PROFILE_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidProfileError(
            f"not a node profile: {error}", advice="'imagefit node -o json' writes one to start from"
        ) from error
    features = profile.features
    facts = Facts(
        {name: frozenset(flag.elements) for name, flag in features.flags.items()},
        {name: attribute.elements for name, attribute in features.attributes.items()},
        {name: tuple(one.attributes for one in some.elements) for name, some in features.instances.items()},
    )
    return Node(profile.os, profile.architecture, profile.variant, facts)


def format_profile(node: Node) -> bytes:
    """Write a node profile, keys sorted, so that equal nodes give equal bytes; ``parse_profile`` reads it back."""
    facts = node.facts
    features = _Features(
        {name: _FlagElements({flag: {} for flag in flags}) for name, flags in facts.flags.items()},
        {name: _AttributeElements(dict(elements)) for name, elements in facts.attributes.items()},
        {name: _InstanceElements([_Instance(dict(one)) for one in some]) for name, some in facts.instances.items()},
    )
    profile = _Profile(node.os, node.architecture, node.variant, features)
    return msgspec.json.format(msgspec.json.encode(profile, order="sorted"), indent=2) + b"\n"
