"""A gate before a registry: every request stops at it, and may be refused or its answer cut off.

Knows who asks (imagefit or containerd) and for what. Leaves to the test what happens at a stop.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

import aiohttp
from aiohttp import web

from fakes.containerd import EventLoop
from harness.process import free_port

_STOPS_AT_ONCE = 64
_OWN = frozenset({"connection", "transfer-encoding", "keep-alive", "host", "content-length", "date", "server"})
# With 0 aiohttp would wait until the other end hangs up.
_HANG_UP_SECONDS: Final = 0.1
CUT: Final = "cut"
"""Half of the answer's body comes, then the connection breaks."""

Visit = Callable[[str], int | Literal["cut"] | None]
"""Called in a thread of its own, so that it may block; returns the status of a refusal, ``CUT``, or None to go on.

Its argument is who asks, the method and what for, such as ``imagefit HEAD manifests`` or ``containerd GET blobs``.
"""


class HttpGate:
    """Passes every request on to a registry on loopback."""

    def __init__(self, backend: str, visit: Visit) -> None:
        """Listen at once; ``visit`` is called at every stop, ``backend`` is host and port of the registry."""
        self.address = f"127.0.0.1:{free_port()}"
        self._backend = backend
        self._visit = visit
        self._loop = EventLoop()
        self._loop.loop.set_default_executor(ThreadPoolExecutor(_STOPS_AT_ONCE))
        self._loop.run(self._open())

    def close(self) -> None:
        """End every connection."""
        self._loop.run(self._close())
        self._loop.close()

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(
            auto_decompress=False, connector=aiohttp.TCPConnector(limit=0, force_close=True)
        )
        quiet = logging.getLogger("http-gate")  # who hangs up on it does so for the test's sake
        quiet.setLevel(logging.CRITICAL + 1)
        self._http = web.Server(self._passed, access_log=None, logger=quiet)
        host, _, port = self.address.rpartition(":")
        self._server = await asyncio.get_running_loop().create_server(self._http, host, int(port))

    async def _close(self) -> None:
        self._server.close()
        await self._http.shutdown(_HANG_UP_SECONDS)
        await self._session.close()

    async def _passed(self, request: web.BaseRequest) -> web.StreamResponse:
        verdict = await asyncio.get_running_loop().run_in_executor(None, self._visit, _stop_of(request))
        if isinstance(verdict, int):
            return web.Response(status=verdict, text="refused by the gate")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
        try:
            async with self._session.request(
                request.method, f"http://{self._backend}{request.rel_url}", headers=headers, allow_redirects=False
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            _hang_up(request)
            return web.Response(status=502)
        response = web.StreamResponse(status=answer.status)
        response.headers.extend((name, value) for name, value in answer.headers.items() if name.lower() not in _OWN)
        response.headers["Content-Length"] = answer.headers.get("Content-Length", str(len(body)))
        await response.prepare(request)
        if verdict == CUT:
            await response.write(body[: len(body) // 2])
            _hang_up(request)
            return response
        await response.write(body)
        return response


def _hang_up(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()  # what has been written still goes out


def _stop_of(request: web.BaseRequest) -> str:
    agent = request.headers.get("User-Agent", "").partition("/")[0].lower()
    what = next((part for part in ("manifests", "blobs") if f"/{part}/" in request.path), "other")
    return f"{agent} {request.method} {what}"
