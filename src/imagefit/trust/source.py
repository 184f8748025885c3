"""Where artifacts and their signatures come from, and how much of them is taken.

Knows only what is asked of a registry client. Leaves hosts, credentials, the cache and time to it.
"""

from typing import Final, Literal, Protocol

from imagefit.errors import BudgetSpentError, InvalidSignatureError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor
from imagefit.model.reference import ImageReference, is_digest

MAX_PIECE_BYTES: Final = 256 * 1024
"""Of a manifest, payload or bundle."""
MAX_BYTES: Final = 4 * 1024 * 1024
"""Of all that is fetched for the artifacts of one image."""

_SHOWN_CHARACTERS: Final = 100

Kind = Literal["manifests", "blobs"]


class Resolved(Protocol):
    """What a tag stands for."""

    @property
    def media_type(self) -> str:
        """The media type."""

    @property
    def digest(self) -> str:
        """The digest."""

    @property
    def size_bytes(self) -> int:
        """The size in bytes."""


class Source(Protocol):
    """The registry of an image, asked as for the image."""

    async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
        """Return what a tag stands for. Raises ``ContentMissingError`` where it stands for nothing."""

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: Kind
    ) -> bytes:
        """Return content, checked against its descriptor. Raises ``RegistryError``."""

    async def referrers(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: frozenset[str]
    ) -> bytes:
        """Return an image index of what refers to a manifest. Raises ``RegistryError``."""


class Limited:
    """A source that gives at most ``MAX_BYTES``, in pieces of at most ``MAX_PIECE_BYTES``."""

    def __init__(self, source: Source) -> None:
        """Take nothing yet."""
        self._left_bytes = MAX_BYTES
        self._source = source
        self.resolve = source.resolve
        self.referrers = source.referrers

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: Kind
    ) -> bytes:
        """Return content, checked against its descriptor.

        Raises:
            InvalidSignatureError: it has no digest, is too large, or does not say how large it is.
            BudgetSpentError: all in all it would be too much.
            RegistryError: it cannot be had.
        """
        if not is_digest(descriptor.digest):
            raise InvalidSignatureError(f"a piece of it has no digest: {descriptor.digest[:_SHOWN_CHARACTERS]!r}")
        if not 0 < descriptor.size <= MAX_PIECE_BYTES:
            raise InvalidSignatureError(f"a piece of it has {descriptor.size} bytes, not 1 to {MAX_PIECE_BYTES}")
        if descriptor.size > self._left_bytes:
            raise BudgetSpentError(f"more than {MAX_BYTES} bytes of signatures are not looked at")
        self._left_bytes -= descriptor.size
        return await self._source.fetch(reference, descriptor, auth, kind=kind)
