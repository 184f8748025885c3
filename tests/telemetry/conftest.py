"""Logging as it was, after every test."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from imagefit.telemetry import PARTS, metrics


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    ours, others = logging.getLogger("imagefit"), logging.getLogger()
    before = ours.handlers, ours.propagate, ours.level
    outer = list(others.handlers)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    ours.handlers, ours.propagate, ours.level = before
    others.handlers = outer
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for name in PARTS:
        logging.getLogger(f"imagefit.{name}").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _metrics() -> Iterator[None]:
    yield
    metrics.disable()
