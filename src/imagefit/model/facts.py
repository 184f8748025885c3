"""What is known of a node, in Node Feature Discovery's words.

Knows the three shapes a feature can have and what "covered" means. Leaves to others where facts come from and what an
image asks. The model is that of NFD's ``NodeFeature`` object (``spec.features``), with the platform beside it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from imagefit.model.microarchitecture import normalize

Attributes = Mapping[str, str]

Shape = Literal["flags", "attributes", "instances"]

NFD_FEATURES: Final[Mapping[str, Shape]] = {
    "cpu.coprocessor": "attributes",
    "cpu.cpuid": "flags",
    "cpu.cstate": "attributes",
    "cpu.model": "attributes",
    "cpu.pstate": "attributes",
    "cpu.rdt": "attributes",
    "cpu.security": "attributes",
    "cpu.sgx": "attributes",
    "cpu.sst": "attributes",
    "cpu.topology": "attributes",
    "kernel.config": "attributes",
    "kernel.enabledmodule": "flags",
    "kernel.loadedmodule": "flags",
    "kernel.selinux": "attributes",
    "kernel.version": "attributes",
    "local.feature": "attributes",
    "local.label": "attributes",
    "memory.hugepages": "attributes",
    "memory.numa": "attributes",
    "memory.nv": "instances",
    "memory.swap": "attributes",
    "network.device": "instances",
    "network.virtual": "instances",
    "pci.device": "instances",
    "rule.matched": "attributes",
    "storage.block": "instances",
    "system.dmiid": "attributes",
    "system.libc": "attributes",
    "system.name": "attributes",
    "system.osrelease": "attributes",
    "usb.device": "instances",
}
"""NFD's built-in features and the shape of each."""
ANYWHERE: Final = "any source"
"""A feature that is never covered: stands for whatever else might declare a fact, so that its absence is unknown."""


class Facts(msgspec.Struct, frozen=True):
    """Everything a node's detectors found out.

    A feature that is a key here is *covered*, unless it is ``unseen``: a detector looked, so what is absent below it is
    known to be absent.

    Attributes:
        flags: feature → names that are set, such as ``cpu.cpuid`` → {``AVX2``}.
        attributes: feature → element → value, such as ``kernel.version`` → {``full``: ``6.1.0``}.
        instances: feature → one attribute map per instance, such as ``pci.device`` → ({``vendor``: ``10de``},).
        unseen: features that a detector is there for but could not look at; what is stated of them holds all the same.
    """

    flags: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    attributes: Mapping[str, Attributes] = msgspec.field(default_factory=dict)
    instances: Mapping[str, tuple[Attributes, ...]] = msgspec.field(default_factory=dict)
    unseen: frozenset[str] = frozenset()

    def covers(self, feature: str) -> bool:
        """Tell whether a detector looked for ``feature``, so that absence is knowledge."""
        return feature not in self.unseen and self.has(feature)

    def has(self, feature: str) -> bool:
        """Tell whether anything is stated of ``feature``, if only that there is nothing."""
        return feature in self.flags or feature in self.attributes or feature in self.instances

    def merged(self, other: "Facts") -> "Facts":
        """Return both together: flags united, of an attribute ``other``'s value, instances one after the other."""
        flags = {name: self.flags.get(name, frozenset()) | found for name, found in other.flags.items()}
        attributes = {name: {**self.attributes.get(name, {}), **found} for name, found in other.attributes.items()}
        instances = {name: self.instances.get(name, ()) + found for name, found in other.instances.items()}
        return Facts(
            {**self.flags, **flags},
            {**self.attributes, **attributes},
            {**self.instances, **instances},
            self.unseen | other.unseen,
        )


class Node(msgspec.Struct, frozen=True):
    """One node: the platform it runs and its facts.

    Attributes:
        os: as OCI writes it, such as ``linux``.
        architecture: as OCI writes it, such as ``amd64``.
        variant: the highest that the CPU runs, such as ``v3``; empty where it is not known.
        facts: everything else.
        also_runs: further platforms, as ``platform_name`` writes them, that a runtime handler of the node runs.
    """

    os: str
    architecture: str
    variant: str = ""
    facts: Facts = msgspec.field(default_factory=Facts)
    also_runs: frozenset[str] = frozenset()

    def with_platforms(self, names: Iterable[str]) -> "Node":
        """Return the node as one that runs these platforms, ``os/architecture``, too; its own is not among them."""
        further = {platform_name(*name.partition("/")[::2]) for name in names}
        return replace(self, also_runs=(self.also_runs | further) - {platform_name(self.os, self.architecture)})


def platform_name(os: str, architecture: str) -> str:
    """Return ``os/architecture`` in lower-case and normalised, such as ``linux/amd64`` for Linux and x86_64."""
    return f"{os.lower()}/{normalize(architecture, '')[0]}"
