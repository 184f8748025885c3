"""A call on gRPC's core is what a call of ``grpc.aio`` is, and what ends it early leaves nothing behind."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from fakes.containerd import ScriptedBackend
from imagefit.cri.calls import Call, CallMetadata

UNARY = "/a.Service/Unary"
STREAM = "/a.Service/Stream"
INITIAL: CallMetadata = (("x-initial", "ahead"), ("x-bytes-bin", b"\xff"))
TRAILING: CallMetadata = (("x-trailing", "behind"),)


class Scripted(ScriptedBackend):
    """Knows what became of the calls that do not end of themselves."""

    def __init__(self, socket: Path) -> None:
        super().__init__(socket)
        self.arrived, self.cancelled = threading.Semaphore(0), threading.Semaphore(0)
        self.unary = {UNARY: self._never}
        self.streams = {STREAM: self._first_then_never}

    async def _never(self, request: bytes, context: Any) -> bytes:
        self.arrived.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.release()
            raise
        raise AssertionError

    async def _first_then_never(self, request: bytes, context: Any) -> Any:
        yield b"first"
        await self._never(request, context)


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    backend = Scripted(tmp_path / "c.sock")
    yield backend
    backend.stop()


def run(scripted: ScriptedBackend, work: Callable[[Callable[..., Call]], Awaitable[None]]) -> None:
    """Have ``work`` make calls; nothing may be left of them that asyncio would report as lost."""
    lost: list[dict[str, Any]] = []

    async def connected() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        async with grpc.aio.insecure_channel(f"unix:{scripted.socket}") as channel:
            await work(lambda method, timeout_seconds=20: Call(channel, method.encode(), timeout_seconds))

    asyncio.run(connected())
    assert not lost


async def with_metadata(request: bytes, context: Any) -> bytes:
    await context.send_initial_metadata(INITIAL)
    context.set_trailing_metadata(TRAILING)
    return request * 2


async def failing(request: bytes, context: Any) -> bytes:
    await context.send_initial_metadata(INITIAL)
    await context.abort(grpc.StatusCode.DATA_LOSS, "lost", TRAILING)
    raise AssertionError


async def thousand(request: bytes, context: Any) -> Any:
    await context.send_initial_metadata(INITIAL)
    for number in range(1000):
        yield b"%d" % number
    context.set_trailing_metadata(TRAILING)


async def one_then_failing(request: bytes, context: Any) -> Any:
    yield b"first"
    await context.abort(grpc.StatusCode.DATA_LOSS, "lost", TRAILING)


async def collected(call: Call, came: list[bytes] | None = None) -> list[bytes]:
    came = [] if came is None else came
    async for message in call.messages():
        came.append(message)
    return came


def test_an_answer_comes_with_its_metadata(scripted: Scripted) -> None:
    scripted.unary[UNARY] = with_metadata

    async def work(made: Callable[..., Call]) -> None:
        call = made(UNARY)
        assert call.code is None
        assert await call.answer(b"ab", (("x-asked", "so"),)) == (b"abab", INITIAL, TRAILING)
        assert call.code is grpc.StatusCode.OK

    run(scripted, work)
    assert scripted.seen[0][2]["x-asked"] == "so"


def test_an_empty_reply_is_a_reply(scripted: Scripted) -> None:
    scripted.unary[UNARY] = with_metadata

    async def work(made: Callable[..., Call]) -> None:
        assert (await made(UNARY).answer(b"", ())).reply == b""

    run(scripted, work)


def test_an_error_is_raised_as_grpc_raises_it(scripted: Scripted) -> None:
    scripted.unary[UNARY] = failing

    async def work(made: Callable[..., Call]) -> None:
        call = made(UNARY)
        with pytest.raises(grpc.aio.AioRpcError, match="lost") as raised:
            await call.answer(b"", ())
        assert (call.code, raised.value.code()) == (grpc.StatusCode.DATA_LOSS, grpc.StatusCode.DATA_LOSS)
        error: Any = raised.value
        assert (tuple(error.initial_metadata()), tuple(error.trailing_metadata())) == (INITIAL, TRAILING)

    run(scripted, work)


def test_a_stream_brings_every_message_and_then_its_trailers(scripted: Scripted) -> None:
    scripted.streams[STREAM] = thousand

    async def work(made: Callable[..., Call]) -> None:
        call = made(STREAM)
        assert await call.begin(b"", ()) == INITIAL
        assert not call.trailing
        assert await collected(call) == [b"%d" % number for number in range(1000)]
        assert call.trailing == TRAILING

    run(scripted, work)


@pytest.mark.parametrize("behaviour", [one_then_failing, None], ids=["after-a-message", "at-once"])
def test_a_stream_that_fails_raises_after_what_came(scripted: Scripted, behaviour: Any) -> None:
    method = STREAM if behaviour else "/a.Service/Unknown"
    scripted.streams[STREAM] = behaviour

    async def work(made: Callable[..., Call]) -> None:
        call, came = made(method), list[bytes]()
        await call.begin(b"", ())
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await collected(call, came)
        expected = (grpc.StatusCode.DATA_LOSS, [b"first"]) if behaviour else (grpc.StatusCode.UNIMPLEMENTED, [])
        assert (raised.value.code(), came) == expected

    run(scripted, work)


@pytest.mark.parametrize("method", [UNARY, STREAM], ids=["unary", "stream"])
def test_a_deadline_ends_a_call(scripted: Scripted, method: str) -> None:
    async def work(made: Callable[..., Call]) -> None:
        call = made(method, 0.2)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await waiting_for(call, method)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    run(scripted, work)


async def waiting_for(call: Call, method: str) -> None:
    if method == UNARY:
        await call.answer(b"", ())
    else:
        await call.begin(b"", ())
        await collected(call)


@pytest.mark.parametrize("method", [UNARY, STREAM], ids=["unary", "stream"])
@pytest.mark.parametrize("when", ["at-once", "under-way"])
def test_a_call_whose_waiting_is_cancelled_is_cancelled_itself(scripted: Scripted, method: str, when: str) -> None:
    async def work(made: Callable[..., Call]) -> None:
        call = made(method)
        task = asyncio.ensure_future(waiting_for(call, method))
        await asyncio.sleep(0)
        if when == "under-way":
            assert await asyncio.to_thread(scripted.arrived.acquire, timeout=10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert call.code is grpc.StatusCode.CANCELLED
        if when == "under-way":
            assert await asyncio.to_thread(scripted.cancelled.acquire, timeout=10)

    run(scripted, work)


@pytest.mark.parametrize("method", [UNARY, STREAM], ids=["unary", "stream"])
def test_who_waits_for_a_call_that_is_cancelled_is_cancelled(scripted: Scripted, method: str) -> None:
    """As by the end of a channel: nobody is told of an error that containerd did not make."""

    async def work(made: Callable[..., Call]) -> None:
        call = made(method)
        task = asyncio.ensure_future(waiting_for(call, method))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(scripted.arrived.acquire, timeout=10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scripted, work)


def test_cancelling_a_call_that_has_ended_changes_nothing(scripted: Scripted) -> None:
    scripted.unary[UNARY] = with_metadata

    async def work(made: Callable[..., Call]) -> None:
        call = made(UNARY)
        await call.answer(b"", ())
        call.cancel()
        assert call.code is grpc.StatusCode.OK

    run(scripted, work)


def test_what_the_core_has_begun_is_seen_through_though_nobody_waits(scripted: Scripted) -> None:
    """Else it would never take back what it has set aside for the answer."""

    async def work(made: Callable[..., Call]) -> None:
        call = made(UNARY)
        task = asyncio.ensure_future(call.answer(b"", ()))
        await asyncio.sleep(0)
        core = call._core
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            # Its own answer, which it gives once it has read what the core says, replaces that of ``cancel``.
            while core._status.debug_error_string() is None:  # noqa: ASYNC110 - the core's end is no event of ours
                await asyncio.sleep(0.01)

    run(scripted, work)
