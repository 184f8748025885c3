"""Trace context is read strictly; spans cost nothing until they are wanted, and hold no secret."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from imagefit.errors import InvalidConfigurationError
from imagefit.telemetry import tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = f"00-{TRACE}-{PARENT}-01"

TRACEPARENTS = [
    pytest.param(CALLER, TRACE, id="sampled"),
    pytest.param(f"00-{TRACE}-{PARENT}-00", TRACE, id="not-sampled"),
    pytest.param(f"cc-{TRACE}-{PARENT}-01", TRACE, id="later-version"),
    pytest.param(f"cc-{TRACE}-{PARENT}-01-what-comes-later", TRACE, id="later-version-with-more"),
    pytest.param("", "", id="none"),
    pytest.param(f"00-{TRACE}-{PARENT}-01-more", "", id="more-than-version-00-has"),
    pytest.param(f"cc-{TRACE}-{PARENT}-01more", "", id="more-without-a-dash"),
    pytest.param(f"ff-{TRACE}-{PARENT}-01", "", id="forbidden-version"),
    pytest.param(f"00-{'0' * 32}-{PARENT}-01", "", id="trace-of-zeros"),
    pytest.param(f"00-{TRACE}-{'0' * 16}-01", "", id="parent-of-zeros"),
    pytest.param(CALLER.upper(), "", id="capitals"),
    pytest.param(f"00-{TRACE[1:]}-{PARENT}-01", "", id="trace-too-short"),
    pytest.param(f"00-{TRACE}0-{PARENT}-01", "", id="trace-too-long"),
    pytest.param(f"00-{TRACE}-{PARENT}", "", id="no-flags"),
    pytest.param(f"00-{TRACE}-{PARENT}-1", "", id="short-flags"),
    pytest.param(f" {CALLER}", "", id="space-before"),
    pytest.param(f"{CALLER}\n", "", id="line-end-after"),
    pytest.param(f"00-{'٣' * 32}-{PARENT}-01", "", id="digits-of-unicode"),
    pytest.param("00-1-2-01", "", id="short"),
    pytest.param("x" * 1_000_000, "", id="long"),
]


@pytest.mark.parametrize(("traceparent", "trace"), TRACEPARENTS)
def test_the_trace_of_a_traceparent(traceparent: str, trace: str) -> None:
    assert tracing.trace_id(traceparent) == trace


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    tracing.enable(made)
    yield made
    tracing.shutdown()


def finished(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    tracing.shutdown()
    return {one.name: one for one in exporter.get_finished_spans()}


def test_a_span_that_nobody_wants_does_nothing() -> None:
    with tracing.span("PullImage", parent=CALLER, image="x"), tracing.span("resolve"):
        assert tracing.traceparent() == ""


def test_the_callers_trace_goes_on(exporter: InMemorySpanExporter) -> None:
    with tracing.span("PullImage", parent=CALLER):
        sent = tracing.traceparent()
        with tracing.span("resolve"):
            inner = tracing.traceparent()
        assert tracing.traceparent() == sent
    assert tracing.traceparent() == ""
    assert tracing.trace_id(sent) == tracing.trace_id(inner) == TRACE
    assert len({sent, inner, CALLER}) == 3
    spans = finished(exporter)
    pull, resolve = spans["PullImage"], spans["resolve"]
    assert pull.parent is not None
    assert resolve.parent is not None
    assert pull.context is not None
    assert f"{pull.parent.span_id:016x}" == PARENT
    assert sent == f"00-{TRACE}-{pull.context.span_id:016x}-01"
    assert resolve.parent.span_id == pull.context.span_id
    assert (pull.kind, resolve.kind) == (SpanKind.SERVER, SpanKind.INTERNAL)
    assert pull.resource.attributes["service.name"] == "imagefit"


NO_CALLERS = [pytest.param("", id="none"), pytest.param("00-1-2-01", id="invalid")]


@pytest.mark.parametrize("parent", NO_CALLERS)
def test_without_a_callers_trace_a_new_one_begins(exporter: InMemorySpanExporter, parent: str) -> None:
    # A span with a parent of its own does not belong to what happens to be around it.
    with tracing.span("outer"), tracing.span("PullImage", parent=parent):
        assert tracing.trace_id(tracing.traceparent()) not in {"", TRACE}
    assert finished(exporter)["PullImage"].parent is None


def test_a_caller_that_is_not_sampled_is_not_recorded(exporter: InMemorySpanExporter) -> None:
    with tracing.span("PullImage", parent=f"00-{TRACE}-{PARENT}-00"):
        assert tracing.traceparent().startswith(f"00-{TRACE}-")
        assert tracing.traceparent().endswith("-00")
    assert not finished(exporter)


def test_tasks_have_spans_of_their_own(exporter: InMemorySpanExporter) -> None:
    async def pull(trace: str) -> str:
        with tracing.span("PullImage", parent=f"00-{trace}-{PARENT}-01"):
            await asyncio.sleep(0)
            with tracing.span("resolve"):
                await asyncio.sleep(0)
                return tracing.trace_id(tracing.traceparent())

    async def pulls() -> list[str]:
        return await asyncio.gather(*(pull(f"{number:032x}") for number in range(1, 5)))

    assert asyncio.run(pulls()) == [f"{number:032x}" for number in range(1, 5)]


def test_an_error_marks_its_span_without_secrets(exporter: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError), tracing.span("PullImage", parent="", url="https://u:hunter2@h", number=3):
        raise RuntimeError("password=hunter2")
    made = finished(exporter)["PullImage"]
    assert made.status.status_code is StatusCode.ERROR
    assert made.status.description == "RuntimeError: password=REDACTED"
    assert made.attributes == {"url": "https://REDACTED@h", "number": 3}
    assert "hunter2" not in made.to_json()


def test_enabled_twice_records_once(exporter: InMemorySpanExporter) -> None:
    tracing.enable(InMemorySpanExporter())
    with tracing.span("one", parent=""):
        pass
    assert list(finished(exporter)) == ["one"]


class Hanging(SpanExporter):
    """A collector that does not answer until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.over.wait(20)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.over.wait(20)


