"""One exchange with one host: connection, redirects, limits, and nothing of what registries mean by it.

Knows aiohttp. Leaves to ``tokens`` who is asking and to ``asking`` what is asked. Redirects are followed here, not by
aiohttp, so that what is for one host goes to no other. aiohttp is imported with the first request: it costs 150 ms, and
the daemon listens first.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

from imagefit.errors import ContentInvalidError, RegistryError, RegistryUnreachableError
from imagefit.registry.causes import words_for
from imagefit.registry.connections import Connections
from imagefit.registry.credentials import Credentials
from imagefit.registry.exchange import Request, Response, content_length, is_encoded, origin_of, shown_host
from imagefit.registry.failures import PassingError, UnresponsiveError
from imagefit.registry.host import Header, RegistryHost
from imagefit.registry.proxies import proxy_for

if TYPE_CHECKING:
    import aiohttp

REDIRECTS_MAX: Final = 5
_DRAINED_MAX_BYTES: Final = 16 * 1024
_CHUNK_BYTES: Final = 64 * 1024
# A body that comes more slowly than this, all in all, is not waited for; what fits into the first seconds always is.
_SLOWEST_BYTES_PER_SECOND: Final = 16 * 1024
_FIRST_SECONDS: Final = 2.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_IN_URLS: Final = "%:/?#[]@!$&'()*+,;=~"
_SOCKS_ADVICE: Final = "imagefit speaks to http:// and https:// proxies only"

OnRequest = Callable[[str, str, str], None]
"""Is told host, method and outcome (a status or an error's code) of every request on the wire."""


class Transport:
    """Sends requests; connections are kept for the next one.

    Args:
        user_agent: is sent unless a host's configured headers have another.
        on_request: see ``OnRequest``.
    """

    def __init__(self, user_agent: str, on_request: OnRequest | None = None) -> None:
        """Open no connection yet."""
        self._user_agent = user_agent
        self._on_request = on_request
        self._connections = Connections()

    async def close(self) -> None:
        """Close every connection."""
        await self._connections.close()

    async def send(self, host: RegistryHost, request: Request) -> Response:
        """Send one request and follow its redirects.

        Args:
            host: its certificates and time-out hold for every hop, its headers for its own origin.
            request: what is asked.

        Raises:
            RegistryUnreachableError: no connection (UnresponsiveError), or it broke (PassingError).
            ContentInvalidError: no HTTP, a redirect that leads nowhere sensible, or more than the limits allow.
        """
        url = request.url
        for _ in range(REDIRECTS_MAX + 1):
            answer = await self._counted(host, request, url)
            if isinstance(answer, Response):
                return answer
            url = answer
        raise ContentInvalidError(_said(request, f"more than {REDIRECTS_MAX} redirects"))

    async def _counted(self, host: RegistryHost, request: Request, url: str) -> Response | str:
        try:
            answer = await self._hop(host, request, url)
        except RegistryError as error:
            self._count(url, request, error.code)
            raise
        self._count(url, request, "redirect" if isinstance(answer, str) else str(answer.status))
        return answer

    def _count(self, url: str, request: Request, outcome: str) -> None:
        if self._on_request is not None:
            self._on_request(shown_host(url), request.method, outcome)

    async def _hop(self, host: RegistryHost, request: Request, url: str) -> Response | str:
        import aiohttp
        import yarl

        is_tunnel = url.startswith("https://")
        try:
            proxy, proxy_headers = _proxy(request, url)
            headers = self._headers(host, request, url)
            async with (
                self._connections.session(host) as session,
                session.request(
                    request.method,
                    # encoded: a signed URL must arrive letter by letter.
                    yarl.URL(url, encoded=True),
                    headers=headers if is_tunnel else [*headers, *proxy_headers],
                    data=request.body,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=host.dial_timeout_seconds),
                    proxy=proxy,
                    proxy_headers=dict(proxy_headers) if proxy and is_tunnel else None,
                ) as response,
            ):
                return await _taken(response, request, url)
        # "from None": aiohttp's own errors hold whole URLs, which may be signed.
        except (
            aiohttp.ClientConnectionError,
            aiohttp.ClientPayloadError,
            aiohttp.ClientHttpProxyError,
            OSError,
        ) as error:
            raise _broken(error, request, url) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise ContentInvalidError(_said(request, f"no usable HTTP ({type(error).__name__})", url)) from None

    def _headers(self, host: RegistryHost, request: Request, url: str) -> list[Header]:
        headers = list(request.headers)
        if origin_of(url) == origin_of(host.origin):
            headers += host.headers
        if origin_of(url) == origin_of(request.url):
            own = {name.lower() for name, _ in request.secret_headers}
            headers = [header for header in headers if header[0].lower() not in own] + list(request.secret_headers)
        given = {name.lower() for name, _ in headers}
        always = (("User-Agent", self._user_agent), ("Accept-Encoding", "identity"))
        return headers + [header for header in always if header[0].lower() not in given]


