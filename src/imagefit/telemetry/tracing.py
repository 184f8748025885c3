"""Trace context that callers send, and spans for those who collect them.

Knows W3C's ``traceparent`` (Trace Context, section 3.2) and, once enabled, OpenTelemetry, which is an extra and is not
imported before. Leaves to the callers what is a span, and to the standard ``OTEL_*`` variables where spans go and how
many of them.
"""

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

from imagefit.errors import InvalidConfigurationError
from imagefit.telemetry.redaction import redacted

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

_TRACEPARENT: Final = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
_MAX_CHARACTERS: Final = 512
_VARIABLES: Final = "see the OTEL_* variables, or leave [tracing] enabled = false"
_ADVICE: Final = "install imagefit[otel], or leave [tracing] enabled = false"


class _Tracing(msgspec.Struct):
    """What records spans now."""

    provider: "TracerProvider | None" = None
    tracer: "Tracer | None" = None


_tracing: Final = _Tracing()
_OFF: Final = contextlib.nullcontext()


def trace_id(traceparent: str) -> str:
    """Return the trace's ID, 32 hexadecimal digits; empty where ``traceparent`` is none as W3C defines it."""
    found = re.fullmatch(_TRACEPARENT, traceparent[:_MAX_CHARACTERS])
    if found is None:
        return ""
    version, trace, parent, more = found.groups()
    known = version != "ff" and (more is None or version != "00")
    return trace if known and trace.strip("0") and parent.strip("0") else ""


def span(name: str, *, parent: str | None = None, **attributes: str | float) -> contextlib.AbstractContextManager[None]:
    """Return a span for a ``with`` statement; one that does nothing unless tracing is enabled.

    Args:
        name: one of few, such as ``PullImage`` or ``resolve``.
        parent: ``traceparent`` of the caller that this serves, empty if it sent none; without it the span belongs to
            the one around it.
        attributes: what else is known; texts are cleared of credentials.
    """
    return _OFF if _tracing.tracer is None else _recorded(_tracing.tracer, name, parent, attributes)


def traceparent() -> str:
    """Return the ``traceparent`` of the span around this, to be sent in place of the caller's; empty for none."""
    if _tracing.tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    now = get_current_span().get_span_context()
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}" if now.is_valid else ""


def enable(exporter: "SpanExporter | None" = None) -> None:
    """Record spans from now on.

    Args:
        exporter: where they go; by default OTLP over HTTP, as the ``OTEL_EXPORTER_OTLP_*`` variables say.

    Raises:
        InvalidConfigurationError: the extra is not installed, or an ``OTEL_*`` variable makes no sense.
    """
    if _tracing.tracer is not None:
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create(_named(os.environ)), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter or _otlp_exporter()))
    except ImportError as error:
        raise InvalidConfigurationError(f"tracing needs OpenTelemetry: {error}", advice=_ADVICE) from error
    except Exception as error:  # whatever a variable that makes no sense leads to
        raise InvalidConfigurationError(f"OpenTelemetry does not start: {error}", advice=_VARIABLES) from error
    _tracing.provider, _tracing.tracer = provider, provider.get_tracer("imagefit")


def shutdown(timeout_seconds: float = 2.0) -> None:
    """Send what has not been sent and record no more; blocks at most so long, then gives the rest up."""
    provider, _tracing.provider, _tracing.tracer = _tracing.provider, None, None
    if provider is not None:
        # A daemon thread: a collector that does not answer must not hold up the end of the process.
        sending = threading.Thread(target=provider.shutdown, name="spans", daemon=True)
        sending.start()
        sending.join(timeout_seconds)


def _named(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the name of this service, unless the operator has given it one: what is passed on stands over that."""
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    given = environment.get("OTEL_SERVICE_NAME") or "service.name=" in attributes
    return {} if given else {"service.name": "imagefit"}


def _otlp_exporter() -> "SpanExporter":
    # By its name: it is not installed where imagefit is developed.
    exporter: SpanExporter = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter()
    return exporter


@contextlib.contextmanager
def _recorded(tracer: "Tracer", name: str, parent: str | None, attributes: dict[str, str | float]) -> Iterator[None]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    clear = {key: redacted(value) if isinstance(value, str) else value for key, value in attributes.items()}
    with tracer.start_as_current_span(
        name,
        context=None if parent is None else _remote(parent),
        kind=SpanKind.INTERNAL if parent is None else SpanKind.SERVER,
        attributes=clear,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield
        except Exception as error:
            made.set_status(Status(StatusCode.ERROR, redacted(f"{type(error).__name__}: {error}")[:_MAX_CHARACTERS]))
            raise


def _remote(parent: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent} if trace_id(parent) else {}, Context())
