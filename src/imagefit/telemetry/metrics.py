"""Every metric that imagefit has.

Knows names, labels and what they may say. Leaves how it is counted to ``recorders``, where it is shown to
``daemon.endpoint``, and what is counted to the callers. Nothing is recorded until ``enable``, and prometheus_client is
not imported before: it costs 20 ms and 1.5 MiB.
"""

from typing import TYPE_CHECKING, Final

import msgspec

from imagefit.errors import (
    BudgetSpentError,
    ContainerdAwayError,
    ContentInvalidError,
    ContentMissingError,
    ImagefitError,
    InvalidConfigurationError,
    InvalidIndexError,
    RecordsError,
    RegistryDeniedError,
    RegistryUnreachableError,
    VanishedError,
)
from imagefit.model.outcome import Reason
from imagefit.telemetry.recorders import OTHER, Counter, Gauge, Histogram, Label, Metric, Recorder

__all__ = ["OTHER"]

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_IMAGES: Final = 1000
_FEW: Final = 32
_ERRORS: Final = tuple(
    error.code
    for error in (
        *(RegistryUnreachableError, RegistryDeniedError, ContentMissingError, ContentInvalidError, BudgetSpentError),
        *(InvalidIndexError, InvalidConfigurationError, ImagefitError),
    )
)
STATUSES: Final = ("200", "400", "401", "403", "404", "405", "408", "429", "500", "501", "502", "503", "504")
"""HTTP statuses that are counted each on its own."""
_OUTCOMES: Final = (*STATUSES, "1xx", "2xx", "3xx", "4xx", "5xx", "redirect", *_ERRORS)
# Why a pull that was decided on, or was to be, is forwarded as asked.
_FALLBACKS: Final = (*_ERRORS, RecordsError.code, "pull-not-read")
# Why a chosen image has not got its names.
_NOT_NAMED: Final = (RecordsError.code, ContainerdAwayError.code, VanishedError.code)
_DECIDED: Final = (
    ("rewrite", Reason.CHOSEN),
    *(("pass-through", reason) for reason in (*Reason, *_ERRORS) if reason is not Reason.CHOSEN),
    *(("refuse", reason) for reason in (Reason.NO_MATCH, *_ERRORS, *_NOT_NAMED)),
)
_QUICK: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Pulls of gigabytes are among the steps.
_STEPS: Final = (*_QUICK, 60.0, 120.0, 300.0, 600.0)

