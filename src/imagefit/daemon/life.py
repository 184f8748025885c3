"""The life of the daemon: listens where kubelet looks, serves until it is told to stop, lets calls under way end.

Knows the life of the socket and of the process, and that nothing is imported before it listens that forwarding a call
does not need. Leaves everything that a call means to ``idle``.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio
import msgspec

from imagefit import telemetry
from imagefit.config import Config
from imagefit.cri.backend import MESSAGE_OPTIONS, Backend
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.daemon.listening import bind, claimed, follow_access
from imagefit.daemon.reload import LiveConfig
from imagefit.errors import ImagefitError
from imagefit.telemetry import configure_logging, log_crashes

if TYPE_CHECKING:
    from imagefit.daemon.idle import Idle

log = telemetry.part("daemon")
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_ENDING_SECONDS = 5.0
_FAILING_SECONDS = 1.0
_EXIT_FAILED = 2
_WAKE_UPS = 4096
# Kubelet pings an idle connection; an answer must not depend on calls being under way.
_SERVER_OPTIONS = (*MESSAGE_OPTIONS, ("grpc.keepalive_permit_without_calls", 1), ("grpc.so_reuseport", 0))

Stop: TypeAlias = "asyncio.Queue[signal.Signals]"
"""The signals that ask for the end."""
Failed: TypeAlias = "asyncio.Future[Exception]"
"""The first thing that keeps a part from being started."""


class Overrides(msgspec.Struct, frozen=True):
    """What the command line says beside the configuration, and goes on saying through its reloads.

    Attributes:
        verbose: log what a search for a fault needs, whatever the configuration says.
        metrics_listen: where metrics are served if the configuration does not say; empty for nowhere.
    """

    verbose: bool = False
    metrics_listen: str = ""


def serve(live: LiveConfig, overrides: Overrides) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ListenError: the socket is in use or cannot be made.
        ImagefitError: it listened, and a part of it could not be started.
    """
    configure_logging(live.current.log_settings, verbose=overrides.verbose)
    log_crashes()
    path = Path(live.current.server.socket)
    with claimed(path):
        failure = asyncio.run(_serve(live, path, overrides))
    if failure is not None:
        raise ImagefitError(f"a part of imagefit cannot be started: {failure}", advice="see its log") from failure


