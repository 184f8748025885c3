"""The node's facts for a daemon: detected once, then again when they have become old.

Knows how long facts are good for: modules are loaded and devices come while a node is up. Leaves detection to
``collect``.
"""

import asyncio
import time

from imagefit import telemetry
from imagefit.model.facts import Node
from imagefit.node.collect import Collected, collect
from imagefit.node.contract import HostView

_MAX_AGE_SECONDS = 60.0


class NodeSource:
    """Facts of one host. To be used inside one event loop."""

    def __init__(self, host: HostView, max_age_seconds: float = _MAX_AGE_SECONDS) -> None:
        """Detect on ``host``, and anew once what is known is older than ``max_age_seconds``."""
        self._host = host
        self._max_age_seconds = max_age_seconds
        self._known: Node | None = None
        self._detected_at = 0.0
        self._detecting: asyncio.Future[Node] | None = None

    async def node(self) -> Node:
        """Return the facts: the first ones are waited for, old ones are returned while new ones are looked for."""
        is_old = time.monotonic() - self._detected_at > self._max_age_seconds
        if self._known is not None and not is_old:
            return self._known
        if self._detecting is None:
            self._detecting = asyncio.ensure_future(self._detect())
            self._detecting.add_done_callback(self._detected)
        if self._known is not None:
            return self._known
        return await asyncio.shield(self._detecting)

    async def _detect(self) -> Node:
        collected = await asyncio.to_thread(collect, self._host)
        if self._known is None:
            _log(collected)
        return collected.node

    def _detected(self, detecting: "asyncio.Future[Node]") -> None:
        self._detecting = None
        if detecting.cancelled():
            return
        if error := detecting.exception():
            telemetry.failure("detection-failed", error)
            return
        self._known, self._detected_at = detecting.result(), time.monotonic()


def _log(collected: Collected) -> None:
    node = collected.node
    telemetry.info("node", os=node.os, architecture=node.architecture, variant=node.variant)
    for report in collected.reports:
        if not report.ok:
            telemetry.warning("detector-failed", detector=report.name, error=report.message)
