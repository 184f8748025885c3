"""Certificates for a person to read: those in files that are configured for a host, and the one that a host presents.

Knows when one is over or ends soon. Leaves to ``registry.connections`` what is trusted, to ``x509`` the reading (less
is told without it), and to ``connection`` the handshake.
"""

import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagefit.cli.doctor.advice import advice_for
from imagefit.cli.doctor.observation import Observation, State
from imagefit.cli.files import read_file
from imagefit.errors import InvalidConfigurationError, RegistryUnreachableError
from imagefit.registry.connections import tls_context
from imagefit.registry.host import RegistryHost

if TYPE_CHECKING:
    from imagefit.cli.doctor.x509 import Certificate

STEP: Final = "certificates"
_SOON: Final = timedelta(days=14)
# Some are made for a day only and renewed in time: those have much of their life left.
_SHARE_OF_LIFE: Final = 4
_SHOWN_NAMES: Final = 8
_UNREAD: Final = "pip install 'imagefit[signatures]' to see what is in it"


def observe_files(host: RegistryHost) -> Iterable[Observation]:
    """Tell the state of each certificate file that is configured for a host, and whether they can be used together."""
    if host.scheme != "https":
        return
    for path in host.ca_files:
        yield _of_file(host, "authority", path)
    for certificate, key in host.client_pairs:
        yield _of_file(host, "our certificate", certificate)
        yield from _of_key(host, key or certificate)
    try:
        tls_context(host)
    except RegistryUnreachableError as error:
        advice = advice_for(error, host.host, has_credentials=False)
        yield Observation(STEP, State.BROKEN, error.message, advice=advice, host=host.origin)


def describe(content: bytes) -> tuple[tuple[tuple[str, str], ...], bool]:
    """Return what a person wants to know of a certificate in DER, and whether it must be renewed now."""
    try:
        from imagefit.cli.doctor.x509 import read_der  # what it needs is an extra, and takes a while
    except ImportError:
        return (("certificate", _UNREAD),), False
    try:
        one = read_der(content)[0]
    except ValueError:
        return (("certificate", "cannot be read"),), False
    more = ["…"] if len(one.names) > _SHOWN_NAMES else []
    facts = (
        ("subject", one.subject),
        ("names", ", ".join([*one.names[:_SHOWN_NAMES], *more])),
        ("issuer", one.issuer),
        ("valid until", _shown(one.ends)),
    )
    return tuple((name, value) for name, value in facts if value), _ends_soon(one)


def _of_file(host: RegistryHost, role: str, path: Path) -> Observation:
    try:
        content = read_file(path, InvalidConfigurationError)
    except InvalidConfigurationError as error:
        return Observation(STEP, State.BROKEN, f"{role}: {error.message}", host=host.origin)
    what = f"{role} {path}"
    try:
        from imagefit.cli.doctor.x509 import read_pem  # see ``describe``
    except ImportError:
        return Observation(STEP, State.NOTE, what, advice=_UNREAD, host=host.origin)
    try:
        found = read_pem(content)
    except ValueError:
        advice = "have a PEM file made of it"
        return Observation(STEP, State.BROKEN, f"{what}: no certificate in PEM", advice=advice, host=host.origin)
    return _of_certificate(host, what, min(found, key=lambda one: one.ends), len(found))


def _of_certificate(host: RegistryHost, what: str, first: "Certificate", count: int) -> Observation:
    """Tell the state of the certificate of a file that ends first."""
    facts = (("certificates", str(count)), ("first to end", first.subject), ("valid until", _shown(first.ends)))
    if first.ends < datetime.now(UTC):
        return Observation(STEP, State.WARNING, f"{what}: one is over", facts, "have it renewed", host.origin)
    if _ends_soon(first):
        return Observation(STEP, State.WARNING, f"{what}: one ends soon", facts, "have it renewed", host.origin)
    return Observation(STEP, State.GOOD, what, facts, host=host.origin)


def _of_key(host: RegistryHost, path: Path) -> Iterable[Observation]:
    try:
        is_open = path.stat().st_mode & stat.S_IROTH
    except OSError:
        return  # told as what cannot be used
    if is_open:
        what = f"everybody on this machine can read the key {path}"
        yield Observation(STEP, State.WARNING, what, advice=f"chmod 600 {path}", host=host.origin)


def _ends_soon(certificate: "Certificate") -> bool:
    return certificate.ends - datetime.now(UTC) < min(_SOON, certificate.life / _SHARE_OF_LIFE)


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
