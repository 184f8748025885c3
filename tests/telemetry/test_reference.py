"""The reference pages are what the code says, and say all of it."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from imagefit.telemetry import LEVELS, PARTS, metrics

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs/generate.py"))


@pytest.mark.parametrize("name", ["metrics", "logs"])
def test_the_page_is_up_to_date(generate: dict[str, Any], name: str) -> None:
    assert (ROOT / f"docs/reference/{name}.md").read_text() == generate[f"{name}_page"](), "run `make docs`"


def test_every_metric_is_on_its_page(generate: dict[str, Any]) -> None:
    page = generate["metrics_page"]()
    assert re.findall(r"^\| `(imagefit_\w+)`", page, re.MULTILINE) == [metric.name for metric in metrics.METRICS]
    for metric in metrics.METRICS:
        for label in metric.labels:
            assert f"`{label.name}`" in page


def test_every_event_is_described_and_nothing_else(generate: dict[str, Any]) -> None:
    logged = {event for event, *_ in generate["logged_events"]()}
    assert logged >= {"decision", "listening", "detector-failed"}
    assert set(generate["_EVENTS"]) == logged | {"crash", "message"}


def test_events_are_of_parts_and_levels_that_there_are(generate: dict[str, Any]) -> None:
    for event, part, level, _ in generate["logged_events"]():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event)
        assert part in PARTS
        assert level in LEVELS
