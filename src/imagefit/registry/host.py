"""One host that serves a registry's name, and the one that serves it where nothing is configured.

Knows containerd's defaults. Leaves to ``hosts`` what an administrator configured. Implements ``ConfigureHosts`` of
containerd's ``core/remotes/docker/config/hosts.go`` (2.0 to 2.3; before 2.0 a loopback host is asked over HTTPS).

One difference: for a loopback host with a port, containerd 2 tries TLS without verification before plain HTTP; here it
is plain HTTP at once.
"""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Capability = Literal["pull", "resolve", "push"]
Header = tuple[str, str]
ClientPair = tuple[Path, Path | None]

API_ROOT: Final = "/v2"
DIAL_TIMEOUT_SECONDS: Final = 30.0
EVERYTHING: Final[frozenset[Capability]] = frozenset({"pull", "resolve", "push"})
_DOCKER_DOMAIN: Final = "docker.io"
_DOCKER_HOST: Final = "registry-1.docker.io"
_HTTPS_PORT: Final = 443


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
        ``registry-1.docker.io`` for ``docker.io``; HTTPS, but plain HTTP for a loopback host on a port other than 443.
    """
    if domain == _DOCKER_DOMAIN:
        return RegistryHost("https", _DOCKER_HOST)
    hostname, port = _split_port(domain)
    if not is_loopback(hostname):
        return RegistryHost("https", domain)
    if port in (None, _HTTPS_PORT):
        return RegistryHost("https", domain, skip_verify=True)
    return RegistryHost("http", domain)


def _split_port(domain: str) -> tuple[str, int | None]:
    hostname, colon, port = domain.rpartition(":")
    return (hostname, int(port)) if colon and port.isdecimal() and hostname else (domain, None)
