"""The node's facts for a daemon: detected once, then again when they have become old.

Knows how long facts are good for: modules are loaded and devices come while a node is up. What is wrong is logged when
it comes up, not each time. Leaves detection to ``collect``.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator

from imagefit import telemetry
from imagefit.model.facts import Node
from imagefit.node.collect import Collected, collect
from imagefit.node.contract import Detector, HostView
from imagefit.node.detectors import DETECTORS
from imagefit.node.runner import Runner
from imagefit.telemetry import metrics

log = telemetry.part("node")

_MAX_AGE_SECONDS = 60.0

_Fault = tuple[str, str, str]
"""Event, detector, and what is wrong."""


class NodeSource:
    """Facts of one host. To be used inside one event loop."""

    def __init__(
        self, host: HostView, max_age_seconds: float = _MAX_AGE_SECONDS, detectors: Iterable[Detector] = DETECTORS
    ) -> None:
        """Detect on ``host``, and anew once what is known is older than ``max_age_seconds``."""
        self._host = host
        self._max_age_seconds = max_age_seconds
        self._detectors = tuple(detectors)
        self._runner = Runner()
        self._logged: frozenset[_Fault] = frozenset()
        self._known: Node | None = None
        self._detected_at = 0.0
        self._detecting: asyncio.Future[Node] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the node has been looked at."""
        return self._known is not None

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
        collected = await asyncio.to_thread(collect, self._host, self._detectors, self._runner)
        node = collected.node
        if self._known is None:
            log.info("node", os=node.os, architecture=node.architecture, variant=node.variant)
        for report in collected.reports:
            metrics.DETECTOR_OK.set(report.ok, detector=report.name)
            metrics.DETECTOR_SECONDS.set(report.seconds, detector=report.name)
        faults = tuple(_faults(collected))
        for event, detector, error in faults:
            if (event, detector, error) not in self._logged:
                log.warning(event, detector=detector, error=error)
        self._logged = frozenset(faults)
        return node

    def _detected(self, detecting: "asyncio.Future[Node]") -> None:
        self._detecting = None
        if detecting.cancelled():
            return
        if error := detecting.exception():
            log.failure("detection-failed", error)
            return
        self._detected_at = time.monotonic()
        # The same facts stay the same value, by which decisions are known again.
        if (found := detecting.result()) != self._known:
            self._known = found


def _faults(collected: Collected) -> Iterator[_Fault]:
    for report in collected.reports:
        if not report.ok:
            yield "detector-failed", report.name, report.message
        for warning in report.warnings:
            yield "facts-left-out", report.name, warning
