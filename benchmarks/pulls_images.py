"""What is pulled: an index of ten entries by each way to carry metadata, and one of four large builds.

Knows which entry is chosen: the first, which plain containerd takes as well, so that both pull the same bytes. Leaves
to ``harness.images`` how images are written and pushed.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.images import (
    HOST_ARCHITECTURE,
    compatibility_descriptor_i,
    compatibility_descriptor_j,
    push_image,
    push_index,
    push_nfd_artifact,
)
from harness.registry import Registry

ENTRIES: Final = 10
INLINE: Final = "inline"
REFERRERS: Final = "referrers"

_Json = dict[str, Any]
_TAG: Final = "1"
# What every Linux has, and what none has.
_FITS: Final = {"oci.kernel.version": ">=2.6"}
_FAILS: Final = {"oci.kernel.version": "<2.6"}
_RULES: Final = """\
version: v1alpha1
compatibilities:
- description: {about}
  rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {{op: Gt, value: ["{above}"]}}
"""
# What four builds of one image ask of the CPU, from the least to the most.
_BUILDS: Final[Mapping[str, str]] = {
    "v1": "sse2",
    "v2": "sse4_2,popcnt",
    "v3": "avx2,bmi2,fma",
    "v4": "avx512f,avx512bw",
}


def push_ten(registry: Registry, repository: str, carrier: str) -> str:
    """Push an index of ten entries, each with metadata of its own, of which the first alone fits.

    Args:
        registry: where.
        repository: where in it; the same entries are the same bytes in every repository.
        carrier: one of ``CARRIERS``.

    Returns:
        Its name without the registry, such as ``a/b:1``.
    """
    carry = CARRIERS[carrier]
    push_index(registry, repository, _TAG, [carry(registry, repository, number) for number in range(ENTRIES)])
    return f"{repository}:{_TAG}"


def push_builds(registry: Registry, repository: str, layer_bytes: int) -> tuple[str, dict[str, int]]:
    """Push an index of four builds for this machine's architecture, each with a large layer of its own.

    Their platforms are the same, so that any containerd takes each of them for a match.

    Args:
        registry: where.
        repository: where in it.
        layer_bytes: of the large layer, which does not compress.

    Returns:
        Its name without the registry, and the bytes of each build by its manifest's digest, layers and all.
    """
    entries = [
        _entry(registry, repository, f"build {name}", [{"oci.cpu.features": needs}], layer_bytes)
        for name, needs in _BUILDS.items()
    ]
    push_index(registry, repository, _TAG, entries)
    return f"{repository}:{_TAG}", {one["digest"]: _size(registry, repository, one) for one in entries}


def _size(registry: Registry, repository: str, entry: _Json) -> int:
    manifest = json.loads(registry.fetch(f"/v2/{repository}/manifests/{entry['digest']}", entry["mediaType"]))
    parts = [entry, manifest["config"], *manifest["layers"]]
    return sum(part["size"] for part in parts)


def _entry(
    registry: Registry, repository: str, says: str, compatibilities: list[_Json] | _Json | None, layer_bytes: int = 0
) -> _Json:
    entry = push_image(registry, repository, None, says, architecture=HOST_ARCHITECTURE, extra_layer_bytes=layer_bytes)
    if compatibilities is not None:
        entry["platform"]["compatibilities"] = compatibilities
    return entry


def _set(number: int) -> _Json:
    # A label of its own makes each document another one.
    return {**(_FAILS if number else _FITS), "oci.cpu.features": "sse2,", "tag": f"build-{number}"}


def _inline(registry: Registry, repository: str, number: int) -> _Json:
    return _entry(registry, repository, f"ten {number}", [_set(number)])


def _j(registry: Registry, repository: str, number: int) -> _Json:
    carried = compatibility_descriptor_j(registry, repository, [_set(number)])
    return _entry(registry, repository, f"ten {number}", carried)


def _i(registry: Registry, repository: str, number: int) -> _Json:
    carried = compatibility_descriptor_i(registry, repository, [_set(number)])
    return _entry(registry, repository, f"ten {number}", carried)


def _referred(registry: Registry, repository: str, number: int) -> _Json:
    entry = _entry(registry, repository, f"ten {number}", None)
    rules = _RULES.format(about=f"build {number}", above=99 if number else 1)
    artifact = push_nfd_artifact(registry, repository, rules.encode(), entry)
    # This registry has no referrers API: the fallback tag lists them.
    push_index(registry, repository, entry["digest"].replace(":", "-"), [artifact])
    return entry


CARRIERS: Final[Mapping[str, Callable[[Registry, str, int], _Json]]] = {
    INLINE: _inline,
    "J": _j,
    "I": _i,
    REFERRERS: _referred,
}
"""Where an entry's metadata is: in the index, in a blob, in a manifest's config, in an artifact that refers to it."""
