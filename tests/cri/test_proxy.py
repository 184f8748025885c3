"""Every call is the same through imagefit as direct: one table, two ways."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from fakes.containerd import LIMITS, EventLoop, ScriptedBackend
from fakes.images_api import FakeContainerd
from imagefit.cri.backend import MESSAGE_OPTIONS, Backend
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.cri.pulling import Pulls
from imagefit.cri.records import Records
from imagefit.cri.wire import PullRequest
from imagefit.errors import RecordsError
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.reference import parse_reference

STATUS = "/runtime.v1.ImageService/ImageStatus"
LIST = "/runtime.v1.ImageService/ListImages"
PULL = "/runtime.v1.ImageService/PullImage"
STREAM = "/runtime.v1.ImageService/StreamImages"
OTHER = "/some.other.Service/Anything"
MEBIBYTE = 1024 * 1024


@dataclass
class Ended:
    """How one call ended, as its caller saw it."""

    replies: list[bytes]
    code: grpc.StatusCode
    details: str
    initial: dict[str, Any]
    trailing: dict[str, Any]


class Imagefit:
    """The proxy in a thread of its own."""

    def __init__(self, socket: Path, backend: Path) -> None:
        self.socket = socket
        self.outcome: Outcome = PassThrough(None, Reason.NO_NAME, "scripted")
        self.instead: PassThrough | Refuse = PassThrough(parse_reference("app:1"), "records", "scripted")
        self.failed: list[tuple[str, Rewrite]] = []
        self._loop = EventLoop()
        self._loop.run(self._start(backend))

    async def choose(self, request: PullRequest, remaining_seconds: float | None) -> Outcome:
        return self.outcome

    def records_failed(self, request: PullRequest, rewrite: Rewrite, error: RecordsError) -> PassThrough | Refuse:
        self.failed.append((request.image, rewrite))
        return self.instead

    def stop(self) -> None:
        self._loop.run(self._stop())
        self._loop.close()

    async def _start(self, backend: Path) -> None:
        self._backend = Backend(backend)
        self._server = grpc.aio.server(options=MESSAGE_OPTIONS)
        proxy = Proxy(self._backend, self._answerers)
        self._pulls = Pulls(proxy, Records(self._backend), self)
        self._health = proxy.forward_stream
        self._server.add_generic_rpc_handlers((proxy,))
        self._server.add_insecure_port(f"unix:{self.socket}")
        await self._server.start()

    async def _answerers(self) -> Answerers:
        return Answerers(self._pulls.pull, self._health)

    async def _stop(self) -> None:
        await self._server.stop(0)
        await self._backend.close()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[ScriptedBackend]:
    scripted = ScriptedBackend(tmp_path / "containerd.sock")
    yield scripted
    scripted.stop()


@pytest.fixture
def imagefit(tmp_path: Path, backend: ScriptedBackend) -> Iterator[Imagefit]:
    proxy = Imagefit(tmp_path / "imagefit.sock", backend.socket)
    yield proxy
    proxy.stop()


@contextlib.contextmanager
def channel(socket: Path) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"unix:{socket}", options=(*LIMITS, ("grpc.default_authority", "localhost"))) as made:
        yield made


def call(socket: Path, method: str, request: bytes, *, stream: bool = False, timeout: float | None = 20) -> Ended:
    """Make one call and tell everything that its caller can see of it."""
    metadata = (("x-caller", "kubelet"), ("x-bytes-bin", b"\x00\x01"), ("traceparent", "00-1-2-01"))
    with channel(socket) as made:
        untyped: Any = made
        start: Any = (untyped.unary_stream if stream else untyped.unary_unary)(method)
        if stream:
            replies = []
            under_way = start(request, metadata=metadata, timeout=timeout)
            with contextlib.suppress(grpc.RpcError):
                replies.extend(under_way)
        else:
            under_way = start.future(request, metadata=metadata, timeout=timeout)
            replies = [] if under_way.exception() else [under_way.result()]
        return Ended(
            replies,
            under_way.code(),
            under_way.details(),
            dict(under_way.initial_metadata()),
            dict(under_way.trailing_metadata()),
        )


def replying(size: int) -> Callable[[bytes, Any], Any]:
    async def behave(request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata((("x-initial", "kept"),))
        context.set_trailing_metadata((("x-trailer", "kept"), ("x-trailer-bin", b"\xff")))
        return request + b"r" * size

    return behave


async def failing(request: bytes, context: Any) -> bytes:
    details = b"\x08\x09\x12\x03why"
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no: «é»", (("grpc-status-details-bin", details),))
    raise AssertionError


async def failing_at_length(request: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.NOT_FOUND, "x" * 60_000)
    raise AssertionError


async def sleeping(request: bytes, context: Any) -> bytes:
    await asyncio.sleep(20)
    return b""


async def thirty(request: bytes, context: Any) -> Any:
    for number in range(30):
        yield request + b"%d" % number


async def breaking(request: bytes, context: Any) -> Any:
    yield request
    await context.abort(grpc.StatusCode.DATA_LOSS, "broke", (("x-trailer", "kept"),))


SAME = [
    pytest.param(STATUS, replying(1024), {}, id="image-status"),
    pytest.param(STATUS.replace("v1.", "v1alpha2."), replying(1024), {}, id="image-status-v1alpha2"),
    pytest.param(LIST, replying(300 * 700), {}, id="list-images-300"),
    pytest.param(LIST, replying(16 * MEBIBYTE), {}, id="reply-of-16-mebibytes"),
    pytest.param(STATUS, failing, {}, id="error-with-details"),
    pytest.param(STATUS, failing_at_length, {}, id="error-of-60000-characters"),
    pytest.param(PULL, replying(10), {}, id="pull-as-asked"),
    pytest.param(PULL, failing, {}, id="pull-that-fails"),
    pytest.param(STATUS, sleeping, {"timeout": 0.3}, id="deadline"),
    pytest.param(OTHER, replying(10), {}, id="any-other-service"),
    pytest.param(OTHER, None, {}, id="unknown-method"),
    pytest.param(STATUS, None, {}, id="unimplemented-known-method"),
    pytest.param(STREAM, thirty, {"stream": True}, id="server-stream"),
    pytest.param(STREAM, breaking, {"stream": True}, id="stream-that-breaks"),
    pytest.param(STREAM, None, {"stream": True}, id="unimplemented-stream"),
]


@pytest.mark.parametrize(("method", "behaviour", "options"), SAME)
def test_a_call_is_the_same_through_imagefit_as_direct(
    backend: ScriptedBackend, imagefit: Imagefit, method: str, behaviour: Any, options: dict[str, Any]
) -> None:
    if behaviour is not None:
        (backend.streams if options.get("stream") else backend.unary)[method] = behaviour
    direct = call(backend.socket, method, b"\x0a\x00", **options)
    through = call(imagefit.socket, method, b"\x0a\x00", **options)
    assert through == direct
    (_, asked, direct_metadata), (_, passed_on, metadata) = backend.seen
    assert passed_on == asked
    for key in ("x-caller", "x-bytes-bin", "traceparent"):
        assert metadata[key] == direct_metadata[key]
    if options.get("timeout"):
        assert metadata["remaining"] == pytest.approx(direct_metadata["remaining"], abs=0.25)


def test_a_request_of_16_mebibytes_passes(backend: ScriptedBackend, imagefit: Imagefit) -> None:
    backend.unary[STATUS] = replying(0)
    request = b"q" * 16 * MEBIBYTE
    assert call(imagefit.socket, STATUS, request).replies == [request]


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_a_cancelled_call_is_cancelled_at_containerd(
    backend: ScriptedBackend, imagefit: Imagefit, *, stream: bool
) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def waiting(request: bytes, context: Any) -> bytes:
        started.set()
        try:
            await asyncio.sleep(20)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return b""

    async def streaming(request: bytes, context: Any) -> Any:
        yield b"first"
        await waiting(request, context)

    backend.unary[STATUS], backend.streams[STREAM] = waiting, streaming
    with channel(imagefit.socket) as made:
        untyped: Any = made
        call_: Any = untyped.unary_stream(STREAM)(b"") if stream else untyped.unary_unary(STATUS).future(b"")
        assert started.wait(10)
        call_.cancel()
        assert cancelled.wait(10)
        assert call_.code() is grpc.StatusCode.CANCELLED


def test_a_refused_pull_never_reaches_containerd(backend: ScriptedBackend, imagefit: Imagefit) -> None:
    backend.unary[PULL] = replying(0)
    imagefit.outcome = Refuse("no build fits", Reason.NO_MATCH)
    ended = call(imagefit.socket, PULL, b"")
    assert (ended.code, ended.details) == (grpc.StatusCode.FAILED_PRECONDITION, "no build fits")
    imagefit.outcome = Refuse("registry away", "registry-unreachable", transient=True)
    assert call(imagefit.socket, PULL, b"").code is grpc.StatusCode.UNAVAILABLE
    assert not backend.seen


def test_a_choice_whose_records_fail_is_pulled_as_asked_with_what_containerd_then_says(
    backend: ScriptedBackend, imagefit: Imagefit
) -> None:
    """Even where both replies bring metadata ahead of them, which can be passed on only once."""
    fake = FakeContainerd(backend)
    backend.unary[PULL] = replying(0)
    fake.refusing = {"Create"}
    index, chosen = (f"sha256:{number:064x}" for number in (1, 2))
    imagefit.outcome = Rewrite(parse_reference("app:1"), index, chosen)
    ended = call(imagefit.socket, PULL, b"\x0a\x05\x0a\x03app")
    assert (ended.code, ended.initial["x-initial"]) == (grpc.StatusCode.OK, "kept")
    asked = [request for method, request, _ in backend.seen if method == PULL]
    assert chosen.encode() in asked[0]
    assert asked[-1] == b"\x0a\x05\x0a\x03app"
    assert imagefit.failed == [("app", imagefit.outcome)]


def test_a_choice_whose_records_fail_fails_the_pull_where_the_operator_wants_that(
    backend: ScriptedBackend, imagefit: Imagefit
) -> None:
    """What was required of the image is not known of what containerd would choose."""
    fake = FakeContainerd(backend)
    fake.refusing = {"Create"}
    index, chosen = (f"sha256:{number:064x}" for number in (1, 2))
    fake.image_ids = {chosen: "sha256:image"}
    imagefit.outcome = Rewrite(parse_reference("app:1"), index, chosen)
    imagefit.instead = Refuse("imagefit: no decision", "records", transient=True)
    ended = call(imagefit.socket, PULL, b"\x0a\x05\x0a\x03app")
    assert ended.code is grpc.StatusCode.UNAVAILABLE
    assert ended.details == "imagefit: no decision"
    assert [method for method, _, _ in backend.seen].count(PULL) == 1


def test_a_pull_request_that_is_none_is_containerds_to_judge(backend: ScriptedBackend, imagefit: Imagefit) -> None:
    backend.unary[PULL] = failing
    imagefit.outcome = Refuse("never asked", Reason.NO_MATCH)
    assert call(imagefit.socket, PULL, b"\xff\xff\xff").code is grpc.StatusCode.FAILED_PRECONDITION
    assert backend.seen[0][1] == b"\xff\xff\xff"


def test_imagefit_serves_before_containerd_is_there_and_after_it_came_back(tmp_path: Path) -> None:
    socket = tmp_path / "later.sock"
    imagefit = Imagefit(tmp_path / "imagefit.sock", socket)
    try:
        assert call(imagefit.socket, STATUS, b"").code is grpc.StatusCode.UNAVAILABLE
        for _ in range(2):
            backend = ScriptedBackend(socket)
            backend.unary[STATUS] = replying(1)
            assert _eventually_ok(imagefit.socket)
            backend.stop()
    finally:
        imagefit.stop()


def _eventually_ok(socket: Path) -> bool:
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        if call(socket, STATUS, b"").code is grpc.StatusCode.OK:
            return True
        time.sleep(0.05)
    return False
