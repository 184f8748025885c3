"""What is asked of a host and what comes back, as values.

Knows which parts may be shown. Leaves to ``transport`` how it travels.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from imagefit.registry.host import Header

_HOST_MAX_CHARACTERS: Final = 255
_SHOWABLE_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a host.

    Attributes:
        method: ``HEAD``, ``GET`` or ``POST``; redirects of a ``POST`` are not followed.
        url: absolute; on the host itself, or the realm that it named.
        purpose: what the request is for, in words that may be shown.
        limit_bytes: most bytes of an answer that are read.
        headers: for every host that a redirect leads to.
        secret_headers: for the URL's own origin only.
        body: of a ``POST``.
    """

    method: str
    url: str = field(repr=False)
    purpose: str
    limit_bytes: int
    headers: tuple[Header, ...] = ()
    secret_headers: tuple[Header, ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Attributes:
        status: never a redirect.
        headers: names in lower case; the first of several.
        challenges: every ``WWW-Authenticate``.
        body: empty for ``HEAD`` and for any status but 200.
        is_elsewhere: another origin than the request's answered.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    challenges: tuple[str, ...]
    body: bytes = field(repr=False)
    is_elsewhere: bool

    @property
    def length(self) -> int | None:
        """The ``Content-Length`` that was announced, None where it is not that of the content."""
        return None if is_encoded(self.headers) else content_length(self.headers.get("content-length", ""))


def shown_host(url: str) -> str:
    """Return the host of a URL as it may be shown: no credentials, no path, no query.

    Where a password has characters that end a host, what is left of it is not shown either.
    """
    host = urlsplit(url).netloc.rpartition("@")[2][:_HOST_MAX_CHARACTERS]
    is_whole = bool(_SHOWABLE_HOST.fullmatch(host)) and "@" not in url.partition(host)[2]
    return host if is_whole else "a host that is not shown"


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL, the port filled in.

    Raises:
        ValueError: its port is none.
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Tell whether the body is compressed or the like; the names are in lower case or need not be."""
    return headers.get("content-encoding", "").strip().lower() not in {"", "identity"}


def content_length(text: str) -> int | None:
    """Return a ``Content-Length``, or None for what is none."""
    return int(text) if _LENGTH.fullmatch(text) else None
