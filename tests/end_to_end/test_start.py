"""What a daemon is made of when: what it imports before it listens, while it is idle, and with the first pull."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import grpc
import pytest

from end_to_end.lives import Make, Slow, under_way, wait_until
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.manager import Manager
from harness.process import connects, free_port
from harness.registry import Registry

FITS, FAILS = {"oci.kernel.version": ">=2.6"}, {"oci.kernel.version": "<2.6"}

# What forwarding calls takes, with a configuration that has been read; a new one here delays every start.
BEFORE_LISTENING = {
    *("imagefit", "imagefit.errors", "imagefit.version"),
    *("imagefit.daemon", "imagefit.daemon.life", "imagefit.daemon.listening", "imagefit.daemon.notifying"),
    *("imagefit.daemon.owning", "imagefit.daemon.reload", "imagefit.daemon.starts", "imagefit.daemon.stopping"),
    *("imagefit.cli", "imagefit.cli.arguments", "imagefit.cli.parsing", "imagefit.cli.serve"),
    *("imagefit.config", "imagefit.config.changes", "imagefit.config.checking", "imagefit.config.conditions"),
    *("imagefit.config.keys", "imagefit.config.kinds", "imagefit.config.lines", "imagefit.config.merging"),
    *("imagefit.config.reading", "imagefit.config.rules", "imagefit.config.settings", "imagefit.config.sources"),
    *("imagefit.config.trust", "imagefit.trust", "imagefit.trust.rules"),
    *("imagefit.cri", "imagefit.cri.backend", "imagefit.cri.calls", "imagefit.cri.methods", "imagefit.cri.proxy"),
    "imagefit.cri.limits",
    *("imagefit.model", "imagefit.model.glob", "imagefit.model.outcome", "imagefit.model.policy"),
    *("imagefit.telemetry", "imagefit.telemetry.lines", "imagefit.telemetry.logs"),
    *("imagefit.telemetry.metrics", "imagefit.telemetry.recorders", "imagefit.telemetry.redaction"),
    "imagefit.telemetry.tracing",
}
# Not even then: libraries that cost a millisecond or half a megabyte and more.
NOT_BEFORE_LISTENING = {
    *("aiohttp", "archspec", "cpuinfo", "cryptography", "ctypes", "difflib", "email", "google", "importlib.metadata"),
    *("json", "multiprocessing", "opentelemetry", "prometheus_client", "rich", "yaml", "zipfile"),
}
# The first pull's.
NOT_WHILE_IDLE = {
    *("imagefit.daemon.pulls", "imagefit.cri.wire", "imagefit.formats", "imagefit.registry", "imagefit.selection"),
    *("imagefit.service", "imagefit.trust.vouching", "aiohttp", "cryptography", "email", "google"),
    *("importlib.metadata", "prometheus_client", "yaml"),
}


@pytest.fixture
def daemon(containerd: Containerd, folder: Path, repository: str) -> Iterator[Daemon]:
    """One that is not started."""
    made = Daemon(folder / f"s{repository.rpartition('-')[2]}", containerd.socket)
    yield made
    made.kill()


@contextlib.contextmanager
def started(daemon: Daemon, *options: str, **environment: str) -> "Iterator[subprocess.Popen[str]]":
    """The daemon's program, whose standard error can be read as it comes."""
    command = (sys.executable, *options, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), "serve")
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def imported_until(process: "subprocess.Popen[str]", event: str) -> set[str]:
    """Return every module that is imported until an event is logged."""
    assert process.stderr is not None
    found: set[str] = set()
    for line in process.stderr:
        if f"event={event} " in line:
            return found
        if line.startswith("import time:"):
            found.add(line.rpartition("|")[2].strip())
    raise AssertionError(f"{event} was never logged")


def within(modules: set[str], packages: set[str]) -> set[str]:
    """Return the modules that are one of some packages, or a part of one."""
    return {name for name in modules for package in packages if f"{name}.".startswith(f"{package}.")}


def test_nothing_is_imported_before_listening_that_listening_does_not_need(daemon: Daemon) -> None:
    with started(daemon, "-X", "importtime") as process:
        imported = imported_until(process, "listening")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert {"imagefit.daemon.life", "grpc.aio"} <= imported
    assert within(imported, {"imagefit"}) <= BEFORE_LISTENING
    assert not within(imported, NOT_BEFORE_LISTENING)


