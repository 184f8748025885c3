"""What passes between carriers, dialects and the session: pieces found, pieces still to be fetched, dialects."""

from collections.abc import Callable
from typing import Literal

import msgspec

from imagefit.formats.syntax import Tree
from imagefit.model.oci import Descriptor
from imagefit.model.requirement import Document, Origin, Problem


class Fragment(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """One piece of metadata as bytes.

    Attributes:
        content: JSON or YAML of the piece, without what its carrier wraps around it.
        place: where it was found, such as ``platform.compatibilities`` or ``config.compatibilities of sha256:…``.
        name: the carrier's own name for it, such as the name of a profile; may be empty.
        origin: the referrer that it came from; None for what the index vouches for.
    """

    content: bytes
    place: str
    name: str = ""
    origin: Origin | None = None


class Locator(msgspec.Struct, frozen=True, eq=False):
    """One piece of metadata that has to be fetched.

    Attributes:
        digest: of the content, or for ``referrers`` of what they refer to; with ``kind`` and ``origin`` it names one
            fetch.
        size_bytes: its size, 0 where it is not known.
        kind: the part of the registry that holds it, and with it how the content is read: ``referrers`` (the index of
            what refers to a manifest) and a manifest lead on, a config or a document holds the sets.
        origin: the referrer that leads to it; its manifest must refer to the origin's subject. None for what the index
            vouches for.
        place: where the locator was found.
        media_type: what a registry has to be asked for; some hide an OCI manifest from those who do not name it.
        name: what a fragment that it leads to is called.
    """

    digest: str
    size_bytes: int
    kind: Literal["manifest", "config", "document", "referrers"]
    place: str
    media_type: str = ""
    name: str = ""
    origin: Origin | None = None

    def __eq__(self, other: object) -> bool:
        """Tell whether both name the same fetch."""
        return isinstance(other, Locator) and self._fetch == other._fetch

    def __hash__(self) -> int:
        """Return the same for the same fetch."""
        return hash(self._fetch)

    @property
    def _fetch(self) -> tuple[str, int, str, Origin | None]:
        return self.digest, self.size_bytes, self.kind, self.origin

    @property
    def is_outside(self) -> bool:
        """Whether nothing that is reachable from the index vouches for what is fetched."""
        return self.kind == "referrers" or self.origin is not None

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor to fetch and to check by."""
        return Descriptor(self.digest, self.media_type, self.size_bytes)


class Profiles(msgspec.Struct, frozen=True):
    """Several pieces of which one that holds is enough (proposal G)."""

    pieces: tuple["Carried", ...]


Carried = Fragment | Locator | Profiles | Problem
"""What a carrier holds: the piece itself, the way to it, several to choose from, or the reason why there is none."""


class Dialect(msgspec.Struct, frozen=True):
    """One way of writing compatibility down.

    Attributes:
        name: as reports show it, such as ``flat-sets``.
        claims: tells from its shape whether a document is written in this dialect.
        parse: reads one that is claimed; raises ``InvalidDocumentError`` where nothing of it can be read.
        has_lists: whether a document of it may be a list; a list is no document of the others.
    """

    name: str
    claims: Callable[[Tree], bool]
    parse: Callable[[Tree], Document]
    has_lists: bool = False
