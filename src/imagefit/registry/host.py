"""One host that serves a registry's name, and the one that serves it where nothing is configured.

Knows containerd's defaults. Leaves to ``hosts`` what an administrator configured, and to ``schemes`` whether a host
that containerd asks in either way speaks HTTPS or plain HTTP. Implements ``ConfigureHosts`` of containerd's
``core/remotes/docker/config/hosts.go``.

containerd 1.x asks a loopback host over plain HTTP. containerd 2 asks it over TLS first, without verification, and
falls back to plain HTTP; on port 443 or without a port it does not fall back. ``tls_first`` stands for both: what the
host itself speaks decides, in which they agree wherever both of them get an answer.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from imagefit.model.credentials import AuthConfig

Capability = Literal["pull", "resolve", "push"]
Header = tuple[str, str]
ClientPair = tuple[Path, Path | None]

API_ROOT: Final = "/v2"
DIAL_TIMEOUT_SECONDS: Final = 30.0
PORT_MAX_DIGITS: Final = 255
"""Of a port as text: no name of a registry has more characters."""
EVERYTHING: Final[frozenset[Capability]] = frozenset({"pull", "resolve", "push"})
_DOCKER_DOMAIN: Final = "docker.io"
_DOCKER_HOST: Final = "registry-1.docker.io"
_HTTP_PORT: Final = 80


@dataclass(frozen=True, slots=True)
class RegistryHost:
    """One host that serves a registry's name.

    Attributes:
        scheme: ``https`` or ``http``.
        host: name or address with optional port, such as ``mirror.example.com:5000``.
        path: root of the API, such as ``/v2``, without a slash at the end; empty for the root of the host.
        capabilities: what it is trusted with: ``resolve`` turns tags into digests, ``pull`` serves content by digest.
        ca_files: authorities that are trusted besides the system's.
        client_pairs: certificate and key; no key where the certificate's file holds it.
        skip_verify: take any certificate.
        headers: sent with every request to this host and to no other; they can hold a secret.
        dial_timeout_seconds: longest wait for a connection.
        is_mirror: the host is not that of the name, so that it must be told the name (``?ns=``).
        tls_first: containerd asks this host over TLS first or over plain HTTP at once, depending on its version; the
            scheme is what is left where it speaks no TLS. See ``schemes``.
        auth: credentials that containerd is configured with for this host; for pulls that come with none.
        token_servers: hosts of token servers on other sites that the administrator knows to be this registry's.
    """

    scheme: str
    host: str
    path: str = API_ROOT
    capabilities: frozenset[Capability] = EVERYTHING
    ca_files: tuple[Path, ...] = ()
    client_pairs: tuple[ClientPair, ...] = ()
    skip_verify: bool = False
    headers: tuple[Header, ...] = field(default=(), repr=False)
    dial_timeout_seconds: float = DIAL_TIMEOUT_SECONDS
    is_mirror: bool = False
    tls_first: bool = False
    auth: AuthConfig | None = field(default=None, repr=False)
    token_servers: frozenset[str] = frozenset()

    @property
    def origin(self) -> str:
        """Scheme and host, the part of a URL before the path."""
        return f"{self.scheme}://{self.host}"


def is_loopback(hostname: str) -> bool:
    """Tell whether a host name without port is ``localhost`` or a loopback address, brackets or not."""
    bare = hostname.removeprefix("[").removesuffix("]").lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def default_host(domain: str) -> RegistryHost:
    """Return the host that serves ``domain`` where nothing is configured.

    Args:
        domain: as in an image reference, with optional port.

    Returns:
        ``registry-1.docker.io`` for ``docker.io``; HTTPS, but for a loopback host what it speaks.
    """
    if domain == _DOCKER_DOMAIN:
        return RegistryHost("https", _DOCKER_HOST)
    if not is_local(domain):
        return RegistryHost("https", domain)
    asks_tls = may_speak_tls(domain)
    return RegistryHost("http", domain, skip_verify=asks_tls, tls_first=asks_tls)


def is_local(domain: str) -> bool:
    """Tell whether containerd treats a name with optional port as this machine (its ``IsLocalhost``).

    Unlike ``is_loopback`` it wants ``localhost`` in lower case, and brackets only before a port.
    """
    hostname, port = split_port(domain)
    if hostname.lower() == "localhost":
        return hostname == "localhost"
    return is_loopback(hostname) and (port is not None or not hostname.startswith("["))


def may_speak_tls(host: str) -> bool:
    """Tell whether containerd takes the port of a host for one that TLS can be spoken on: any but 80."""
    return split_port(host)[1] != _HTTP_PORT


def is_mirror_of(host: str, domain: str) -> bool:
    """Tell whether a host serves a name that is not its own, so that it must be told the name."""
    return host not in (domain, default_host(domain).host)


def split_port(host: str) -> tuple[str, int | None]:
    """Split a host into its name, brackets kept, and its port, None where it has none."""
    hostname, colon, port = host.rpartition(":")
    # Python refuses to read numbers of thousands of digits.
    is_port = bool(colon and hostname) and port.isdecimal() and len(port) <= PORT_MAX_DIGITS
    return (hostname, int(port)) if is_port else (host, None)
