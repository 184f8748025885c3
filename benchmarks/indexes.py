"""Indexes to choose from, of any length and never the same twice.

Knows what authors ask for: sets of ten checks with values that images really have, some of which the node of the
benchmark (``NODE``) does not meet, and the same in NFD's rules. Leaves to ``choice`` what is timed.
"""

import base64
import hashlib
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from imagefit.model.facts import Node
from imagefit.node.collect import collect
from imagefit.node.contract import HostView

NODE: Final = Path(__file__).parents[1] / "tests/hosts/amd64-v4-amd-rdma"
"""The recorded host that is chosen for: an EPYC 9654 with ConnectX-7, kernel 5.14, glibc 2.34."""
CHECKS: Final = 10
"""How many checks a set asks for."""
SHARED: Final = 10
"""How many distinct sets an index of shared sets has."""
UNMET: Final = "unmet sets"
"""The kind of index of which no entry fits."""

_Json = dict[str, Any]
_DOCUMENT: Final = "application/vnd.oci.image.compatibilities.v1+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_FEATURES: Final = (
    *("adx", "aes", "avx", "avx2", "avx512f", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt"),
    *("rdrand", "rdseed", "sha_ni", "sse3", "sse4_1", "sse4_2", "ssse3", "vaes", "amx_tile"),
)
# As NFD names them.
_FLAGS: Final = ("ADX", "AESNI", "AVX", "AVX2", "AVX512F", "BMI1", "BMI2", "F16C", "FMA3", "LZCNT", "MOVBE", "AMXTILE")
_KERNELS: Final = tuple(f"{major}.{minor}" for major, last in ((3, 19), (4, 20), (5, 19)) for minor in range(last + 1))
_NO_KERNEL: Final = {"oci.kernel.version": ">=99.0"}
_GLIBCS: Final = tuple(f"2.{minor}" for minor in range(12, 39))
_VENDORS: Final = ("AuthenticAMD", "AuthenticAMD", "AuthenticAMD", "GenuineIntel")
_MODULES: Final = ("mlx5_ib", "nvme", "rdma_cm", "nvidia")
_DEVICES: Final = ("15b3.1021", "15b3.1021", "10de.2336")
# All labels but the features' ask for one check each.
_LABELS: Final = 5


def node() -> Node:
    """Return what is known of the recorded host."""
    return collect(HostView(NODE)).node


def index(kind: str, entries: int, seed: str) -> bytes:
    """Return the bytes of an index, at most 4 MiB.

    Args:
        kind: one of ``KINDS``.
        entries: how many, from 1 to 10,000; of ``NFD rules`` up to 1,000.
        seed: another one gives another index, in which no set and no document is one of this index.
    """
    makes = KINDS[kind]
    return _compact({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [makes(seed, i) for i in range(entries)]})


def _entry(seed: str, position: int, **in_platform: object) -> _Json:
    digest = _digest(f"{seed} {position}".encode())
    platform = {"architecture": "amd64", "os": "linux", **in_platform}
    return {"mediaType": _MANIFEST, "digest": digest, "size": 7, "platform": platform}


def _with_set(seed: str, position: int, number: int, **asked: str) -> _Json:
    return _entry(seed, position, compat=[_flat_set(random.Random(f"{seed} {number}")) | asked])


def _with_rules(seed: str, position: int) -> _Json:
    content = _compact(_nfd_document(random.Random(f"{seed} {position}")))
    data = base64.b64encode(content).decode()
    embedded = {"mediaType": _DOCUMENT, "digest": _digest(content), "size": len(content), "data": data}
    return _entry(seed, position, compat=embedded)


KINDS: Final[Mapping[str, Callable[[str, int], _Json]]] = {
    "bare": _entry,
    "equal sets": lambda seed, position: _with_set(seed, position, 0),
    "shared sets": lambda seed, position: _with_set(seed, position, position % SHARED),
    "distinct sets": lambda seed, position: _with_set(seed, position, position),
    UNMET: lambda seed, position: _with_set(seed, position, position, **_NO_KERNEL),
    "NFD rules": _with_rules,
}
"""What entries carry: nothing, equal sets, ten sets in turn, sets of their own, those that no node meets, own rules."""


def _flat_set(chance: random.Random) -> _Json:
    return {
        "oci.kernel.version": f">={chance.choice(_KERNELS)}",
        "oci.os.glibc": f">={chance.choice(_GLIBCS)}",
        "oci.cpu.vendor": chance.choice(_VENDORS),
        "oci.pci.devices": chance.choice(_DEVICES),
        "oci.kernel.modules": chance.choice(_MODULES),
        "oci.cpu.features": ",".join(chance.sample(_FEATURES, CHECKS - _LABELS)),
    }


def _nfd_document(chance: random.Random) -> _Json:
    vendor, device = chance.choice(_DEVICES).split(".")
    flags = {name: {"op": "Exists"} for name in chance.sample(_FLAGS, CHECKS - _LABELS)}
    rules = {
        "kernel": [
            _term("kernel.version", major={"op": "Gt", "value": [chance.choice("345")]}),
            _term("kernel.loadedmodule", **{chance.choice(_MODULES): {"op": "Exists"}}),
        ],
        "cpu": [_term("cpu.cpuid", **flags), _term("cpu.model", vendor_id={"op": "In", "value": ["AMD"]})],
        "devices": [
            _term("pci.device", vendor={"op": "In", "value": [vendor]}, device={"op": "In", "value": [device]}),
        ],
    }
    named = [{"name": name, "matchFeatures": terms} for name, terms in rules.items()]
    return {"version": "v1alpha1", "compatibilities": [{"description": f"{chance.getrandbits(32):x}", "rules": named}]}


def _term(feature: str, **expressions: _Json) -> _Json:
    return {"feature": feature, "matchExpressions": expressions}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _compact(value: _Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
