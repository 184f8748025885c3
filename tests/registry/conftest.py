"""A registry that is there while a test runs, and no proxy between."""

from collections.abc import Iterator

import pytest

from fakes.registry import FakeRegistry


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    """Another registry, of another origin."""
    with FakeRegistry() as started:
        yield started
