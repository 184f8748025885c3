"""The OCI and Docker documents that carry an image: index, entry, descriptor, platform, manifest.

Knows their shape, media types and limits. Leaves to others what the compatibility metadata in them means; it is kept
as the raw bytes that were found. Implements the OCI image specification (``image-index.md``, ``descriptor.md``,
``manifest.md``, v1.1) and Docker's image manifest v2, schema 2.
"""

import base64
import binascii
import hashlib

import msgspec

from imagefit.errors import ContentInvalidError, InvalidDocumentError, InvalidIndexError
from imagefit.model.reference import first_that_is_no_digest, is_digest

MAX_DOCUMENT_BYTES = 4 * 1024 * 1024
"""Largest index, manifest or metadata blob that is read; the OCI distribution specification asks for as much."""
MAX_ENTRIES = 10_000
"""Most entries of an index that are judged."""

INDEX_MEDIA_TYPES = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFEST_MEDIA_TYPES = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)


_NOTHING = msgspec.Raw()


class Platform(
    msgspec.Struct, frozen=True, gc=False, rename={"os_version": "os.version", "os_features": "os.features"}
):
    """What an index entry says of the machines it is for.

    Attributes:
        features: raw JSON of ``platform.features`` (proposal E), a list of strings if it is well-formed.
        compatibilities: raw JSON of ``platform.compatibilities`` (proposals H, I, J).
        compat: raw JSON of ``platform.compat``, the later spelling of the same.
    """

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] | None = None
    features: msgspec.Raw = _NOTHING
    compatibilities: msgspec.Raw = _NOTHING
    compat: msgspec.Raw = _NOTHING

    @property
    def needs(self) -> tuple[object, ...]:
        """What is asked of the node by the platform itself, not by metadata that it carries: alike where this is."""
        return self.os, self.architecture, self.variant, self.os_version, self.os_features, bytes(self.features)

    def __str__(self) -> str:
        """Return ``os/architecture[/variant]`` as people write it."""
        parts = (self.os or "?", self.architecture or "?", self.variant)
        return "/".join(part for part in parts if part)


