"""Who may connect to the socket, from the moment when it comes into being: never more than containerd lets in."""

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc.aio
import pytest

from imagefit.daemon.listening import bind, follow_access

GROUP = 4321
Access = tuple[int, int, int]


def access(path: Path) -> Access:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


class Watch:
    """Every access that a socket has had, seen before each change of it."""

    def __init__(self, path: Path) -> None:
        self.seen: list[Access] = []
        self.path: Path | None = path
        sys.addaudithook(self._look)  # it stays until the process ends, and looks at nothing once there is no path

    def _look(self, event: str, _: tuple[Any, ...]) -> None:
        if self.path is not None and self.path.exists() and event in {"os.chmod", "os.chown"}:
            self.seen.append(access(self.path))


class Server:
    """A gRPC server that binds a socket and serves nobody."""

    def __init__(self) -> None:
        self.bound = socket.socket(socket.AF_UNIX)

    def add_insecure_port(self, address: str) -> None:
        self.bound.bind(address.removeprefix("unix:"))


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """What becomes of the socket ``own`` of this test."""
    monkeypatch.chdir(tmp_path)
    watching = Watch(Path("own"))
    yield watching
    watching.path = None


def bound(watch: Watch, containerd: Path) -> tuple[bool, list[Access]]:
    """Bind a socket; return what ``bind`` does, and every access that it had until then."""
    assert watch.path is not None
    server = Server()
    is_copied = bind(cast("grpc.aio.Server", server), watch.path, containerd)
    server.bound.close()
    return is_copied, [*watch.seen, access(watch.path)]


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o620, 0o666], ids=oct)
def test_it_has_the_access_of_containerds_socket_and_had_never_more(watch: Watch, mode: int) -> None:
    containerd = Path("containerd")
    containerd.touch()
    os.chown(containerd, 0, GROUP)
    containerd.chmod(mode)
    is_copied, had = bound(watch, containerd)
    assert is_copied
    assert had[-1] == (0, GROUP, mode)
    assert set(had[:-1]) <= {(0, 0, 0o600), (0, GROUP, 0o600)}


def test_the_access_of_a_containerd_that_comes_later_lets_in_nobody_else_meanwhile(watch: Watch) -> None:
    containerd = Path("containerd")
    bound(watch, containerd)
    containerd.touch()
    os.chown(containerd, 0, GROUP)
    containerd.chmod(0o600)
    assert watch.path is not None
    asyncio.run(follow_access(containerd, watch.path))
    assert access(watch.path) == (0, GROUP, 0o600)
    assert set(watch.seen) == {(0, 0, 0o600), (0, 0, 0o660), (0, GROUP, 0o600)}


def test_without_containerd_roots_group_may_connect_and_nobody_else_ever_could(watch: Watch) -> None:
    is_copied, had = bound(watch, Path("nobody"))
    assert not is_copied
    assert had[-1] == (os.geteuid(), os.getegid(), 0o660)
    assert set(had[:-1]) == {(os.geteuid(), os.getegid(), 0o600)}
