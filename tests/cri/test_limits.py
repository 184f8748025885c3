"""What is too much is turned away at once: which calls count, for how long, and what the others notice."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from imagefit.cri.backend import Backend
from imagefit.cri.limits import _TELL_SECONDS, Limits
from imagefit.cri.proxy import Answerers, Context, Proxy
from imagefit.telemetry import metrics

STATUS = "/runtime.v1.ImageService/ImageStatus"
PULL = "/runtime.v1.ImageService/PullImage"
UNKNOWN = "/some.other.Service/Stream"
HEALTH = "/grpc.health.v1.Health/Check"


class Slow(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """A containerd whose calls take as long as the test wants; a request ``fail`` is refused."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.under_way = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        if request == b"fail":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such image")
        self.under_way += 1
        try:
            await self.go_on.wait()
            yield b"answer"
        finally:
            self.under_way -= 1


class Node:
    """One proxy with limits between a caller and a slow containerd."""

    def __init__(self, slow: Slow, limits: Limits, channel: grpc.aio.Channel) -> None:
        self.slow = slow
        self.limits = limits
        self._channel = channel

    def begin(self, method: str, request: bytes = b"") -> "asyncio.Future[bytes]":
        return asyncio.ensure_future(self.call(method, request))

    async def call(self, method: str, request: bytes = b"") -> bytes:
        made: Any = self._channel
        async for message in made.unary_stream(method)(request):
            return bytes(message)
        return b""

    async def refusal(self, method: str) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await self.call(method)
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return error.value.details() or ""

    async def until(self, under_way: int) -> None:
        async with asyncio.timeout(20):
            while self.slow.under_way != under_way or self.limits.calls.under_way != under_way:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


def on_node(folder: Path, work: Callable[[Node], Awaitable[None]], **most: int) -> None:
    """Do some work on a node with these limits."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as ending:
            slow, limits = Slow(), Limits(**most)
            await serve(slow, folder / "c.sock", ending)
            backend = Backend(folder / "c.sock")
            ending.push_async_callback(backend.close)

            async def pull(method: str, content: bytes, context: Context) -> bytes:
                return await proxy.forward(method, content, context)

            async def health(*_: object) -> AsyncIterator[bytes]:
                yield b"healthy"

            async def answerers() -> Answerers:
                return Answerers(pull, health)

            proxy = Proxy(backend, answerers, limits)
            await serve(proxy, folder / "i.sock", ending)
            options = (("grpc.default_authority", "localhost"),)
            channel = grpc.aio.insecure_channel(f"unix:{folder}/i.sock", options=options)
            ending.push_async_callback(channel.close, None)
            await work(Node(slow, limits, channel))

    asyncio.run(run())


async def serve(handler: Any, socket: Path, ending: contextlib.AsyncExitStack) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    ending.push_async_callback(server.stop, 0)


def test_of_all_calls_only_so_many_are_under_way_streams_and_pulls_included(tmp_path: Path) -> None:
    async def work(node: Node) -> None:
        first = [node.begin(method) for method in (STATUS, UNKNOWN, PULL)]
        await node.until(3)
        for method in (STATUS, UNKNOWN, PULL):
            assert await node.refusal(method) == "imagefit: more than 3 calls at once ([limits] calls)"
        assert await node.call(HEALTH) == b"healthy"
        assert node.slow.under_way == 3  # containerd has heard of no other
        node.slow.go_on.set()
        assert await asyncio.gather(*first) == [b"answer"] * 3
        await node.until(0)
        assert await node.call(STATUS) == b"answer"

    on_node(tmp_path, work, calls=3)


def test_of_pulls_fewer_may_be_under_way_than_of_calls(tmp_path: Path) -> None:
    async def work(node: Node) -> None:
        pulls = [node.begin(PULL) for _ in range(2)]
        await node.until(2)
        assert await node.refusal(PULL) == "imagefit: more than 2 pulls at once ([limits] pulls)"
        other = node.begin(STATUS)
        await node.until(3)
        node.slow.go_on.set()
        await asyncio.gather(*pulls, other)
        assert await node.call(PULL) == b"answer"
        assert (node.limits.calls.under_way, node.limits.pulls.under_way) == (0, 0)

    on_node(tmp_path, work, calls=10, pulls=2)


@pytest.mark.parametrize("method", [STATUS, UNKNOWN, PULL])
def test_calls_that_fail_or_are_called_off_make_room(tmp_path: Path, method: str) -> None:
    async def work(node: Node) -> None:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError, match="no such image"):
                await node.call(method, b"fail")
            call = node.begin(method)
            await node.until(1)
            call.cancel()
            await node.until(0)
        assert node.limits.pulls.under_way == 0

    on_node(tmp_path, work, calls=1, pulls=1)


def test_a_new_limit_counts_for_those_that_come(tmp_path: Path) -> None:
    async def work(node: Node) -> None:
        calls = [node.begin(STATUS) for _ in range(2)]
        await node.until(2)
        node.limits.take(1, 1)
        assert "more than 1 calls" in await node.refusal(STATUS)
        node.limits.take(3, 1)
        calls.append(node.begin(STATUS))
        await node.until(3)
        node.slow.go_on.set()
        assert await asyncio.gather(*calls) == [b"answer"] * 3

    on_node(tmp_path, work, calls=2)


def test_what_is_turned_away_is_counted_each_time_and_told_once_a_second(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(node: Node) -> None:
        call = node.begin(STATUS)
        await node.until(1)
        for _ in range(20):
            await node.refusal(STATUS)
        await asyncio.sleep(_TELL_SECONDS)
        await node.refusal(STATUS)  # tells of those before, too
        node.slow.go_on.set()
        await call

    metrics.enable()
    try:
        on_node(tmp_path, work, calls=1)
        assert b'imagefit_shed_total{limit="calls"} 21.0' in metrics.exposition()[1]
        assert b'imagefit_shed_total{limit="pulls"} 0.0' in metrics.exposition()[1]
    finally:
        metrics.disable()
    told = [record.getMessage() for record in caplog.records if "event=call-shed" in record.getMessage()]
    assert told[0] == "event=call-shed limit=calls most=1 calls=1"
    assert sum(int(one.rpartition("=")[2]) for one in told) == 21
    assert len(told) < 10  # however slow the machine is
