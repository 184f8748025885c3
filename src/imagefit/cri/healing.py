"""What a crash has left is put right: records that a pull brought in and nobody took away again.

Knows which marks were left behind, and when their records may go. Leaves the removal to ``holds``, and the files to
``marks``. Every order of events: ``docs/adr/0023-marks-outlive-a-crash.md``.
"""

import asyncio
from collections.abc import Iterable

import grpc.aio

from imagefit import telemetry
from imagefit.cri.holds import Holds
from imagefit.cri.images_api import Images
from imagefit.cri.mark_files import Mark
from imagefit.cri.marks import Marks
from imagefit.cri.wire import UnreadableMessageError

log = telemetry.part("cri")


class Healing:
    """Puts right what was left. To be used inside one event loop."""

    def __init__(self, images: Images, holds: Holds, marks: Marks) -> None:
        """Look at nothing yet."""
        self._images = images
        self._holds = holds
        self._marks = marks
        self._is_looking = False
        self._has_looked = False

    async def look(self) -> None:
        """Look through all marks, and remove the records whose pulls have left everything else as it should be.

        Those of the other marks keep what the next pull of the same name will want.
        """
        if self._is_looking:
            return
        self._is_looking = True
        try:
            self._holds.left |= {mark.name: mark for mark in await self._marks.left()}
            for mark in tuple(self._holds.left.values()):
                if await self._may_go(mark):
                    await self._holds.heal(mark)
            self._has_looked = True
        except (grpc.aio.AioRpcError, UnreadableMessageError) as error:
            log.debug("healing-put-off", error=error)  # until the next pull
        finally:
            self._is_looking = False

    async def pulled(self, names: Iterable[str]) -> None:
        """Remove what earlier pulls of names left behind, since these names stand right now."""
        now = frozenset(names)
        for mark in [mark for mark in self._holds.left.values() if not now.isdisjoint((mark.name, *mark.names))]:
            await self._holds.heal(mark)
        if not self._has_looked:
            await self.look()

    async def _may_go(self, mark: Mark) -> bool:
        """Tell whether the record is gone already, or every name that its pull leaves stands right."""
        record, *others = await asyncio.gather(*map(self._images.get, (mark.name, *mark.names)))
        return record is None or all(one is not None and one.is_right(mark.digest) for one in others)
