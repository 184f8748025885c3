"""What is counted of requests on the wire: statuses that matter each on its own, all others by their class."""

from collections.abc import Iterator

import pytest

from imagefit.registry.build import report_request
from imagefit.telemetry import metrics


@pytest.fixture
def counting() -> Iterator[None]:
    metrics.enable()
    yield
    metrics.disable()


def counted(outcome: str) -> str:
    line = f'imagefit_registry_requests_total{{host="good.example",method="GET",outcome="{outcome}"}} 1.0'
    return line if line in metrics.exposition()[1].decode() else ""


@pytest.mark.usefixtures("counting")
@pytest.mark.parametrize(
    ("said", "outcome"),
    [("503", "503"), ("redirect", "redirect"), ("registry-denied", "registry-denied"), ("599", "5xx"), ("299", "2xx")],
)
def test_a_registry_that_answers_oddly_takes_no_room_from_others(said: str, outcome: str) -> None:
    for status in range(200, 600):
        report_request("odd.example", "GET", str(status))
    report_request("good.example", "GET", said)
    assert counted(outcome)