def test_a_collector_that_hangs_holds_nothing_up() -> None:
    hanging = Hanging()
    tracing.enable(hanging)
    with tracing.span("one", parent=""):
        pass
    tracing.shutdown(0.05)
    assert not hanging.over.is_set()
    hanging.over.set()


def test_shutting_down_what_was_never_enabled_is_nothing() -> None:
    tracing.shutdown()
    assert tracing.traceparent() == ""


def test_without_the_extra_there_is_advice() -> None:
    program = (
        "from imagefit.telemetry import tracing\n"
        "from imagefit.errors import InvalidConfigurationError\n"
        "import sys\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
        "sys.modules['opentelemetry'] = None\n"
        "try: tracing.enable()\n"
        "except InvalidConfigurationError as error: print(error.advice)\n"
        "with tracing.span('x', parent=''): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "install imagefit[otel], or leave [tracing] enabled = false\n"


def test_an_extra_that_is_half_there_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InvalidConfigurationError, match="OpenTelemetry"):
        tracing.enable()
    assert tracing.traceparent() == ""


NAMES = [
    pytest.param({}, "imagefit", id="none"),
    pytest.param({"OTEL_SERVICE_NAME": "own"}, "own", id="name"),
    pytest.param({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=own"}, "own", id="attribute"),
    pytest.param({"OTEL_RESOURCE_ATTRIBUTES": "a=b"}, "imagefit", id="other-attribute"),
]


@pytest.mark.parametrize(("environment", "name"), NAMES)
def test_the_operator_can_name_the_service(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str
) -> None:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    exporter = InMemorySpanExporter()
    tracing.enable(exporter)
    with tracing.span("one", parent=""):
        pass
    assert finished(exporter)["one"].resource.attributes["service.name"] == name
