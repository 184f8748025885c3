"""Whose credentials they are, and what a registry asks for: pure rules, no request.

Knows which of a pull's credentials containerd would use for a host, how challenges are written, and which token server
may see a password. Leaves to ``tokens`` the asking. Sources: containerd's ``ParseAuth`` (CRI plugin,
``image_pull.go``), RFC 9110 section 11.6.1, and the distribution project's token specification. As in containerd,
credentials without a ``server_address`` are for every host that the node's administrator configured for the image's
domain, mirrors included.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from imagefit.model.credentials import AuthConfig

_CHALLENGES_MAX: Final = 16
_HEADER_MAX_CHARACTERS: Final = 16 * 1024
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # RFC 9110's word for a word
_SEPARATORS: Final = re.compile(r"[\s,]+")
_PARAMETER: Final = re.compile(rf"({_TOKEN})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
_SCHEME: Final = re.compile(rf"({_TOKEN})(?![^\s,])")
_ESCAPED: Final = re.compile(r"\\(.)")
_COUNTRY_LABEL_CHARACTERS: Final = 2
# What countries register names below, as in ``co.uk``, ``com.au``, ``gouv.fr``.
_SHARED_LABELS: Final = frozenset(
    {
        *("ac", "asso", "co", "com", "ed", "edu", "ev", "gen", "go", "gob", "gouv", "gov", "govt", "gv", "ind", "info"),
        *("int", "k12", "ltd", "me", "mil", "muni", "ne", "net", "nhs", "nic", "nom", "or", "org", "plc", "police"),
        *("res", "sch", "school", "tm", "web"),
    }
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who is asking: a user name with a secret or, without a user name, an identity token."""

    username: str
    secret: str = field(repr=False)

    @property
    def is_identity_token(self) -> bool:
        """Whether the secret is a token that a token server changes into another."""
        return not self.username

    def basic(self) -> str:
        """Return the value of an ``Authorization`` header of RFC 7617."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.secret}".encode()).decode()


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry asks for; the scheme is in lower case, as are the names of its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def realm(self) -> str:
        """Where a bearer token is to be asked for; empty if it is not said."""
        return self.parameters.get("realm", "")

    @property
    def service(self) -> str:
        """The registry's name for itself; empty if it is not said."""
        return self.parameters.get("service", "")

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the token is for; empty if it is not said."""
        return tuple(self.parameters.get("scope", "").split())


def credentials_for(auth: AuthConfig | None, host: str, configured: AuthConfig | None = None) -> Credentials | None:
    """Return the credentials that containerd would use for ``host``.

    Args:
        auth: of the pull request; even an empty one comes before what is configured, as in containerd.
        host: name with optional port that is asked, such as ``registry-1.docker.io``.
        configured: what containerd is configured with for this host, for requests that come with none.

    Returns:
        None where there are none for this host. Where containerd fails over unreadable ones there are none either: the
        registry then says whether it wants some.
    """
    auth = configured if auth is None else auth
    if auth is None or not _is_for(auth.server_address, host):
        return None
    if auth.username:
        return Credentials(auth.username, auth.password) if auth.password else None
    if auth.identity_token:
        return Credentials("", auth.identity_token)
    return _decode(auth.auth) if auth.auth else None


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read ``WWW-Authenticate`` headers.

    Args:
        headers: their values; each may hold several challenges. Anything is accepted.

    Returns:
        What can be read of them, in order, whatever the scheme; at most 16.
    """
    challenges: list[Challenge] = []
    for header in headers:
        challenges += _parse_header(header[:_HEADER_MAX_CHARACTERS])
        if len(challenges) >= _CHALLENGES_MAX:
            break
    return tuple(challenges[:_CHALLENGES_MAX])


def is_usable_realm(realm: str, registry_origin: str) -> bool:
    """Tell whether a token may be asked for at ``realm`` at all.

    Args:
        realm: a URL out of a challenge.
        registry_origin: scheme and host of the registry that sent it; only a plain HTTP one may name a plain
            HTTP realm.
    """
    try:
        parts = urlsplit(realm)
        named = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False
    plain_allowed = registry_origin.startswith("http://")
    printable = realm.isascii() and realm.isprintable() and " " not in realm
    return named and printable and (parts.scheme == "https" or (plain_allowed and parts.scheme == "http"))


def may_see_credentials(realm: str, registry_origin: str, known: Collection[str] = ()) -> bool:
    """Tell whether the token server at ``realm`` may see credentials that are for the registry.

    Args:
        realm: a URL for which ``is_usable_realm`` holds.
        registry_origin: scheme and host of the registry.
        known: hosts, with optional port, that the administrator knows to be the registry's.

    Returns:
        True for the registry's own host, for those that are known, and for its site: the same last two labels of the
        name (three under a country's shared domain such as ``co.uk``), never for addresses.
    """
    parts = urlsplit(realm)
    theirs, ours = parts.hostname or "", urlsplit(registry_origin).hostname or ""
    if theirs == ours or parts.netloc in known:
        return True
    site = _site(ours)
    return bool(site) and _site(theirs) == site


def _is_for(server_address: str, host: str) -> bool:
    if not server_address:
        return True
    try:
        return urlsplit(server_address).netloc.rpartition("@")[2] == host
    except ValueError:
        return False


def _decode(auth: str) -> Credentials | None:
    try:
        text = base64.b64decode(auth.replace("\n", "").replace("\r", ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, colon, secret = text.partition(":")
    secret = secret.strip("\0")
    return Credentials(username, secret) if colon and secret else None


def _parse_header(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(header):
        if separators := _SEPARATORS.match(header, position):
            position = separators.end()
        elif found and (parameter := _PARAMETER.match(header, position)):
            name, quoted, bare = parameter.groups()
            found[-1][1].setdefault(name.lower(), bare if quoted is None else _ESCAPED.sub(r"\1", quoted))
            position = parameter.end()
        elif scheme := _SCHEME.match(header, position):
            found.append((scheme[1].lower(), {}))
            position = scheme.end()
        else:
            position = _next_separator(header, position)
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def _next_separator(header: str, position: int) -> int:
    found = _SEPARATORS.search(header, position)
    return found.start() if found else len(header)


def _site(hostname: str) -> tuple[str, ...]:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        labels = tuple(hostname.lower().rstrip(".").split("."))
    else:
        return ()
    is_shared = len(labels[-1]) == _COUNTRY_LABEL_CHARACTERS and labels[-2:][0] in _SHARED_LABELS
    wanted = 3 if is_shared else 2
    return labels[-wanted:] if len(labels) >= wanted and all(labels) else ()
