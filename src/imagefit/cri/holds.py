"""Who uses a name that chosen images are pulled by, so that its record goes when the last of them is done.

Knows which of those records were there before. Leaves to ``records`` what else is written, and to ``images_api`` how
containerd is asked. Why it is no lock over the pull: ``docs/adr/0002-holds-instead-of-a-lock-over-the-pull.md``.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc.aio

from imagefit import telemetry
from imagefit.cri.backend import retrieved
from imagefit.cri.images_api import Images
from imagefit.cri.wire import Record, UnreadableMessageError

log = telemetry.part("cri")
_GONE_SECONDS: Final = 2.0
_T = TypeVar("_T")


@dataclass(slots=True)
class Hold:
    """Pulls under way that have to do with one name; the last one out removes its record if they brought it.

    Attributes:
        method: a PullImage method, for its version.
        name: what they pull.
        users: how many there are.
        existed: its record was there before the first of them; None as long as containerd has not said.
        asked_for: this very name has been pulled as it was asked for.
        looking: the look at whether its record was there.
        removing: the removal of its record; who comes meanwhile waits for its end.
    """

    method: str
    name: str
    users: int = 0
    existed: bool | None = None
    asked_for: bool = False
    looking: "asyncio.Future[Record | None] | None" = None
    removing: "asyncio.Future[None] | None" = None


class Holds:
    """The holds of all pulls under way. To be used inside one event loop."""

    def __init__(self, images: Images) -> None:
        """Hold nothing yet."""
        self._images = images
        self._holds: dict[str, Hold] = {}
        self._working: set[asyncio.Future[Any]] = set()

    def begun(self, work: Coroutine[Any, Any, _T]) -> "asyncio.Future[_T]":
        """Begin work that goes on when its caller is cancelled, and that ``settled`` waits for."""
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        task.add_done_callback(retrieved)
        return task

    async def settled(self, timeout_seconds: float) -> None:
        """Wait, at most so long, until all that has begun has ended."""
        if self._working:
            await asyncio.wait(self._working, timeout=timeout_seconds)

    async def entered(self, method: str, name: str) -> Hold:
        """Return the hold on a name, once a removal of its record that is under way has ended."""
        hold = self._holds.setdefault(name, Hold(method, name))
        hold.users += 1
        try:
            while hold.removing is not None:
                await asyncio.shield(hold.removing)
        except asyncio.CancelledError:
            self.leave(hold)
            raise
        return hold

    async def look(self, hold: Hold) -> None:
        """Find out, once for all pulls under way, whether a record was there before the first of them.

        Raises:
            grpc.aio.AioRpcError: containerd does not say.
            UnreadableMessageError: what it says cannot be read.
        """
        if hold.looking is None:
            hold.looking = asyncio.ensure_future(self._images.get(hold.name))
            hold.looking.add_done_callback(retrieved)
        looking = hold.looking
        try:
            hold.existed = await asyncio.shield(looking) is not None
        except (grpc.aio.AioRpcError, UnreadableMessageError):
            hold.looking = None if hold.looking is looking else hold.looking
            raise

    def leave(self, hold: Hold) -> "asyncio.Future[None]":
        """Leave a hold, once for each time it was entered; return what ends when its record is as it has to be."""
        hold.users -= 1
        if not hold.users and hold.removing is None:
            if hold.existed is False and not hold.asked_for:
                hold.removing = self.begun(self._removed(hold))
                return hold.removing
            del self._holds[hold.name]
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        return ended

    async def _removed(self, hold: Hold) -> None:
        """Remove what only our pulls brought in; a failure costs no more than one name too many."""
        try:
            await self._images.delete(hold.name)
            if not await self._images.become(hold.method, {hold.name: ""}, _GONE_SECONDS):
                log.warning("record-lingers", name=hold.name)
        except (grpc.aio.AioRpcError, UnreadableMessageError) as error:
            log.warning("record-lingers", name=hold.name, error=error)
        finally:
            hold.removing = hold.looking = None
            if not hold.users:
                del self._holds[hold.name]
