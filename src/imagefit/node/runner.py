"""Detectors on a thread of their own, so that one that hangs is left behind and the others go on.

Knows how long a detector may take. Leaves to ``collect`` what is said of one that took longer. A read from a dead
network file system cannot be called off: its thread lasts until the kernel answers, and the detector is not asked again
before.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import Detector, HostView, Partial

LIMIT_SECONDS: Final = 2.0

_Found = Facts | Partial
_Jobs = SimpleQueue[Callable[[], None] | None]


class TooSlowError(Exception):
    """A detector took longer than it may, or has not come back since."""


class Runner:
    """Runs one detector after the other. To be used by one thread at a time."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        """Give each detector so many seconds."""
        self._limit_seconds = limit_seconds
        self._jobs: _Jobs | None = None
        self._left_behind: dict[str, Future[_Found]] = {}

    def run(self, detector: Detector, host: HostView) -> _Found:
        """Return what a detector finds.

        Raises:
            TooSlowError: it took too long, now or at an earlier call that has not come back.
            CannotLookError: as the detector raises it, and so does everything else.
        """
        earlier = self._left_behind.get(detector.name)
        if earlier is not None and not earlier.done():
            raise TooSlowError(f"has hung for longer than {self._limit_seconds:g} s and is not asked again meanwhile")
        found: Future[_Found] = Future()
        self._queue().put(partial(_answer, found, partial(detector.detect, host)))
        try:
            found.exception(self._limit_seconds)  # returned here, so that what is raised is only that time is up
        except TimeoutError as error:
            self._left_behind[detector.name] = found
            self.rest()
            raise TooSlowError(f"took longer than {self._limit_seconds:g} s") from error
        return found.result()

    def rest(self) -> None:
        """Let the thread end once it is done; the next detector gets a new one."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None

    def _queue(self) -> _Jobs:
        if self._jobs is None:
            self._jobs = SimpleQueue()
            # A daemon thread: one that hangs must not hold up the end of the process.
            threading.Thread(target=_work, args=(self._jobs,), name="detectors", daemon=True).start()
        return self._jobs


def _work(jobs: _Jobs) -> None:
    while (job := jobs.get()) is not None:
        job()


def _answer(found: "Future[_Found]", detect: Callable[[], _Found]) -> None:
    try:
        found.set_result(detect())
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        found.set_exception(error)
