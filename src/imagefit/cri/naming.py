"""The names of one image that has been pulled: looked for, written, shown, and undone where that fails.

Knows the steps from containerd's reply to names that ImageStatus shows. Leaves to ``records`` which pull they belong
to, and to ``images_api`` how containerd is asked. Source: containerd's CRI plugin
(``internal/cri/server/images/image_pull.go``, ``createOrUpdateImageReference``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

import grpc.aio

from imagefit import telemetry
from imagefit.cri import wire
from imagefit.cri.backend import retrieved
from imagefit.cri.images_api import Images
from imagefit.errors import RecordsError, VanishedError
from imagefit.model.outcome import Rewrite
from imagefit.telemetry import metrics

log = telemetry.part("cri")
_WRITE_AGAIN_SECONDS: Final = 1.0

Leave = Callable[[], "asyncio.Future[None]"]
"""Begins, once, to leave the name that was pulled: its record is not what keeps the image any more."""


class Naming:
    """The names of one image. To be made when its pull begins."""

    def __init__(self, images: Images, method: str, rewrite: Rewrite, shown_seconds: float) -> None:
        """Begin to look for the names: while containerd pulls, so that a repeated pull writes and waits for nothing.

        Args:
            images: what containerd keeps.
            method: the PullImage method, for its version.
            rewrite: what was asked for and what was chosen.
            shown_seconds: how long is waited until names show.
        """
        self._images = images
        self._method = method
        self._rewrite = rewrite
        self._shown_seconds = shown_seconds
        self._standing = asyncio.ensure_future(self._stood())
        self._standing.add_done_callback(retrieved)

    async def name(self, image_id: str, leave: Leave) -> None:
        """Have every name stand for the image, and show.

        Args:
            image_id: as containerd's reply has it.
            leave: called as soon as the other names keep the image.

        Raises:
            VanishedError: somebody removed the image; what was written is undone.
            RecordsError: containerd did not show the names; what was written is undone.
            grpc.aio.AioRpcError: containerd refused a step; what was written is undone.
            UnreadableMessageError: what it says cannot be read.
        """
        target = await self._standing
        if target is None:
            target = await self._pulled_target()
        else:
            leave()
            if await self._stands(image_id):
                return
        await self._write(target, image_id, leave)

    async def _stood(self) -> bytes | None:
        """Return the target of every name that a plain pull leaves, None where one of them has yet to be written."""
        try:
            records = await self._records()
        except (grpc.aio.AioRpcError, wire.UnreadableMessageError):
            return None  # who writes them meets it again, and tells it
        right = [record.target for record in records if record is not None and self._is_right(record)]
        return right[0] if len(right) == len(records) else None

    async def _stands(self, image_id: str) -> bool:
        """Tell whether every name is still right, and shown: it may have been removed or moved during the pull."""
        records, shown = await asyncio.gather(self._records(), self._is_shown(image_id, 0))
        return shown and all(map(self._is_right, records))

    async def _records(self) -> list[wire.Record | None]:
        return await asyncio.gather(*map(self._images.get, self._rewrite.record_names))

    def _is_right(self, record: wire.Record | None) -> bool:
        return record is not None and record.is_right(self._rewrite.chosen_digest)

    async def _pulled_target(self) -> bytes:
        name = self._rewrite.chosen_name
        chosen = await self._images.get(name)
        if chosen is None or chosen.digest != self._rewrite.chosen_digest:
            raise VanishedError(f"{name} was removed between its pull and its names")
        if not chosen.is_whole:
            raise RecordsError(f"containerd has no usable record of {name} after its pull")
        return chosen.target

    async def _write(self, target: bytes, image_id: str, leave: Leave) -> None:
        """Write the records that are not right yet, and undo it where that fails or they do not show."""
        names = self._rewrite.record_names
        before = dict(zip(names, await self._records(), strict=True))
        wrong = [name for name, record in before.items() if not self._is_right(record)]
        try:
            # Where all are right and do not show, CRI has missed them: it reads a record when that is written.
            await self._point(wrong or names, target)
            leave()
            await self._show(target, image_id)
        except Exception:
            await self._undo(before)
            raise

    async def _point(self, names: Iterable[str], target: bytes) -> None:
        await _all_of(self._images.point(name, target) for name in names)

    async def _show(self, target: bytes, image_id: str) -> None:
        """Wait until the names show; what does not is written again each second: it may have been removed meanwhile.

        A second in which containerd stood still counts as one, however long it took: it says nothing of the names.
        """
        loop = asyncio.get_running_loop()
        started, left_seconds = loop.time(), self._shown_seconds
        try:
            while not await self._is_shown(image_id, min(_WRITE_AGAIN_SECONDS, left_seconds)):
                left_seconds -= _WRITE_AGAIN_SECONDS
                if await self._images.get(image_id) is None:
                    # containerd keeps every image under its ID, too: the content may have gone with that.
                    raise VanishedError(f"{self._rewrite.chosen_name} was removed while it got its names")
                if left_seconds <= 0:
                    asked = self._rewrite.reference
                    raise RecordsError(f"containerd did not show {asked} within {self._shown_seconds:g} s")
                await self._point(self._rewrite.record_names, target)
        finally:
            metrics.RECORD_WAIT.observe(loop.time() - started)

    async def _is_shown(self, image_id: str, within_seconds: float) -> bool:
        wanted = dict.fromkeys(self._rewrite.record_names, image_id)
        return await self._images.become(self._method, wanted, within_seconds)

    async def _undo(self, before: Mapping[str, wire.Record | None]) -> None:
        for name, record in before.items():
            try:
                await (self._images.delete(name) if record is None else self._images.restore(record))
            except grpc.aio.AioRpcError as error:
                # The plain pull that follows writes the same names anew.
                log.warning("undo-failed", name=name, code=error.code().name)


async def _all_of(works: Iterable[Awaitable[None]]) -> None:
    """Do it all at once, each to its end whatever becomes of the others: what comes late could not be undone."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome
