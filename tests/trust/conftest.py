"""Metrics that count."""

from collections.abc import Callable, Iterator

import pytest

from imagefit.telemetry import metrics


@pytest.fixture
def counted() -> Iterator[Callable[[str], float]]:
    """Count, and return what tells how often a result was counted."""
    metrics.enable()

    def how_often(result: str) -> float:
        wanted = f'imagefit_signatures_total{{result="{result}"}} '
        lines = metrics.exposition()[1].decode().splitlines()
        return next(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))

    yield how_often
    metrics.disable()
