"""What has to outlive a crash: a mark for each name that a rewritten pull brings in.

Knows that marks are a favour: what the disk refuses costs the mark and not the pull. As long as the file of a name
stands, its record, if there is one, was brought in by an imagefit and is to go; whoever pulls the name holds the file,
and the kernel lets go of it when a process dies. Leaves the files to ``mark_files``, what is removed to ``holds``, and
when to ``healing``. Why: ``docs/adr/0023-marks-outlive-a-crash.md``.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

from imagefit import telemetry
from imagefit.cri.mark_files import BusyError, Held, Mark, MarkFiles

log = telemetry.part("cri")
# As long as another process takes for a removal.
_BUSY_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.05
_Result = TypeVar("_Result")

Aside = Callable[..., Coroutine[Any, Any, Any]]
"""Does blocking work, a function with its arguments, off the event loop."""


class Marks:
    """The marks of one folder. To be used inside one event loop; nothing here raises.

    None of it is to be cancelled: what is held then is held until the process ends.
    """

    def __init__(self, folder: Path, aside: Aside = asyncio.to_thread) -> None:
        """Touch no disk yet.

        Args:
            folder: made with mode 0700 when it is first needed; several processes may use it.
            aside: keeps the disk from holding up the loop.
        """
        self._files = MarkFiles(folder)
        self._folder = folder
        self._aside = aside
        self._is_failing = False

    async def hold(self, mark: Mark, *, make: bool) -> Held | None:
        """Hold the file of a name, once a removal that is under way in any process has ended.

        Args:
            mark: what it says if it is made.
            make: whether it is made where there is none.

        Returns:
            None where there is none, or the disk refuses it.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _BUSY_SECONDS
        while True:
            try:
                held = await self._done(self._files.hold, mark, make)
            except BusyError:
                if loop.time() >= give_up:
                    return None
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._is_failing = self._is_failing and held is None
                return held

    async def is_last(self, held: Held) -> bool:
        """Tell whether nobody else holds the file and it still stands; from then on nobody else gets it.

        Where that is not so it is let go of.
        """
        return bool(await self._done(held.is_last))

    async def lift(self, held: Held) -> None:
        """Remove the file: what it was about is done."""
        await self._done(held.lift)

    async def forget(self, name: str) -> None:
        """Remove the file of a name, whoever holds it: the name itself has been asked for, so that its record stays."""
        await self._done(self._files.forget, name)

    async def left(self) -> tuple[Mark, ...]:
        """Return what all files say, those that others hold included; what cannot be read is told and left alone."""
        return await self._done(self._files.read, _left_out) or ()

    async def _done(self, work: Callable[..., _Result], *arguments: object) -> _Result | None:
        """Return what becomes of work on the disk; None where the disk refuses it, which is told once."""
        try:
            result: _Result = await self._aside(work, *arguments)
        except OSError as error:
            if not self._is_failing:
                log.warning("marks-failed", folder=self._folder, error=error)
            self._is_failing = True
            return None
        return result


def _left_out(file: str, error: Exception) -> None:
    log.warning("mark-left-out", file=file, error=error)
