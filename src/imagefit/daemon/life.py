"""The life of the daemon: listens where kubelet looks, serves until it is told to stop, lets calls under way end.

Knows the life of the socket and of the process, and that nothing is imported before it listens that forwarding a call
does not need. Leaves everything that a call means to ``idle``.
"""

import asyncio
import contextlib
import gc
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import grpc
import grpc.aio
import msgspec

from imagefit import telemetry
from imagefit.config import Config
from imagefit.cri.backend import MESSAGE_OPTIONS, Backend, retrieved
from imagefit.cri.limits import Limits
from imagefit.cri.proxy import Answerers, Proxy
from imagefit.daemon.listening import bind, follow_access
from imagefit.daemon.notifying import Manager
from imagefit.daemon.owning import Claim, claimed
from imagefit.daemon.reload import LiveConfig
from imagefit.daemon.starts import GOOD_AFTER_SECONDS, Starts
from imagefit.daemon.stopping import drained, end_soon, ignore_signals, stop_signals
from imagefit.errors import ImagefitError
from imagefit.telemetry import configure_logging, log_crashes

if TYPE_CHECKING:
    from imagefit.daemon.idle import Idle

log = telemetry.part("daemon")
_FAILING_SECONDS: Final = 1.0
_EXIT_FAILED: Final = 2
_CONNECTION_SECONDS: Final = 2
# gRPC ends a connection up to a tenth later than it is told to; the rest is for a machine that is busy.
_SENT_AWAY_SECONDS: Final = 2 * _CONNECTION_SECONDS
_SERVER_OPTIONS: Final = (
    *MESSAGE_OPTIONS,
    # Kubelet pings an idle connection; an answer must not depend on calls being under way.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
    # Clients connect anew so often, between calls: so none is left at a daemon that has handed over. To stop a server
    # is no way to be rid of them, for it cancels calls that arrive just then.
    ("grpc.max_connection_age_ms", _CONNECTION_SECONDS * 1000),
)

Failed: TypeAlias = "asyncio.Future[Exception]"
"""The first thing that keeps a part from being started."""
Ends: TypeAlias = "set[asyncio.Future[Any]]"
"""What asks for the end once one of them is done."""
_Done = TypeVar("_Done")


class Overrides(msgspec.Struct, frozen=True):
    """What the command line says beside the configuration, and goes on saying through its reloads.

    Attributes:
        verbose: log what a search for a fault needs, whatever the configuration says.
        metrics_listen: where metrics are served if the configuration does not say; empty for nowhere.
        take_over: take the socket from the imagefit that has it, if one has.
    """

    verbose: bool = False
    metrics_listen: str = ""
    take_over: bool = False


def serve(live: LiveConfig, overrides: Overrides, manager: Manager, starts: Starts) -> None:
    """Serve until SIGTERM or SIGINT, or until another imagefit has taken the socket over.

    Args:
        live: the configuration.
        overrides: what counts beside it.
        manager: is told how it goes.
        starts: are forgotten once this one has gone well.

    Raises:
        ListenError: the socket is in use or cannot be made.
        ImagefitError: it listened, and a part of it could not be started.
    """
    configure_logging(live.current.log_settings, verbose=overrides.verbose)
    log_crashes()
    with claimed(Path(live.current.server.socket), take_over=overrides.take_over) as claim:
        failure = asyncio.run(_serve(live, claim, overrides, manager, starts))
    if failure is not None:
        raise ImagefitError(f"a part of imagefit cannot be started: {failure}", advice="see its log") from failure


async def _serve(
    live: LiveConfig, claim: Claim, overrides: Overrides, manager: Manager, starts: Starts
) -> Exception | None:
    """Serve until told to stop; return what kept a part from being started, if that is why it ended."""
    config = live.current
    stop = stop_signals(live.reload)  # before the socket tells anybody that this process is to be talked to
    failed: Failed = asyncio.get_running_loop().create_future()
    told = asyncio.create_task(stop.get())
    ends: Ends = {told, failed}
    async with contextlib.AsyncExitStack() as ending:
        backend = Backend(Path(config.containerd.socket))
        ending.push_async_callback(backend.close)
        ready: asyncio.Future[Idle] = asyncio.get_running_loop().create_future()
        proxy = Proxy(backend, partial(_answerers, ready), Limits(config.limits.calls, config.limits.pulls))
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        server.add_generic_rpc_handlers((proxy,))
        containerd = Path(config.containerd.socket)
        is_open = bind(server, claim.own, containerd)
        await server.start()
        if not is_open:
            _go_on(follow_access(containerd, claim.own), ending)
        fail = partial(_fail, failed)
        make = partial(_idle, config, (backend, proxy), fail, ending)
        work = partial(_work, make, ready, fail, live, overrides, ending)
        if claim.is_held:
            _show(live, claim, manager, ending)
            _go_on(work(), ending)
        else:  # nothing is taken from a daemon that answers before this one can answer everything
            _go_on(work(), ending)
            await _either(ends, _answerers(ready))
            if not any(end.done() for end in ends):
                _show(live, claim, manager, ending)
        asyncio.get_running_loop().call_later(GOOD_AFTER_SECONDS, starts.forget)
        await _ended(ends, fail, claim, manager)
        failure = failed.result() if failed.done() else None
        drain_seconds = _FAILING_SECONDS if failure else live.current.server.drain_seconds
        manager.tell(STOPPING=1, STATUS="stopping: calls under way end")
        claim.end()
        log.info("stopping", drain_seconds=drain_seconds)
        ready.add_done_callback(_tell_stopping)
        await drained(server, stop, drain_seconds)
        told.cancel()  # not before: one that was handed over drains already when it is told to for the first time
    ignore_signals()
    log.info("stopped")
    if failure is None:
        starts.forget()
    end_soon(_EXIT_FAILED if failure else 0)
    return failure


def _show(live: LiveConfig, claim: Claim, manager: Manager, ending: contextlib.AsyncExitStack) -> None:
    """Have kubelet find this daemon, and tell so."""
    claim.show()
    config = live.current
    log.info("listening", socket=claim.path, containerd=config.containerd.socket, mode=config.policy.mode)
    _go_on(manager.feed(f"listening on {claim.path}"), ending)


async def _ended(ends: Ends, fail: Callable[[Exception], None], claim: Claim, manager: Manager) -> None:
    """Wait until something asks for the end, with nobody left who does not know of another daemon that took over."""
    while not any(end.done() for end in ends):
        lost = await _either(ends, claim.lost())
        if lost.cancelled():
            return
        if isinstance(error := lost.exception(), Exception):
            fail(error)
            return
        log.info("handed-over", socket=claim.path, process=lost.result())
        manager.tell(STATUS=f"handed over to process {lost.result()}")
        returned = await _either(ends, claim.returned(_SENT_AWAY_SECONDS))
        if returned.cancelled() or not returned.result():
            return
        manager.tell(STATUS=f"listening on {claim.path}")


async def _either(ends: Ends, work: Coroutine[Any, Any, _Done]) -> "asyncio.Task[_Done]":
    """Work, unless something asks for the end meanwhile: then it is cancelled."""
    task = asyncio.create_task(work)
    await asyncio.wait({*ends, task}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
    await asyncio.wait({task})
    retrieved(task)
    return task


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
