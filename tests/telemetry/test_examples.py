"""The alert rules and the dashboard ask for metrics and labels that exist."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagefit.errors import (
    ContentInvalidError,
    ContentMissingError,
    RegistryDeniedError,
    RegistryUnreachableError,
)
from imagefit.telemetry import metrics

EXAMPLES = Path(__file__).parents[2] / "examples/prometheus"
ALERTS = EXAMPLES / "alerts.yaml"
DASHBOARD = EXAMPLES / "dashboard.json"

# Prometheus's own labels, those of its scrapes and of our process metrics.
EVERYWHERE = {"instance", "job", "le"}
FOREIGN: dict[str, frozenset[str]] = {
    "up": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "process_cpu_seconds_total": frozenset(),
}
WORDS = {
    *("sum", "count", "max", "topk", "by", "on", "and", "or", "offset"),
    *("rate", "increase", "histogram_quantile", "time", "vector", "label_values"),
}
# What nobody lists: any status of HTTP, and the errors that a request can end with.
ANY = "\0"
OUTSIDE = {
    "outcome": [
        *("200", "307", "401", "403", "404", "429", "500", "503", "redirect"),
        *(
            one.code
            for one in (RegistryUnreachableError, RegistryDeniedError, ContentMissingError, ContentInvalidError)
        ),
    ],
}
TABLE = {metric.name: metric for metric in metrics.METRICS}

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_NAME = re.compile(r"(?<![\w.$])[a-zA-Z_:][\w:]*")
_LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}")


def labels_of(name: str) -> set[str] | None:
    """Return the labels of a metric that an expression names; None where there is no such metric."""
    if name in FOREIGN:
        return EVERYWHERE | FOREIGN[name]
    metric = TABLE.get(re.sub("_(bucket|count|sum)$", "", name))
    if metric is None or (metric.kind == "histogram") is (name in TABLE):
        return None
    return EVERYWHERE | {label.name for label in metric.labels if not label.is_image}


def said(name: str) -> list[dict[str, str]]:
    """Return all sets of labels that a metric can have, as far as they are known."""
    metric = TABLE.get(re.sub("_(bucket|count|sum)$", "", name))
    if metric is None:
        return []
    labels = [label.name for label in metric.labels if not label.is_image]
    if metric.known:
        return [dict(zip(labels, values, strict=True)) for values in metric.known]
    return [
        dict(zip(labels, values, strict=True))
        for values in itertools.product(*(OUTSIDE.get(one.name, one.values) or [ANY] for one in metric.labels))
    ]


def never(name: str, matchers: list[tuple[str, str, str]]) -> Iterator[str]:
    """Yield what keeps a selector from ever finding anything, or a part of it from ever mattering."""
    sets = said(name)
    for label, operator, value in matchers:
        known = {one[label] for one in sets if label in one} - {ANY}
        parts = value.split("|") if "~" in operator else [re.escape(value)]
        yield from (f"{label} of {name} never says {part}" for part in parts if known and not matching(part, known))
    if sets and not any(all(agrees(one, *matcher) for matcher in matchers) for one in sets):
        yield f"no {name} has these labels together"


def matching(pattern: str, values: Iterable[str]) -> list[str]:
    return [value for value in values if re.fullmatch(pattern, value)]


def agrees(labels: dict[str, str], label: str, operator: str, value: str) -> bool:
    has = labels.get(label, ANY)
    if has == ANY:
        return True
    is_found = bool(re.fullmatch(value if "~" in operator else re.escape(value), has))
    return is_found is not operator.startswith("!")


def names_in(expression: str) -> set[str]:
    """Return the metrics that an expression names."""
    bare = _GROUPING.sub("", re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b\d+\w*', "", expression))
    return set(_NAME.findall(bare)) - WORDS


def faults(expression: str, shown: str = "") -> Iterator[str]:
    """Yield what an expression, or the text that goes with it, names and is not there."""
    names = names_in(expression)
    known = {name: labels_of(name) for name in names}
    yield from (f"no metric {name}" for name, labels in known.items() if labels is None)
    together = {label for labels in known.values() for label in labels or ()}
    for group in _GROUPING.findall(expression):
        yield from (f"no label {one.strip()}" for one in group.split(",") if one.strip() not in together)
    yield from (f"no label {one} to show" for one in _LEGEND.findall(shown) if one not in together)
    for name, selector in _SELECTOR.findall(expression):
        matchers = [matcher for matcher in _MATCHER.findall(selector) if "$" not in matcher[2]]
        yield from (f"no label {label} of {name}" for label, *_ in matchers if label not in (known.get(name) or ()))
        yield from never(name, matchers)


def alert_rules() -> list[dict[str, Any]]:
    rules = yaml.safe_load(ALERTS.read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return listed


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in alert_rules()])
def test_an_alert_asks_for_what_exists(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert not list(faults(rule["expr"], " ".join(rule["annotations"].values())))


@pytest.mark.parametrize("panel", [pytest.param(panel, id=panel["title"]) for panel in panels()])
def test_a_panel_asks_for_what_exists(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert not list(faults(target["expr"], target["legendFormat"]))
        assert 'instance=~"$instance"' in target["expr"]


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert DASHBOARD.read_text() == json.dumps(dashboard, indent=2) + "\n"
    assert len({panel["id"] for panel in panels()}) == len(panels())
    places = [panel["gridPos"] for panel in panels()]
    covered = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(covered)) == len(covered)
    assert max(x for x, _ in covered) < 24
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            assert not list(faults(variable["definition"].replace(", instance", "")))


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name in names_in(target["expr"])}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in shown} >= set(TABLE)


WRONG = [
    pytest.param("rate(imagefit_decision_total[5m])", "", "no metric imagefit_decision_total", id="metric"),
    pytest.param("imagefit_step_seconds > 1", "", "no metric imagefit_step_seconds", id="histogram-itself"),
    pytest.param("imagefit_ready_bucket > 1", "", "no metric imagefit_ready_bucket", id="bucket-of-a-gauge"),
    pytest.param("imagfit_ready == 0", "", "no metric imagfit_ready", id="misspelt"),
    pytest.param('imagefit_ready{host="a"}', "", "no label host of imagefit_ready", id="matcher"),
    pytest.param("sum by (image) (imagefit_decisions_total)", "", "no label image", id="grouping"),
    pytest.param('imagefit_decisions_total{result="rewritten"}', "", "never says rewritten", id="value"),
    pytest.param('imagefit_decisions_total{reason="nomatch"}', "", "never says nomatch", id="reason"),
    pytest.param('imagefit_decisions_total{reason!="of"}', "", "never says of", id="value-left-out"),
    pytest.param('imagefit_fallbacks_total{reason=~"records|plain"}', "", "never says plain", id="one-of-several"),
    pytest.param('imagefit_registry_requests_total{outcome=~"5..|6.."}', "", "never says 6..", id="status"),
    pytest.param('imagefit_decisions_total{result="refuse",reason="observe"}', "", "these labels together", id="pair"),
    pytest.param(
        'imagefit_decisions_total{result="rewrite",reason!="chosen"}', "", "these labels together", id="nothing-is-left"
    ),
    pytest.param("imagefit_ready == 0", "{{ $labels.detector }}", "no label detector to show", id="text"),
    pytest.param("imagefit_ready", "{{detector}}", "no label detector to show", id="legend"),
]


@pytest.mark.parametrize(("expression", "shown", "fault"), WRONG)
def test_what_does_not_exist_is_found(expression: str, shown: str, fault: str) -> None:
    assert any(fault in one for one in faults(expression, shown))


RIGHT = [
    pytest.param('imagefit_decisions_total{result="refuse",reason!="no-match"}', id="refused-for-an-error"),
    pytest.param('imagefit_decisions_total{reason=~"no-.*"}', id="reasons"),
    pytest.param('imagefit_registry_requests_total{host="any.example.org",outcome="404"}', id="any-host"),
    pytest.param('imagefit_chosen_total{variant="v3"}', id="any-variant"),
]


@pytest.mark.parametrize("expression", RIGHT)
def test_what_exists_is_no_fault(expression: str) -> None:
    assert not list(faults(expression))


def test_an_alert_is_for_each_way_in_which_a_pull_is_refused() -> None:
    """What ``on-error = "fail"`` refuses is no lack of a build."""
    by_name = {rule["alert"]: rule["expr"] for rule in alert_rules()}
    assert 'result="refuse",reason="no-match"' in by_name["ImagefitRefusesPulls"]
    for name in ("ImagefitFailsPulls", "ImagefitDecidesNothing"):
        assert 'result="refuse",reason!="no-match"' in by_name[name]
