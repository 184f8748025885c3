"""Metrics: nothing before they are enabled, bounded labels after, and text that Prometheus can read."""

import ast
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from imagefit.telemetry import metrics
from imagefit.telemetry.recorders import Counter, Gauge, Histogram, Recorder

SOURCE = Path(metrics.__file__).parents[1]
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"

Samples = dict[tuple[str, tuple[str, ...]], float]


def families(accept: str = "") -> list[Family]:
    content_type, body = metrics.exposition(accept)
    parse = openmetrics if "openmetrics" in content_type else prometheus
    return list(parse(body.decode()))


def samples(accept: str = "") -> Samples:
    """Return the value of every sample by its name and its labels' values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families(accept)
        for sample in family.samples
    }


def total(name: str) -> Samples:
    return {labels: value for labels, value in samples().items() if labels[0] == name and value}


def test_nothing_is_recorded_or_exposed_before() -> None:
    metrics.CACHE_LOOKUPS.add(result="hit")
    assert metrics.exposition() == ("text/plain; charset=utf-8", b"")
    metrics.enable()
    assert not total("imagefit_cache_lookups_total")


def test_nothing_is_recorded_or_exposed_after() -> None:
    metrics.enable()
    metrics.disable()
    metrics.CACHE_LOOKUPS.add(result="hit")
    assert metrics.exposition()[1] == b""
    metrics.enable()
    assert not total("imagefit_cache_lookups_total")


def test_the_library_is_not_imported_before() -> None:
    program = (
        "import sys\n"
        "from imagefit.telemetry import metrics\n"
        "metrics.DECISIONS.add(result='rewrite', reason='chosen', image='x')\n"
        "metrics.exposition()\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "metrics.enable()\n"
        "assert 'prometheus_client' in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def record(recorder: Recorder, **labels: str) -> None:
    match recorder:
        case Counter():
            recorder.add(1, **labels)
        case Gauge():
            recorder.set(1, **labels)
        case Histogram():
            recorder.observe(0.02, **labels)


RECORDERS = [pytest.param(one, id=one.metric.name) for one in metrics.RECORDERS]


@pytest.mark.parametrize("images", [False, True])
@pytest.mark.parametrize("recorder", RECORDERS)
def test_every_metric_is_recorded_as_its_table_says(recorder: Recorder, *, images: bool) -> None:
    metrics.enable(images=images)
    metric = recorder.metric
    given = {label.name: label.values[0] if label.values else "x" for label in metric.labels}
    record(recorder, **given)
    shown = {name: value for name, value in given.items() if images or name != "image"}
    base = metric.name.removesuffix("_total")
    for accept in ("", OPENMETRICS):
        (family,) = (one for one in families(accept) if one.name in {base, metric.name})
        assert (family.type, family.documentation) == (metric.kind, metric.about)
        name = f"{base}_count" if metric.kind == "histogram" else metric.name
        assert [one.value for one in family.samples if (one.name, one.labels) == (name, shown)] == [1]


def test_names_are_as_prometheus_wants_them() -> None:
    for metric in metrics.METRICS:
        assert metric.name.startswith("imagefit_")
        assert metric.name.endswith("_total") is (metric.kind == "counter")
        assert metric.about.endswith(".")
        assert bool(metric.buckets) is (metric.kind == "histogram")
    assert len({metric.name for metric in metrics.METRICS}) == len(metrics.METRICS)


def test_what_is_known_before_is_there_from_the_start() -> None:
    # A counter that appears with its first event hides that event from rate().
    metrics.enable()
    shown = samples()
    assert shown["imagefit_config_reloads_total", ("refused",)] == 0
    assert shown["imagefit_fallbacks_total", ("budget-spent",)] == 0
    assert shown["imagefit_step_seconds_count", ("judge",)] == 0


def test_every_known_pair_of_result_and_reason_is_there_from_the_start() -> None:
    metrics.enable()
    shown = samples()
    for result, reason in metrics.DECISIONS.metric.known:
        assert shown["imagefit_decisions_total", (reason, result)] == 0
    for pair in (
        ("no-match", "refuse"),
        ("budget-spent", "refuse"),
        ("observe", "pass-through"),
        ("chosen", "rewrite"),
    ):
        assert shown["imagefit_decisions_total", pair] == 0
    assert ("imagefit_decisions_total", ("observe", "refuse")) not in shown
    assert shown["imagefit_fallbacks_total", ("pull-not-read",)] == 0


def test_with_image_names_no_decision_is_known_before() -> None:
    metrics.enable(images=True)
    assert not [name for name, _ in samples() if name == "imagefit_decisions_total"]
    assert samples()["imagefit_fallbacks_total", ("budget-spent",)] == 0


def test_known_sets_say_what_their_labels_may_say() -> None:
    for metric in metrics.METRICS:
        labels = [label for label in metric.labels if not label.is_image]
        for known in metric.known:
            assert all(value in label.values for label, value in zip(labels, known, strict=True))


def test_the_process_is_measured() -> None:
    metrics.enable()
    assert samples()["process_resident_memory_bytes", ()] > 0


def calls() -> Iterator[tuple[str, str, str, set[str]]]:
    """Yield where a metric is recorded, its name in ``metrics``, how, and the labels that are given."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Attribute(ast.Attribute(ast.Name("metrics"), name), how), _, keywords):
                    yield f"{path.name}:{node.lineno}", name, how, {one.arg or "**" for one in keywords}


def test_metrics_are_recorded_with_the_labels_that_they_have() -> None:
    found = list(calls())
    for place, name, how, labels in found:
        recorder = getattr(metrics, name)
        assert hasattr(recorder, how), place
        assert labels == {label.name for label in recorder.metric.labels}, place
    recorded = {getattr(metrics, name).metric.name for _, name, _, _ in found}
    assert recorded == {metric.name for metric in metrics.METRICS}


