"""What users of comparable programs have complained about: each complaint has a test that would have caught it here.

Comparable are proxies between kubelet and a runtime, services beside containerd that see its pulls, and plug-ins that
kubelet finds by their sockets. Each test begins with where the complaint, or what came of it, can be read.
"""

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from fakes.containerd import ScriptedBackend
from harness.containerd import Containerd
from harness.cri import IMAGE_SERVICE, RUNTIME_SERVICE, CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import connects, free_port
from harness.proto import cri_client_pb2 as cri_messages
from harness.registry import Registry, RegistryOptions

Make = Callable[..., Daemon]
LIST = f"{IMAGE_SERVICE}ListImages"
NEW_UNARY = "/runtime.v2.ImageService/EnsureSecretPulledImages"
NEW_STREAM = f"{RUNTIME_SERVICE}StreamImages"
LARGE = bytes(16 * 1024 * 1024 - 64)


@pytest.fixture
def make(root: Path, containerd: Containerd) -> Iterator[Make]:
    """Make a daemon that is not started, in one folder for all of a test; it ends after the test."""
    made: list[Daemon] = []

    def _make(config: str = "", backend: Path | None = None) -> Daemon:
        made.append(Daemon(root / "d", backend or containerd.socket, config, containerd.certs_dir))
        return made[-1]

    yield _make
    for daemon in made:
        daemon.kill()
        sys.stdout.write(daemon.log_text())  # pytest shows it where a test fails


@pytest.fixture
def backend(root: Path) -> Iterator[ScriptedBackend]:
    """A scripted backend in containerd's place."""
    scripted = ScriptedBackend(root / "s.sock")
    yield scripted
    scripted.stop()


def until(holds: Callable[[], bool], timeout_seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def answers(daemon: Daemon) -> bool:
    """Tell whether a client that comes anew is answered."""
    with contextlib.suppress(grpc.RpcError), CriClient(daemon.socket) as client:
        client.list_images()
        return True
    return False


def test_a_socket_that_a_crash_left_behind_does_not_keep_the_next_one_from_starting(make: Make) -> None:
    # https://github.com/docker-archive/compose-cli/issues/257: killed, it fails to start: address already in use.
    daemon = make()
    daemon.start()
    daemon.kill()
    assert daemon.socket.exists()
    assert not connects(daemon.socket)
    daemon.start()
    assert answers(daemon)


def test_a_second_one_does_not_steal_the_socket_of_one_that_lives(make: Make) -> None:
    # https://github.com/intel/cri-resource-manager/issues/181: a second instance removed the socket of the first.
    daemon = make()
    daemon.start()
    before = daemon.socket.stat().st_ino
    command = (sys.executable, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), "serve")
    ended = subprocess.run(command, check=False, capture_output=True, timeout=30)
    assert ended.returncode == 2
    assert daemon.socket.stat().st_ino == before
    assert answers(daemon)


def test_a_folder_for_the_socket_that_a_reboot_took_is_made(make: Make, root: Path) -> None:
    # https://github.com/intel/cri-resource-manager/issues/181: after a reboot the folder below /run had to be made.
    daemon = make(f'[server]\nsocket = "{root}/run/imagefit/i.sock"\nstate = "{root}/state"\n')
    daemon.socket = root / "run" / "imagefit" / "i.sock"
    daemon.start()
    assert answers(daemon)


def test_a_socket_that_somebody_removes_comes_back(make: Make) -> None:
    # https://github.com/AliyunContainerService/sgx-device-plugin/pull/7: removed by accident, it never came back.
    # https://github.com/k8snetworkplumbingwg/sriov-network-device-plugin/issues/411: the same.
    daemon = make()
    daemon.start()
    daemon.socket.unlink()
    until(lambda: answers(daemon))


def test_a_backend_that_is_not_there_at_boot_is_waited_for(make: Make, root: Path, containerd: Containerd) -> None:
    # https://github.com/containerd/nri/issues/83: whoever starts before the runtime can only try again and again.
    later = root / "later.sock"
    daemon = make(backend=later)
    daemon.start()
    assert not answers(daemon)
    assert daemon.running
    later.symlink_to(containerd.socket)
    until(lambda: answers(daemon))


