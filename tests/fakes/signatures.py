"""A repository with artifacts and signatures in memory, as the parts that check signatures ask for it."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.signing import BUNDLE, SIGNATURE, SIMPLE_SIGNING, Signer, envelope_bundle, payload_of, statement_of, text
from imagefit.errors import ContentMissingError, ImagefitError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, check_content, digest_of
from imagefit.model.reference import ImageReference

NFD = "application/vnd.nfd.image-compatibility.v1alpha1"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CREATED = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True)
class Found:
    """What a tag stands for."""

    media_type: str
    digest: str
    size_bytes: int


@dataclass(slots=True)
class SignedRepository:
    """Put artifacts and signatures in, and look at ``asked``.

    Attributes:
        failing: what is asked for (``resolve``, ``referrers``, or a digest) → the error that is the answer.
        asked: everything that was asked for, in order.
        credentials: what it was asked with.
    """

    failing: dict[str, ImagefitError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    credentials: set[AuthConfig | None] = field(default_factory=set)
    _content: dict[str, bytes] = field(default_factory=dict)
    _tags: dict[str, Found] = field(default_factory=dict)
    _referrers: dict[str, list[Descriptor]] = field(default_factory=dict)

    async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Found:
        """Return what a tag stands for."""
        self._note(f"resolve {reference.tag}", auth, "resolve")
        if reference.tag not in self._tags:
            raise ContentMissingError(f"no {reference}")
        return self._tags[reference.tag]

    async def fetch(
        self,
        reference: ImageReference,
        descriptor: Descriptor,
        auth: AuthConfig | None,
        *,
        kind: Literal["manifests", "blobs"],
    ) -> bytes:
        """Return content."""
        self._note(f"{kind} {descriptor.digest}", auth, descriptor.digest)
        if descriptor.digest not in self._content:
            raise ContentMissingError(f"no {descriptor.digest}")
        content = self._content[descriptor.digest]
        check_content(content, descriptor)
        return content

    async def referrers(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: frozenset[str]
    ) -> bytes:
        """Return an index of what refers to a digest."""
        self._note(f"referrers {digest}", auth, "referrers")
        listed = [one for one in self._referrers.get(digest, ()) if one.artifact_type in artifact_types]
        manifests = [
            {"mediaType": one.media_type, "digest": one.digest, "size": one.size, "artifactType": one.artifact_type}
            | ({"annotations": one.annotations} if one.annotations else {})
            for one in listed
        ]
        return json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()

    def blob(self, content: bytes, media_type: str = "", annotations: dict[str, str] | None = None) -> Descriptor:
        """Keep content and return its descriptor."""
        digest = digest_of(content)
        self._content[digest] = content
        return Descriptor(digest, media_type, len(content), annotations=annotations)

    def artifact(
        self, subject: str, artifact_type: str = NFD, *, created: str = "", layer: Descriptor | None = None
    ) -> Descriptor:
        """Keep an artifact that refers to a digest; it is listed there as its manifest has it."""
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": artifact_type,
            "config": _json(self.blob(b"{}", "application/vnd.oci.empty.v1+json")),
            "layers": [_json(layer or self.blob(artifact_type.encode(), "text/plain"))],
            "subject": {"mediaType": _MANIFEST, "digest": subject, "size": 1},
            "annotations": {_CREATED: created} if created else {},
        }
        kept = self.blob(json.dumps(manifest).encode(), _MANIFEST)
        listed = Descriptor(
            kept.digest, _MANIFEST, kept.size, artifact_type=artifact_type, annotations=manifest["annotations"]
        )
        self._referrers.setdefault(subject, []).append(listed)
        return listed

    def tag(self, digest: str, signatures: list[tuple[bytes, str]]) -> None:
        """Keep payloads with their signatures under cosign's tag of a digest, in place of those before."""
        layers = [self.blob(payload, SIMPLE_SIGNING, {SIGNATURE: signature}) for payload, signature in signatures]
        config = self.blob(b"{}", "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "config": _json(config), "layers": [_json(layer) for layer in layers]}
        kept = self.blob(json.dumps(manifest).encode(), _MANIFEST)
        self._tags[f"{digest.replace(':', '-')}.sig"] = Found(_MANIFEST, kept.digest, kept.size)

    def sign(self, digest: str, *signers: Signer) -> None:
        """Sign under cosign's tag."""
        payload = payload_of(digest)
        self.tag(digest, [(payload, text(signer.sign(payload))) for signer in signers])

    def attach(self, digest: str, bundle: dict[str, Any]) -> Descriptor:
        """Attach a bundle to a digest."""
        return self.artifact(digest, BUNDLE, layer=self.blob(json.dumps(bundle).encode(), BUNDLE))

    def state(self, digest: str, signer: Signer) -> Descriptor:
        """Sign with a bundle, as ``cosign sign`` does."""
        return self.attach(digest, envelope_bundle(signer, statement_of(digest)))

    def _note(self, what: str, auth: AuthConfig | None, key: str) -> None:
        self.asked.append(what)
        self.credentials.add(auth)
        if key in self.failing:
            raise self.failing[key]


def _json(descriptor: Descriptor) -> dict[str, Any]:
    plain = {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}
    return plain | ({"annotations": descriptor.annotations} if descriptor.annotations else {})
