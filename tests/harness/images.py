"""Tiny real images: a program that prints what its own layer says, so a running container shows which image it is.

Knows how images, indexes and compatibility documents are written and pushed, byte for byte the same for the same
arguments. Leaves to ``registry`` how bytes get there. Implements the OCI image specification v1.1 (``config.md``,
``manifest.md``, ``image-index.md``) and the carriers of the compatibility proposals I and J.
"""

import functools
import gzip
import hashlib
import io
import json
import platform
import random
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from harness.registry import Registry

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
NFD_ARTIFACT = "application/vnd.nfd.image-compatibility.v1alpha1"
NFD_LAYER = "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml"
COMPATIBILITIES = "application/vnd.oci.image.compatibilities.v1+json"

HOST_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""What images that are to run here are built for."""

Json = dict[str, Any]

# One program for every image: prints the file /says, or waits for SIGTERM where its argument is "pause".
_PROGRAM = r"""
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void end(int signal) { _exit(0); }

int main(int count, char **words)
{
    char text[4096];
    if (count > 1) {
        signal(SIGTERM, end);
        for (;;) pause();
    }
    int file = open("/says", O_RDONLY);
    ssize_t length = read(file, text, sizeof text);
    return length > 0 && write(1, text, length) == length ? 0 : 1;
}
"""


def push_image(
    registry: Registry,
    repository: str,
    tag: str | None,
    says: str,
    *,
    architecture: str = HOST_ARCHITECTURE,
    variant: str = "",
    extra_layer_bytes: int = 0,
) -> Json:
    """Push an image that prints ``says`` and a line end, and exits with 0.

    Args:
        registry: where.
        repository: the repository's path.
        tag: its tag; None pushes it by digest only, as the child of an index.
        says: at most 4000 bytes; images that say different things share no layer but the program's.
        architecture: what the image says it is for; the program is always one for this machine.
        variant: the architecture's variant, such as ``v3``.
        extra_layer_bytes: size of one more layer, which does not compress.

    Returns:
        Its descriptor with ``platform``: an entry for ``push_index``, to which any key may be added.
    """
    layers = [_program_layer(), _archive({"says": f"{says}\n".encode()})]
    if extra_layer_bytes:
        noise = random.Random(says).randbytes(extra_layer_bytes)  # noqa: S311 (reproducible is what is wanted)
        layers.append(_archive({"extra": noise}))
    described = {"architecture": architecture, "os": "linux"} | ({"variant": variant} if variant else {})
    descriptor = _push_manifest(registry, repository, tag, (described, ["/say"], layers))
    return descriptor | {"platform": described}


def push_pause(registry: Registry, repository: str = "pause", tag: str = "1") -> str:
    """Push an image that waits for SIGTERM, for pod sandboxes, and return its name."""
    described = {"architecture": HOST_ARCHITECTURE, "os": "linux"}
    _push_manifest(registry, repository, tag, (described, ["/say", "pause"], [_program_layer()]))
    return f"{registry.address}/{repository}:{tag}"


def push_index(
    registry: Registry, repository: str, tag: str | None, entries: Sequence[Json], media_type: str = OCI_INDEX
) -> str:
    """Push an index of ``entries``, verbatim and in this order.

    Args:
        registry: where.
        repository: has every entry's manifest.
        tag: its tag, None to push it by digest only.
        entries: descriptors; any key, also in ``platform``, is kept.
        media_type: ``OCI_INDEX`` or ``DOCKER_INDEX``.

    Returns:
        Its digest.
    """
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries)}
    return registry.push_manifest(repository, tag, media_type, encode(document))


def compatibility_descriptor_i(
    registry: Registry, repository: str, sets: Sequence[Json], where: Literal["config", "top"] = "config"
) -> Json:
    """Push compatibility sets as proposal I has them: in the config of a manifest without layers.

    Args:
        registry: where.
        repository: that of the index.
        sets: the compatibility sets.
        where: at ``config.compatibilities``, as the proposal's example has them, or at the top, as its text has it.

    Returns:
        The manifest's descriptor, to be put at ``platform.compatibilities`` of an index's entry.
    """
    content: Json = {"compatibilities": list(sets)}
    config = {"architecture": HOST_ARCHITECTURE, "os": "linux", "rootfs": {}}
    config |= {"config": content} if where == "config" else content
    return _push_document(registry, repository, None, (OCI_MANIFEST, OCI_CONFIG, config, []))


def compatibility_descriptor_j(
    registry: Registry, repository: str, sets: Sequence[Json], media_type: str = COMPATIBILITIES
) -> Json:
    """Push compatibility sets as proposal J has them, as one blob, and return its descriptor."""
    document = {"schemaVersion": 1, "mediaType": media_type, "compatibilities": list(sets)}
    return _push_blob(registry, repository, media_type, encode(document))


def push_nfd_artifact(registry: Registry, repository: str, document: bytes, subject: Json) -> Json:
    """Push an NFD image compatibility artifact.

    Args:
        registry: where.
        repository: that of the image.
        document: YAML of the artifact's only layer.
        subject: entry of the image that it is about.

    Returns:
        The artifact's descriptor, as an index lists it.
    """
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": NFD_ARTIFACT,
            "config": _push_blob(registry, repository, "application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [_push_blob(registry, repository, NFD_LAYER, document)],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        }
    )
    digest = registry.push_manifest(repository, None, OCI_MANIFEST, manifest)
    return {"mediaType": OCI_MANIFEST, "artifactType": NFD_ARTIFACT, "digest": digest, "size": len(manifest)}


def encode(document: Json) -> bytes:
    """Return a document's bytes as they are pushed."""
    return json.dumps(document, indent=2).encode()


@functools.cache
def program() -> bytes:
    """Return the static program that every image has; gcc runs once per session.

    Raises:
        CalledProcessError: gcc cannot build static programs here; ``make system`` installs what it takes.
    """
    with tempfile.TemporaryDirectory(prefix="imagefit-gcc-") as folder:
        source, built = Path(folder, "say.c"), Path(folder, "say")
        source.write_text(_PROGRAM)
        subprocess.run(("gcc", "-static", "-Os", "-s", "-w", "-o", built, source), check=True)
        return built.read_bytes()


def _push_manifest(
    registry: Registry, repository: str, tag: str | None, image: tuple[Json, list[str], list[bytes]]
) -> Json:
    described, entrypoint, layers = image
    config = described | {
        "config": {"Entrypoint": entrypoint, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer)) for layer in layers]},
    }
    pushed = [_push_blob(registry, repository, OCI_LAYER, layer) for layer in layers]
    return _push_document(registry, repository, tag, (OCI_MANIFEST, OCI_CONFIG, config, pushed))


def _push_document(
    registry: Registry, repository: str, tag: str | None, document: tuple[str, str, Json, list[Json]]
) -> Json:
    media_type, config_type, config, layers = document
    manifest = encode(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": _push_blob(registry, repository, config_type, encode(config)),
            "layers": layers,
        }
    )
    digest = registry.push_manifest(repository, tag, media_type, manifest)
    return {"mediaType": media_type, "digest": digest, "size": len(manifest)}


def _push_blob(registry: Registry, repository: str, media_type: str, content: bytes) -> Json:
    return {"mediaType": media_type, "digest": registry.push_blob(repository, content), "size": len(content)}


@functools.cache
def _program_layer() -> bytes:
    return _archive({"say": program()})


def _archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
