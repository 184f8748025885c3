"""What can go wrong, as one family of errors.

Every error has a stable ``code`` (for logs, metrics and JSON) and, where a person can do something, ``advice``.
Errors are translated into gRPC statuses and exit codes once, at the edges; nothing here knows those.
"""

from typing import ClassVar


class ImagefitError(Exception):
    """Something went wrong that has a name."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keep what happened, in one sentence without credentials, and what the reader can do about it, if anything."""
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """Return the message, and the advice after it."""
        return f"{self.message} ({self.advice})" if self.advice else self.message


class InvalidReferenceError(ImagefitError):
    """The text names no image as containerd understands names."""

    code = "invalid-reference"


class InvalidIndexError(ImagefitError):
    """The bytes are no image index, or one beyond the limits."""

    code = "invalid-index"


class InvalidDocumentError(ImagefitError):
    """A piece of compatibility metadata cannot be read."""

    code = "invalid-document"

    def __init__(
        self, message: str, *, place: str = "", others: "tuple[InvalidDocumentError, ...]" = (), advice: str = ""
    ) -> None:
        """Keep what is wrong and where.

        Args:
            message: one sentence.
            place: JSON pointer (RFC 6901) of the fault; empty for the whole document.
            others: further faults of the same part, which this one stands for.
            advice: what the reader can do about it, if anything.
        """
        super().__init__(message, advice=advice)
        self.place = place
        self.others = others

    def below(self, place: str) -> "InvalidDocumentError":
        """Return the same faults seen from further up, ``place`` put before their own places."""
        return InvalidDocumentError(
            self.message, place=place + self.place, others=tuple(other.below(place) for other in self.others)
        )


class InvalidProfileError(ImagefitError):
    """A node profile file cannot be read."""

    code = "invalid-profile"


class InvalidConfigurationError(ImagefitError):
    """The configuration, or containerd's hosts configuration, cannot be used."""

    code = "invalid-configuration"


class RegistryError(ImagefitError):
    """A registry did not give what was asked for."""

    code = "registry"


class RegistryUnreachableError(RegistryError):
    """No host answered, or the connection broke."""

    code = "registry-unreachable"


class RegistryDeniedError(RegistryError):
    """The registry refused the credentials of this request, or wants some."""

    code = "registry-denied"


class ContentMissingError(RegistryError):
    """The registry does not have the manifest or blob."""

    code = "content-missing"


class ContentInvalidError(RegistryError):
    """What the registry sent has another digest or size than asked for, or is beyond the limits."""

    code = "content-invalid"


class BudgetSpentError(RegistryError):
    """The time or the amount set for resolving one image is used up."""

    code = "budget-spent"


class InvalidSignatureError(ImagefitError):
    """A signature does not vouch for what it is attached to."""

    code = "invalid-signature"


class RecordsError(ImagefitError):
    """Containerd did not take or not show the records of a chosen image."""

    code = "records"


class NotNamedError(RecordsError):
    """What passes by itself kept a chosen image from its records: the next pull may well get them."""

    code = "not-named"


class ContainerdAwayError(NotNamedError):
    """Containerd went away, did not answer or was not wholly there while a chosen image got its records."""

    code = "containerd-away"


class VanishedError(NotNamedError):
    """Somebody removed a chosen image between its pull and its records."""

    code = "vanished"


class ListenError(ImagefitError):
    """The daemon cannot listen where it should."""

    code = "listen"


class KubeletConfigurationError(ImagefitError):
    """What kubelet is configured with cannot be understood, or not be changed."""

    code = "kubelet-configuration"