def test_what_chooses_is_not_imported_before_somebody_asks(daemon: Daemon) -> None:
    with started(daemon, "-X", "importtime") as process:
        imported = imported_until(process, "listening") | imported_until(process, "node")
        assert "imagefit.node.source" in imported
        assert not within(imported, NOT_WHILE_IDLE)
        with CriClient(daemon.socket) as client:
            client.list_images()
            with contextlib.suppress(grpc.RpcError):
                client.pull("127.0.0.1:1/nothing:1")
        imported = imported_until(process, "decision")
    assert {"imagefit.service", "google.protobuf"} <= imported


def test_pulls_that_come_with_the_socket_are_chosen_like_all_others(
    daemon: Daemon, registry: Registry, containerd: Containerd, repository: str
) -> None:
    entries = [push_image(registry, repository, None, f"{text} of {repository}") for text in ("unfit", "fits")]
    for one, sets in zip(entries, (FAILS, FITS), strict=True):
        one["platform"]["compatibilities"] = [sets]
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    replies: list[str] = []

    def pull() -> None:
        with CriClient(daemon.socket) as client:
            replies.append(client.pull(name))

    daemon.start()
    threads = [Thread(target=pull) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(replies) == len(threads)
    assert {key: record.digest for key, record in containerd.records().items()}[name] == entries[1]["digest"]
    with CriClient(daemon.socket) as client:
        client.remove_image(replies[0])


def test_a_part_that_cannot_be_imported_ends_the_daemon_and_no_pull_goes_through(
    daemon: Daemon, registry: Registry, containerd: Containerd, repository: str, tmp_path: Path
) -> None:
    """Forwarded as it is, such a pull would bring what the node cannot run, for as long as nobody reads the log."""
    push_image(registry, repository, "1", f"of {repository}")
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "__init__.py").write_text('raise ImportError("half an installation")\n')
    name = f"{registry.address}/{repository}:1"
    with started(daemon, PYTHONPATH=str(tmp_path)) as process:
        imported_until(process, "listening")
        with CriClient(daemon.socket) as client:
            client.version()
            with pytest.raises(grpc.RpcError) as raised:
                client.pull(name)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "see its log" in str(raised.value.details())
        assert process.wait(20) == 2
        assert process.stderr is not None
        said = process.stderr.read()
    assert "event=start-failed" in said
    assert "half an installation" in said
    assert name not in containerd.records()
    assert not daemon.socket.exists()


def test_every_pull_that_waits_for_a_part_that_is_missing_is_told_so_and_other_calls_go_on(
    daemon: Daemon, tmp_path: Path
) -> None:
    (tmp_path / "google").mkdir()
    (tmp_path / "google" / "__init__.py").write_text('import time; time.sleep(0.5); raise ImportError("half")\n')
    ended: list[grpc.RpcError] = []

    def pull() -> None:
        with CriClient(daemon.socket) as client, contextlib.suppress(grpc.RpcError):
            try:
                client.pull("127.0.0.1:1/nothing:1")
            except grpc.RpcError as error:
                ended.append(error)
                raise

    with started(daemon, PYTHONPATH=str(tmp_path)) as process, CriClient(daemon.socket) as other:
        imported_until(process, "listening")
        threads = [Thread(target=pull) for _ in range(3)]
        for thread in threads:
            thread.start()
        while not ended:
            other.version()
        for thread in threads:
            thread.join(20)
        assert process.wait(20) == 2
    assert [error.code() for error in ended] == [grpc.StatusCode.UNAVAILABLE] * 3
    assert all("see its log" in str(error.details()) for error in ended)


def test_a_watch_that_comes_before_its_part_ends_with_a_stop_at_once(daemon: Daemon) -> None:
    with started(daemon) as process:
        imported_until(process, "listening")
        with grpc.insecure_channel(f"unix:{daemon.socket}", (("grpc.default_authority", "localhost"),)) as channel:
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch", bytes, bytes)(b"", timeout=15)
            with CriClient(daemon.socket) as client:
                client.version()  # what came before it has arrived
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(grpc.RpcError):
                list(watch)
            # By the daemon, and not after the minute that calls under way are waited for.
            assert watch.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
            assert process.wait(20) == 0


def test_what_the_first_look_at_the_node_finds_is_counted(daemon: Daemon) -> None:
    port = free_port()
    command = "serve", "--metrics", f"127.0.0.1:{port}"
    with subprocess.Popen(
        (sys.executable, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), *command),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            imported_until(process, "node")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        finally:
            process.kill()
    assert 'imagefit_detector_ok{detector="cpu"} 1.0' in text


