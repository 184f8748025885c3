"""The connection to one host, as far as TLS.

Knows sockets and handshakes. Leaves to ``certificates`` what is presented there, and to ``answers`` what is asked. The
way to a host behind a proxy is the proxy's, so such a host is not looked at here.
"""

import asyncio
import os
import ssl
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from imagefit.cli.doctor.advice import advice_for
from imagefit.cli.doctor.certificates import describe
from imagefit.cli.doctor.observation import Observation, State
from imagefit.errors import RegistryError, RegistryUnreachableError
from imagefit.registry.causes import words_for
from imagefit.registry.connections import tls_context
from imagefit.registry.exchange import shown_host
from imagefit.registry.host import RegistryHost, is_local
from imagefit.registry.proxies import proxy_for

_PORTS: Final = {"https": 443, "http": 80}
_Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Connected:
    """A connection that could be made.

    Attributes:
        peer: address and port.
        version: of TLS; empty without it.
        certificate: DER; empty without TLS.
    """

    peer: str
    version: str = ""
    certificate: bytes = b""


async def observe_connection(host: RegistryHost, limit_seconds: float) -> Observation:
    """Connect to a host and shake hands, first to see what it presents and then as imagefit would.

    Args:
        host: certificates in its files are used as for a request.
        limit_seconds: longest time for each attempt.
    """
    if proxy := proxy_for(host.origin, os.environ):
        return _seen(host, State.NOTE, f"is the proxy's work: {shown_host(proxy)}", ())
    facts: _Facts = ()
    try:
        connected = await _connect(host, None, limit_seconds)
        facts = (("address", connected.peer),)
        if host.scheme == "http":
            return _seen(host, State.GOOD, "made, without TLS", facts)
        anything = await asyncio.to_thread(tls_context, replace(host, skip_verify=True))
        connected = await _connect(host, anything, limit_seconds)
        described, ends_soon = describe(connected.certificate)
        facts += (("TLS", connected.version), *described)
        if not host.skip_verify:
            await _connect(host, await asyncio.to_thread(tls_context, host), limit_seconds)
    except RegistryError as error:
        advice = advice_for(error, host.host, has_credentials=False)
        return _seen(host, State.BROKEN, error.message, facts, advice)
    return _trusted(host, facts, ends_soon=ends_soon)


def _trusted(host: RegistryHost, facts: _Facts, *, ends_soon: bool) -> Observation:
    if host.skip_verify and is_local(host.host):
        return _seen(host, State.GOOD, "made; any certificate is taken, since it is on this machine", facts)
    if host.skip_verify:
        what = "made; any certificate is taken, so anybody on the way could be the registry"
        return _seen(host, State.WARNING, what, facts, "name its authority as 'ca' instead of 'skip_verify'")
    if ends_soon:
        return _seen(host, State.WARNING, "made; its certificate ends soon", facts, "have it renewed")
    return _seen(host, State.GOOD, "made, and its certificate is trusted", facts)


def _seen(host: RegistryHost, state: State, what: str, facts: _Facts, advice: str = "") -> Observation:
    return Observation("connection", state, what, facts, advice, host.origin)


async def _connect(host: RegistryHost, context: ssl.SSLContext | None, limit_seconds: float) -> _Connected:
    """Connect and hang up. Raises ``RegistryUnreachableError``."""
    parts = urlsplit(host.origin)
    port = parts.port or _PORTS[parts.scheme]
    try:
        async with asyncio.timeout(min(limit_seconds, host.dial_timeout_seconds)):
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
    except TimeoutError:
        raise _unreachable(host, f"no answer within {min(limit_seconds, host.dial_timeout_seconds):g} s") from None
    except OSError as error:
        raise _unreachable(host, words_for(error)) from None
    try:
        return _connected(writer)
    finally:
        writer.transport.abort()


def _unreachable(host: RegistryHost, what: str) -> RegistryUnreachableError:
    return RegistryUnreachableError(f"{host.host}: {what}")


def _connected(writer: asyncio.StreamWriter) -> _Connected:
    address, port, *_ = writer.get_extra_info("peername")
    peer = f"{address} port {port}"
    spoken: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    if spoken is None:
        return _Connected(peer)
    return _Connected(peer, spoken.version() or "", spoken.getpeercert(binary_form=True) or b"")