def test_credentials_are_neither_needed_after_a_restart_nor_kept(
    make: Make, folder: Path, repository: str, containerd: Containerd
) -> None:
    # https://github.com/containerd/stargz-snapshotter/issues/1990: credentials that it had seen in pulls were kept in
    # memory, so that after a restart private images could not be used.
    options = RegistryOptions(users={"user": "kept-nowhere"})
    with Registry(folder / f"q{repository.rpartition('-')[2]}", options) as private:
        entries = [push_image(private, repository, None, f"{build} of {repository}") for build in ("wrong", "right")]
        entries[0]["platform"]["compatibilities"] = [{"oci.kernel.version": "<2.6"}]
        push_index(private, repository, "1", entries)
        name = f"{private.address}/{repository}:1"
        auth = cri_messages.AuthConfig(username="user", password="kept-nowhere")  # noqa: S106
        daemon = make()
        daemon.start()
        with CriClient(daemon.socket) as client:
            pulled = client.pull(name, auth)
        daemon.restart()
        with CriClient(daemon.socket) as client:
            status = client.image_status(name)
            assert status is not None
            assert status.id == pulled
            with pytest.raises(grpc.RpcError):
                client.pull(name)  # whoever shows none gets nothing by those of others
            assert client.pull(name, auth) == pulled
            client.remove_image(name)
    for file in daemon.root.rglob("*"):
        assert not file.is_file() or b"kept-nowhere" not in file.read_bytes(), file


def test_a_new_method_with_one_reply_needs_no_new_version(make: Make, backend: ScriptedBackend) -> None:
    # https://github.com/kubernetes-sigs/cri-tools/issues/710: what one side speaks and the other does not know yet.
    async def reply(request: bytes, _: object) -> bytes:
        return b"new " + request

    backend.unary[NEW_UNARY] = reply
    daemon = make(backend=backend.socket)
    daemon.start()
    with CriClient(daemon.socket) as client:
        assert client.raw(NEW_UNARY, b"request") == b"new request"
        with pytest.raises(grpc.RpcError) as raised:  # so that kubelet can fall back to an older one
            client.raw("/runtime.v2.ImageService/Unheard", b"")
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_new_method_that_streams_needs_no_new_version(make: Make, backend: ScriptedBackend) -> None:
    # https://github.com/intel/cri-resource-manager/pull/1086: each release of such a proxy had to learn to relay
    # another stream before kubelet could use it.
    async def replies(request: bytes, _: object):  # type: ignore[no-untyped-def] # noqa: ANN202
        for number in range(3):
            yield b"%d of %s" % (number, request)

    backend.streams[NEW_STREAM] = replies
    daemon = make(backend=backend.socket)
    daemon.start()
    with CriClient(daemon.socket) as client:
        assert client.raw_stream(NEW_STREAM, b"three") == [b"0 of three", b"1 of three", b"2 of three"]


def test_a_list_of_many_images_is_not_too_large(make: Make, backend: ScriptedBackend) -> None:
    # https://github.com/kubernetes-sigs/cri-tools/issues/872: more than gRPC's own 4 MiB failed on full nodes only.
    async def reply(_: bytes, __: object) -> bytes:
        return LARGE

    backend.unary[LIST] = reply
    daemon = make(backend=backend.socket)
    daemon.start()
    with CriClient(daemon.socket) as client:
        assert client.raw(LIST, b"") == LARGE


def test_a_fall_back_is_not_silent(make: Make) -> None:
    # https://github.com/awslabs/soci-snapshotter/pull/578: that a pull falls back to a plain one had to be looked up
    # in the documentation.
    port, dead = free_port(), free_port()
    daemon = make(f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
    daemon.start()
    name = f"127.0.0.1:{dead}/nobody/listens:1"
    with CriClient(daemon.socket) as client, pytest.raises(grpc.RpcError):
        client.pull(name)
    kept = daemon.root / "decisions.jsonl"
    until(kept.exists)
    (decision,) = (json.loads(line) for line in kept.read_text().splitlines())
    assert (decision["image"], decision["result"]) == (name, "pass-through")
    assert decision["reason"] == "registry-unreachable"
    assert decision["why"]
    (logged,) = (line for line in daemon.log_text().splitlines() if "event=decision" in line)
    assert "level=warning" in logged
    assert "reason=registry-unreachable" in logged
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        assert 'imagefit_fallbacks_total{reason="registry-unreachable"} 1.0' in reply.read().decode()