def test_metrics_are_served_as_soon_as_whoever_has_their_address_lets_it_go(daemon: Daemon) -> None:
    """As another daemon does that hands the socket over, once its calls have ended."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = other.getsockname()
        daemon.configure(f'[metrics]\nlisten = "127.0.0.1:{listen[1]}"\n')
        daemon.start()
        wait_until(lambda: "event=metrics-not-served" in daemon.log_text())
    wait_until(lambda: connects(listen))
    assert daemon.stop() == 0
    assert not connects(listen)


def test_a_reload_that_is_asked_for_while_it_starts_does_not_end_it(daemon: Daemon) -> None:
    with started(daemon, "-X", "importtime") as process:
        assert process.stderr is not None
        # Of the imports, which take most of the time until it listens, the first ones.
        next(line for line in process.stderr if "asyncio.events" in line)
        process.send_signal(signal.SIGHUP)
        imported_until(process, "listening")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


HANGING = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(600))
"""
MANAGER_SECONDS = 0.6


@pytest.fixture
def manager(folder: Path) -> Iterator[Manager]:
    """A service manager with a watchdog."""
    path = folder / "manager.sock"
    with Manager(path) as listening:
        listening.environment["WATCHDOG_USEC"] = str(int(MANAGER_SECONDS * 1_000_000))
        yield listening
    path.unlink()


def test_a_manager_is_told_once_it_listens_also_without_containerd_and_of_the_end(
    folder: Path, repository: str, manager: Manager
) -> None:
    root = folder / f"m{repository.rpartition('-')[2]}"
    daemon = Daemon(root, root / "no-containerd.sock", environment=manager.environment)
    daemon.begin()
    try:
        said = manager.told()
        assert connects(daemon.socket), "told before it listened"
        assert said == {"READY": "1", "STATUS": f"listening on {daemon.socket}"}
        assert manager.told() == manager.told() == {"WATCHDOG": "1"}
    finally:
        assert daemon.stop() == 0
    assert "STATUS" in manager.told_of("STOPPING")


def test_the_watchdog_is_fed_while_calls_under_way_end(make: Make, slow: Slow, manager: Manager) -> None:
    """Else it would cut pulls that a stop, or a hand-over, lets end."""
    daemon = make(backend=slow.socket, environment=manager.environment)
    daemon.start()
    call = under_way(daemon, slow)
    os.kill(daemon.pid, signal.SIGTERM)
    manager.told_of("STOPPING")
    for _ in range(4):  # longer than the watchdog waits
        assert manager.told() == {"WATCHDOG": "1"}
    slow.release()
    assert call.ended() == (b"kept", None)


def test_a_daemon_that_cannot_listen_is_never_ready(daemon: Daemon, manager: Manager) -> None:
    daemon.socket.mkdir()
    with started(daemon, **manager.environment) as process:
        assert process.wait(20) == 2
    assert manager.hears_nothing(0)


def test_a_daemon_whose_event_loop_hangs_shows_no_sign_of_life(
    daemon: Daemon, manager: Manager, tmp_path: Path
) -> None:
    """Threads that still run, as the one that looks at the configuration, must not stand in for it."""
    (tmp_path / "sitecustomize.py").write_text(HANGING)
    with started(daemon, PYTHONPATH=str(tmp_path), **manager.environment) as process:
        manager.told_of("WATCHDOG")
        process.send_signal(signal.SIGUSR1)  # its handler runs in the main thread, which is the loop's
        deadline = time.monotonic() + 20
        while not manager.hears_nothing(MANAGER_SECONDS):
            assert time.monotonic() < deadline
        assert process.poll() is None


def test_a_manager_that_does_not_listen_costs_nothing(daemon: Daemon, tmp_path: Path) -> None:
    with started(daemon, NOTIFY_SOCKET=str(tmp_path / "nobody"), WATCHDOG_USEC="300000") as process:
        imported_until(process, "listening")
        with CriClient(daemon.socket) as client:
            client.version()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_starts_that_end_badly_are_counted_and_the_third_is_put_off_until_one_goes_well(
    daemon: Daemon, tmp_path: Path
) -> None:
    count = tmp_path / "starts"
    good = daemon.config_file.read_text()
    daemon.config_file.write_text("[nonsense\n")
    for bad in (1, 2):
        with started(daemon, RUNTIME_DIRECTORY=str(tmp_path)) as process:
            assert process.wait(20) == 2
        assert count.read_text() == f"{bad}\n"
    daemon.config_file.write_text(good)
    with started(daemon, RUNTIME_DIRECTORY=str(tmp_path)) as process:
        imported_until(process, "start-put-off")
        imported_until(process, "listening")
        assert count.read_text() == "3\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not count.exists()


def test_a_stop_ends_a_start_that_is_put_off_and_begins_to_count_anew(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "starts").write_text("9\n")
    with started(daemon, RUNTIME_DIRECTORY=str(tmp_path)) as process:
        imported_until(process, "start-put-off")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert not (tmp_path / "starts").exists()