async def _serve(live: LiveConfig, path: Path, overrides: Overrides) -> Exception | None:
    """Serve until told to stop; return what kept a part from being started, if that is why it ended."""
    config = live.current
    stop = _stop_signals(live)  # before the socket tells anybody that this process is to be talked to
    failed: Failed = asyncio.get_running_loop().create_future()
    async with contextlib.AsyncExitStack() as ending:
        backend = Backend(Path(config.containerd.socket))
        ending.push_async_callback(backend.close)
        ready: asyncio.Future[Idle] = asyncio.get_running_loop().create_future()
        proxy = Proxy(backend, partial(_answerers, ready))
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        server.add_generic_rpc_handlers((proxy,))
        bind(server, path)
        await server.start()
        _go_on(follow_access(Path(config.containerd.socket), path), ending)
        await asyncio.sleep(0)  # its first look comes before anybody is told that we listen
        log.info("listening", socket=path, containerd=config.containerd.socket, mode=config.policy.mode)
        fail = partial(_fail, failed)
        make = partial(_idle, config, (backend, proxy), fail, ending)
        _go_on(_work(make, ready, fail, live, overrides, ending), ending)
        told = asyncio.ensure_future(stop.get())
        ends: set[asyncio.Future[Any]] = {told, failed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        failure = failed.result() if failed.done() else None
        drain_seconds = _FAILING_SECONDS if failure else live.current.server.drain_seconds
        log.info("stopping", drain_seconds=drain_seconds)
        ready.add_done_callback(_tell_stopping)
        await _drained(server, stop, drain_seconds)
    _ignore_signals()
    log.info("stopped")
    _end_soon(_EXIT_FAILED if failure else 0)
    return failure


async def _answerers(ready: "asyncio.Future[Idle]") -> Answerers:
    return await (await asyncio.shield(ready)).answerers()


def _tell_stopping(ready: "asyncio.Future[Idle]") -> None:
    """Tell the parts, once they are there: some are still made while calls under way are waited for."""
    if not ready.cancelled() and ready.exception() is None:
        ready.result().stop()


async def _work(
    make: "Callable[[], Idle]",
    ready: "asyncio.Future[Idle]",
    fail: Callable[[Exception], None],
    live: LiveConfig,
    overrides: Overrides,
    ending: contextlib.AsyncExitStack,
) -> None:
    """Do everything but forwarding, until the end."""
    try:
        await asyncio.to_thread(import_module, "imagefit.daemon.idle")
        # What is there by now stays: to look through it for garbage would hold up calls each time, and so would a
        # gc.collect() before this (tens of milliseconds); the garbage of importing, which stays as well, is small.
        gc.freeze()
        gc.enable()
        ready.set_result(make())
        await ready.result().start(overrides.metrics_listen, partial(_go_on, ending=ending))
    except Exception as error:  # noqa: BLE001 - whatever it is
        if not ready.done():
            ready.set_exception(error)
            ready.exception()  # perhaps nobody waits for it
        fail(error)
    else:
        await live.follow(partial(_take, ready.result(), overrides))


def _fail(failed: Failed, error: Exception) -> None:
    """End the process, since a part of it cannot be started: a broken installation must show, not let pulls through."""
    if not failed.done():
        log.failure("start-failed", error, consequence="imagefit ends")
        failed.set_result(error)


def _idle(
    config: Config,
    forwarding: tuple[Backend, Proxy],
    fail: Callable[[Exception], None],
    ending: contextlib.AsyncExitStack,
) -> "Idle":
    from imagefit.daemon.idle import Idle

    return Idle(config, forwarding, fail, ending)


def _take(idle: "Idle", overrides: Overrides, config: Config) -> None:
    """Have a new configuration take effect, as far as that needs no restart."""
    configure_logging(config.log_settings, verbose=overrides.verbose)
    idle.take(config)


def _go_on(work: Coroutine[Any, Any, Any], ending: contextlib.AsyncExitStack) -> None:
    """Work beside everything else until the end."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    ending.callback(task.cancel)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.failure("background-work-failed", error)


async def _drained(server: grpc.aio.Server, stop: Stop, drain_seconds: float) -> None:
    """Refuse new calls and wait for those under way, at most so long or until a second signal."""
    drain = asyncio.create_task(server.stop(drain_seconds))
    again = asyncio.create_task(stop.get())
    await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
    if not drain.done():
        await server.stop(0)
    again.cancel()
    await drain


def _stop_signals(live: LiveConfig) -> Stop:
    """Have signals reach the loop; not as its own handlers, since it takes these back by restoring the default."""
    stop: Stop = asyncio.Queue()
    loop = asyncio.get_running_loop()
    # Python's handlers run in the main thread, which waits in the loop: a signal that another thread takes wakes it so.
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    loop.add_reader(woken, lambda: woken.recv(_WAKE_UPS))
    signal.set_wakeup_fd(waking.detach(), warn_on_full_buffer=False)
    for one in _STOPPING:
        signal.signal(one, lambda number, _: loop.call_soon_threadsafe(stop.put_nowait, signal.Signals(number)))
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(live.reload))
    return stop


def _ignore_signals() -> None:
    """Have a further signal change nothing: the default kills, and at no moment may it be in force."""
    for one in (*_STOPPING, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)


def _end_soon(code: int) -> None:
    """End the process even if a thread does not: one that asks a dead name server cannot be called off.

    The socket is left as it is: by then it may be another daemon's, and a stale one is removed at the next start.
    """
    ending = threading.Timer(_ENDING_SECONDS, os._exit, (code,))
    ending.daemon = True
    ending.start()
