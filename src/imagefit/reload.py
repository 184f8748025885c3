"""The configuration of a running daemon: read at the start, and anew when its files change or on SIGHUP.

Knows when a change is looked at and that a bad new configuration changes nothing. Leaves to ``config`` what the files
say, and to the daemon what a new configuration does.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Final

from imagefit import telemetry
from imagefit.config import Config, load_config, needs_restart, signature
from imagefit.errors import InvalidConfigurationError
from imagefit.telemetry import metrics

log = telemetry.part("config")
# A change is taken at the second look that finds it the same, so that no half-written file is: within 0.6 s.
_LOOK_SECONDS: Final = 0.3


class LiveConfig:
    """The configuration as it stands. To be used inside one event loop, once it has been read.

    Attributes:
        current: the last good one.
    """

    def __init__(
        self,
        path: Path | None,
        load: Callable[[Path | None], Config] = load_config,
        look: Callable[[Path | None], Hashable] = signature,
    ) -> None:
        """Read the configuration.

        Args:
            path: the main file, None for the default one.
            load: reads it.
            look: returns what changes whenever the files do.

        Raises:
            InvalidConfigurationError: it has a fault.
        """
        self._path, self._load, self._look = path, load, look
        self._taken = look(path)  # before it is read: a change in between is found by the first look
        self._started = self.current = load(path)
        self._told = asyncio.Event()

    def reload(self) -> None:
        """Have the files read at once, changed or not."""
        self._told.set()

    async def follow(self, take: Callable[[Config], None]) -> None:
        """Give every new configuration to ``take``, until cancelled."""
        self._count()
        before = self._taken
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _LOOK_SECONDS)
            found = self._look(self._path)
            has_changed = found == before and found != self._taken
            if self._told.is_set() or has_changed:
                self._told.clear()
                self._taken = found
                await self._read_anew(take)
            before = found

    async def _read_anew(self, take: Callable[[Config], None]) -> None:
        try:
            new = await asyncio.to_thread(self._load, self._path)
        except InvalidConfigurationError as error:
            metrics.CONFIG_RELOADS.add(result="refused")
            log.warning("configuration-refused", error=error, consequence="the one before stays in force")
            return
        if late := needs_restart(self._started, new):
            log.warning("restart-needed", keys=", ".join(late))
        self.current = new
        take(new)
        log.info("configuration-taken", rules=len(new.policies.rules), mode=new.policies.default.mode)
        self._count()

    def _count(self) -> None:
        metrics.CONFIG_RELOADS.add(result="taken")
        metrics.CONFIG_TAKEN.set(time.time())