# --- labels -----------------------------------------------------------------------------------------------------------


def test_hosts_are_bounded() -> None:
    metrics.enable()
    for number in range(100):
        for _ in range(2):
            metrics.REGISTRY_REQUESTS.add(host=f"h{number}", method="GET", outcome="200")
    found = total("imagefit_registry_requests_total")
    assert len(found) == 65
    assert found["imagefit_registry_requests_total", ("h63", "GET", "200")] == 2
    assert found["imagefit_registry_requests_total", ("other", "GET", "200")] == 72


def test_images_are_bounded_and_only_there_where_they_are_wanted() -> None:
    metrics.enable(images=True)
    for number in range(1100):
        metrics.DECISIONS.add(result="rewrite", reason="chosen", image=f"app:{number}")
    found = total("imagefit_decisions_total")
    assert len(found) == 1001
    assert found["imagefit_decisions_total", ("other", "chosen", "rewrite")] == 100
    metrics.enable(images=False)
    metrics.DECISIONS.add(result="rewrite", reason="chosen", image="app:1")
    assert total("imagefit_decisions_total") == {("imagefit_decisions_total", ("chosen", "rewrite")): 1}


def test_enabled_again_alike_goes_on() -> None:
    for _ in range(2):
        metrics.enable()
        metrics.CACHE_LOOKUPS.add(result="hit")
    assert total("imagefit_cache_lookups_total") == {("imagefit_cache_lookups_total", ("hit",)): 2}


def test_a_label_with_known_values_says_no_others() -> None:
    metrics.enable()
    metrics.DECISIONS.add(result="made-up", reason="chosen")
    assert list(total("imagefit_decisions_total")) == [("imagefit_decisions_total", ("chosen", "other"))]


def test_every_label_is_bounded() -> None:
    metrics.enable(images=True)
    for recorder in metrics.RECORDERS:
        for label in recorder.metric.labels:
            for number in range(1200):
                record(recorder, **{label.name: f"v{number}"})
    for family in families():
        for name in {name for sample in family.samples for name in sample.labels}:
            assert len({sample.labels.get(name) for sample in family.samples}) <= 1002


def test_all_labels_together_are_bounded() -> None:
    metrics.enable()
    outcomes = metrics.REGISTRY_REQUESTS.metric.labels[2].values
    requests = [(f"h{host}", method, one) for host in range(64) for method in ("GET", "HEAD") for one in outcomes]
    assert len(requests) > 2000
    for host, method, outcome in requests:
        metrics.REGISTRY_REQUESTS.add(host=host, method=method, outcome=outcome)
    found = total("imagefit_registry_requests_total")
    assert sum(found.values()) == len(requests)
    kept = [labels for _, labels in found if labels[0] != "other"]
    assert len(kept) == 2000


LABELS = [
    pytest.param('a"b\\c', 'a"b\\c', id="quote-and-backslash"),
    pytest.param("a\nimagefit_forged 1", "aimagefit_forged 1", id="line-end"),
    pytest.param("\x00\x1b[31m\x85\u2028\u202e", "[31m", id="control-characters"),
    pytest.param("\ud800x", "x", id="surrogate"),
    pytest.param("größe", "größe", id="letters-of-unicode"),
    pytest.param("x" * 10_000, "x" * 256, id="long"),
    pytest.param("https://u:hunter2@h", "https://REDACTED@h", id="credential"),
    pytest.param("", "", id="empty"),
]


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
@pytest.mark.parametrize(("value", "shown"), LABELS)
def test_a_value_cannot_break_the_text(accept: str, value: str, shown: str) -> None:
    metrics.enable()
    metrics.REGISTRY_REQUESTS.add(host=value, method="GET", outcome="200")
    found = {
        sample.labels["host"]: sample.value
        for family in families(accept)
        for sample in family.samples
        if sample.name == "imagefit_registry_requests_total"
    }
    assert found == {shown: 1}


@given(st.lists(st.text(max_size=20), max_size=20))
def test_any_values_can_be_read_back(hosts: list[str]) -> None:
    metrics.disable()
    metrics.enable()
    for host in hosts:
        metrics.REGISTRY_REQUESTS.add(host=host, method="GET", outcome="200")
    for accept in ("", OPENMETRICS):
        families_ = families(accept)
        counts = [
            sample.value
            for family in families_
            for sample in family.samples
            if sample.name == "imagefit_registry_requests_total"
        ]
        assert sum(counts) == len(hosts)


def test_threads_count_together() -> None:
    metrics.enable()

    def work() -> None:
        for number in range(500):
            metrics.REGISTRY_REQUESTS.add(host=f"h{number % 70}", method="GET", outcome="200")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(total("imagefit_registry_requests_total").values()) == 2000


ACCEPTED = [
    pytest.param("", "text/plain; version=0.0.4; charset=utf-8", id="nothing-said"),
    pytest.param("*/*", "text/plain; version=0.0.4; charset=utf-8", id="anything"),
    pytest.param("text/html", "text/plain; version=0.0.4; charset=utf-8", id="a-browser"),
    pytest.param(
        OPENMETRICS,
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        id="openmetrics",
    ),
]


@pytest.mark.parametrize(("accept", "content_type"), ACCEPTED)
def test_the_format_is_what_is_asked_for(accept: str, content_type: str) -> None:
    metrics.enable()
    shown, body = metrics.exposition(accept)
    assert content_type.startswith(shown)  # older libraries do not say how names are escaped
    assert body.endswith(b"# EOF\n") is ("openmetrics" in content_type)
    assert families(accept)
