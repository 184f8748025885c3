"""What a daemon does beside forwarding, put together: it looks at the node, serves metrics and, once asked, chooses.

Knows which part is needed when: the node is looked at before anybody asks, and what chooses is imported with the first
pull or health check, in a thread, while calls are forwarded. Nothing of this is imported before the daemon listens.
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
from imagefit.cri.proxy import Own, Proxy
from imagefit.errors import ListenError
from imagefit.node.contract import HostView
from imagefit.node.plugins import detectors_of
from imagefit.node.source import NodeSource
from imagefit.readiness import Readiness
from imagefit.telemetry import metrics
from imagefit.version import VERSION

if TYPE_CHECKING:
    from imagefit.choosing import Choosing

log = telemetry.part("daemon")

GoOn = Callable[[Coroutine[Any, Any, Any]], None]
"""Has work done beside everything else, until the end."""


class Assembly:
    """The parts of one daemon. To be made and used inside one event loop."""

    def __init__(self, config: Config, backend: Backend, proxy: Proxy, ending: contextlib.AsyncExitStack) -> None:
        """Put the parts together; nothing is asked and nobody is told yet.

        Args:
            config: as it is at the start.
            backend: containerd.
            proxy: forwards calls to it.
            ending: ends the parts.
        """
        self._started = self._current = config
        self._forwarding = backend, proxy
        self._ending = ending
        self._node = NodeSource(HostView(config.node.root), detectors=detectors_of(config.node.detectors))
        self._readiness = Readiness(backend, lambda: self._node.is_known)
        self._choosing: asyncio.Future[Choosing] | None = None

    async def start(self, metrics_listen: str, go_on: GoOn) -> None:
        """Look at the node, and serve metrics and health if they are wanted.

        Args:
            metrics_listen: where, if the configuration does not say; empty for nowhere.
            go_on: has the node looked at.
        """
        go_on(self._node.node())
        await self._serve_metrics(self._started.metrics.listen or metrics_listen)

    async def own(self) -> Own:
        """Return what answers the calls that are not just forwarded; raises whatever keeps it from being made."""
        if self._choosing is None:
            self._choosing = asyncio.ensure_future(self._made())
        return (await asyncio.shield(self._choosing)).own

    def take(self, config: Config) -> None:
        """Have a new configuration take effect, as far as that needs no restart."""
        self._current = config
        if (choosing := self._chosen()) is not None:
            choosing.take(config)

    def stop(self) -> None:
        """Tell those who watch the health that nothing is served any more; calls go on until the server stops."""
        if (choosing := self._chosen()) is not None:
            choosing.stop()

    def _chosen(self) -> "Choosing | None":
        """Return what chooses, if it is there."""
        made = self._choosing
        return made.result() if made and made.done() and not made.cancelled() and not made.exception() else None

    async def _made(self) -> "Choosing":
        await asyncio.to_thread(imported, "imagefit.choosing")
        from imagefit.choosing import Choosing

        choosing = Choosing(self._started, self._forwarding, self._node, self._readiness.missing, self._ending)
        choosing.take(self._current)
        return choosing

    async def _serve_metrics(self, listen: str) -> None:
        """Serve metrics and health; what goes wrong with them must not cost a pull."""
        if listen in {"", OFF}:
            return
        await asyncio.to_thread(imported, "imagefit.endpoint")  # it brings an HTTP server
        from imagefit.endpoint import Endpoint

        metrics.enable(images=self._started.metrics.images)
        metrics.BUILD_INFO.set(1, version=VERSION, python=platform.python_version())
        endpoint = Endpoint(listen, self._readiness.missing)
        try:
            await endpoint.start()
        except (ListenError, OSError) as error:
            log.warning("metrics-not-served", error=error)
            return
        self._ending.push_async_callback(endpoint.close)


def imported(module: str) -> None:
    """Import a module and what it brings: in a thread, since calls are forwarded meanwhile."""
    import_module(module)
    gc.freeze()  # it stays: to look through it for garbage would hold up calls, for tens of milliseconds each time
