"""The configuration of a running daemon: read at the start, and anew when its files change or on SIGHUP.

Knows when a change is looked at and that a bad new configuration changes nothing. Leaves to ``config`` what the files
say, and to ``idle`` and ``pulls`` what a new configuration does. A thread of its own waits, looks and reads, so that a
file system that hangs stops nothing else, and the event loop wakes up for news only.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagefit import telemetry
from imagefit.config import Config, load_config, needs_restart, signature
from imagefit.errors import InvalidConfigurationError
from imagefit.telemetry import metrics

if TYPE_CHECKING:
    from imagefit.config.unreachable import Unreachable

log = telemetry.part("config")
# A change is taken at the second look that finds it the same, so that no half-written file is: within 0.6 s.
_LOOK_SECONDS: Final = 0.3
_MOST_LOOKS: Final = 5
"""Files that change all the time are taken as they are after so many looks."""
_AGAIN_SECONDS: Final = 30.0
"""When files that were refused are tried again although they look the same."""

Take = Callable[[Config], None]
_InLoop = Callable[..., object]
"""Has the event loop call something."""


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
        self._looked = look(path)  # before it is read: a change in between is found by the first look
        self._started = self.current = load(path)
        self._told = threading.Event()
        self._ended = False
        self._refused = ""
        self._again_at = float("inf")

    def reload(self) -> None:
        """Have the files read at once, changed or not."""
        self._told.set()

    async def follow(self, take: Take) -> None:
        """Give every new configuration to ``take``, until cancelled; once, for then the thread has ended."""
        loop = asyncio.get_running_loop()

        def in_loop(call: Callable[..., object], *arguments: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended while the thread was reading
                loop.call_soon_threadsafe(call, *arguments)

        # A daemon thread: one that hangs must not hold up the end of the process.
        threading.Thread(target=self._watch, args=(take, in_loop), name="configuration", daemon=True).start()
        try:
            await asyncio.Event().wait()
        finally:
            self._ended = True
            self._told.set()

    def _watch(self, take: Take, in_loop: _InLoop) -> None:
        """Wait, look and read, in the thread."""
        in_loop(_tell_taken, _without_effect(self.current))
        before, moving = self._looked, 0
        while True:
            is_told = self._told.wait(_LOOK_SECONDS)
            self._told.clear()
            if self._ended:
                return
            found = self._look(self._path)
            moving = 0 if found == before else moving + 1
            before = found
            has_changed = found != self._looked and (not moving or moving > _MOST_LOOKS)
            if is_told or has_changed or time.monotonic() > self._again_at:
                self._looked, moving = found, 0
                self._read_anew(take, in_loop)

    def _read_anew(self, take: Take, in_loop: _InLoop) -> None:
        try:
            new = self._load(self._path)
            idle = _without_effect(new)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end all further reloads
            in_loop(self._refuse, error)
        else:
            in_loop(self._taken, take, new, idle)

    def _taken(self, take: Take, new: Config, idle: "tuple[Unreachable, ...]") -> None:
        try:
            take(new)
        except Exception as error:  # noqa: BLE001 - see above
            self._refuse(error)
            return
        self._refused, self._again_at = "", float("inf")
        if late := needs_restart(self._started, new):
            log.warning("restart-needed", keys=", ".join(late))
        self.current = new
        log.info("configuration-taken", rules=len(new.image), mode=new.policy.mode)
        _tell_taken(idle)

    def _refuse(self, error: Exception) -> None:
        is_known = isinstance(error, InvalidConfigurationError)
        if not self._is_news(str(error) if is_known else repr(error)):
            return
        if is_known:
            log.warning("configuration-refused", error=error, consequence="the one before stays in force")
        else:
            log.failure("defect", error, consequence="the configuration before stays in force")

    def _is_news(self, why: str) -> bool:
        """Tell whether files are refused for another reason than before; they are tried again: a disk may recover."""
        self._again_at = time.monotonic() + _AGAIN_SECONDS
        is_news, self._refused = why != self._refused, why
        if is_news:
            _count(is_taken=False)
        return is_news


def _without_effect(config: Config) -> "tuple[Unreachable, ...]":
    """Return the first rules that have no effect; of a thousand it takes seconds to tell."""
    from imagefit.config.unreachable import MAX_TOLD, unreachable_rules  # it only warns, so that nothing waits for it

    return unreachable_rules(config)[:MAX_TOLD]


def _tell_taken(idle: "tuple[Unreachable, ...]") -> None:
    _count(is_taken=True)
    metrics.CONFIG_TAKEN.set(time.time())
    for one in idle:
        log.warning("rule-without-effect", rule=one.rule, why=one.why, advice=one.advice)


def _count(*, is_taken: bool) -> None:
    metrics.CONFIG_RELOADS.add(result="taken" if is_taken else "refused")
    metrics.CONFIG_OK.set(is_taken)
