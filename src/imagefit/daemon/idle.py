"""What an idle daemon does beside forwarding: it looks at the node, serves metrics, and is ready to be asked.

Knows which part is needed when: the node is looked at before anybody asks, and what chooses is imported with the first
pull or health check, in a thread, while calls are forwarded. Leaves to ``pulls`` how those are answered. Nothing of
this is imported before the daemon listens.
"""

import asyncio
import contextlib
import gc
import platform
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any

from imagefit import telemetry
from imagefit.config import OFF, Config
from imagefit.cri.backend import Backend
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.daemon.readiness import Readiness
from imagefit.errors import ListenError
from imagefit.node.contract import HostView
from imagefit.node.plugins import detectors_of
from imagefit.node.source import NodeSource
from imagefit.telemetry import metrics
from imagefit.version import VERSION

if TYPE_CHECKING:
    from imagefit.daemon.endpoint import Endpoint
    from imagefit.daemon.pulls import Answering

log = telemetry.part("daemon")
_AGAIN_SECONDS = 1.0

GoOn = Callable[[Coroutine[Any, Any, Any]], None]
"""Has work done beside everything else, until the end."""


class Idle:
    """What one daemon does beside forwarding. To be made and used inside one event loop."""

    def __init__(
        self,
        config: Config,
        forwarding: tuple[Backend, Proxy],
        fail: Callable[[Exception], None],
        ending: contextlib.AsyncExitStack,
    ) -> None:
        """Put the parts together; nothing is asked and nobody is told yet.

        Args:
            config: as it is at the start.
            forwarding: containerd, and what forwards calls to it.
            fail: is told what keeps a part from being started, whether or not anybody waits for it.
            ending: ends the parts.
        """
        self._started = self._current = config
        self._forwarding = forwarding
        self._fail = fail
        self._ending = ending
        self._is_stopping = False
        self._node = NodeSource(HostView(config.node.root), detectors=detectors_of(config.node.detectors))
        self._readiness = Readiness(forwarding[0], lambda: self._node.is_known)
        self._answering: asyncio.Future[Answering] | None = None

    async def start(self, metrics_listen: str, go_on: GoOn) -> None:
        """Look at the node, and serve metrics and health if they are wanted.

        Args:
            metrics_listen: where, if the configuration does not say; empty for nowhere.
            go_on: has the node looked at.
        """
        listen = self._started.metrics.listen or metrics_listen
        if listen not in {"", OFF}:
            await asyncio.to_thread(imported, "imagefit.daemon.endpoint")  # it brings an HTTP server
            metrics.enable(images=self._started.metrics.images)  # before the first look, which is counted
            metrics.BUILD_INFO.set(1, version=VERSION, python=platform.python_version())
            await self._serve_metrics(listen, go_on)
        go_on(self._node.node())

    async def answerers(self) -> Answerers:
        """Return what answers the calls that are not forwarded; raises whatever keeps it from being made."""
        if self._answering is None:
            self._answering = asyncio.ensure_future(self._made())
            self._answering.add_done_callback(self._failed)
        return (await asyncio.shield(self._answering)).answerers

    def take(self, config: Config) -> None:
        """Have a new configuration take effect, as far as that needs no restart."""
        self._current = config
        self._forwarding[1].limits.take(config.limits.calls, config.limits.pulls)
        if (parts := self._parts()) is not None:
            parts.take(config)

    def stop(self) -> None:
        """Tell those who watch the health that nothing is served any more; calls go on until the server stops."""
        self._is_stopping = True
        if (parts := self._parts()) is not None:
            parts.stop()

    def _parts(self) -> "Answering | None":
        """Return the parts that answer pulls and health checks, if they are there."""
        made = self._answering
        return made.result() if made and made.done() and not made.cancelled() and not made.exception() else None

    async def _made(self) -> "Answering":
        # Most nodes ask for no signatures; every pull asks a registry.
        signatures = () if self._started.trust.referrers.key_rules is None else ("imagefit.trust.vouching",)
        await asyncio.to_thread(imported, "imagefit.daemon.pulls", "aiohttp", *signatures)
        from imagefit.daemon.pulls import Answering

        parts = Answering(self._started, self._forwarding, self._node, self._readiness.missing, self._ending)
        parts.take(self._current)
        if self._is_stopping:
            parts.stop()
        return parts

    def _failed(self, answering: "asyncio.Future[Answering]") -> None:
        if not answering.cancelled() and isinstance(error := answering.exception(), Exception):
            self._fail(error)

    async def _serve_metrics(self, listen: str, go_on: GoOn) -> None:
        """Serve metrics and health; what goes wrong with them must not cost a pull."""
        from imagefit.daemon.endpoint import Endpoint

        endpoint = Endpoint(listen, self._readiness.missing)
        self._ending.push_async_callback(endpoint.close)
        try:
            await endpoint.start()
        except (ListenError, OSError) as error:
            log.warning("metrics-not-served", error=error)
            go_on(_started_later(endpoint))


async def _started_later(endpoint: "Endpoint") -> None:
    """Start it once its address is free: whoever hands the socket over has it until its calls have ended."""
    while True:
        await asyncio.sleep(_AGAIN_SECONDS)
        with contextlib.suppress(ListenError, OSError):
            return await endpoint.start()


def imported(*modules: str) -> None:
    """Import modules and what they bring: in a thread, since calls are forwarded meanwhile."""
    for module in modules:
        import_module(module)
    # It stays: to look through it for garbage would hold up calls, for tens of milliseconds each time. No gc.collect()
    # comes first: it would hold them up for as long, and the garbage of importing, which stays as well, is small.
    gc.freeze()
