"""What becomes of one PullImage request. Values only; the service makes them."""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the words of metrics are wanted before anything else of the model is
    from imagefit.model.reference import ImageReference


class Reason(StrEnum):
    """Why a pull goes as it goes, where no error is the reason; an error gives its code."""

    CHOSEN = "chosen"
    NO_MATCH = "no-match"
    OBSERVE = "observe"
    OFF = "off"
    PLAIN = "plain"
    NO_INDEX = "no-index"
    NO_NAME = "no-name"


class PassThrough(msgspec.Struct, frozen=True):
    """Have containerd do exactly what was asked.

    Attributes:
        reference: what was asked for; None where it is no image name.
        reason: why nothing is rewritten, a ``Reason`` or an error's code.
        why: the same as a sentence.
    """

    reference: "ImageReference | None"
    reason: str
    why: str


class Refuse(msgspec.Struct, frozen=True):
    """Fail the pull before anything is fetched.

    Attributes:
        message: what the pod's events show, less than 1 KiB.
        reason: ``Reason.NO_MATCH`` or an error's code.
        transient: a later try may end differently although neither image nor node changes.
    """

    message: str
    reason: str
    transient: bool = False


class Rewrite(msgspec.Struct, frozen=True):
    """Have containerd pull one entry of an index instead of the index.

    Attributes:
        reference: what was asked for, a tag or the digest of the index.
        index_digest: what it stands for.
        chosen_digest: the entry's.
    """

    reference: "ImageReference"
    index_digest: str
    chosen_digest: str

    @property
    def chosen_name(self) -> str:
        """The name that containerd pulls."""
        return str(self.reference.at(self.chosen_digest))

    @property
    def record_names(self) -> tuple[str, ...]:
        """The names that a plain pull would have left: of the tag, if one was asked for, and of the index."""
        return tuple(dict.fromkeys((str(self.reference), str(self.reference.at(self.index_digest)))))


Outcome = PassThrough | Refuse | Rewrite
"""What becomes of one PullImage request."""
