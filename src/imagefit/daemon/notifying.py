"""What systemd is told of the daemon: that it listens, what it does, that its event loop still runs.

Knows the protocol of sd_notify(3) and sd_watchdog_enabled(3), and that a manager who does not listen never costs
anything. Leaves to ``life`` when there is something to tell.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Final

from imagefit import telemetry

log = telemetry.part("daemon")
# Watchdogs are told thrice in their time: one that is late by a busy machine must not end the daemon.
_BEATS: Final = 3
_MICROSECONDS: Final = 1_000_000
_AGAIN_SECONDS: Final = 0.1


class Manager:
    """The service manager that started this process, if one did.

    Attributes:
        watchdog_seconds: how long it waits for a sign of life; 0 for ever.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read from the environment where it listens; it is not asked for anything."""
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ is how an abstract address is written.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address if address.startswith("/") else ""
        self.watchdog_seconds = _watchdog_seconds(environment) if self._address else 0.0
        self._is_failing = False

    def tell(self, **said: object) -> bool:
        """Tell something, without waiting.

        Args:
            said: such as ``READY=1`` or ``STATUS="listening"``.

        Returns:
            Whether it is over: told, or nobody to be told. False where nobody has time to listen just now.
        """
        if not self._address:
            return True
        message = "\n".join(f"{name}={str(value).replace(chr(10), ' ')}" for name, value in said.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as made:
                made.sendto(message.encode(), self._address)
        except BlockingIOError:
            return False
        except (OSError, ValueError) as error:
            self._log_once(error)
        return True

    async def feed(self, status: str) -> None:
        """Tell that the daemon is ready, and go on telling that the event loop runs, until cancelled.

        Args:
            status: what it does, in a few words.
        """
        while not self.tell(READY=1, STATUS=status):  # noqa: ASYNC110 - another's queue is no event of the loop
            await asyncio.sleep(_AGAIN_SECONDS)
        while self.watchdog_seconds:
            self.tell(WATCHDOG=1)
            await asyncio.sleep(self.watchdog_seconds / _BEATS)

    def _log_once(self, error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            log.warning("manager-not-told", error=error)


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / _MICROSECONDS if microseconds.isdecimal() else 0.0
