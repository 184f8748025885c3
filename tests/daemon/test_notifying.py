"""What a service manager is told: sd_notify(3), sd_watchdog_enabled(3)."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from harness.manager import Manager as Listening
from imagefit.daemon.notifying import Manager

WATCHDOG = {"WATCHDOG_USEC": "300000"}
_Result = TypeVar("_Result")
ABSTRACT = f"@imagefit-test-{os.getpid()}"


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, folder: Path) -> Iterator[Listening]:
    """A manager that listens on a path, and one that listens on an abstract address."""
    path = folder / "notify.sock"
    with Listening(path if request.param == "path" else ABSTRACT) as made:
        yield made
    path.unlink(missing_ok=True)


def test_what_is_told_arrives_one_assignment_a_line(listening: Listening) -> None:
    assert Manager(listening.environment).tell(READY=1, STATUS="one\ntwo")
    assert listening.told() == {"READY": "1", "STATUS": "one two"}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "relative/notify.sock",
        "/nowhere/notify.sock",
        "@nobody-listens-here",
        "/" + "x" * 200,
        "/dev/null",
        "vsock:2:1",
    ],
)
def test_a_manager_that_does_not_listen_costs_nothing(address: str) -> None:
    assert Manager({"NOTIFY_SOCKET": address, **WATCHDOG}).tell(READY=1)


def test_without_the_variable_nobody_is_told_and_nothing_is_fed() -> None:
    manager = Manager(WATCHDOG)
    assert manager.tell(READY=1)
    assert manager.watchdog_seconds == 0


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, 0),
        (WATCHDOG, 0.3),
        pytest.param({**WATCHDOG, "WATCHDOG_PID": str(os.getpid())}, 0.3, id="this-process"),
        pytest.param({**WATCHDOG, "WATCHDOG_PID": str(os.getpid() + 1)}, 0, id="another-process"),
        ({"WATCHDOG_USEC": ""}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": "-5"}, 0),
    ],
    ids=str,
)
def test_the_watchdog_is_fed_where_it_waits_for_this_process(variables: dict[str, str], seconds: float) -> None:
    assert Manager({"NOTIFY_SOCKET": "/n.sock", **variables}).watchdog_seconds == seconds


def test_readiness_comes_first_and_then_a_sign_of_life_thrice_in_the_watchdogs_time(listening: Listening) -> None:
    began = time.monotonic()
    told = asyncio.run(_fed(listening, lambda: [listening.told() for _ in range(5)]))
    assert told == [{"READY": "1", "STATUS": "listening"}, *[{"WATCHDOG": "1"}] * 4]
    assert time.monotonic() - began >= 0.29


def test_for_a_loop_that_hangs_there_is_no_sign_of_life(listening: Listening) -> None:
    hangs = threading.Event()

    def listened() -> bool:
        listening.told_of("WATCHDOG")
        asyncio.run_coroutine_threadsafe(_hang(hangs), loop)
        assert hangs.wait(20)
        is_silent = listening.hears_nothing(0.6)
        hangs.clear()
        listening.told_of("WATCHDOG")
        return is_silent

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(_fed(listening, listened))
    loop.close()


async def _hang(hangs: threading.Event) -> None:
    hangs.set()
    while hangs.is_set():
        time.sleep(0.01)  # noqa: ASYNC251 - that is what is tested


async def _fed(listening: Listening, listened: Callable[[], _Result]) -> _Result:
    """Return what a manager hears that listens while a daemon feeds its watchdog."""
    feeding = asyncio.create_task(Manager({**listening.environment, **WATCHDOG}).feed("listening"))
    try:
        return await asyncio.to_thread(listened)
    finally:
        feeding.cancel()


def test_readiness_is_told_again_where_the_manager_had_no_time_to_listen(folder: Path) -> None:
    path = folder / "full.sock"
    with Listening(path) as listening, contextlib.ExitStack() as noise:
        while _send_noise(path, noise):
            pass
        assert not Manager(listening.environment).tell(READY=1)
        asyncio.run(_told_late(listening))
    path.unlink()


def _send_noise(path: Path, ending: contextlib.ExitStack) -> bool:
    """Send all that one socket has room for; return whether it was anything."""
    sender = ending.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += sender.sendto(b"NOISE=1", str(path))
    return sent > 0


async def _told_late(listening: Listening) -> None:
    feeding = asyncio.create_task(Manager(listening.environment).feed("listening"))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(listening.told_of, "READY")
    await feeding  # there is no watchdog
