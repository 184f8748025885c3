"""The trace that kubelet sends goes on to containerd: as it is, or by way of our own span where spans are recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fakes.containerd import EventLoop, ScriptedBackend
from fakes.images_api import FakeContainerd
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.backend import Backend
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.cri.pulling import Pulls
from imagefit.cri.records import Records
from imagefit.cri.wire import PullRequest
from imagefit.errors import RecordsError
from imagefit.model.outcome import Outcome, PassThrough, Refuse, Rewrite
from imagefit.model.reference import parse_reference
from imagefit.telemetry import tracing

PULL = "/runtime.v1.ImageService/PullImage"
STATUS = "/runtime.v1.ImageService/ImageStatus"
INDEX, CHILD = (f"sha256:{number:064x}" for number in (1, 2))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"

OUTCOMES: list[Any] = [
    pytest.param(PassThrough(parse_reference(f"app@{CHILD}"), "plain", "scripted"), f"app@{CHILD}", id="pass-through"),
    pytest.param(Rewrite(parse_reference("app:1"), INDEX, CHILD), "app:1", id="rewrite"),
]


class Imagefit:
    """The proxy in a thread of its own, with one answer to every pull."""

    def __init__(self, socket: Path, backend: Path) -> None:
        self.socket = socket
        self.outcome: Outcome = PassThrough(None, "plain", "scripted")
        self.traceparents: list[str] = []
        self._loop = EventLoop()
        self._loop.run(self._start(backend))

    def call(self, method: str, request: bytes, metadata: tuple[tuple[str, str], ...]) -> None:
        options = (("grpc.default_authority", "localhost"),)
        with grpc.insecure_channel(f"unix:{self.socket}", options=options) as channel:
            untyped: Any = channel
            untyped.unary_unary(method)(request, metadata=metadata, timeout=20)

    def stop(self) -> None:
        self._loop.run(self._stop())
        self._loop.close()

    async def choose(self, request: PullRequest, remaining_seconds: float | None) -> Outcome:
        self.traceparents.append(request.traceparent)
        return self.outcome

    def records_failed(self, request: PullRequest, rewrite: Rewrite, error: RecordsError) -> PassThrough | Refuse:
        raise AssertionError

    async def _start(self, backend: Path) -> None:
        self._backend = Backend(backend)
        self._server = grpc.aio.server()
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
    scripted = ScriptedBackend(tmp_path / "c.sock")
    FakeContainerd(scripted).image_ids = {CHILD: "sha256:image"}
    yield scripted
    scripted.stop()


@pytest.fixture
def imagefit(tmp_path: Path, backend: ScriptedBackend) -> Iterator[Imagefit]:
    proxy = Imagefit(tmp_path / "i.sock", backend.socket)
    yield proxy
    proxy.stop()


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    tracing.enable(made)
    yield made
    tracing.shutdown()


def pull(imagefit: Imagefit, outcome: Outcome, image: str, *metadata: tuple[str, str]) -> None:
    imagefit.outcome = outcome
    request = messages.PullImageRequest(image=messages.ImageSpec(image=image.encode())).SerializeToString()
    imagefit.call(PULL, request, metadata)


def seen(backend: ScriptedBackend, method: str) -> dict[str, Any]:
    (metadata,) = (metadata for asked, _, metadata in backend.seen if asked == method)
    return metadata


@pytest.mark.parametrize(("outcome", "image"), OUTCOMES)
def test_without_spans_the_callers_context_passes(
    imagefit: Imagefit, backend: ScriptedBackend, outcome: Outcome, image: str
) -> None:
    pull(imagefit, outcome, image, ("traceparent", CALLER), ("tracestate", "a=1,b=2"))
    metadata = seen(backend, PULL)
    assert (metadata["traceparent"], metadata["tracestate"]) == (CALLER, "a=1,b=2")
    assert imagefit.traceparents == [CALLER]


@pytest.mark.parametrize(("outcome", "image"), OUTCOMES)
def test_with_spans_containerd_sees_ours_in_the_callers_trace(
    imagefit: Imagefit, backend: ScriptedBackend, exporter: InMemorySpanExporter, outcome: Outcome, image: str
) -> None:
    pull(imagefit, outcome, image, ("traceparent", CALLER), ("tracestate", "a=1,b=2"))
    metadata = seen(backend, PULL)
    assert metadata["traceparent"] != CALLER
    assert tracing.trace_id(metadata["traceparent"]) == TRACE
    assert metadata["tracestate"] == "a=1,b=2"
    assert imagefit.traceparents == [CALLER]
    tracing.shutdown()
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert f"{span.context.span_id:016x}" in metadata["traceparent"]


def test_without_a_callers_context_none_is_made_up(imagefit: Imagefit, backend: ScriptedBackend) -> None:
    pull(imagefit, OUTCOMES[0].values[0], f"app@{CHILD}")
    assert "traceparent" not in seen(backend, PULL)
    assert imagefit.traceparents == [""]


def test_calls_that_are_no_pulls_keep_the_callers_context(
    imagefit: Imagefit, backend: ScriptedBackend, exporter: InMemorySpanExporter
) -> None:
    request = messages.ImageStatusRequest(image=messages.ImageSpec(image=b"app:1")).SerializeToString()
    imagefit.call(STATUS, request, (("traceparent", CALLER),))
    assert seen(backend, STATUS)["traceparent"] == CALLER
