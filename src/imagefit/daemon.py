"""The daemon: listens where kubelet looks, serves until it is told to stop, lets calls under way end.

Knows the life of the socket and of the process. Leaves everything that a call means to the parts it puts together.
"""

import asyncio
import contextlib
import fcntl
import os
import platform
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from imagefit import telemetry
from imagefit.config import OFF, Config
from imagefit.cri.backend import MESSAGE_OPTIONS, Backend
from imagefit.cri.proxy import Proxy
from imagefit.cri.records import Records
from imagefit.errors import InvalidConfigurationError, ListenError
from imagefit.metadata import Vouch
from imagefit.node.contract import HostView
from imagefit.node.plugins import detectors_of
from imagefit.node.source import NodeSource
from imagefit.readiness import Readiness
from imagefit.registry.build import Places, registry_client
from imagefit.registry.client import RegistryClient
from imagefit.registry.resolution import Memory
from imagefit.reload import LiveConfig
from imagefit.report import Keep
from imagefit.service import Service
from imagefit.telemetry import configure_logging, log_crashes, metrics, tracing
from imagefit.telemetry.decisions import Ring
from imagefit.trust.vouching import voucher

log = telemetry.part("daemon")
_DIRECTORY_MODE = 0o755
# Makes a socket of mode 0660.
_SOCKET_UMASK = 0o117
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_PROBE_SECONDS = 2.0
_ENDING_SECONDS = 5.0
_NAMING_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 1.0
# Kubelet pings an idle connection; an answer must not depend on calls being under way.
_SERVER_OPTIONS = (*MESSAGE_OPTIONS, ("grpc.keepalive_permit_without_calls", 1), ("grpc.so_reuseport", 0))


