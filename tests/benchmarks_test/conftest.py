"""What the tests of the benchmarks share: figures and runs that nobody measured."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.machine import Machine
from benchmarks.measuring import Figure
from benchmarks.results import SCHEMA, Run


def a_figure(name: str = "a call", **changed: Any) -> Figure:
    made = Figure(part="pass-through", name=name, unit="x", value=2.0, lowest=1.5, highest=2.5)
    return replace(made, **changed)


def a_run(*figures: Figure) -> Run:
    machine = Machine("AMD EPYC", 2, 24_000, "6.1.0", {"python": "3.11.7", "socat": ""})
    return Run(SCHEMA, "2026-07-28T11:22Z", "c0ffee" * 6, False, machine, 0.5, 1.25, 5, (), figures)


@pytest.fixture
def run() -> Run:
    return a_run(
        a_figure(limit=8.0),
        a_figure("a list", limit=1.0),
        a_figure("CPU", unit="µs", is_compared=False),
        a_figure("asked", part="pull", unit="requests", value=0.0, lowest=0.0, highest=0.0),
    )
