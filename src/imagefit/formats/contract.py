"""What passes between carriers, dialects and the session: pieces found, and pieces still to be fetched."""

from dataclasses import dataclass, field
from typing import Literal

from imagefit.model.oci import Descriptor
from imagefit.model.requirement import Problem


@dataclass(frozen=True, slots=True)
class Fragment:
    """One piece of metadata as bytes.

    Attributes:
        content: JSON of the piece, without what its carrier wraps around it.
        place: where it was found, such as ``platform.compatibilities`` or ``config.compatibilities of sha256:…``.
    """

    content: bytes
    place: str


@dataclass(frozen=True, slots=True)
class Locator:
    """One piece of metadata that has to be fetched.

    Attributes:
        digest: of the content; together with ``kind`` it names one fetch.
        size_bytes: its size, 0 where it is not known.
        kind: the part of the registry that holds it, and with it how the content is read: a manifest leads on to its
            config, a config or a document holds the sets.
        place: where the locator was found.
        media_type: what a registry has to be asked for; some hide an OCI manifest from those who do not name it.
    """

    digest: str
    size_bytes: int
    kind: Literal["manifest", "config", "document"]
    place: str = field(compare=False)
    media_type: str = field(default="", compare=False)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor to fetch and to check by."""
        return Descriptor(self.digest, self.media_type, self.size_bytes)


Carried = Fragment | Locator | Problem
"""What a carrier holds: the piece itself, the way to it, or the reason why there is none."""