@dataclass(frozen=True, slots=True)
class Overrides:
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
    """
    configure_logging(live.current.log_settings, verbose=overrides.verbose)
    log_crashes()
    path = Path(live.current.server.socket)
    with _claimed(path):
        asyncio.run(_serve(live, path, overrides))


async def _serve(live: LiveConfig, path: Path, overrides: Overrides) -> None:
    config = live.current
    stop = _stop_signals(live)  # before the socket tells anybody that this process is to be talked to
    async with contextlib.AsyncExitStack() as ending:
        backend = Backend(Path(config.containerd.socket))
        ending.push_async_callback(backend.close)
        settings = config.registry
        memory = Memory(settings.tag_seconds, settings.missing_seconds)
        places = Places(
            Path(settings.cache), settings.config_paths, settings.containerd_file, settings.known_token_servers
        )
        registry = registry_client(places, memory)
        ending.push_async_callback(registry.close)
        records = Records(backend)
        ending.push_async_callback(records.settled, _NAMING_SECONDS)
        node = NodeSource(HostView(config.node.root), detectors=detectors_of(config.node.detectors))
        service = Service(
            registry, node.node, config.policies, _keeping(config, ending), vouch=_vouch(registry, config)
        )
        readiness = Readiness(backend, lambda: node.is_known)
        _trace(config, ending)
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        proxy = Proxy(backend, records, service, readiness.missing)
        server.add_generic_rpc_handlers((proxy,))
        _bind(server, path)
        await server.start()
        _go_on(_follow_access(Path(config.containerd.socket), path), ending)
        await asyncio.sleep(0)  # its first look comes before anybody is told that we listen
        log.info("listening", socket=path, containerd=config.containerd.socket, mode=config.policy.mode)
        await _serve_metrics(config, overrides, readiness, ending)
        _go_on(live.follow(partial(_take, service, registry, overrides)), ending)
        _go_on(node.node(), ending)
        await stop.get()
        log.info("stopping", drain_seconds=live.current.server.drain_seconds)
        proxy.stop()
        await _drained(server, stop, live.current.server.drain_seconds)
    _ignore_signals()
    log.info("stopped")
    _end_soon()


def _take(service: Service, registry: RegistryClient, overrides: Overrides, config: Config) -> None:
    """Have a new configuration take effect, as far as that needs no restart."""
    configure_logging(config.log_settings, verbose=overrides.verbose)
    # Between the two nothing is decided, and a policy that asks for signatures never meets nobody to check them.
    service.vouch = _vouch(registry, config)
    service.policies = config.policies


def _vouch(registry: RegistryClient, config: Config) -> Vouch | None:
    """Return what checks the signatures of referrers; None where the operator asks for none."""
    found = voucher(registry, config.trust.referrers.key_rules)
    return found.vouch if found else None


def _go_on(work: Coroutine[Any, Any, Any], ending: contextlib.AsyncExitStack) -> None:
    """Work beside everything else until the end."""
    task = asyncio.create_task(work)
    task.add_done_callback(_log_failure)
    ending.callback(task.cancel)


def _log_failure(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()):
        log.failure("background-work-failed", error)


def _keeping(config: Config, ending: contextlib.AsyncExitStack) -> Keep | None:
    """Return what keeps the records of decisions; None where they are not kept."""
    if not config.decisions.file:
        return None
    ring = Ring(Path(config.decisions.file), config.decisions.keep)
    ending.callback(ring.close)
    return ring.add


async def _serve_metrics(
    config: Config, overrides: Overrides, readiness: Readiness, ending: contextlib.AsyncExitStack
) -> None:
    """Serve metrics and health if they are wanted; what goes wrong with them must not cost a pull."""
    listen = config.metrics.listen or overrides.metrics_listen
    if listen in {"", OFF}:
        return
    from imagefit.endpoint import Endpoint  # not before it is wanted: it brings an HTTP server

    metrics.enable(images=config.metrics.images)
    metrics.BUILD_INFO.set(1, version=version("imagefit"), python=platform.python_version())
    endpoint = Endpoint(listen, readiness.missing)
    try:
        await endpoint.start()
    except (ListenError, OSError) as error:
        log.warning("metrics-not-served", error=error)
        return
    ending.push_async_callback(endpoint.close)


def _trace(config: Config, ending: contextlib.AsyncExitStack) -> None:
    """Record spans if they are wanted; without what they need, pulls go on."""
    if not config.tracing.enabled:
        return
    try:
        tracing.enable()
    except InvalidConfigurationError as error:
        log.warning("spans-not-recorded", error=error)
        return
    ending.callback(tracing.shutdown)


async def _drained(server: grpc.aio.Server, stop: "asyncio.Queue[signal.Signals]", drain_seconds: float) -> None:
    """Refuse new calls and wait for those under way, at most so long or until a second signal."""
    drain = asyncio.create_task(server.stop(drain_seconds))
    again = asyncio.create_task(stop.get())
    await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
    if not drain.done():
        await server.stop(0)
    again.cancel()
    await drain


def _stop_signals(live: LiveConfig) -> "asyncio.Queue[signal.Signals]":
    stop: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for one in _STOPPING:
        loop.add_signal_handler(one, stop.put_nowait, one)
    loop.add_signal_handler(signal.SIGHUP, live.reload)
    return stop


def _ignore_signals() -> None:
    """Have a further signal change nothing: the loop, as it closes, would restore the default, which kills."""
    loop = asyncio.get_running_loop()
    for one in (*_STOPPING, signal.SIGHUP):
        loop.remove_signal_handler(one)
        signal.signal(one, signal.SIG_IGN)


def _end_soon() -> None:
    """End the process even if a thread does not: one that asks a dead name server cannot be called off.

    The socket is left as it is: by then it may be another daemon's, and a stale one is removed at the next start.
    """
    ending = threading.Timer(_ENDING_SECONDS, os._exit, (0,))
    ending.daemon = True
    ending.start()


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Hold the socket path for this process alone: a second gRPC server would silently take a live path over."""
    try:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ListenError(f"cannot prepare {path}: {error.strerror}", advice="see [server] socket") from error
    try:
        _lock(lock, path)
        _remove_stale(path)
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(lock, 32, 0).decode(errors="replace").strip()
        raise ListenError(
            f"another imagefit{f' (process {owner})' if owner.isdecimal() else ''} listens on {path}",
            advice="stop it first, or set another [server] socket",
        ) from error
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on; refuse one that somebody does, and anything that is no socket."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise ListenError(f"{path} exists and is no socket", advice="remove it, or set another [server] socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise ListenError(f"cannot tell whether {path} is in use: {error}") from error
    raise ListenError(f"another program listens on {path}", advice="stop it first, or set another [server] socket")


def _bind(server: grpc.aio.Server, path: Path) -> None:
    before = os.umask(_SOCKET_UMASK)
    try:
        server.add_insecure_port(f"unix:{path}")
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {path}", advice="is the path longer than 107 characters?") from error
    finally:
        os.umask(before)


async def _follow_access(containerd: Path, path: Path) -> None:
    """Let in whom containerd lets in, as soon as it is there; before, only root and its group."""
    while not _copied_access(containerd, path):  # noqa: ASYNC110 - a file that appears is no event of the loop
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _copied_access(containerd: Path, path: Path) -> bool:
    try:
        status = containerd.stat()
        os.chown(path, status.st_uid, status.st_gid)
        path.chmod(status.st_mode & 0o777)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning("socket-access", socket=path, error=error)
    return True
