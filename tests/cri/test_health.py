"""The health service as a real client sees it; what it asks of others goes to containerd."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from fakes.containerd import EventLoop
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.health import Health
from imagefit.cri.methods import HEALTH_CHECK, HEALTH_METHODS, HEALTH_WATCH

SERVING = messages.HealthCheckResponse.SERVING
NOT_SERVING = messages.HealthCheckResponse.NOT_SERVING


class Served(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """The health service alone, in a thread of its own."""

    def __init__(self, socket: Path) -> None:
        self.missing = ""
        self.asked = 0
        self.looked = threading.Event()
        self.forwarded: list[tuple[str, bytes]] = []
        self.health = Health(self._missing, self._forward, 0.01)
        self.channel = grpc.insecure_channel(f"unix:{socket}", options=(("grpc.default_authority", "localhost"),))
        self._loop = EventLoop()
        self.run = self._loop.run
        self.run(self._start(socket))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        method = handler_call_details.method
        assert method in HEALTH_METHODS
        return grpc.unary_stream_rpc_method_handler(partial(self._answer, method))

    def stop(self) -> None:
        self.channel.close()
        self._loop.run(self._server.stop(0))
        self._loop.close()

    async def _missing(self) -> str:
        self.asked += 1
        self.looked.set()
        return self.missing

    async def _forward(self, method: str, request: bytes, context: Any) -> Any:
        self.forwarded.append((method, request))
        if request == b"\xff":
            await context.abort(grpc.StatusCode.INTERNAL, "cannot unmarshal")
        yield b"from containerd"

    async def _answer(self, method: str, request: bytes, context: Any) -> Any:
        async for reply in self.health.answer(method, request, context):
            yield reply

    async def _start(self, socket: Path) -> None:
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(f"unix:{socket}")
        await self._server.start()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "h.sock")
    yield made
    made.stop()


def request(service: str) -> bytes:
    return messages.HealthCheckRequest(service=service).SerializeToString()


def check(served: Served, content: bytes) -> bytes:
    untyped: Any = served.channel
    reply: bytes = untyped.unary_unary(HEALTH_CHECK)(content, timeout=20)
    return reply


def watch(served: Served, content: bytes) -> Any:
    untyped: Any = served.channel
    return untyped.unary_stream(HEALTH_WATCH)(content, timeout=20)


def status(reply: bytes) -> int:
    return messages.HealthCheckResponse.FromString(reply).status


CHECKS = [
    pytest.param("", "", SERVING, id="whole-server"),
    pytest.param("imagefit", "", SERVING, id="by-name"),
    pytest.param("", "no containerd", NOT_SERVING, id="whole-server-not-ready"),
    pytest.param("imagefit", "no containerd", NOT_SERVING, id="by-name-not-ready"),
]


@pytest.mark.parametrize(("service", "missing", "said"), CHECKS)
def test_check(served: Served, service: str, missing: str, said: int) -> None:
    served.missing = missing
    assert status(check(served, request(service))) == said
    assert not served.forwarded


OTHERS = [
    pytest.param("runtime.v1.ImageService", id="cri"),
    pytest.param("imagefit2", id="begins-alike"),
    pytest.param("Imagefit", id="other-case"),
]


@pytest.mark.parametrize("service", OTHERS)
def test_what_is_asked_of_others_is_forwarded(served: Served, service: str) -> None:
    assert check(served, request(service)) == b"from containerd"
    assert list(watch(served, request(service))) == [b"from containerd"]
    assert served.forwarded == [(HEALTH_CHECK, request(service)), (HEALTH_WATCH, request(service))]
    assert not served.asked


def test_what_is_no_request_is_for_containerd_to_refuse(served: Served) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        check(served, b"\xff")
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert raised.value.details() == "cannot unmarshal"


def test_watch_says_the_status_at_once_and_each_change(served: Served) -> None:
    replies = watch(served, request(""))
    assert status(next(replies)) == SERVING
    served.missing = "no containerd"
    assert status(next(replies)) == NOT_SERVING
    asked = served.asked
    while served.asked < asked + 3:  # looks that change nothing
        served.looked.clear()
        assert served.looked.wait(10)
    served.missing = ""
    assert status(next(replies)) == SERVING
    replies.cancel()


def test_nothing_is_looked_at_while_nobody_watches(served: Served) -> None:
    replies = watch(served, request(""))
    next(replies)
    replies.cancel()
    # Every watcher that has gone makes room again: forty fit one after the other.
    for _ in range(40):
        again = watch(served, request(""))
        next(again)
        again.cancel()

    async def gone() -> int:
        async with asyncio.timeout(10):
            while served.health._watchers:  # noqa: ASYNC110 - the end of a call is no event of ours
                await asyncio.sleep(0.01)
        return served.asked

    async def later() -> int:
        await asyncio.sleep(0.1)  # ten times the pause between two looks
        return served.asked

    assert served.run(gone()) == served.run(later())


def test_a_stop_ends_every_watch_with_its_last_word(served: Served) -> None:
    """Otherwise a drain would wait for whoever watches, for as long as it may."""
    replies = watch(served, request("imagefit"))
    assert status(next(replies)) == SERVING
    served._loop.loop.call_soon_threadsafe(served.health.stop)
    assert [status(one) for one in replies] == [NOT_SERVING]


def test_too_many_watchers_are_refused(served: Served) -> None:
    held = [watch(served, request("")) for _ in range(16)]
    for one in held:
        next(one)
    with pytest.raises(grpc.RpcError) as raised:
        next(watch(served, request("")))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status(check(served, request(""))) == SERVING
    for one in held:
        one.cancel()
