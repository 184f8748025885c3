"""The names that containerd keeps for a chosen image, so that the choice is invisible.

Knows what comes before and after a rewritten pull, and when it is sent again. Leaves to ``holds`` who else has to do
with the pulled name, to ``naming`` the names that stay, and to ``healing`` what a crash has left. containerd's own
records are the only state, but for the marks of pulls under way.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Final
from weakref import WeakValueDictionary

import grpc.aio

from imagefit import telemetry
from imagefit.cri import wire
from imagefit.cri.backend import Backend
from imagefit.cri.healing import Healing
from imagefit.cri.holds import Hold, Holds
from imagefit.cri.images_api import Images
from imagefit.cri.mark_files import Mark
from imagefit.cri.marks import Marks
from imagefit.cri.naming import Naming
from imagefit.errors import ContainerdAwayError, RecordsError, VanishedError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import ImageReference
from imagefit.telemetry import metrics

log = telemetry.part("cri")
_SHOWN_SECONDS: Final = 10.0
# What containerd, or who stands before it, answers again and again. Every other status passes: that of a containerd
# that is away or frozen, and the UNKNOWN ("server is not initialized yet") of one that has just come back.
_REFUSALS: Final = frozenset(
    {
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
PULLS_AGAIN: Final = 2
"""How often a pull is sent again whose image somebody removed before it had its names."""

Pull = Callable[[], Awaitable[bytes]]
"""Has containerd pull, and returns its reply."""


class Records:
    """Writes and removes names by containerd's Images API. To be used inside one event loop."""

    def __init__(self, backend: Backend, shown_seconds: float = _SHOWN_SECONDS, marks: Marks | None = None) -> None:
        """Touch nothing yet.

        Args:
            backend: containerd.
            shown_seconds: how long is waited until written names show in ImageStatus.
            marks: what outlives a crash; None for nothing.
        """
        self._images = Images(backend)
        self._holds = Holds(self._images, marks)
        self._healing = None if marks is None else Healing(self._images, self._holds, marks)
        self._shown_seconds = shown_seconds
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def heal(self) -> None:
        """Begin to put right what a crash has left."""
        if self._healing is not None:
            self._holds.begun(self._healing.look())

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
            await asyncio.shield(self._holds.begun(self._holds.ask_for(hold)))
        finally:
            await asyncio.shield(self._holds.leave(hold))
        self._put_right((str(reference),))

    async def pulled(self, method: str, rewrite: Rewrite, pull: Pull) -> bytes:
        """Pull a chosen entry and leave the records of a plain pull.

        Args:
            method: the PullImage method, for its version.
            rewrite: what was asked for and what was chosen.
            pull: has containerd pull ``rewrite.chosen_name``; what it raises is passed on. It is called again where
                somebody removed the image before it had its names.

        Returns:
            containerd's reply.

        Raises:
            NotNamedError: containerd went away, did not answer or is not wholly there yet, or the image was removed
                once too often; what was written is undone if possible.
            RecordsError: containerd did not take or not show the records; those that were written are undone.
        """
        for times in range(PULLS_AGAIN):
            try:
                return await self._pulled(method, rewrite, pull)
            except VanishedError as error:
                log.warning("pulled-again", image=rewrite.reference, times=times + 1, error=error)
        return await self._pulled(method, rewrite, pull)

    async def settled(self, timeout_seconds: float) -> None:
        """Wait, at most so long, until every image that has been pulled has its names."""
        await self._holds.settled(timeout_seconds)

    async def _pulled(self, method: str, rewrite: Rewrite, pull: Pull) -> bytes:
        hold = await self._holds.entered(method, rewrite.chosen_name)
        try:
            with _translated():
                await self._holds.look(hold, Mark(rewrite.chosen_name, rewrite.record_names, rewrite.chosen_digest))
            naming = Naming(self._images, method, rewrite, self._shown_seconds)
            reply = await _sent(hold, pull)
        except BaseException:
            self._holds.leave(hold)
            raise
        # The image is there: its names must follow even if the caller goes away now.
        named = self._holds.begun(self._named(rewrite, hold, naming, reply))
        try:
            await asyncio.shield(named)
        except asyncio.CancelledError:
            named.add_done_callback(_log_failure)
            raise
        return reply

    async def _named(self, rewrite: Rewrite, hold: Hold, naming: Naming, reply: bytes) -> None:
        left: list[asyncio.Future[None]] = []

        def leave() -> asyncio.Future[None]:
            if not left:
                left.append(self._holds.leave(hold))
            return left[0]

        try:
            with _translated():
                async with self._locks.setdefault(rewrite.reference.repository, asyncio.Lock()):
                    started = time.perf_counter()
                    await naming.name(wire.read_pull_response(reply), leave)
                    metrics.STEP_SECONDS.observe(time.perf_counter() - started, step="records")
        finally:
            await leave()
        self._put_right((rewrite.chosen_name, *rewrite.record_names))

    def _put_right(self, names: Iterable[str]) -> None:
        """Begin to remove what earlier pulls of names left, since these names stand right now."""
        if self._healing is not None:
            self._holds.begun(self._healing.pulled(names))


async def _sent(hold: Hold, pull: Pull) -> bytes:
    try:
        return await pull()
    except asyncio.CancelledError:
        hold.is_in_doubt = True
        raise


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what containerd answers to our own calls into errors that have a name."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        kind = RecordsError if error.code() in _REFUSALS else ContainerdAwayError
        raise kind(f"containerd: {error.code().name}: {error.details()}") from error
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
