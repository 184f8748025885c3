"""Why a connection was not made or broke, in words for a person.

Knows how OpenSSL, the system, asyncio and aiohttp say it. Leaves to others which host it was and what can be done.
"""

import os
import re
import ssl
from typing import Final

_TLS_REASON: Final = re.compile(r"\[(?:SSL|X509): ([A-Z0-9_]+)\]")
_NUMBER: Final = re.compile(r"\[Errno ([0-9]{1,4})\]")
_WORDS: Final = (
    (re.compile("CERTIFICATE_REQUIRED"), "it wants a client certificate"),
    (
        re.compile("WRONG_VERSION_NUMBER|RECORD_LAYER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST"),
        "no TLS is spoken there",
    ),
)


def words_for(error: Exception) -> str:
    """Return why a connection failed; never an address, a URL or a place in a library's source.

    Args:
        error: of ``asyncio`` or ``aiohttp``, which wraps one of the system or of OpenSSL.
    """
    inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate refused: {getattr(inner, 'verify_message', '') or 'not trusted'}"
    if reason := _TLS_REASON.search(str(inner)):
        return _of_tls(reason[1])
    if isinstance(inner, ssl.SSLError):
        return _of_tls(getattr(inner, "reason", None) or "NO_REASON")
    if isinstance(inner, TimeoutError):
        return "too slow"
    return _of_system(inner) if isinstance(inner, OSError) else type(error).__name__


def _of_tls(reason: str) -> str:
    return next((words for pattern, words in _WORDS if pattern.search(reason)), f"no TLS: {_spelled(reason)}")


def _spelled(reason: str) -> str:
    return reason.lower().replace("_", " ")


def _of_system(error: OSError) -> str:
    # asyncio has words of its own for what the system said, with addresses, and joins those of several addresses.
    if error.errno is not None and error.errno > 0:
        return _lowered(os.strerror(error.errno))
    numbers = dict.fromkeys(int(number) for number in _NUMBER.findall(str(error)))
    if numbers:
        return ", ".join(_lowered(os.strerror(number)) for number in numbers)
    return _lowered(error.strerror) if error.strerror else type(error).__name__


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]
