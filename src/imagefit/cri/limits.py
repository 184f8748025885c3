"""How many calls are under way at once, and what becomes of those beyond: an answer at once, and no work.

Knows both limits of ``[limits]``. Leaves which calls count to ``proxy``. A call that is turned away costs containerd
nothing; kubelet asks again later. Why: ``docs/adr/0024-what-is-too-much-is-turned-away.md``.
"""

import time
from typing import Final

import grpc
import grpc.aio

from imagefit import telemetry
from imagefit.telemetry import metrics

log = telemetry.part("cri")
CALLS: Final = 1000
"""Calls at once, unless the configuration says otherwise."""
PULLS: Final = 250
"""PullImage calls at once, unless the configuration says otherwise."""
_TELL_SECONDS: Final = 1.0

Context = grpc.aio.ServicerContext[bytes, bytes]


class Limit:
    """How many of one kind may be under way at once. To be used inside one event loop.

    Attributes:
        most: how many; a change counts for those that come.
        under_way: how many there are.
    """

    __slots__ = ("_name", "_shed", "_tell_at", "most", "under_way")

    def __init__(self, name: str, most: int) -> None:
        """Count none yet.

        Args:
            name: as the configuration has it.
            most: 1 or more.
        """
        self._name = name
        self.most = most
        self.under_way = 0
        self._shed = 0
        self._tell_at = float("-inf")

    @property
    def is_met(self) -> bool:
        """Whether one more is one too many."""
        return self.under_way >= self.most

    async def shed(self, context: Context) -> None:
        """End a call that is one too many."""
        metrics.SHED.add(limit=self._name)
        self._shed += 1
        now = time.monotonic()
        if now >= self._tell_at:
            log.warning("call-shed", limit=self._name, most=self.most, calls=self._shed)
            self._shed, self._tell_at = 0, now + _TELL_SECONDS
        await context.abort(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"imagefit: more than {self.most} {self._name} at once ([limits] {self._name})",
        )


class Limits:
    """Both limits.

    Attributes:
        calls: forwarded and answered ones, health checks apart.
        pulls: PullImage, each of which is a call, too.
    """

    __slots__ = ("calls", "pulls")

    def __init__(self, calls: int = CALLS, pulls: int = PULLS) -> None:
        """Allow so many at once."""
        self.calls = Limit("calls", calls)
        self.pulls = Limit("pulls", pulls)

    def take(self, calls: int, pulls: int) -> None:
        """Allow so many from now on; what is under way goes on."""
        self.calls.most, self.pulls.most = calls, pulls
