"""X.509 certificates as values that a person wants to see.

Knows PEM and DER, by the library ``cryptography``, which only the extra ``signatures`` brings: whoever imports this
module must do without it. Leaves what is good and bad to ``certificates``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one certificate says of itself.

    Attributes:
        subject: RFC 4514.
        issuer: RFC 4514.
        names: hosts that it is for, in its own order.
        begins: from when it holds.
        ends: until when it holds.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime

    @property
    def life(self) -> timedelta:
        """How long it holds in all."""
        return self.ends - self.begins


def read_pem(content: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM file, at least one. Raises ``ValueError``."""
    return _read(lambda: x509.load_pem_x509_certificates(content))


def read_der(content: bytes) -> tuple[Certificate, ...]:
    """Read one certificate. Raises ``ValueError``."""
    return _read(lambda: [x509.load_der_x509_certificate(content)])


def _read(load: Callable[[], Sequence[x509.Certificate]]) -> tuple[Certificate, ...]:
    try:
        return tuple(_value(one) for one in load())
    except Exception as error:  # the library has many for what a stranger wrote, TypeError among them
        raise ValueError from error


def _value(one: x509.Certificate) -> Certificate:
    return Certificate(
        one.subject.rfc4514_string(),
        one.issuer.rfc4514_string(),
        _names(one),
        one.not_valid_before_utc,
        one.not_valid_after_utc,
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    return tuple(str(name.value) for name in names)