DECISIONS: Final = Counter(
    Metric(
        "imagefit_decisions_total",
        "counter",
        "Pulls that were decided on, by what became of them and why.",
        (
            Label("result", ("rewrite", "pass-through", "refuse")),
            Label("reason", (*Reason, *_ERRORS, *_NOT_NAMED), most=_FEW),
            Label("image", most=_IMAGES, is_image=True),
        ),
        known=_DECIDED,
    )
)
CHOSEN: Final = Counter(
    Metric(
        "imagefit_chosen_total",
        "counter",
        "Entries that were chosen, by their platform and the dialect that their metadata is written in.",
        (Label("architecture", most=_FEW), Label("variant", most=_FEW), Label("dialect", most=_FEW)),
    )
)
FALLBACKS: Final = Counter(
    Metric(
        "imagefit_fallbacks_total",
        "counter",
        "Pulls that were forwarded as asked because something went wrong, by what did.",
        (Label("reason", _FALLBACKS, most=_FEW),),
    )
)
REGISTRY_REQUESTS: Final = Counter(
    Metric(
        "imagefit_registry_requests_total",
        "counter",
        "Requests to registries, by host and by status (rare ones as `2xx` to `5xx`), `redirect` or the error's code.",
        (Label("host", most=64), Label("method", ("HEAD", "GET", "POST")), Label("outcome", _OUTCOMES)),
    )
)
CACHE_LOOKUPS: Final = Counter(
    Metric(
        "imagefit_cache_lookups_total",
        "counter",
        "Looks into the cache of metadata, by whether it was there.",
        (Label("result", ("hit", "miss")),),
    )
)
SIGNATURES: Final = Counter(
    Metric(
        "imagefit_signatures_total",
        "counter",
        "Referrers whose signatures were asked for, by what came of it; all but `valid` are left out.",
        (Label("result", ("valid", "missing", "invalid", "unavailable", "no-key")),),
    )
)
STEP_SECONDS: Final = Histogram(
    Metric(
        "imagefit_step_seconds",
        "histogram",
        "Time of each step of a pull.",
        (Label("step", ("resolve", "index", "node", "metadata", "judge", "pull", "records")),),
        _STEPS,
    )
)
SHED: Final = Counter(
    Metric(
        "imagefit_shed_total",
        "counter",
        "Calls that were turned away because too many were under way, by the limit that they met.",
        (Label("limit", ("calls", "pulls")),),
    )
)
CONTAINERD_CALLS: Final = Counter(
    Metric(
        "imagefit_containerd_calls_total",
        "counter",
        "Calls to containerd, forwarded ones and our own, by method and gRPC status.",
        (Label("method", most=128), Label("code", most=_FEW)),
    )
)
RECORD_WAIT: Final = Histogram(
    Metric(
        "imagefit_record_wait_seconds",
        "histogram",
        "Time until containerd showed the names of a chosen image.",
        (),
        _QUICK,
    )
)
DETECTOR_OK: Final = Gauge(
    Metric(
        "imagefit_detector_ok",
        "gauge",
        "Whether a detector worked when it last looked at the node (1) or broke (0).",
        (Label("detector", most=64),),
    )
)
DETECTOR_SECONDS: Final = Gauge(
    Metric(
        "imagefit_detector_seconds",
        "gauge",
        "Time that a detector took when it last looked at the node.",
        (Label("detector", most=64),),
    )
)
CONFIG_RELOADS: Final = Counter(
    Metric(
        "imagefit_config_reloads_total",
        "counter",
        "Configurations that were read, that of the start included, by whether they were taken.",
        (Label("result", ("taken", "refused")),),
    )
)
CONFIG_TAKEN: Final = Gauge(
    Metric("imagefit_config_taken_timestamp_seconds", "gauge", "When the configuration in use was taken, in Unix time.")
)
CONFIG_OK: Final = Gauge(
    Metric(
        "imagefit_config_ok",
        "gauge",
        "Whether the configuration files are in use as they are now (1) or their last change was refused (0).",
    )
)
READY: Final = Gauge(
    Metric("imagefit_ready", "gauge", "Whether pulls can be answered now (1) or something is missing (0).")
)
BUILD_INFO: Final = Gauge(
    Metric(
        "imagefit_build_info",
        "gauge",
        "Always 1, for its labels.",
        (Label("version", most=_FEW), Label("python", most=_FEW)),
    )
)

RECORDERS: Final[tuple[Recorder, ...]] = (
    *(DECISIONS, CHOSEN, FALLBACKS, REGISTRY_REQUESTS, CACHE_LOOKUPS, SIGNATURES, STEP_SECONDS, CONTAINERD_CALLS),
    SHED,
    *(RECORD_WAIT, DETECTOR_OK, DETECTOR_SECONDS, CONFIG_RELOADS, CONFIG_TAKEN, CONFIG_OK, READY, BUILD_INFO),
)
METRICS: Final = tuple(recorder.metric for recorder in RECORDERS)
"""All metrics, in the order of their page."""


class _Shown(msgspec.Struct):
    """What is exposed now."""

    registry: "CollectorRegistry | None" = None
    images: bool = False


_shown: Final = _Shown()


def enable(*, images: bool = False) -> None:
    """Record from now on, metrics of the process included; with other ``images`` than before, from nothing.

    Args:
        images: whether decisions are told apart by image name; at most 1,000 of them.
    """
    if _shown.registry is not None and _shown.images == images:
        return
    import prometheus_client as library

    library.disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = library.CollectorRegistry()
    library.ProcessCollector(registry=registry)
    for recorder in RECORDERS:
        recorder.start(registry, images=images)
    _shown.registry, _shown.images = registry, images


def disable() -> None:
    """Record and expose nothing from now on."""
    for recorder in RECORDERS:
        recorder.stop()
    _shown.registry = None


def exposition(accept: str = "") -> tuple[str, bytes]:
    """Return all metrics as text.

    Args:
        accept: the header of the request; OpenMetrics where it asks for that, else Prometheus's own format.

    Returns:
        Content type and body; an empty body where metrics are not enabled.
    """
    if _shown.registry is None:
        return "text/plain; charset=utf-8", b""
    from prometheus_client.exposition import choose_encoder

    try:
        encoder, content_type = choose_encoder(accept)
    except Exception:  # noqa: BLE001 - the library stumbles over a header that makes no sense
        encoder, content_type = choose_encoder("")
    return content_type, encoder(_shown.registry)
