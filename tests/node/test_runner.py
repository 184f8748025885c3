"""A detector that hangs is left behind; the others go on, and no thread is left over."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagefit.model.facts import Facts
from imagefit.node.collect import collect
from imagefit.node.contract import HostView
from imagefit.node.runner import Runner

_LIMIT_SECONDS = 0.5


class _Hanging:
    """Comes back when it is let go."""

    name = "hanging"
    features = ("h.flags",)

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.calls = 0

    def detect(self, host: HostView) -> Facts:
        self.calls += 1
        self.let_go.wait(10)
        return Facts(flags={"h.flags": frozenset({"LATE"})})


class _Quick:
    """Tells which thread it runs on."""

    features = ("q.thread",)

    def __init__(self, name: str) -> None:
        self.name = name

    def detect(self, host: HostView) -> Facts:
        return Facts(attributes={"q.thread": {self.name: str(threading.get_ident())}})


@pytest.fixture
def hanging() -> Iterator[_Hanging]:
    detector = _Hanging()
    yield detector
    detector.let_go.set()
    _wait_for_no_thread()


def _wait_for_no_thread() -> None:
    give_up = time.monotonic() + 10
    while any(thread.name == "detectors" for thread in threading.enumerate()):
        assert time.monotonic() < give_up
        time.sleep(0.001)


def test_one_that_hangs_is_broken_and_the_others_go_on(tmp_path: Path, hanging: _Hanging) -> None:
    detectors = (_Quick("before"), hanging, _Quick("after"))
    collected = collect(HostView(tmp_path), detectors, Runner(_LIMIT_SECONDS))
    before, late, after = collected.reports
    assert (before.ok, after.ok, late.ok) == (True, True, False)
    assert (late.message, late.uncovered) == ("took longer than 0.5 s", ("h.flags",))
    assert _LIMIT_SECONDS <= late.seconds < 5
    threads = collected.node.facts.attributes["q.thread"]
    assert threads["before"] != threads["after"]


def test_one_that_still_hangs_is_not_asked_again(tmp_path: Path, hanging: _Hanging) -> None:
    runner = Runner(_LIMIT_SECONDS)
    messages = [collect(HostView(tmp_path), (hanging,), runner).reports[0].message for _ in range(3)]
    assert messages[0] == "took longer than 0.5 s"
    assert all("is not asked again meanwhile" in message for message in messages[1:])
    assert hanging.calls == 1
    hanging.let_go.set()
    _wait_for_no_thread()
    (report,) = collect(HostView(tmp_path), (hanging,), runner).reports
    assert (report.ok, hanging.calls) == (True, 2)


def test_what_comes_late_is_not_taken(tmp_path: Path, hanging: _Hanging) -> None:
    collected = collect(HostView(tmp_path), (hanging,), Runner(_LIMIT_SECONDS))
    hanging.let_go.set()
    _wait_for_no_thread()
    assert collected.node.facts == Facts(unseen=frozenset(hanging.features))


def test_all_that_come_back_share_one_thread_which_then_ends(tmp_path: Path) -> None:
    facts = collect(HostView(tmp_path), tuple(_Quick(str(number)) for number in range(20))).node.facts
    assert len(set(facts.attributes["q.thread"].values())) == 1
    assert str(threading.get_ident()) not in facts.attributes["q.thread"].values()
    _wait_for_no_thread()
