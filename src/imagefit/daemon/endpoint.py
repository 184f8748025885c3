"""Metrics and health over HTTP, for Prometheus and for probes: on a loopback port or a Unix socket.

Knows three paths, and limits: few connections at a time, each for one short request. Leaves the metrics to
``telemetry.metrics`` and what it takes to be ready to the function that it is given.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from imagefit.errors import ListenError
from imagefit.telemetry import metrics

UNIX: Final = "unix:"
_ADVICE: Final = "set another [metrics] listen"
_MAX_CONNECTIONS: Final = 16
_CONNECTION_SECONDS: Final = 5.0
_READY_SECONDS: Final = 2.0
_GOOD_FOR_SECONDS: Final = 1.0
_OPEN_METRICS: Final = "application/openmetrics-text"
_PROBE_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 1.0
_MAX_LINE_BYTES: Final = 2048
_MAX_HEADERS: Final = 64
# Makes a socket of mode 0660.
_SOCKET_UMASK: Final = 0o117
_TEXT: Final = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class Endpoint:
    """Serves ``/metrics``, ``/healthz`` and ``/readyz``. To be used inside one event loop.

    Args:
        listen: a loopback address with a port, such as ``127.0.0.1:9477`` or ``[::1]:9477``, or ``unix:`` and a path.
        missing: returns what keeps pulls from being answered now; empty for nothing.
    """

    def __init__(
        self,
        listen: str,
        missing: Callable[[], Awaitable[str]],
        connection_seconds: float = _CONNECTION_SECONDS,
    ) -> None:
        """Open nothing yet; end every connection after ``connection_seconds``."""
        self.address = listen
        """Where it listens; once it does, with the port that the kernel chose for port 0."""
        self._missing = missing
        self._connection_seconds = connection_seconds
        self._http: web.Server | None = None
        self._server: asyncio.Server | None = None
        self._path: tuple[Path, int] | None = None
        self._exposing = asyncio.Lock()
        self._exposed: dict[bool, tuple[float, tuple[str, bytes]]] = {}

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            ListenError: the address is in use, is no loopback address, or cannot be had.
        """
        bound = self._unix() if self.address.startswith(UNIX) else self._tcp()
        self._http = _limited(self._answered, self._connection_seconds)
        self._server = await asyncio.get_running_loop().create_server(
            partial(_protocol, self._http), sock=bound, backlog=_MAX_CONNECTIONS
        )

    async def close(self) -> None:
        """End every connection, and take the socket away if it is still ours."""
        if self._server is not None and self._http is not None:
            self._server.close()
            await self._http.shutdown(_CLOSE_SECONDS)
        if self._path is not None:
            path, inode = self._path
            with contextlib.suppress(OSError):
                if path.lstat().st_ino == inode:
                    path.unlink()

    def _tcp(self) -> socket.socket:
        bound = _tcp_socket(self.address)
        self.address = f"{self.address.rpartition(':')[0]}:{bound.getsockname()[1]}"
        return bound

    def _unix(self) -> socket.socket:
        path = Path(self.address.removeprefix(UNIX))
        bound = _unix_socket(path)
        self._path = path, path.lstat().st_ino
        return bound

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        status, content_type, body = await self._answer(request.method, request.path, request.headers.get("Accept", ""))
        response = web.Response(status=status, body=body, headers={"Content-Type": content_type, "Server": "imagefit"})
        response.force_close()
        return response

    async def _answer(self, method: str, path: str, accept: str) -> Answer:
        if method not in {"GET", "HEAD"}:
            return 405, _TEXT, b"only GET and HEAD\n"
        match path:
            case "/metrics":
                return 200, *await self._exposition(accept)
            case "/healthz":
                return 200, _TEXT, b"ok\n"
            case "/readyz":
                missing = await self._looked()
                return (503, _TEXT, f"{missing}\n".encode()) if missing else (200, _TEXT, b"ok\n")
            case _:
                return 404, _TEXT, b"there are /metrics, /healthz and /readyz\n"

    async def _exposition(self, accept: str) -> tuple[str, bytes]:
        """Return the metrics, made at most once in a while: whoever asks all the time must not cost the node a core."""
        wants_open = _OPEN_METRICS in accept
        async with self._exposing:
            made_at, exposed = self._exposed.get(wants_open, (float("-inf"), ("", b"")))
            if time.monotonic() - made_at > _GOOD_FOR_SECONDS:
                metrics.READY.set(not await self._looked())
                exposed = await asyncio.to_thread(metrics.exposition, accept)
                self._exposed[wants_open] = time.monotonic(), exposed
            return exposed

    async def _looked(self) -> str:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                return " ".join((await self._missing()).split())
        except TimeoutError:
            return f"no answer within {_READY_SECONDS:g} s"


def _limited(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], seconds: float) -> web.Server:
    """Return an HTTP server that turns away what is too much: aiohttp itself waits for a request for ever."""
    quiet = logging.getLogger("imagefit.daemon.endpoint")  # what clients send amiss is no event of ours
    quiet.setLevel(logging.CRITICAL + 1)

    class Limited(web.Server):
        ends: Final[dict[int, asyncio.TimerHandle]] = {}

        def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:  # noqa: ANN401 - aiohttp's own
            super().connection_made(handler, transport)
            self.ends[id(handler)] = asyncio.get_running_loop().call_later(seconds, transport.abort)

        def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:  # noqa: ANN401 - see above
            self.ends.pop(id(handler)).cancel()
            super().connection_lost(handler, exc)

    return Limited(
        answer,
        access_log=None,
        logger=quiet,
        max_line_size=_MAX_LINE_BYTES,
        max_field_size=_MAX_LINE_BYTES,
        max_headers=_MAX_HEADERS,
        lingering_time=0,
    )


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it before anything is read."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()


def _protocol(http: web.Server) -> asyncio.BaseProtocol:
    return http() if len(http.connections) < _MAX_CONNECTIONS else _Refused()


def _tcp_socket(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except ValueError:
        raise ListenError(f"{listen!r} is no address with a port", advice="such as 127.0.0.1:9477") from None
    if not address.is_loopback:
        raise ListenError(f"{listen} is no loopback address", advice="metrics are served to this node only")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IP's own number
    made: socket.socket | None = None
    try:
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), number))
        made.listen(_MAX_CONNECTIONS)
    except (OSError, OverflowError) as error:
        if made is not None:
            made.close()
        raise ListenError(f"cannot listen on {listen}: {_reason(error)}", advice=_ADVICE) from error
    return made


def _unix_socket(path: Path) -> socket.socket:
    """Return a socket bound to a path; one that nobody listens on any more is replaced, nothing else ever is."""
    if not path.is_absolute():
        raise ListenError(f"{path} is no absolute path", advice=_ADVICE)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    before = os.umask(_SOCKET_UMASK)
    try:
        _bind(made, path)
    except OSError as error:
        made.close()
        raise ListenError(f"cannot listen on {path}: {_reason(error)}", advice=_ADVICE) from error
    except ListenError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


def _bind(made: socket.socket, path: Path) -> None:
    try:
        made.bind(str(path))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        _remove_stale(path)
        made.bind(str(path))


def _remove_stale(path: Path) -> None:
    if path.is_symlink() or not path.is_socket():
        raise ListenError(f"{path} exists and is no socket", advice=f"remove it, or {_ADVICE}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise ListenError(f"another program listens on {path}", advice=f"stop it first, or {_ADVICE}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
