"""An OCI registry in memory that can misbehave, on 127.0.0.1 in a thread of its own.

It serves the pull part of the distribution specification well enough for containerd. What it should do wrong is set as
attributes, before or between requests.
"""

import asyncio
import base64
import json
import secrets
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs

from aiohttp import web

from fakes.referrers import ReferrersApi
from imagefit.model.oci import digest_of

_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: str


@dataclass(slots=True)
class Faults:
    """What goes wrong.

    Attributes:
        wrong_body: content is served with its first byte changed.
        no_digest_header: ``Docker-Content-Digest`` is left out.
        no_length: content is sent in chunks, without a length, and so is the answer to HEAD.
        cut_off: the connection breaks in the middle of the content.
        hang: manifests and blobs are never answered.
        drip_seconds: pause after every byte of content; 0 for none.
        redirect_to: base URL to which every GET of content is sent on (307), with the same path; empty for none.
        statuses: (method or ``*``, part of the path) → status that is answered instead.
    """

    wrong_body: bool = False
    no_digest_header: bool = False
    no_length: bool = False
    cut_off: bool = False
    hang: bool = False
    drip_seconds: float = 0.0
    redirect_to: str = ""
    statuses: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class Access:
    """Who is let in.

    Attributes:
        username: empty lets everybody in (with ``bearer``: everybody who asks for a token).
        password: of that user.
        identity_token: is changed into a token like the user's password.
        bearer: whether a token is asked for instead of the password.
        realm: where tokens are to be had; empty for this registry's own ``/token``.
        expires_in: life of a token, as it is announced.
        token_answer: what the token server says instead of a token; empty for a token.
        challenge: what a 401 asks for instead; empty for Basic or Bearer.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    bearer: bool = False
    realm: str = ""
    expires_in: int = 300
    token_answer: bytes = b""
    challenge: str = ""


class FakeRegistry:
    """Start it, put content in, point a client at ``address``, and look at ``requests``.

    Args:
        tls: serves HTTPS with it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.faults = Faults()
        self.access = Access()
        self.referrers = ReferrersApi()
        self.seen: list[Seen] = []
        self.address = ""
        self._tls = tls
        self._content: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._tags: dict[tuple[str, str], str] = {}
        self._tokens: set[str] = set()
        self._ready = threading.Event()
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> Self:
        """Listen on a free port; ``address`` is then ``127.0.0.1:port``."""
        self._thread.start()
        if not self._ready.wait(10):
            raise TimeoutError("the fake registry did not start")
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Scheme and address."""
        return f"{'https' if self._tls else 'http'}://{self.address}"

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request so far, in order."""
        return [(seen.method, seen.path) for seen in self.seen]

    def put(self, repository: str, tag: str | None, media_type: str, content: bytes) -> str:
        """Keep a manifest, an index or (media type of your choice) a blob; returns its digest."""
        digest = digest_of(content)
        self._content[repository, digest] = (media_type, content)
        if tag is not None:
            self._tags[repository, tag] = digest
        return digest

    def revoke_tokens(self) -> None:
        """Let no token in that was given out before."""
        self._tokens.clear()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.address = f"127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stopping.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.text()
        self.seen.append(Seen(request.method, request.path, request.query_string, headers, body))
        for (method, part), status in self.faults.statuses.items():
            if method in {"*", request.method} and part in request.path:
                return web.json_response({"errors": []}, status=status)
        if request.path == "/token":
            return self._token(headers.get("authorization", ""), body)
        if not self._is_let_in(headers.get("authorization", "")):
            return web.json_response({"errors": []}, status=401, headers={"WWW-Authenticate": self._challenge(request)})
        return await self._serve_content(request)

    async def _serve_content(self, request: web.Request) -> web.StreamResponse:
        if request.path in {"/v2", "/v2/"}:
            return web.json_response({})
        repository, kind, target = ("/" + request.path.removeprefix("/v2/")).rsplit("/", 2)
        if kind == "referrers" and self.referrers.exists:
            return self._list(request, repository[1:])
        digest = self._tags.get((repository[1:], target), target)
        found = self._content.get((repository[1:], digest))
        if found is None or kind not in {"manifests", "blobs"}:
            return web.json_response({"errors": []}, status=404)
        if self.faults.hang:
            await asyncio.Event().wait()
        if self.faults.redirect_to and request.method == "GET":
            return web.Response(status=307, headers={"Location": f"{self.faults.redirect_to}{request.path}"})
        return await self._send(request, digest, *found)

    def _list(self, request: web.Request, repository: str) -> web.Response:
        held = [(digest, *found) for (owner, digest), found in self._content.items() if owner == repository]
        body, headers = self.referrers.answer(request.path, request.query, held)
        return web.Response(body=body, headers=headers)

    async def _send(self, request: web.Request, digest: str, media_type: str, content: bytes) -> web.StreamResponse:
        faults = self.faults
        headers = {"Content-Type": media_type}
        if not faults.no_digest_header:
            headers["Docker-Content-Digest"] = digest
        body = bytes([content[0] ^ 1]) + content[1:] if faults.wrong_body else content
        if not (faults.no_length or faults.cut_off or faults.drip_seconds):
            return web.Response(body=body, headers=headers)
        response = web.StreamResponse(headers=headers)
        if faults.no_length:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(body)
        await response.prepare(request)
        if request.method != "HEAD":
            await self._send_body(request, response, body)
        return response

    async def _send_body(self, request: web.Request, response: web.StreamResponse, body: bytes) -> None:
        if self.faults.cut_off:
            await response.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.abort()
        elif self.faults.drip_seconds:
            for position in range(len(body)):
                await response.write(body[position : position + 1])
                await asyncio.sleep(self.faults.drip_seconds)
        else:
            await response.write(body)

    def _is_let_in(self, authorization: str) -> bool:
        if self.access.bearer:
            return authorization.removeprefix("Bearer ") in self._tokens
        return not self.access.username or authorization == self._basic()

    def _basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.access.username}:{self.access.password}".encode()).decode()

    def _challenge(self, request: web.Request) -> str:
        if self.access.challenge:
            return self.access.challenge
        if not self.access.bearer:
            return 'Basic realm="fake"'
        repository = request.path.removeprefix("/v2/").rsplit("/", 2)[0]
        realm = self.access.realm or f"{self.url}/token"
        return f'Bearer realm="{realm}",service="fake",scope="repository:{repository}:pull"'

    def _token(self, authorization: str, body: str) -> web.Response:
        identity_token = parse_qs(body).get("refresh_token", [""])[0]
        is_known = authorization == self._basic() or (identity_token and identity_token == self.access.identity_token)
        if self.access.username and not is_known:
            return web.json_response({"errors": []}, status=401)
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        answer = json.dumps({"token": token, "expires_in": self.access.expires_in}).encode()
        return web.Response(body=self.access.token_answer or answer, content_type=_JSON)
