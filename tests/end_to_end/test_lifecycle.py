"""The daemon's life: how it comes to its socket, lives through containerd's restarts, and ends."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from end_to_end.lives import Make, Slow, log_says, under_way, wait_until
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import connects
from harness.proto import cri_client_pb2 as cri_messages
from harness.registry import Registry, RegistryOptions

FITS = {"oci.kernel.version": ">=2.6"}
FAILS = {"oci.kernel.version": "<2.6"}


def terminated(daemon: Daemon) -> None:
    """Send SIGTERM and wait until the daemon has taken note."""
    os.kill(daemon.pid, signal.SIGTERM)
    log_says(daemon, "event=stopping")


def refused(daemon: Daemon) -> str:
    """Start a second daemon with the configuration of one and return what it says, having ended with 2."""
    command = (sys.executable, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), "serve")
    ended = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert ended.returncode == 2
    assert b"Traceback" not in ended.stderr
    return ended.stderr.decode()


def code_of(client: CriClient) -> grpc.StatusCode | None:
    try:
        client.list_images()
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return None


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_stale_socket_is_replaced(make: Make) -> None:
    daemon = make()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(daemon.socket))
    assert daemon.socket.is_socket()
    daemon.start()
    with CriClient(daemon.socket) as client:
        assert client.version().runtime_name == "containerd"


def test_a_second_daemon_is_refused_while_the_first_serves_on(make: Make) -> None:
    daemon = make()
    daemon.start()
    with CriClient(daemon.socket) as client:
        client.version()
        said = refused(daemon)
        assert f"another imagefit (process {daemon.pid}) listens on {daemon.socket}" in said
        assert "[server] socket" in said
        client.version()
    with CriClient(daemon.socket) as client:  # the path still leads to the first
        client.version()
    assert daemon.running


def test_a_second_daemon_is_refused_while_the_first_drains(make: Make, slow: Slow) -> None:
    daemon = make(backend=slow.socket)
    daemon.start()
    call = under_way(daemon, slow)
    terminated(daemon)
    assert "another imagefit" in refused(daemon)
    slow.release()
    assert call.ended() == (b"kept", None)


def test_another_program_on_the_socket_is_refused(make: Make) -> None:
    daemon = make()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(daemon.socket))
        other.listen()
        said = refused(daemon)
        assert f"another program listens on {daemon.socket}" in said
        assert connects(daemon.socket)


def test_a_file_in_place_of_the_socket_is_refused_and_kept(make: Make) -> None:
    daemon = make()
    daemon.socket.write_text("precious")
    said = refused(daemon)
    assert f"{daemon.socket} exists and is no socket" in said
    assert daemon.socket.read_text() == "precious"


def test_a_link_in_place_of_the_socket_is_refused_and_kept(make: Make, root: Path) -> None:
    daemon = make()
    daemon.socket.symlink_to(root / "nothing")
    assert "is no socket" in refused(daemon)
    assert daemon.socket.is_symlink()


def test_a_folder_that_cannot_be_made_is_refused(make: Make, root: Path) -> None:
    (root / "file").write_text("")
    daemon = make(f'[server]\nsocket = "{root}/file/i.sock"\n')
    assert f"cannot prepare {root}/file/i.sock" in refused(daemon)


def test_a_path_too_long_for_a_socket_is_refused(make: Make, root: Path) -> None:
    path = root / ("x" * 100) / "i.sock"
    daemon = make(f'[server]\nsocket = "{path}"\n')
    said = refused(daemon)
    assert f"cannot listen on {path}" in said
    assert "longer than 98 bytes" in said


def test_the_folder_of_the_socket_is_made(make: Make, root: Path) -> None:
    path = root / "a%62" / "b" / "i.sock"
    daemon = make(f'[server]\nsocket = "{path}"\n')
    daemon.socket = path
    daemon.start()
    assert mode(path.parent) == 0o755


def test_it_starts_before_containerd_and_lives_through_its_restarts(make: Make, root: Path) -> None:
    containerd = Containerd(root / "c")
    daemon = make(backend=containerd.socket)
    try:
        daemon.start()
        with CriClient(daemon.socket) as client:
            assert code_of(client) is grpc.StatusCode.UNAVAILABLE
            containerd.start()
            wait_until(lambda: code_of(client) is None, 5)
            containerd.restart()
            wait_until(lambda: code_of(client) is None, 5)
            containerd.kill()
            wait_until(lambda: code_of(client) is grpc.StatusCode.UNAVAILABLE, 5)
            containerd.start()
            wait_until(lambda: code_of(client) is None, 5)
        assert daemon.running
    finally:
        containerd.stop()


def test_without_containerd_only_root_and_its_group_may_connect(make: Make, root: Path) -> None:
    daemon = make(backend=root / "none.sock")
    daemon.start()
    wait_until(lambda: mode(daemon.socket) == 0o660)
    assert (daemon.socket.stat().st_uid, daemon.socket.stat().st_gid) == (os.geteuid(), os.getegid())


@pytest.mark.parametrize("bits", [0o600, 0o660, 0o666], ids=oct)
def test_the_socket_lets_in_whom_containerd_lets_in(make: Make, slow: Slow, bits: int) -> None:
    os.chown(slow.socket, 0, 1234)
    slow.socket.chmod(bits)
    daemon = make(backend=slow.socket)
    daemon.start()
    log_says(daemon, "event=listening")
    found = daemon.socket.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (bits, 0, 1234)


def test_the_access_of_a_containerd_that_comes_later_is_taken_over(make: Make, root: Path) -> None:
    later = root / "later.sock"
    daemon = make(backend=later)
    daemon.start()
    wait_until(lambda: mode(daemon.socket) == 0o660)
    later.touch(mode=0o600)
    wait_until(lambda: mode(daemon.socket) == 0o600, 5)


def test_a_hangup_has_the_configuration_read_and_does_not_end_it(make: Make) -> None:
    daemon = make()
    daemon.start()
    os.kill(daemon.pid, signal.SIGHUP)
    log_says(daemon, "event=configuration-taken")
    with CriClient(daemon.socket) as client:
        client.version()


def test_the_real_containerds_access_is_taken_over(make: Make, containerd: Containerd) -> None:
    daemon = make()
    daemon.start()
    log_says(daemon, "event=listening")
    ours, theirs = daemon.socket.stat(), containerd.socket.stat()
    assert (ours.st_mode, ours.st_uid, ours.st_gid) == (theirs.st_mode, theirs.st_uid, theirs.st_gid)


def test_a_stop_without_calls_is_clean_and_quick(make: Make) -> None:
    daemon = make()
    daemon.start()
    with CriClient(daemon.socket) as client:
        client.version()
        started = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - started < 3
    assert not daemon.socket.exists()
    assert "event=stopped" in daemon.log_text()
    assert "Traceback" not in daemon.log_text()
    daemon.start()
    with CriClient(daemon.socket) as client:
        client.version()


def test_an_interrupt_is_a_stop_too(make: Make) -> None:
    daemon = make()
    daemon.start()
    log_says(daemon, "event=listening")
    os.kill(daemon.pid, signal.SIGINT)
    wait_until(lambda: not daemon.running)
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_a_stop_lets_a_call_under_way_end_and_refuses_new_ones(make: Make, slow: Slow) -> None:
    daemon = make(backend=slow.socket)
    daemon.start()
    with CriClient(daemon.socket) as other:
        assert code_of(other) is grpc.StatusCode.UNIMPLEMENTED  # it is connected
        call = under_way(daemon, slow)
        terminated(daemon)
        wait_until(lambda: code_of(other) is grpc.StatusCode.UNAVAILABLE)  # it stops right after it has said so
        with CriClient(daemon.socket) as late:
            assert code_of(late) is grpc.StatusCode.UNAVAILABLE
    assert daemon.running
    slow.release()
    assert call.ended() == (b"kept", None)
    assert daemon.stop() == 0
    assert not daemon.socket.exists()


def test_a_stop_waits_no_longer_than_it_may(make: Make, slow: Slow) -> None:
    daemon = make(backend=slow.socket)
    daemon.configure(f'[server]\nsocket = "{daemon.socket}"\ndrain-seconds = 1\n')
    daemon.start()
    call = under_way(daemon, slow)
    started = time.monotonic()
    assert daemon.stop() == 0
    assert 0.9 < time.monotonic() - started < 4
    reply, code = call.ended()
    assert reply is None
    assert code in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
    assert slow.cancelled.wait(5)  # containerd is told, too
    assert not daemon.socket.exists()


def test_a_second_signal_ends_it_at_once(make: Make, slow: Slow) -> None:
    daemon = make(backend=slow.socket)  # drains for a minute
    daemon.start()
    call = under_way(daemon, slow)
    terminated(daemon)
    time.sleep(0.2)
    assert daemon.running
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 3
    assert call.ended()[0] is None
    assert not daemon.socket.exists()


def test_a_killed_daemon_leaves_a_socket_that_the_next_one_replaces(make: Make) -> None:
    daemon = make()
    daemon.start()
    daemon.kill()
    assert daemon.socket.is_socket()
    assert not connects(daemon.socket)
    daemon.start()
    with CriClient(daemon.socket) as client:
        client.version()


def test_a_daemon_has_no_child_processes(make: Make, registry: Registry, repository: str) -> None:
    entries = [push_image(registry, repository, None, text) for text in ("a", "b")]
    push_index(registry, repository, "1", entries)
    daemon = make()
    daemon.start()
    with CriClient(daemon.socket) as client:
        client.pull(f"{registry.address}/{repository}:1")
        children = [task.read_text().split() for task in Path(f"/proc/{daemon.pid}/task").glob("*/children")]
        client.remove_image(f"{registry.address}/{repository}:1")
    assert children
    assert not any(children)


SECRETS = {"user": "s3cret-Passw0rd"}


@pytest.fixture
def private(root: Path) -> Iterator[Registry]:
    """A registry that wants a name and a password."""
    with Registry(root / "r", RegistryOptions(users=SECRETS)) as started:
        yield started


def test_a_private_pull_works_and_no_secret_is_logged(
    make: Make, private: Registry, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    entries = [push_image(private, repository, None, f"{text} of {repository}") for text in ("unfit", "fits")]
    for one, sets in zip(entries, (FAILS, FITS), strict=True):
        one["platform"]["compatibilities"] = [sets]
    index = push_index(private, repository, "1", entries)
    (user, password), *_ = SECRETS.items()
    basic = cri_messages.AuthConfig(username=user, password=password)
    name = f"{private.address}/{repository}:1"
    daemon = make()
    daemon.start()
    with CriClient(daemon.socket) as through:
        with pytest.raises(grpc.RpcError) as denied:
            through.pull(name)
        with pytest.raises(grpc.RpcError) as plain:
            cri.pull(name)
        assert (denied.value.code(), denied.value.details()) == (plain.value.code(), plain.value.details())
        with pytest.raises(grpc.RpcError):
            through.pull(name, cri_messages.AuthConfig(username=user, password=f"{password}-wrong"))
        image_id = through.pull(name, basic)
    digests = {key: record.digest for key, record in containerd.records().items() if private.address in key}
    repo = f"{private.address}/{repository}"
    assert digests == {name: entries[1]["digest"], f"{repo}@{index}": entries[1]["digest"]}
    cri.remove_image(image_id)
    daemon.stop()
    log = (daemon.root / "imagefit.log").read_text()
    assert "result=rewrite" in log
    assert "event=registry-request" in log  # what --verbose adds
    for secret in (password, private._credentials("")["Authorization"].partition(" ")[2]):
        assert secret not in log
    assert "uthorization" not in log
    for file in daemon.root.rglob("*"):
        if file.is_file():
            assert password.encode() not in file.read_bytes()
