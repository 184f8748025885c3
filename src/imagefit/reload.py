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
from imagefit.config.unreachable import MAX_TOLD, unreachable_rules
from imagefit.errors import InvalidConfigurationError
from imagefit.telemetry import metrics

log = telemetry.part("config")
# A change is taken at the second look that finds it the same, so that no half-written file is: within 0.6 s.
_LOOK_SECONDS: Final = 0.3
_MOST_LOOKS: Final = 5
"""Files that change all the time are taken as they are after so many looks."""
_AGAIN_SECONDS: Final = 30.0
"""When files that were refused are tried again although they look the same."""


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
        self._refused = ""
        self._again_at = float("inf")

    def reload(self) -> None:
        """Have the files read at once, changed or not."""
        self._told.set()

    async def follow(self, take: Callable[[Config], None]) -> None:
        """Give every new configuration to ``take``, until cancelled."""
        await self._tell_taken()
        before, moving = self._taken, 0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), _LOOK_SECONDS)
            found = await asyncio.to_thread(self._look, self._path)
            moving = 0 if found == before else moving + 1
            before = found
            has_changed = found != self._taken and (not moving or moving > _MOST_LOOKS)
            if self._told.is_set() or has_changed or time.monotonic() > self._again_at:
                self._told.clear()
                self._taken, moving = found, 0
                await self._read_anew(take)

    async def _read_anew(self, take: Callable[[Config], None]) -> None:
        try:
            new = await asyncio.to_thread(self._load, self._path)
            take(new)
        except InvalidConfigurationError as error:
            if self._is_news(str(error)):
                log.warning("configuration-refused", error=error, consequence="the one before stays in force")
            return
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end all further reloads
            if self._is_news(repr(error)):
                log.failure("defect", error, consequence="the configuration before stays in force")
            return
        self._refused, self._again_at = "", float("inf")
        if late := needs_restart(self._started, new):
            log.warning("restart-needed", keys=", ".join(late))
        self.current = new
        log.info("configuration-taken", rules=len(new.image), mode=new.policy.mode)
        await self._tell_taken()

    def _is_news(self, why: str) -> bool:
        """Tell whether files are refused for another reason than before; they are tried again: a disk may recover."""
        self._again_at = time.monotonic() + _AGAIN_SECONDS
        is_news, self._refused = why != self._refused, why
        if is_news:
            _count(is_taken=False)
        return is_news

    async def _tell_taken(self) -> None:
        _count(is_taken=True)
        metrics.CONFIG_TAKEN.set(time.time())
        for one in (await asyncio.to_thread(unreachable_rules, self.current))[:MAX_TOLD]:
            log.warning("rule-without-effect", rule=one.rule, why=one.why, advice=one.advice)


def _count(*, is_taken: bool) -> None:
    metrics.CONFIG_RELOADS.add(result="taken" if is_taken else "refused")
    metrics.CONFIG_OK.set(is_taken)
