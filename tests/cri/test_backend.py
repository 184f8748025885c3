"""Calls to containerd are counted by method and status, and nothing that a caller can name makes more of them."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes.containerd import ScriptedBackend
from imagefit.cri.backend import Backend
from imagefit.telemetry import metrics

STATUS = "/runtime.v1.ImageService/ImageStatus"
GET = "/containerd.services.images.v1.Images/Get"
EVENTS = "/runtime.v1.RuntimeService/GetContainerEvents"


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedBackend]:
    backend = ScriptedBackend(tmp_path / "c.sock")
    yield backend
    backend.stop()


@pytest.fixture(autouse=True)
def _metrics() -> Iterator[None]:
    metrics.enable()
    yield
    metrics.disable()


def counted() -> dict[tuple[str, str], float]:
    return {
        (sample.labels["method"], sample.labels["code"]): sample.value
        for family in text_string_to_metric_families(metrics.exposition()[1].decode())
        for sample in family.samples
        if sample.name == "imagefit_containerd_calls_total"
    }


def run(scripted: ScriptedBackend, work: Callable[[Backend], Awaitable[None]]) -> dict[tuple[str, str], float]:
    async def connected() -> None:
        backend = Backend(scripted.socket)
        try:
            await work(backend)
        finally:
            await backend.close()

    asyncio.run(connected())
    return counted()


async def answered(request: bytes, context: Any) -> bytes:
    return b"reply"


async def missing(request: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    raise AssertionError


async def never(request: bytes, context: Any) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def replies(request: bytes, context: Any) -> Any:
    for _ in range(3):
        yield b"reply"


def test_a_call_is_counted_with_its_status(scripted: ScriptedBackend) -> None:
    scripted.unary = {STATUS: answered, GET: missing}

    async def work(backend: Backend) -> None:
        for _ in range(2):
            await backend.call(STATUS, b"")
        with pytest.raises(grpc.aio.AioRpcError):
            await backend.call(GET, b"")

    assert run(scripted, work) == {(STATUS[1:], "OK"): 2, (GET[1:], "NOT_FOUND"): 1}


def test_a_stream_is_one_call(scripted: ScriptedBackend) -> None:
    scripted.streams = {EVENTS: replies}

    async def work(backend: Backend) -> None:
        async with backend.stream(EVENTS, b"", (), 20) as call:
            assert [one async for one in call.messages()] == [b"reply"] * 3

    assert run(scripted, work) == {(EVENTS[1:], "OK"): 1}


def test_calls_that_end_early_are_counted_as_what_ended_them(scripted: ScriptedBackend) -> None:
    scripted.unary = {STATUS: never}

    async def work(backend: Backend) -> None:
        with pytest.raises(grpc.aio.AioRpcError):
            await backend.call(STATUS, b"", 0.05)
        waiting = asyncio.ensure_future(backend.answer(STATUS, b"", (), 20))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(10):
            while len(counted()) < 2:  # noqa: ASYNC110 - the end of a call is no event of ours
                await asyncio.sleep(0.01)

    assert run(scripted, work) == {(STATUS[1:], "DEADLINE_EXCEEDED"): 1, (STATUS[1:], "CANCELLED"): 1}


@pytest.mark.parametrize("kind", ["unary", "stream"])
def test_a_call_under_way_ends_with_the_connection(scripted: ScriptedBackend, kind: str) -> None:
    arrived = threading.Event()

    async def arriving(request: bytes, context: Any) -> bytes:
        arrived.set()
        return await never(request, context)

    async def streaming(request: bytes, context: Any) -> Any:
        yield await arriving(request, context)

    scripted.unary, scripted.streams = {STATUS: arriving}, {EVENTS: streaming}

    async def work(backend: Backend) -> None:
        async def stream() -> None:
            async with backend.stream(EVENTS, b"", (), 20) as call:
                assert not [one async for one in call.messages()]

        waiting = asyncio.ensure_future(backend.answer(STATUS, b"", (), 20) if kind == "unary" else stream())
        await asyncio.sleep(0)
        assert await asyncio.to_thread(arrived.wait, 10)
        await backend.close()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(waiting, 10)

    method = STATUS if kind == "unary" else EVENTS
    assert run(scripted, work) == {(method[1:], "CANCELLED"): 1}


def test_methods_that_nobody_knows_are_one(scripted: ScriptedBackend) -> None:
    names = [f"/made.up.Service/Method{number}" for number in range(10)]
    scripted.unary = dict.fromkeys(names, answered)

    async def work(backend: Backend) -> None:
        for name in names:
            await backend.call(name, b"")

    assert run(scripted, work) == {("other", "OK"): 10}


def test_nothing_is_counted_while_metrics_are_off(scripted: ScriptedBackend) -> None:
    metrics.disable()
    scripted.unary = {STATUS: answered}

    async def work(backend: Backend) -> None:
        await backend.call(STATUS, b"")
        metrics.enable()

    assert run(scripted, work) == {}
