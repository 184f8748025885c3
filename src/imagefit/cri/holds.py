"""Who uses a name that chosen images are pulled by, so that its record goes when the last of them is done.

Knows which of those records were there before, and when the mark of a name goes. Leaves to ``records`` what else is
written, to ``marks`` what outlives the process, and to ``images_api`` how containerd is asked. Why it is no lock over
the pull: ``docs/adr/0002-holds-instead-of-a-lock-over-the-pull.md``.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc.aio

from imagefit import telemetry
from imagefit.cri.backend import retrieved
from imagefit.cri.images_api import Images
from imagefit.cri.mark_files import Held, Mark
from imagefit.cri.marks import Marks
from imagefit.cri.methods import CRI_VERSIONS
from imagefit.cri.wire import UnreadableMessageError

log = telemetry.part("cri")
_GONE_SECONDS: Final = 2.0
# Whose version nobody knows: that of every containerd that is not older than this proxy.
_METHOD: Final = f"/{CRI_VERSIONS[0]}.ImageService/PullImage"
_T = TypeVar("_T")


@dataclass(slots=True)
class Hold:
    """Pulls under way that have to do with one name; the last one out removes its record if they brought it.

    Attributes:
        method: a PullImage method, for its version.
        name: what they pull.
        users: how many there are.
        existed: its record was there before the first of them, and no imagefit brought it; None as long as containerd
            has not said.
        asked_for: this very name has been pulled as it was asked for.
        is_in_doubt: a pull was called off, so that containerd may still make its record.
        looking: the look at whether its record was there.
        removing: the removal of its record; who comes meanwhile waits for its end.
        mark: what its mark says.
        held: its mark; None where there is none.
    """

    method: str
    name: str
    users: int = 0
    existed: bool | None = None
    asked_for: bool = False
    is_in_doubt: bool = False
    looking: "asyncio.Future[None] | None" = None
    removing: "asyncio.Future[None] | None" = None
    mark: Mark | None = None
    held: Held | None = None


class Holds:
    """The holds of all pulls under way. To be used inside one event loop.

    Attributes:
        left: marks that were left behind, by their names: their records may still be there.
    """

    def __init__(self, images: Images, marks: Marks | None) -> None:
        """Hold nothing yet; without ``marks`` nothing outlives the process."""
        self._images = images
        self._marks = marks
        self.left: dict[str, Mark] = {}
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
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self._working:
                    await asyncio.wait(self._working)

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

    async def look(self, hold: Hold, mark: Mark) -> None:
        """Find out, once for all pulls under way, whether a record was there before the first of them.

        Where none was, or an imagefit brought it that has ended since, the name is marked from then on.

        Raises:
            grpc.aio.AioRpcError: containerd does not say.
            UnreadableMessageError: what it says cannot be read.
        """
        if hold.looking is None:
            hold.looking = self.begun(self._looked(hold, mark))
        looking = hold.looking
        try:
            await asyncio.shield(looking)
        except (grpc.aio.AioRpcError, UnreadableMessageError):
            hold.looking = None if hold.looking is looking else hold.looking
            raise

    async def ask_for(self, hold: Hold) -> None:
        """Note that the name of a hold has been pulled as it was asked for: its record is nobody's to remove."""
        hold.asked_for = True
        if self._marks is not None and "@" in hold.name:
            await self._marks.forget(hold.name)

    def leave(self, hold: Hold) -> "asyncio.Future[None]":
        """Leave a hold, once for each time it was entered; return what ends when its record is as it has to be."""
        hold.users -= 1
        if hold.users or hold.removing is not None or (hold.looking is not None and not hold.looking.done()):
            return _ended()  # who is left, or the look, ends it
        return self._end(hold)

    async def heal(self, mark: Mark) -> None:
        """Remove the record of a mark that was left behind; where pulls have to do with the name, that is theirs."""
        if mark.name in self._holds:
            return
        hold = self._holds[mark.name] = Hold(_METHOD, mark.name, mark=mark)
        hold.removing = self.begun(self._healed(hold, mark))
        await asyncio.shield(hold.removing)

    async def _looked(self, hold: Hold, mark: Mark) -> None:
        try:
            is_there = await self._images.get(hold.name) is not None
            if self._marks is not None:
                hold.mark, hold.held = mark, await self._marks.hold(mark, make=not is_there)
                if is_there and hold.held is None:
                    # Another imagefit may have removed both since, the mark last.
                    is_there = await self._images.get(hold.name) is not None
                    hold.held = None if is_there else await self._marks.hold(mark, make=True)
            hold.existed = is_there and hold.held is None
        finally:
            if not hold.users:
                self._end(hold)

    def _end(self, hold: Hold) -> "asyncio.Future[None]":
        if hold.existed is False and not hold.asked_for:
            hold.removing = self.begun(self._removed(hold))
            return hold.removing
        del self._holds[hold.name]
        if hold.held is not None and self._marks is not None and hold.asked_for:
            return self.begun(self._marks.lift(hold.held))  # made by a look that came after the forgetting
        if hold.held is not None:
            hold.held.let_go()
        return _ended()

    async def _healed(self, hold: Hold, mark: Mark) -> None:
        hold.held = None if self._marks is None else await self._marks.hold(mark, make=False)
        if hold.held is None:
            self.left.pop(mark.name, None)
            self._removal_ends(hold)
        else:
            await self._removed(hold)

    async def _removed(self, hold: Hold) -> None:
        """Remove what only our pulls brought in; a failure costs no more than one name too many."""
        is_gone = False
        try:
            if hold.held is not None and self._marks is not None and not await self._marks.is_last(hold.held):
                hold.held = None
                return  # another imagefit pulls it, or it has been asked for
            await self._images.delete(hold.name)
            is_gone = True
            if not await self._images.become(hold.method, {hold.name: ""}, _GONE_SECONDS):
                log.warning("record-lingers", name=hold.name)
        except (grpc.aio.AioRpcError, UnreadableMessageError) as error:
            log.warning("record-lingers", name=hold.name, error=error)
        finally:
            await self._unmarked(hold, is_done=is_gone and not hold.is_in_doubt)
            self._removal_ends(hold)

    async def _unmarked(self, hold: Hold, *, is_done: bool) -> None:
        """Take the mark away where its record is surely gone; else it is left to whoever comes next."""
        held, hold.held = hold.held, None
        if held is None or self._marks is None or hold.mark is None:
            return
        if is_done:
            self.left.pop(hold.name, None)
            await self._marks.lift(held)
        else:
            self.left[hold.name] = hold.mark
            held.let_go()

    def _removal_ends(self, hold: Hold) -> None:
        hold.removing = hold.looking = hold.existed = None
        hold.is_in_doubt = False
        if not hold.users:
            del self._holds[hold.name]


def _ended() -> "asyncio.Future[None]":
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ended.set_result(None)
    return ended