async def _taken(response: "aiohttp.ClientResponse", request: Request, url: str) -> Response | str:
    if response.status in _REDIRECTS:
        return _redirected(request, url, response.headers.get("Location", ""))
    is_content = response.status == HTTPStatus.OK
    body = b"" if request.method == "HEAD" else await _read(response, request, is_content=is_content)
    return Response(
        status=response.status,
        headers={name.lower(): value for name, value in reversed(list(response.headers.items()))},
        challenges=tuple(response.headers.getall("WWW-Authenticate", ())),
        body=body if is_content else b"",
        is_elsewhere=origin_of(url) != origin_of(request.url),
    )


def _broken(error: Exception, request: Request, url: str) -> RegistryUnreachableError:
    import aiohttp

    message = _said(request, words_for(error), url)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError | TimeoutError):
        return UnresponsiveError(message)
    # What was sent twice must do no harm.
    return RegistryUnreachableError(message) if request.method == "POST" else PassingError(message)


async def _read(response: "aiohttp.ClientResponse", request: Request, *, is_content: bool) -> bytes:
    if not is_content:
        # The little that an error says is read too, so that its connection can serve the next request.
        with contextlib.suppress(TimeoutError):
            if await _body(response, _DRAINED_MAX_BYTES) is not None:
                return b""
        response.close()
        return b""
    if is_encoded(response.headers):
        response.close()
        raise ContentInvalidError(_said(request, "compressed, though it was asked not to be"))
    body = await _body(response, request.limit_bytes)
    if body is None:
        response.close()
        raise ContentInvalidError(_said(request, f"more than {request.limit_bytes} bytes"))
    return body


async def _body(response: "aiohttp.ClientResponse", limit_bytes: int) -> bytes | None:
    """Return the body, None where it is longer than the limit. Raises TimeoutError where it comes too slowly."""
    if (content_length(response.headers.get("Content-Length", "")) or 0) > limit_bytes:
        return None
    body = bytearray()
    start = asyncio.get_running_loop().time() + _FIRST_SECONDS
    async with asyncio.timeout_at(start) as limit:
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > limit_bytes:
                return None
            limit.reschedule(start + len(body) / _SLOWEST_BYTES_PER_SECOND)
    return bytes(body)


def _redirected(request: Request, url: str, location: str) -> str:
    if request.method == "POST":
        raise ContentInvalidError(_said(request, "a redirect that must not be followed", url))
    try:
        target, _ = urldefrag(urljoin(url, quote(location, safe=_KEPT_IN_URLS, errors="replace")))
        scheme, hostname, _ = origin_of(target)
    except ValueError:
        scheme, hostname, target = "", "", ""
    usable = bool(location) and bool(hostname) and scheme in {"http", "https"} and "@" not in urlsplit(target).netloc
    if not usable or (url.startswith("https://") and scheme != "https"):
        raise ContentInvalidError(_said(request, "a redirect to no place that may be asked", url))
    return target


def _proxy(request: Request, url: str) -> tuple[str | None, tuple[Header, ...]]:
    proxy = proxy_for(url, os.environ)
    if proxy is None:
        return None, ()
    parts = urlsplit(proxy)
    if parts.scheme not in {"http", "https"}:
        raise RegistryUnreachableError(_said(request, "the proxy is of another kind", url), advice=_SOCKS_ADVICE)
    userinfo, _, place = parts.netloc.rpartition("@")
    if not userinfo:
        return proxy, ()
    username, _, password = userinfo.partition(":")
    header = ("Proxy-Authorization", Credentials(unquote(username), unquote(password)).basic())
    return urlunsplit(parts._replace(netloc=place)), (header,)


def _said(request: Request, what: str, url: str = "") -> str:
    asked = shown_host(request.url)
    answering = shown_host(url) if url else asked
    via = f" (redirected to {answering})" if answering != asked else ""
    return f"{asked}: {request.method} {request.purpose}{via}: {what}"
