"""Why a connection failed, in the same words whoever says it."""

import asyncio
import errno
import os
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from imagefit.registry.causes import words_for

KEY: Any = ConnectionKey("r.example.org", 443, True, True, None, None, None)


def verification(message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:992)")
    error.verify_message = message
    return error


def tls(reason: str) -> ssl.SSLError:
    return ssl.SSLError(1, f"[SSL: {reason}] {reason.lower()} (_ssl.c:992)")


REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)")
CAUSES = [
    pytest.param(REFUSED, "connection refused", id="asyncio"),
    pytest.param(aiohttp.ClientConnectorError(KEY, REFUSED), "connection refused", id="aiohttp"),
    pytest.param(
        OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 9, 0, 0), [Errno 101] Connect call f"),
        f"connection refused, {os.strerror(errno.ENETUNREACH).lower()}",
        id="several-addresses",
    ),
    pytest.param(
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
        "name or service not known",
        id="no-address",
    ),
    pytest.param(verification("certificate has expired"), "certificate refused: certificate has expired", id="expired"),
    pytest.param(
        aiohttp.ClientConnectorCertificateError(KEY, verification("self-signed certificate")),
        "certificate refused: self-signed certificate",
        id="aiohttp-certificate",
    ),
    pytest.param(verification(""), "certificate refused: not trusted", id="no-words"),
    pytest.param(
        aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("x")),
        "certificate refused: not trusted",
        id="certificate",
    ),
    pytest.param(
        aiohttp.ClientConnectorSSLError(KEY, tls("WRONG_VERSION_NUMBER")), "no TLS is spoken there", id="plain-http"
    ),
    pytest.param(tls("RECORD_LAYER_FAILURE"), "no TLS is spoken there", id="plain-http-to-newer-openssl"),
    pytest.param(tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "it wants a client certificate", id="client"),
    pytest.param(
        aiohttp.ClientOSError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert (_ssl.c:2580)"),
        "it wants a client certificate",
        id="client-after-the-handshake",
    ),
    pytest.param(tls("TLSV1_ALERT_UNKNOWN_CA"), "no TLS: tlsv1 alert unknown ca", id="another-alert"),
    pytest.param(ssl.SSLError("broken"), "no TLS: no reason", id="tls-without-a-reason"),
    pytest.param(TimeoutError(), "too slow", id="time"),
    pytest.param(ConnectionResetError(errno.ECONNRESET, "x"), "connection reset by peer", id="reset"),
    pytest.param(OSError(), "OSError", id="nothing-said"),
    pytest.param(aiohttp.ServerDisconnectedError(), "ServerDisconnectedError", id="hung-up"),
]


@pytest.mark.parametrize(("error", "words"), CAUSES)
def test_a_cause_is_told_in_the_same_words(error: Exception, words: str) -> None:
    assert words_for(error) == words


def test_a_refused_connection_of_the_real_system_is_told() -> None:
    with socket.socket() as closed:  # bound and not listening
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(OSError) as raised:  # noqa: PT011 - which one is what is asked
            asyncio.run(asyncio.open_connection(*closed.getsockname()))
    assert words_for(raised.value) == "connection refused"
