"""The daemon as a user of its own, as `drop-ins/unprivileged.conf` runs it: in the group of containerd's socket."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import ChildProcess, connects
from harness.registry import Registry

USER = 64777
GROUP = 64778
OF_ALL = 0o711


@pytest.fixture
def shared(containerd: Containerd, folder: Path) -> Iterator[Path]:
    """Containerd's socket given to a group, as `gid` under `[grpc]` of its configuration does it."""
    folders = (folder, containerd.root)
    before = [one.stat().st_mode for one in folders]
    for one in folders:
        one.chmod(OF_ALL)
    os.chown(containerd.socket, 0, GROUP)
    yield folder
    os.chown(containerd.socket, 0, 0)
    for one, mode in zip(folders, before, strict=True):
        one.chmod(mode)


def started(root: Path, containerd: Containerd, user: int, group: int) -> tuple[Daemon, ChildProcess]:
    """Start a daemon without any capability."""
    daemon = Daemon(root, containerd.socket)
    for path in (root, *root.iterdir()):
        os.chown(path, user, user)
    process = ChildProcess("unprivileged", root.with_suffix(".log"))
    who = (f"--reuid={user}", f"--regid={user}", f"--groups={group}", "--no-new-privs")
    serve = (sys.executable, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), "serve")
    process.start(("setpriv", *who, "--bounding-set=-all", *serve))
    process.wait_until(lambda: connects(daemon.socket))
    return daemon, process


def shared_with(daemon: Daemon) -> tuple[int, int]:
    status = daemon.socket.stat()
    return status.st_gid, status.st_mode & 0o777


def test_a_pull_works_as_a_user_in_the_group(
    shared: Path, containerd: Containerd, registry: Registry, repository: str
) -> None:
    entries = [push_image(registry, repository, None, f"{word} of {repository}", variant=word) for word in ("", "v2")]
    push_index(registry, repository, "1", entries)
    root = shared / f"u{repository.rpartition('-')[2]}"
    daemon, process = started(root, containerd, USER, GROUP)
    try:
        with CriClient(daemon.socket) as through:
            through.pull(f"{registry.address}/{repository}:1")
        assert containerd.records()[f"{registry.address}/{repository}:1"].digest == entries[1]["digest"]
        # It cannot make its socket root's. kubelet, as root, may connect to any; nobody else may who could not before.
        owner, mode = shared_with(daemon)
        assert (owner, mode & 0o007) == (USER, 0)
    finally:
        assert process.stop() == 0
        shutil.rmtree(root)


def test_outside_of_the_group_nothing_is_reached(shared: Path, containerd: Containerd, repository: str) -> None:
    root = shared / f"u{repository.rpartition('-')[2]}"
    daemon, process = started(root, containerd, USER, USER)
    try:
        with CriClient(daemon.socket) as through, pytest.raises(grpc.RpcError) as refused:
            through.list_images()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        process.stop()
        shutil.rmtree(root)


SHARING = [pytest.param(GROUP, GROUP, id="in-the-group"), pytest.param(USER, 0, id="not-in-the-group")]


@pytest.mark.parametrize(("group", "expected"), SHARING)
def test_root_without_capabilities_shares_its_socket_with_groups_that_it_is_in(
    shared: Path, containerd: Containerd, repository: str, group: int, expected: int
) -> None:
    root = shared / f"u{repository.rpartition('-')[2]}"
    daemon, process = started(root, containerd, 0, group)
    try:
        # Whether or not it could: nobody gets in whom containerd would not let in.
        process.wait_until(lambda: shared_with(daemon)[0] == expected)
        assert not shared_with(daemon)[1] & 0o007
        with CriClient(daemon.socket) as through:
            assert through.version().runtime_name == "containerd"
    finally:
        process.stop()
        shutil.rmtree(root)
