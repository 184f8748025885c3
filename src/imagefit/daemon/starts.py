"""Starts that end badly one after the other: counted, and each further one put off for longer.

Knows the file that counts them, in the folder that systemd makes for the unit, and how long is waited. Leaves to
``life`` when a start has gone well. Without systemd nothing is counted: whoever starts the daemon there sees it end.
"""

import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from imagefit import telemetry
from imagefit.daemon.notifying import Manager

log = telemetry.part("daemon")
GOOD_AFTER_SECONDS: Final = 10.0
"""A daemon that has served for so long was no bad start, however it ends."""
_FREE: Final = 2
_MOST_SECONDS: Final = 30
_MOST_COUNTED: Final = 99
_MARGIN_SECONDS: Final = 60
_MAX_BYTES: Final = 8
# Whatever stands there, a start neither waits for it nor writes elsewhere.
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Starts:
    """The starts in a row that ended badly, this one included until it has gone well."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Find the file ``starts`` by the environment (``RUNTIME_DIRECTORY``, systemd.exec(5))."""
        folder = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self._file = Path(folder) / "starts" if folder else None

    def count(self) -> int:
        """Count this start as a bad one until it has gone well, and return how many were bad before it."""
        before = 0
        if self._file is not None:
            with contextlib.suppress(OSError), os.fdopen(os.open(self._file, _OPEN, 0o600), "r+b", buffering=0) as file:
                with contextlib.suppress(ValueError):
                    before = min(int(os.pread(file.fileno(), _MAX_BYTES, 0)), _MOST_COUNTED)
                file.truncate(0)
                file.write(f"{before + 1}\n".encode())
        return before

    def forget(self) -> None:
        """Begin to count anew: this start has gone well."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)


def put_off(starts: Starts, manager: Manager) -> bool:
    """Wait where the starts before went badly, and say so.

    Args:
        starts: counts this one.
        manager: is told why it takes so long.

    Returns:
        Whether to go on: not so where the process was told to stop meanwhile.
    """
    seconds = wait_seconds(bad := starts.count())
    if not seconds:
        return True
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    log.warning("start-put-off", seconds=seconds, starts=bad, why="they ended badly, one after the other")
    manager.tell(
        STATUS=f"waiting {seconds} s: {bad} starts in a row ended badly, see the log",
        EXTEND_TIMEOUT_USEC=(seconds + _MARGIN_SECONDS) * 1_000_000,
    )
    is_told = signal.sigtimedwait(_STOPPING, seconds) is not None
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if is_told:
        starts.forget()
    return not is_told


def wait_seconds(bad: int) -> int:
    """Return how long a start waits after so many bad ones in a row."""
    return min(2 ** (bad - _FREE), _MOST_SECONDS) if bad >= _FREE else 0
