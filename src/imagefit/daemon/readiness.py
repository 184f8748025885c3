"""Whether pulls can be answered now: containerd answers CRI, and the node has been looked at.

Knows what has to be there. Leaves to ``endpoint`` and ``cri.health`` who is told, and how.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import grpc
import grpc.aio

from imagefit.cri.backend import Backend

_PROBE: Final = "/runtime.v1.RuntimeService/Version"
_PROBE_SECONDS: Final = 1.0
# However many ask however often, containerd is asked once in so long.
_GOOD_FOR_SECONDS: Final = 0.5


class Readiness:
    """Looks when it is asked to. To be used inside one event loop."""

    def __init__(self, backend: Backend, is_node_known: Callable[[], bool]) -> None:
        """Judge by these two."""
        self._backend = backend
        self._is_node_known = is_node_known
        self._missing = ""
        self._asked_at = float("-inf")
        self._probing: asyncio.Future[None] | None = None

    async def missing(self) -> str:
        """Return what is missing, in a few words; empty where nothing is."""
        if not self._is_node_known():
            return "the node has not been looked at yet"
        if self._probing is None and time.monotonic() - self._asked_at > _GOOD_FOR_SECONDS:
            self._probing = asyncio.ensure_future(self._probe())
        if self._probing is not None:
            await asyncio.shield(self._probing)
        return self._missing

    async def _probe(self) -> None:
        try:
            self._missing = await self._asked()
        finally:
            self._asked_at = time.monotonic()
            self._probing = None

    async def _asked(self) -> str:
        try:
            await self._backend.call(_PROBE, b"", _PROBE_SECONDS)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return "containerd serves no runtime.v1"
            return f"containerd does not answer ({error.code().name})"
        return ""
