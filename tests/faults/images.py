"""The image of one run: a tag over two builds, of which containerd alone would take the one that does not fit.

Knows what is pushed and what has to come of it. Leaves to ``checking`` whether it did.
"""

import json
import random
from dataclasses import dataclass
from typing import Final

from harness.images import OCI_MANIFEST, compatibility_descriptor_j, push_image, push_index
from harness.registry import Registry

STRICT: Final = "strict"
"""Folder of the images whose pull must fail where nothing can be decided; for others a logged fall-back will do."""
OPEN: Final = "open"
_FITS: Final = {"oci.kernel.version": ">=2.6"}
_FAILS: Final = {"oci.kernel.version": "<2.6"}


@dataclass(frozen=True, slots=True)
class Build:
    """One entry of an index: the digest of its manifest, and the image ID that it gets."""

    digest: str
    image_id: str


@dataclass(frozen=True, slots=True)
class Image:
    """What was pushed.

    Attributes:
        name: the tag, as kubelet writes it.
        index: digest of the index; of the latest one, where the tag moves.
        right: the build that fits here.
        wrong: the one that containerd alone would take.
    """

    name: str
    index: str
    right: Build
    wrong: Build

    @property
    def repository(self) -> str:
        """The name without its tag."""
        return self.name.rpartition(":")[0]

    @property
    def index_name(self) -> str:
        """The name of the index that a pull leaves beside the tag."""
        return f"{self.repository}@{self.index}"

    @property
    def is_strict(self) -> bool:
        """Whether no fall-back may stand under its tag."""
        return f"/{STRICT}/" in self.name


def push(registry: Registry, domain: str, repository: str, says: str) -> Image:
    """Push an image that no other shares a build with.

    Args:
        registry: where.
        domain: host and port under which it is pulled.
        repository: its path.
        says: what makes its builds differ from those of others.
    """
    entries, builds = [], []
    for needs in (_FAILS, _FITS):
        entry = push_image(registry, repository, None, f"{says} {needs}")
        metadata = compatibility_descriptor_j(registry, repository, [needs | {"tags": says}])
        entries.append(entry | {"platform": entry["platform"] | {"compatibilities": metadata}})
        builds.append(Build(entry["digest"], _image_id(registry, repository, entry["digest"])))
    index = push_index(registry, repository, "1", entries)
    return Image(f"{domain}/{repository}:1", index, right=builds[1], wrong=builds[0])


def path_of(chance: random.Random, run: str) -> str:
    """Return a repository path for one run: strict or open."""
    return f"faults/{chance.choice((STRICT, OPEN))}/{run}"


def _image_id(registry: Registry, repository: str, digest: str) -> str:
    manifest = json.loads(registry.fetch(f"/v2/{repository}/manifests/{digest}", OCI_MANIFEST))
    return str(manifest["config"]["digest"])
