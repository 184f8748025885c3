"""Which of HTTPS and plain HTTP a host speaks, where containerd asks it in either way.

Knows how to tell a server that speaks TLS from one that does not, and for how long the answer is believed. Leaves to
``host`` and ``hosts_file`` which hosts that is. Stands for ``NewHTTPFallback`` of containerd's
``core/remotes/docker/resolver.go`` (2.x), which finds out with each pull's first request.

The greeting of a TLS client is sent, and the first byte of the answer tells: nothing secret is in it, no certificate
is looked at, and the connection is closed. A host behind a proxy is not asked this way: its scheme stands as written.
"""

import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from imagefit.registry.host import RegistryHost, split_port
from imagefit.registry.proxies import proxy_for

Greet = Callable[[str, int, float], bool]
"""Tells whether the server at a host name and port speaks TLS, within so many seconds; else an OSError."""

GREETING_SECONDS: Final = 0.5
_BELIEVED_SECONDS: Final = 10.0
# A host that does not answer costs the time of a greeting each time it is asked.
_SILENT_SECONDS: Final = 30.0
_HOSTS_MAX: Final = 256
_HTTPS_PORT: Final = 443
# RFC 8446, section 5.1: the first byte of a record tells its type; a server's first is a handshake or an alert.
_ALERT, _HANDSHAKE = 21, 22


class Schemes:
    """What hosts speak, remembered for some seconds. May be called from several threads at once.

    Args:
        greet: see ``Greet``.
        environment: names the proxies.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        greet: Greet | None = None,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember nothing yet."""
        self._greet = greet or speaks_tls
        self._environment = os.environ if environment is None else environment
        self._clock = clock
        self._known: dict[str, tuple[bool, float]] = {}

    def settled(self, host: RegistryHost) -> RegistryHost:
        """Return the host with the scheme that it speaks; it blocks for at most two greetings."""
        if not host.tls_first or proxy_for(f"https://{host.host}/", self._environment):
            return host
        return replace(host, scheme="https") if self._speaks_tls(host.host) else host

    def _speaks_tls(self, host: str) -> bool:
        answer, until = self._known.get(host, (False, 0.0))
        if until > self._clock():
            return answer
        name, port = split_port(host)
        try:
            answer, seconds = self._greet(name.strip("[]"), port or _HTTPS_PORT, GREETING_SECONDS), _BELIEVED_SECONDS
        except TimeoutError:
            answer, seconds = False, _SILENT_SECONDS
        except OSError:
            # Nobody listens: that is found out at once the next time, too.
            return False
        if len(self._known) >= _HOSTS_MAX:
            self._known.clear()
        self._known[host] = answer, self._clock() + seconds
        return answer


def speaks_tls(hostname: str, port: int, timeout_seconds: float) -> bool:
    """Greet a server as a TLS client does and tell whether it answers as a TLS server does.

    Args:
        hostname: a name or an address, without brackets.
        port: of the server.
        timeout_seconds: longest wait for the connection, and then for the answer.

    Raises:
        OSError: there is no connection, or it breaks; TimeoutError if it takes too long.
    """
    with socket.create_connection((hostname, port), timeout_seconds) as connection:
        # What a plain HTTP server takes for the end of a request has it answer at once.
        connection.sendall(_client_hello(hostname) + b"\r\n\r\n")
        answer = connection.recv(1)
    return answer[:1] in {bytes([_ALERT]), bytes([_HANDSHAKE])}


def _client_hello(hostname: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=hostname)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake that needs no answer")
