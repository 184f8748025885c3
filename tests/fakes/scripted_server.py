"""A server on 127.0.0.1 that answers with the bytes it is told to, right or wrong, in the event loop of the test."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self

from imagefit.model.oci import digest_of

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that arrived, as it was written."""

    method: str
    target: str
    text: str


class ScriptedServer:
    """Answers each request with the next entry of its script, and with the last one from then on.

    Args:
        script: bytes of a whole answer, or a function that writes one and may take its time; an answer without a
            length ends with its connection. A function from the request to an answer may stand for all of them.
    """

    def __init__(self, *script: Answer, answers: Callable[[Asked], Answer] | None = None) -> None:
        self.asked: list[Asked] = []
        self.address = ""
        self._script = script
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Scheme and address."""
        return f"http://{self.address}"

    @property
    def methods(self) -> list[str]:
        """Methods of the requests so far, in order."""
        return [asked.method for asked in self.asked]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(await _read_request(reader), writer):
                pass
        self._connections.discard(task)
        writer.transport.abort()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        self.asked.append(asked)
        position = min(len(self.asked), len(self._script)) - 1
        answer = self._answers(asked) if self._answers else self._script[position]
        if not isinstance(answer, bytes):
            await answer(writer)
            return False
        writer.write(answer)
        await writer.drain()
        if asked.method == "HEAD" or b"content-length" in answer.lower():
            return True
        writer.write_eof()
        return False


async def _read_request(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, target, _ = head.split(" ", 2)
    length = next((line.partition(":")[2] for line in head.lower().splitlines() if "content-length" in line), "0")
    return Asked(method, target, head + (await reader.readexactly(int(length))).decode())


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"", *, length: bool = True) -> bytes:
    """Return the bytes of an answer; with ``length`` it has a Content-Length unless ``headers`` have one."""
    written = dict(headers or {})
    if length:
        written.setdefault("Content-Length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in written.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + body


def resolved(media_type: str, content: bytes) -> bytes:
    """Return the answer to a HEAD for a manifest or index."""
    headers = {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content)}
    return answer(200, {**headers, "Content-Length": str(len(content))})


def served(media_type: str, content: bytes) -> bytes:
    """Return the answer to a GET of it."""
    return answer(200, {"Content-Type": media_type}, content)


async def silence(_: asyncio.StreamWriter) -> None:
    """Say nothing until the connection is closed."""
    await asyncio.Event().wait()


def dripping(head: bytes, drop: bytes = b"x") -> Answer:
    """Return an answer that starts with ``head`` and goes on without end, ``drop`` every 20 ms."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(drop)

    return drip


def endless(head: bytes, flood: bytes) -> Answer:
    """Return an answer that starts with ``head`` and repeats ``flood`` as fast as it is read."""

    async def flow(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(flood)
            await writer.drain()

    return flow


def cut_off(start: bytes) -> Answer:
    """Return an answer of which only ``start`` comes, before the connection breaks."""

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        writer.transport.close()

    return cut
