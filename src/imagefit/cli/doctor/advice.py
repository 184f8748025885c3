"""What a person can do about a failure on the way to a registry.

Knows the words of OpenSSL, of the system and of registries by which failures are told apart. Leaves to others what
failed. A new kind of failure is a new row.
"""

import re
from dataclasses import dataclass
from typing import Final

from imagefit.cli.docker_config import login_command
from imagefit.errors import ImagefitError, RegistryDeniedError, RegistryError


@dataclass(frozen=True, slots=True)
class _Row:
    """Messages that a pattern finds, and what to do about them; ``{host}`` is filled in."""

    pattern: re.Pattern[str]
    advice: str


def _row(pattern: str, advice: str) -> _Row:
    return _Row(re.compile(pattern, re.IGNORECASE), advice)


OR_PLAIN_HTTP: Final = ", or try --plain-http"
"""A part of an advice, for those who have not tried it."""
_ROWS: Final = (
    _row(
        r"hostname mismatch|ip address mismatch|doesn't match",
        "the certificate is for other names: ask by one of them, or have it made anew for {host}",
    ),
    _row(r"certificate has expired", "its certificate must be renewed; if it is not old, see this machine's clock"),
    _row(r"not yet valid", "see this machine's clock"),
    _row(
        r"self.signed|local issuer|unable to get issuer|not trusted|certificate refused|certificate.verify.failed",
        "name its authority's PEM file as 'ca' in hosts.toml for {host}, or install it on this system",
    ),
    _row(
        r"client certificate|certificate.required|handshake.failure|bad.certificate|alert.unknown.ca",
        "it wants a certificate of ours: name certificate and key as 'client' in hosts.toml for {host}",
    ),
    _row(
        r"no TLS is spoken|wrong.version.number|record.layer|no usable HTTP|packet.length.too.long|http.request",
        "it seems to speak plain HTTP where HTTPS is expected, or the other way round: see 'server' in hosts.toml"
        + OR_PLAIN_HTTP,
    ),
    _row(r"certificate file", "it must be a readable PEM file, a client's with its key"),
    _row(
        r"refused|connect call failed", "nothing listens there: see the port, whether the registry runs, and firewalls"
    ),
    _row(
        r"name or service|no address|name resolution|nodename|not known|gaierror|dns",
        "the name has no address: see its spelling and this machine's DNS",
    ),
    _row(r"unreachable|no route", "see this machine's routes and firewalls"),
    _row(
        r"timed? ?out|timeout|within",
        "nothing answers: see firewalls, and HTTPS_PROXY and NO_PROXY where the way out is a proxy",
    ),
    _row(r"proxy", "see HTTPS_PROXY and NO_PROXY; the daemon has those of its service unit"),
    _row(r"status 429|too many", "it limits requests: log in, wait, or put a mirror before it"),
    _row(r"status 5\d\d", "it has a fault of its own: see its log"),
    _row(r"status 400", "it may speak HTTPS on this port: see 'server' in hosts.toml"),
    _row(r"token server that must not be asked", "its realm must be an https:// URL: see the registry's configuration"),
    _row(r"status 404|no such|missing", "see the spelling of repository and tag, and whether it was pushed there"),
    _row(r"redirect", "see where the registry sends its clients"),
    _row(r"bytes|digest|size", "what it sends is not what was pushed: see caches and proxies before it"),
)
_LOG_IN: Final = "log in with '{command}', or give --creds; pods have imagePullSecrets"
_OTHER_CREDENTIALS: Final = "see user name and password, and whether that user may pull this repository"


def advice_for(error: ImagefitError, host: str, *, has_credentials: bool) -> str:
    """Return what can be done about ``error``.

    Args:
        error: what went wrong; what it advises itself stands.
        host: address of the host that was asked.
        has_credentials: whether the host had some of ours to look at.
    """
    if error.advice:
        return error.advice
    if isinstance(error, RegistryDeniedError):
        return _OTHER_CREDENTIALS if has_credentials else _LOG_IN.format(command=login_command(host))
    found = next((row.advice for row in _ROWS if row.pattern.search(error.message)), "")
    return found.format(host=host) if isinstance(error, RegistryError) else ""
