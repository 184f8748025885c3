"""The names that containerd keeps for a chosen image, so that the choice is invisible.

Knows the steps around a rewritten pull: what was there, what has to be written, when it shows, what to take away again.
containerd's own records are the only state; what is kept here lives only as long as the pulls that it is about. Source:
containerd's CRI plugin (``internal/cri/server/images/image_pull.go``, ``createOrUpdateImageReference``).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import grpc
import grpc.aio

from imagefit import telemetry
from imagefit.cri import wire
from imagefit.cri.backend import Backend, retrieved
from imagefit.errors import RecordsError
from imagefit.model.decision import Rewrite
from imagefit.model.reference import ImageReference
from imagefit.telemetry import metrics

log = telemetry.part("cri")

_SHOWN_SECONDS = 10.0
_GONE_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.1


@dataclass(slots=True)
class _Hold:
    """Pulls under way that have to do with one name; the last one out removes its record if they brought it.

    Attributes:
        users: how many there are.
        existed: its record was there before the first of them.
        asked_for: one of them asks for this very name.
        looking: the look at whether its record was there.
        removing: the removal of its record; who comes meanwhile waits for its end.
    """

    users: int = 0
    existed: bool = False
    asked_for: bool = False
    looking: "asyncio.Future[wire.Record | None] | None" = None
    removing: "asyncio.Future[None] | None" = None


class Records:
    """Writes and removes names by containerd's Images API. To be used inside one event loop."""

    def __init__(self, backend: Backend, shown_seconds: float = _SHOWN_SECONDS) -> None:
        """Use ``backend``; wait at most ``shown_seconds`` until written names show in ImageStatus."""
        self._backend = backend
        self._shown_seconds = shown_seconds
        self._holds: dict[str, _Hold] = {}
        self._working: set[asyncio.Future[None]] = set()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def kept(self, method: str, reference: ImageReference | None) -> AsyncIterator[None]:
        """Keep the record of a name that is being pulled as asked, whatever other pulls bring in under it.

        Args:
            method: the PullImage method, for its version.
            reference: the name; None where it is none.
        """
        if reference is None:
            yield
            return
        name = str(reference)
        hold = await self._entered(method, name)
        hold.asked_for = True
        try:
            yield
        finally:
            await asyncio.shield(self._begun(self._left(method, name, hold)))

    async def pulled(self, method: str, rewrite: Rewrite, pull: Callable[[], Awaitable[bytes]]) -> bytes:
        """Pull a chosen entry and leave the records of a plain pull.

        Args:
            method: the PullImage method, for its version.
            rewrite: what was asked for and what was chosen.
            pull: has containerd pull ``rewrite.chosen_name`` and returns its reply; what it raises is passed on.

        Returns:
            containerd's reply.

        Raises:
            RecordsError: containerd did not take or not show the records; those that were written are undone.
        """
        hold = await self._entered(method, rewrite.chosen_name)
        try:
            with _translated():
                await self._look(rewrite.chosen_name, hold)
            reply = await pull()
        except BaseException:
            self._begun(self._left(method, rewrite.chosen_name, hold))
            raise
        # The image is there: its names must follow even if the caller goes away now.
        naming = self._begun(self._named(method, rewrite, reply, hold))
        try:
            await asyncio.shield(naming)
        except asyncio.CancelledError:
            naming.add_done_callback(_log_failure)
            raise
        return reply

    async def settled(self, timeout_seconds: float) -> None:
        """Wait, at most so long, until every image that has been pulled has its names."""
        if self._working:
            await asyncio.wait(self._working, timeout=timeout_seconds)

    def _begun(self, work: Coroutine[Any, Any, None]) -> "asyncio.Future[None]":
        """Begin work that goes on when its caller is cancelled."""
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        task.add_done_callback(retrieved)
        return task

    async def _entered(self, method: str, name: str) -> _Hold:
        hold = self._holds.setdefault(name, _Hold())
        hold.users += 1
        try:
            while hold.removing is not None:
                await asyncio.shield(hold.removing)
        except asyncio.CancelledError:
            self._begun(self._left(method, name, hold))
            raise
        return hold

    async def _left(self, method: str, name: str, hold: _Hold) -> None:
        hold.users -= 1
        if hold.users or hold.removing is not None:
            return
        if not (hold.existed or hold.asked_for):
            hold.removing = asyncio.ensure_future(self._removed(method, name))
            try:
                await hold.removing
            finally:
                hold.removing = hold.looking = None
        if not hold.users:
            del self._holds[name]

    async def _removed(self, method: str, name: str) -> None:
        """Remove what only our pulls brought in; a failure costs no more than one name too many."""
        try:
            await self._delete(name)
            if not await self._becomes(method, {name: ""}, _GONE_SECONDS):
                log.warning("record-lingers", name=name)
        except (grpc.aio.AioRpcError, wire.UnreadableMessageError) as error:
            log.warning("record-lingers", name=name, error=error)

    async def _look(self, name: str, hold: _Hold) -> None:
        """Find out, once for all pulls under way, whether a record was there before the first of them."""
        if hold.looking is None:
            hold.looking = asyncio.ensure_future(self._get(name))
            hold.looking.add_done_callback(retrieved)
        looking = hold.looking
        try:
            hold.existed = await asyncio.shield(looking) is not None
        except grpc.aio.AioRpcError:
            hold.looking = None if hold.looking is looking else hold.looking
            raise

    async def _named(self, method: str, rewrite: Rewrite, reply: bytes, hold: _Hold) -> None:
        try:
            with _translated():
                async with self._locks.setdefault(rewrite.reference.repository, asyncio.Lock()):
                    started = time.perf_counter()
                    await self._write(method, rewrite, wire.read_pull_response(reply))
                    metrics.STEP_SECONDS.observe(time.perf_counter() - started, step="records")
        finally:
            await self._left(method, rewrite.chosen_name, hold)

    async def _write(self, method: str, rewrite: Rewrite, image_id: str) -> None:
        chosen = await self._get(rewrite.chosen_name)
        if chosen is None or chosen.digest != rewrite.chosen_digest or not chosen.is_whole:
            raise RecordsError(f"containerd has no usable record of {rewrite.chosen_name} after its pull")
        before = {name: await self._get(name) for name in rewrite.record_names}
        try:
            for name in rewrite.record_names:
                await self._point(name, chosen.target)
            await self._show(method, rewrite, image_id)
        except Exception:
            await self._undo(before)
            raise

    async def _show(self, method: str, rewrite: Rewrite, image_id: str) -> None:
        started = time.perf_counter()
        shown = await self._becomes(method, dict.fromkeys(rewrite.record_names, image_id), self._shown_seconds)
        metrics.RECORD_WAIT.observe(time.perf_counter() - started)
        if not shown:
            raise RecordsError(f"containerd did not show {rewrite.reference} within {self._shown_seconds:g} s")

    async def _point(self, name: str, target: bytes) -> None:
        """Create a record or, if it exists, point it elsewhere."""
        try:
            await self._backend.call(f"{wire.IMAGES_SERVICE}Create", wire.create_request(name, target))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            await self._backend.call(f"{wire.IMAGES_SERVICE}Update", wire.update_request(name, target))

    async def _undo(self, before: dict[str, wire.Record | None]) -> None:
        for name, record in before.items():
            try:
                if record is None:
                    await self._delete(name)
                else:
                    await self._backend.call(f"{wire.IMAGES_SERVICE}Update", wire.restore_request(record))
            except grpc.aio.AioRpcError as error:
                # The plain pull that follows writes the same names anew.
                log.warning("undo-failed", name=name, code=error.code().name)

    async def _delete(self, name: str) -> None:
        try:
            await self._backend.call(f"{wire.IMAGES_SERVICE}Delete", wire.delete_request(name))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise

    async def _get(self, name: str) -> wire.Record | None:
        try:
            reply = await self._backend.call(f"{wire.IMAGES_SERVICE}Get", wire.get_request(name))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return wire.read_get_response(reply)

    async def _becomes(self, method: str, wanted: dict[str, str], within_seconds: float) -> bool:
        """Wait until ImageStatus gives each name its image ID; containerd hears of records by events, a bit later."""
        status = method.replace("/PullImage", "/ImageStatus")
        loop = asyncio.get_running_loop()
        give_up = loop.time() + within_seconds
        for name, image_id in wanted.items():
            pause = _FIRST_PAUSE_SECONDS
            while wire.read_image_status(await self._backend.call(status, wire.image_status_request(name))) != image_id:
                if loop.time() > give_up:
                    return False
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return True


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what containerd answers to our own calls into errors that have a name."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise RecordsError(f"containerd: {error.code().name}: {error.details()}") from error
    except wire.UnreadableMessageError as error:
        raise RecordsError(f"containerd's reply cannot be read: {error}") from error
    except RecordsError:
        raise
    except Exception as error:
        log.failure("defect", error)
        raise RecordsError("an internal error, see the log of imagefit") from error


def _log_failure(task: "asyncio.Future[None]") -> None:
    """Log what the caller, who has gone, would have been told."""
    if not task.cancelled() and (error := task.exception()):
        log.warning("records-failed", error=error)
