"""The names that containerd keeps for a chosen image, so that the choice is invisible.

Knows the steps around a rewritten pull: what was there, what has to be written, when it shows, what to take away again.
Leaves to ``holds`` who else has to do with the pulled name, and to ``images_api`` how containerd is asked.
containerd's own records are the only state; what is kept here lives only as long as the pulls that it is about. Source:
containerd's CRI plugin (``internal/cri/server/images/image_pull.go``, ``createOrUpdateImageReference``).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import grpc.aio

from imagefit import telemetry
from imagefit.cri import wire
from imagefit.cri.backend import Backend, retrieved
from imagefit.cri.holds import Hold, Holds
from imagefit.cri.images_api import Images
from imagefit.errors import RecordsError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import ImageReference
from imagefit.telemetry import metrics

log = telemetry.part("cri")
_SHOWN_SECONDS: Final = 10.0
_WRITE_AGAIN_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Naming:
    """What is left to do after one rewritten pull.

    Attributes:
        method: the PullImage method, for its version.
        rewrite: what was asked for and what was chosen.
        hold: on the name that containerd pulled.
        standing: see ``Records._standing``.
        leaving: the end of the hold, once it has begun.
    """

    method: str
    rewrite: Rewrite
    hold: Hold
    standing: "asyncio.Future[bytes | None]"
    leaving: "asyncio.Future[None] | None" = None


class Records:
    """Writes and removes names by containerd's Images API. To be used inside one event loop."""

    def __init__(self, backend: Backend, shown_seconds: float = _SHOWN_SECONDS) -> None:
        """Use ``backend``; wait at most ``shown_seconds`` until written names show in ImageStatus."""
        self._images = Images(backend)
        self._holds = Holds(self._images)
        self._shown_seconds = shown_seconds
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
        hold = await self._holds.entered(method, str(reference))
        try:
            yield
            hold.asked_for = True
        finally:
            await asyncio.shield(self._holds.leave(hold))

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
        hold = await self._holds.entered(method, rewrite.chosen_name)
        try:
            with _translated():
                await self._holds.look(hold)
            standing = asyncio.ensure_future(self._standing(rewrite))
            standing.add_done_callback(retrieved)
            reply = await pull()
        except BaseException:
            self._holds.leave(hold)
            raise
        # The image is there: its names must follow even if the caller goes away now.
        named = self._holds.begun(self._named(_Naming(method, rewrite, hold, standing), reply))
        try:
            await asyncio.shield(named)
        except asyncio.CancelledError:
            named.add_done_callback(_log_failure)
            raise
        return reply

    async def settled(self, timeout_seconds: float) -> None:
        """Wait, at most so long, until every image that has been pulled has its names."""
        await self._holds.settled(timeout_seconds)

    async def _standing(self, rewrite: Rewrite) -> bytes | None:
        """Return the target of every name that a plain pull leaves, None where one of them has yet to be written.

        It is looked for while containerd pulls, so that a repeated pull writes nothing and waits for nothing.
        """
        try:
            records = await asyncio.gather(*map(self._images.get, rewrite.record_names))
        except (grpc.aio.AioRpcError, wire.UnreadableMessageError):
            return None  # who writes them meets it again, and tells it
        right = [record.target for record in records if record is not None and _is_right(record, rewrite)]
        return right[0] if len(right) == len(records) else None

    async def _named(self, naming: _Naming, reply: bytes) -> None:
        try:
            with _translated():
                async with self._locks.setdefault(naming.rewrite.reference.repository, asyncio.Lock()):
                    started = time.perf_counter()
                    await self._name(naming, wire.read_pull_response(reply))
                    metrics.STEP_SECONDS.observe(time.perf_counter() - started, step="records")
        finally:
            await self._leave(naming)

    async def _name(self, naming: _Naming, image_id: str) -> None:
        target = await naming.standing
        if target is None:
            target = await self._pulled_target(naming.rewrite)
        else:
            self._leave(naming)
            if await self._stands(naming, image_id):
                return
        await self._write(naming, target, image_id)

    async def _stands(self, naming: _Naming, image_id: str) -> bool:
        """Tell whether every name is still right, and shown: it may have been removed or moved during the pull."""
        records, shown = await asyncio.gather(
            asyncio.gather(*map(self._images.get, naming.rewrite.record_names)), self._is_shown(naming, image_id, 0)
        )
        return shown and all(record is not None and _is_right(record, naming.rewrite) for record in records)

    def _leave(self, naming: _Naming) -> "asyncio.Future[None]":
        """Begin, once, to leave the hold: its record is not what keeps the image any more."""
        if naming.leaving is None:
            naming.leaving = self._holds.leave(naming.hold)
        return naming.leaving

    async def _pulled_target(self, rewrite: Rewrite) -> bytes:
        chosen = await self._images.get(rewrite.chosen_name)
        if chosen is None or chosen.digest != rewrite.chosen_digest or not chosen.is_whole:
            raise RecordsError(f"containerd has no usable record of {rewrite.chosen_name} after its pull")
        return chosen.target

    async def _write(self, naming: _Naming, target: bytes, image_id: str) -> None:
        """Write the records that are not right yet, and undo it where that fails or they do not show."""
        names = naming.rewrite.record_names
        before = dict(zip(names, await asyncio.gather(*map(self._images.get, names)), strict=True))
        wrong = [name for name, record in before.items() if record is None or not _is_right(record, naming.rewrite)]
        try:
            # Where all are right and do not show, CRI has missed them: it reads a record when that is written.
            await self._point(wrong or names, target)
            self._leave(naming)
            await self._show(naming, target, image_id)
        except Exception:
            await self._undo(before)
            raise

    async def _point(self, names: Iterable[str], target: bytes) -> None:
        await _all_of(self._images.point(name, target) for name in names)

    async def _show(self, naming: _Naming, target: bytes, image_id: str) -> None:
        """Wait until the names show; what does not is written again each second: it may have been removed meanwhile."""
        started = time.monotonic()
        while not await self._is_shown(naming, image_id, min(_WRITE_AGAIN_SECONDS, self._shown_seconds)):
            if time.monotonic() - started >= self._shown_seconds:
                metrics.RECORD_WAIT.observe(time.monotonic() - started)
                asked = naming.rewrite.reference
                raise RecordsError(f"containerd did not show {asked} within {self._shown_seconds:g} s")
            await self._point(naming.rewrite.record_names, target)
        metrics.RECORD_WAIT.observe(time.monotonic() - started)

    async def _is_shown(self, naming: _Naming, image_id: str, within_seconds: float) -> bool:
        wanted = dict.fromkeys(naming.rewrite.record_names, image_id)
        return await self._images.become(naming.method, wanted, within_seconds)

    async def _undo(self, before: Mapping[str, wire.Record | None]) -> None:
        for name, record in before.items():
            try:
                await (self._images.delete(name) if record is None else self._images.restore(record))
            except grpc.aio.AioRpcError as error:
                # The plain pull that follows writes the same names anew.
                log.warning("undo-failed", name=name, code=error.code().name)


def _is_right(record: wire.Record, rewrite: Rewrite) -> bool:
    """Tell whether a record stands for the chosen entry; containerd's CRI plugin asks the same before it writes."""
    return record.digest == rewrite.chosen_digest and record.is_managed and record.is_whole


async def _all_of(works: Iterable[Awaitable[None]]) -> None:
    """Do it all at once, each to its end whatever becomes of the others: what comes late could not be undone."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome


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
