"""containerd's Images API and ImageStatus, one coroutine for each thing that is asked or done.

Knows which answers of containerd are no errors. Leaves to ``records`` what is done in which order, and why.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import grpc
import grpc.aio

from imagefit.cri import wire
from imagefit.cri.backend import Backend
from imagefit.cri.methods import IMAGES_SERVICE
from imagefit.errors import VanishedError

_FIRST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.1


class Images:
    """What containerd keeps, by name. To be used inside one event loop; every call raises ``grpc.aio.AioRpcError``."""

    def __init__(self, backend: Backend) -> None:
        """Speak over ``backend``."""
        self._backend = backend

    async def get(self, name: str) -> wire.Record | None:
        """Return the record of a name, None where there is none.

        Raises:
            UnreadableMessageError: what came is none.
        """
        try:
            reply = await self._backend.call(f"{IMAGES_SERVICE}Get", wire.get_request(name))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return wire.read_get_response(reply)

    async def point(self, name: str, target: bytes) -> None:
        """Create a record or, if it exists, point it elsewhere.

        Args:
            name: of the record.
            target: descriptor, as ``Record.target`` holds it.

        Raises:
            VanishedError: somebody removed it between the two.
        """
        try:
            await self._backend.call(f"{IMAGES_SERVICE}Create", wire.create_request(name, target))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise
            await self._repoint(name, target)

    async def restore(self, record: wire.Record) -> None:
        """Put a record back as it was."""
        await self._backend.call(f"{IMAGES_SERVICE}Update", wire.restore_request(record))

    async def delete(self, name: str) -> None:
        """Delete the record of a name, if there is one."""
        try:
            await self._backend.call(f"{IMAGES_SERVICE}Delete", wire.delete_request(name))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise

    async def become(self, method: str, wanted: Mapping[str, str], within_seconds: float) -> bool:
        """Wait until ImageStatus gives each name its image ID; containerd hears of records by events, a bit later.

        Args:
            method: the PullImage method, for its version.
            wanted: name → image ID; an empty one where the name is to be gone.
            within_seconds: how long at most; with 0 each name is asked for once.

        Raises:
            UnreadableMessageError: what came is no answer.
        """
        status = method.replace("/PullImage", "/ImageStatus")
        give_up = asyncio.get_running_loop().time() + within_seconds
        become = (self._becomes(status, name, image_id, give_up) for name, image_id in wanted.items())
        return all(await asyncio.gather(*become))

    async def _becomes(self, status: str, name: str, image_id: str, give_up: float) -> bool:
        pause = _FIRST_PAUSE_SECONDS
        while wire.read_image_status(await self._backend.call(status, wire.image_status_request(name))) != image_id:
            if asyncio.get_running_loop().time() >= give_up:
                return False
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return True

    async def _repoint(self, name: str, target: bytes) -> None:
        try:
            await self._backend.call(f"{IMAGES_SERVICE}Update", wire.update_request(name, target))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            raise VanishedError(f"{name} was removed while it was written") from error
