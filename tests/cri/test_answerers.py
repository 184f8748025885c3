"""Calls that imagefit answers itself wait until it can; all others do not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from fakes.containerd import EventLoop, ScriptedBackend
from imagefit.cri.backend import Backend
from imagefit.cri.methods import HEALTH_METHODS, PULL_METHODS
from imagefit.cri.proxy import Answerers, Proxy

STATUS = "/runtime.v1.ImageService/ImageStatus"
UNARY, STREAMS = sorted(PULL_METHODS), sorted(HEALTH_METHODS)


class Late:
    """A proxy in a thread of its own, whose own answers come when they are told to."""

    def __init__(self, socket: Path, backend: Path) -> None:
        self.asked = threading.Event()
        self.forwarded = ScriptedBackend(backend)
        self.forwarded.unary[STATUS] = self._echoed
        self.channel = grpc.insecure_channel(f"unix:{socket}", options=(("grpc.default_authority", "localhost"),))
        self._loop = EventLoop()
        self._loop.run(self._start(socket, backend))

    def come(self, error: Exception | None = None) -> None:
        """Have the answers there, or an error in their place."""
        settle = (self._there.set_result, Answerers(self._pulled, self._checked)) if error is None else None
        self._loop.loop.call_soon_threadsafe(*(settle or (self._there.set_exception, error)))

    def call(self, method: str) -> "grpc.Future[bytes]":
        untyped: Any = self.channel
        future: grpc.Future[bytes] = untyped.unary_unary(method).future(b"asked", timeout=20)
        return future

    def stop(self) -> None:
        self.channel.close()
        self._loop.run(self._stop())
        self._loop.close()
        self.forwarded.stop()

    async def _answerers(self) -> Answerers:
        self.asked.set()
        return await asyncio.shield(self._there)

    async def _start(self, socket: Path, backend: Path) -> None:
        self._there: asyncio.Future[Answerers] = asyncio.get_running_loop().create_future()
        self._backend = Backend(backend)
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((Proxy(self._backend, self._answerers),))
        self._server.add_insecure_port(f"unix:{socket}")
        await self._server.start()

    async def _stop(self) -> None:
        await self._server.stop(0)
        await self._backend.close()

    @staticmethod
    async def _echoed(request: bytes, _: Any) -> bytes:
        return request

    @staticmethod
    async def _pulled(method: str, request: bytes, _: Any) -> bytes:
        return method.encode() + request

    @staticmethod
    async def _checked(method: str, request: bytes, _: Any) -> AsyncIterator[bytes]:
        yield method.encode() + request


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Late]:
    made = Late(tmp_path / "i.sock", tmp_path / "c.sock")
    yield made
    made.stop()


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
def test_a_call_of_its_own_waits_and_is_then_answered(late: Late, method: str) -> None:
    call = late.call(method)
    assert late.asked.wait(20)
    assert late.call(STATUS).result() == b"asked"  # forwarded meanwhile
    assert not call.done()
    late.come()
    assert call.result() == method.encode() + b"asked"


@pytest.mark.parametrize("method", [*UNARY, *STREAMS])
def test_what_cannot_be_answered_is_refused_and_never_forwarded(late: Late, method: str) -> None:
    call = late.call(method)
    late.come(ImportError("planted"))
    error: Any = call.exception()
    assert (error.code(), "planted" in error.details()) == (grpc.StatusCode.UNAVAILABLE, False)
    assert late.call(STATUS).result() == b"asked"
    assert [method for method, *_ in late.forwarded.seen] == [STATUS]