class Descriptor(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A pointer to content: what it is, its digest and its size in bytes.

    Attributes:
        annotation: raw JSON of the key that proposal A's example writes for ``annotations``.
    """

    digest: str
    media_type: str = ""
    size: int = 0
    data: str | None = None
    annotations: dict[str, str] | None = None
    platform: Platform | None = None
    artifact_type: str = ""
    annotation: msgspec.Raw = _NOTHING

    @property
    def says_more(self) -> bool:
        """Whether it says anything of itself besides what it is of and for, such as annotations."""
        return bool(self.annotations or self.data or self.artifact_type) or self.annotation is not _NOTHING

    @property
    def stated(self) -> dict[str, str]:
        """What the annotations say, whichever way their key is spelt; where both say something, ``annotations`` does.

        An ``annotation`` that is no object of strings is a stranger's key and says nothing.
        """
        return {**_misspelt(bytes(self.annotation)), **(self.annotations or {})}

    def embedded(self) -> bytes | None:
        """Return the content that the descriptor itself carries in ``data``, checked, or None without it.

        Raises:
            ContentInvalidError: it is not base64, or its digest or size is not the descriptor's.
        """
        if self.data is None:
            return None
        try:
            content = base64.b64decode(self.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ContentInvalidError(f"data of {self.digest} is not base64") from error
        check_content(content, self)
        return content


class ImageIndex(msgspec.Struct, frozen=True):
    """The list of manifests behind one name, in the author's order."""

    digest: str
    entries: tuple[Descriptor, ...]


class _RawEntry(msgspec.Struct, gc=False, rename="camel"):
    digest: str
    media_type: str = ""
    size: int = 0
    data: str | None = None
    annotations: dict[str, str] | None = None
    platform: msgspec.Raw = _NOTHING
    artifact_type: str = ""
    annotation: msgspec.Raw = _NOTHING


class _Platforms(dict[bytes, Platform | None]):
    """Platforms by their JSON: the entries of large indexes repeat the same few, and then share one value."""

    def __missing__(self, content: bytes) -> Platform | None:
        platform: Platform | None = _PLATFORM_DECODER.decode(content)
        self[content] = platform
        return platform


class _RawIndex(msgspec.Struct, rename="camel"):
    manifests: tuple[_RawEntry, ...]
    media_type: str = ""


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """As much of an image manifest, or of an artifact's, as metadata carriers need."""

    config: Descriptor
    layers: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: dict[str, str] | None = None


_INDEX_DECODER = msgspec.json.Decoder(_RawIndex)
_PLATFORM_DECODER = msgspec.json.Decoder(Platform | None)
_MANIFEST_DECODER = msgspec.json.Decoder(Manifest)
_ANNOTATIONS_DECODER = msgspec.json.Decoder(dict[str, str] | None)


def _misspelt(content: bytes) -> dict[str, str]:
    try:
        return (_ANNOTATIONS_DECODER.decode(content) if content else None) or {}
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return {}


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return ``algorithm:hex`` of ``content``; the algorithm is sha256, sha384 or sha512."""
    return f"{algorithm}:{hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()}"


def check_content(content: bytes, expected: Descriptor) -> None:
    """Check bytes against the descriptor that led to them.

    Args:
        content: the bytes that came.
        expected: its digest must be a valid one; a size of 0 means that the size is not known.

    Raises:
        ContentInvalidError: the digest or the size is another.
    """
    if expected.size and len(content) != expected.size:
        raise ContentInvalidError(f"{expected.digest} has {len(content)} bytes, not {expected.size}")
    if digest_of(content, expected.digest.partition(":")[0]) != expected.digest:
        raise ContentInvalidError(f"content of {expected.digest} has another digest")


def parse_index(content: bytes, digest: str) -> ImageIndex:
    """Read an image index (OCI) or manifest list (Docker).

    Args:
        content: its bytes, at most ``MAX_DOCUMENT_BYTES``, whose digest has been checked.
        digest: that digest.

    Returns:
        The index, entries in document order.

    Raises:
        InvalidIndexError: not JSON, no list of descriptors, or beyond the limits. containerd cannot use it either.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InvalidIndexError(f"the index has {len(content)} bytes, more than {MAX_DOCUMENT_BYTES}")
    try:
        raw = _INDEX_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidIndexError(f"the index cannot be read: {error}") from error
    if raw.media_type and raw.media_type not in INDEX_MEDIA_TYPES:
        raise InvalidIndexError(f"the document says that it is a {raw.media_type[:100]}, not an index")
    if len(raw.manifests) > MAX_ENTRIES:
        raise InvalidIndexError(f"the index has {len(raw.manifests)} entries, more than {MAX_ENTRIES}")
    bad = first_that_is_no_digest([entry.digest for entry in raw.manifests])
    if bad is not None:
        raise InvalidIndexError(f"the digest of entry {bad} is not one: {raw.manifests[bad].digest[:100]!r}")
    return ImageIndex(digest, _entries(raw.manifests))


def _entries(raw: tuple[_RawEntry, ...]) -> tuple[Descriptor, ...]:
    platforms = _Platforms({b"": None})
    try:
        return tuple(
            [
                Descriptor(
                    one.digest,
                    one.media_type,
                    one.size,
                    one.data,
                    one.annotations,
                    platforms[bytes(one.platform)],
                    one.artifact_type,
                    one.annotation,
                )
                for one in raw
            ]
        )
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        number = next(number for number, one in enumerate(raw) if bytes(one.platform) not in platforms)
        raise InvalidIndexError(f"the index cannot be read: the platform of entry {number}: {error}") from error


def parse_manifest(content: bytes) -> Manifest:
    """Read an image manifest.

    Args:
        content: its bytes, checked against its descriptor.

    Raises:
        InvalidDocumentError: it is none, or its config has no usable digest.
    """
    try:
        manifest = _MANIFEST_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(f"not an image manifest: {error}") from error
    if not is_digest(manifest.config.digest):
        raise InvalidDocumentError(f"not a digest: {manifest.config.digest[:100]!r}", place="/config/digest")
    return manifest
