"""``reference/metrics.md``: every metric, and health.

Knows how the page reads. Leaves to ``imagefit.telemetry.metrics`` what each metric says.
"""

from pathlib import Path

from docs.generators.places import REFERENCE
from imagefit.telemetry.metrics import METRICS
from imagefit.telemetry.recorders import Label, Metric

_METRICS_HEAD = """\
<!-- Written by `make docs` from src/imagefit/telemetry/metrics.py; edit that and docs/generators instead. -->

# Metrics and health

`[metrics] listen` says where they are served over HTTP: a loopback address such as `127.0.0.1:9477`, or `unix:` and a
path, whose socket is for root and its group. `imagefit serve` alone serves none; the systemd unit does, on
`127.0.0.1:9477`.

| path | answer |
|---|---|
| `/metrics` | all metrics, in Prometheus's text format or, where the request asks for it, OpenMetrics |
| `/healthz` | 200 as long as the process turns |
| `/readyz` | 200 where pulls can be answered, else 503 and one line that says what is missing |

Anything else is 404, and other methods than GET and HEAD are 405. At most 16 connections are served at a time, each for
one request and at most ten seconds. The gRPC health service (`grpc.health.v1.Health`) answers `Check` and `Watch` on
imagefit's own socket: service `imagefit`, or none, is imagefit; any other is containerd's to answer.

Labels are bounded: a label whose values are listed says nothing else but `other`; one that has a number keeps that many
values apart and says `other` for the rest. Of one metric, at most 2,000 sets of labels are kept. Image names are a
label only with `[metrics] images = true`. The metrics of the process (`process_…`) are there too.

Where all sets of labels are known they are there from the start, at 0, so that an alert sees the first event; those of
`imagefit_decisions_total` as long as image names are no label.

`examples/prometheus/` has alert rules and a Grafana dashboard.

## Metrics
"""


def files() -> dict[Path, str]:
    """Return the page."""
    return {REFERENCE / "metrics.md": metrics_page()}


def metrics_page() -> str:
    """Return ``reference/metrics.md``."""
    rows = (_metric(metric) for metric in METRICS)
    return "\n".join((_METRICS_HEAD, "| metric | type | labels | what it says |", "|---|---|---|---|", *rows, ""))


def _metric(metric: Metric) -> str:
    labels = "; ".join(map(_label, metric.labels)) or "none"
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)} s." if metric.buckets else ""
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about}{buckets} |"


def _label(label: Label) -> str:
    said = ", ".join(f"`{value}`" for value in label.values)
    more = f"{'at most ' if not said else 'and others, at most '}{label.most:,}" if label.most else ""
    wanted = " (if wanted)" if label.is_image else ""
    return f"`{label.name}`{wanted}: {', '.join(filter(None, (said, more)))}"
