"""Artifacts that refer to an image, and their signatures, in a registry that has no referrers API.

Knows the fallback tag and where cosign keeps signatures. Leaves to ``signing`` what is signed. As ``oras attach`` and
``cosign sign`` push it.
"""

import json
from typing import Any, Protocol

from harness.process import HarnessError
from harness.signing import (
    BUNDLE,
    SIGNATURE,
    SIMPLE_SIGNING,
    Json,
    Signer,
    envelope_bundle,
    payload_of,
    statement_of,
    text,
)

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Store(Protocol):
    """A registry."""

    def push_blob(self, repository: str, content: bytes) -> str:
        """Push content and return its digest."""

    def push_manifest(self, repository: str, reference: str | None, media_type: str, content: bytes) -> str:
        """Push a manifest under a tag, or None for its digest alone, and return its digest."""

    def fetch(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body of a GET. Raises ``HarnessError``."""


def attach(store: Store, repository: str, subject: Json, artifact_type: str, layer: tuple[bytes, str]) -> Json:
    """Attach an artifact and return its descriptor.

    Args:
        store: the registry.
        repository: of the subject.
        subject: its descriptor.
        artifact_type: of the artifact.
        layer: content and media type.
    """
    content, media_type = layer
    manifest = {
        "artifactType": artifact_type,
        "config": _blob(store, repository, b"{}", "application/vnd.oci.empty.v1+json"),
        "layers": [_blob(store, repository, content, media_type)],
        "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
    }
    descriptor = _manifest(store, repository, None, manifest) | {"artifactType": artifact_type}
    tag = subject["digest"].replace(":", "-")
    try:
        before = json.loads(store.fetch(f"/v2/{repository}/manifests/{tag}", _INDEX))["manifests"]
    except HarnessError:
        before = []
    listed = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [*before, descriptor]}
    store.push_manifest(repository, tag, _INDEX, json.dumps(listed).encode())
    return descriptor


def sign_under_tag(store: Store, repository: str, digest: str, *signers: Signer) -> None:
    """Sign a manifest as cosign 2 does, in place of those who signed it so before."""
    payload = payload_of(digest, name=repository)
    layers = [
        _blob(store, repository, payload, SIMPLE_SIGNING) | {"annotations": {SIGNATURE: text(signer.sign(payload))}}
        for signer in signers
    ]
    config = _blob(store, repository, b"{}", "application/vnd.oci.image.config.v1+json")
    _manifest(store, repository, f"{digest.replace(':', '-')}.sig", {"config": config, "layers": layers})


def sign_with_bundle(store: Store, repository: str, subject: Json, signer: Signer) -> Json:
    """Sign a manifest as cosign 3 does."""
    bundle = envelope_bundle(signer, statement_of(subject["digest"]))
    return attach(store, repository, subject, BUNDLE, (json.dumps(bundle).encode(), BUNDLE))


def _blob(store: Store, repository: str, content: bytes, media_type: str) -> Json:
    return {"mediaType": media_type, "digest": store.push_blob(repository, content), "size": len(content)}


def _manifest(store: Store, repository: str, tag: str | None, parts: dict[str, Any]) -> Json:
    content = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST} | parts).encode()
    digest = store.push_manifest(repository, tag, _MANIFEST, content)
    return {"mediaType": _MANIFEST, "digest": digest, "size": len(content)}
