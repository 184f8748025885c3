"""The reference pages are what the code says, and say all of it."""

import ast
import re
from pathlib import Path

import pytest

from docs.generators import logs
from docs.generators.metrics import metrics_page
from imagefit.errors import RecordsError
from imagefit.telemetry import LEVELS, PARTS, metrics

ROOT = Path(__file__).parents[2]


def test_the_pages_are_up_to_date() -> None:
    assert (ROOT / "docs/reference/metrics.md").read_text() == metrics_page(), "run `make docs`"
    assert (ROOT / "docs/reference/logs.md").read_text() == logs.logs_page(), "run `make docs`"


def test_every_metric_is_on_its_page() -> None:
    page = metrics_page()
    assert re.findall(r"^\| `(imagefit_\w+)`", page, re.MULTILINE) == [metric.name for metric in metrics.METRICS]
    for metric in metrics.METRICS:
        for label in metric.labels:
            assert f"`{label.name}`" in page


def test_every_event_is_described_and_nothing_else() -> None:
    logged = {event for event, *_ in logs.logged_events()}
    assert logged >= {"decision", "listening", "detector-failed"}
    assert set(logs.EVENTS) == logged | {"crash", "message"}


SPEAKERS = [
    pytest.param('from imagefit import telemetry\nlog = telemetry.part("cri")\n', "cri", id="speaker"),
    pytest.param("import os\nlog = os.open('x')\n", "", id="none"),
]


@pytest.mark.parametrize(("source", "part"), SPEAKERS)
def test_the_part_of_a_module_is_found(source: str, part: str) -> None:
    assert logs.part_of(ast.parse(source), "x.py") == part


UNHEARD = [
    pytest.param('_log = telemetry.part("cri")', id="another-name"),
    pytest.param('def f():\n    log = telemetry.part("cri")', id="in-a-function"),
    pytest.param('telemetry.part("cri").info("x")', id="no-name"),
    pytest.param('from imagefit.telemetry import part\nspeak = part("cri")', id="imported-by-name"),
    pytest.param('log = telemetry.part("cri")\nother = telemetry.part("node")', id="a-second-one"),
    pytest.param('log = telemetry.part("cri")\nlog = telemetry.part("node")', id="twice"),
]


@pytest.mark.parametrize("source", UNHEARD)
def test_a_speaker_whose_events_would_not_be_found_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match="is called log"):
        logs.part_of(ast.parse(source), "x.py")


def test_how_to_debug_explains_every_reason() -> None:
    page = (ROOT / "docs/how-to/debug-a-decision.md").read_text()
    told = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)))
    (reasons,) = (label for label in metrics.DECISIONS.metric.labels if label.name == "reason")
    assert sorted(told) == sorted({*reasons.values, RecordsError.code})


def test_events_are_of_parts_and_levels_that_there_are() -> None:
    for event, part, level, _ in logs.logged_events():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", event)
        assert part in PARTS
        assert level in LEVELS
