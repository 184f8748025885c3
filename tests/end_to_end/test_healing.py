"""What a crash, a removal or a second imagefit leaves in a real containerd: in the end what a plain pull leaves."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.grpc_gate import GrpcGate
from harness.images import push_image, push_index
from harness.registry import Registry

_SECONDS = 30


class Stop:
    """The first call that comes by one stop of the gate waits there; or has something done, for which others wait."""

    def __init__(self, where: str, do: Callable[[], None] | None = None) -> None:
        self.is_there, self.go_on = threading.Event(), threading.Event()
        self._where = where
        self._do = do
        self._doing = threading.Lock()

    def visit(self, where: str) -> grpc.StatusCode | None:
        if where != self._where:
            return None
        with self._doing:
            is_first = not self.is_there.is_set()
            self.is_there.set()
            if is_first and self._do is not None:
                self._do()
        if is_first and self._do is None:
            assert self.go_on.wait(_SECONDS)
        return None


class Node:
    """A containerd and two imagefits that keep their marks in one folder: one behind a gate, and another.

    Both live as long as this does; one that a test has ended is started again when it is next asked for.
    """

    def __init__(self, containerd: Containerd, root: Path, ending: ExitStack) -> None:
        self.containerd = containerd
        self.root = root
        self.marks = root / "state" / "pulls"
        self._stop = Stop("")
        self._gate = GrpcGate(root / "gate.sock", containerd.socket, self._visit)
        ending.callback(self._gate.close)
        ending.callback(self._release)
        self._gate.open()
        self._threads = ending.enter_context(ThreadPoolExecutor(4))
        self._gated, self._other = self._made("a", self._gate.socket), self._made("b", containerd.socket)
        for daemon in (self._gated, self._other):
            ending.callback(daemon.stop)

    def _made(self, name: str, socket: Path) -> Daemon:
        root = self.root / name
        config = f'[server]\nsocket = "{root}/i.sock"\nstate = "{self.root}/state"\n'
        return Daemon(root, socket, config, certs_dir=self.containerd.certs_dir)

    def _visit(self, where: str) -> grpc.StatusCode | None:
        return self._stop.visit(where)

    def _release(self) -> None:
        self._stop.go_on.set()

    def gated(self, stop: Stop) -> Daemon:
        """Return the one whose calls come by a stop."""
        self._stop = stop
        return _running(self._gated)

    def other(self) -> Daemon:
        return _running(self._other)

    def pulling(self, daemon: Daemon | Containerd, image: str) -> "Future[Any]":
        return self._threads.submit(pulled, daemon, image)

    def names(self, image: str) -> set[str]:
        """Return the endings of the names of an image's repository."""
        repository = image.rpartition(":")[0]
        return {name.removeprefix(repository) for name in self.containerd.records() if name.startswith(repository)}

    def marked(self) -> int:
        return len(list(self.marks.iterdir())) if self.marks.exists() else 0


def _running(daemon: Daemon) -> Daemon:
    if not daemon.running:
        daemon.start()
    return daemon


def pulled(daemon: Daemon | Containerd, image: str) -> str | grpc.StatusCode:
    with CriClient(daemon.socket) as client:
        try:
            return client.pull(image)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code


def wait_until(ready: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _SECONDS
    while not ready():
        assert time.monotonic() < give_up
        time.sleep(0.02)


class Image:
    """An index of two entries, of which the second is chosen."""

    def __init__(self, registry: Registry, repository: str) -> None:
        entries = [push_image(registry, repository, None, f"{number} of {repository}") for number in range(2)]
        entries[1]["platform"]["compatibilities"] = [{"oci.kernel.version": ">=2.6", "compatibility-score": 3}]
        entries[0]["platform"]["compatibilities"] = [{"oci.kernel.version": "<2.6"}]
        index = push_index(registry, repository, "1", entries)
        self.name = f"{registry.address}/{repository}:1"
        self.by_child = f"@{entries[1]['digest']}"
        self.plain = {":1", f"@{index}"}


@pytest.fixture
def image(registry: Registry, repository: str) -> Image:
    return Image(registry, repository)


@pytest.fixture(scope="module")
def node(containerd: Containerd, folder: Path) -> Iterator[Node]:
    root = folder / "healing"
    root.mkdir()
    with ExitStack() as ending:
        yield Node(containerd, root, ending)


def crashed(node: Node, image: Image, where: str) -> None:
    """Have an imagefit pull, and end it by force when it has come so far."""
    stop = Stop(where)
    daemon = node.gated(stop)
    pulling = node.pulling(daemon, image.name)
    assert stop.is_there.wait(_SECONDS), daemon.log_text()
    daemon.kill()
    stop.go_on.set()
    assert pulling.result(_SECONDS) is grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: image.by_child in node.names(image.name))


def test_what_a_crash_leaves_goes_with_the_next_pull(node: Node, image: Image) -> None:
    crashed(node, image, "after PullImage")
    assert node.marked() == 1
    assert isinstance(pulled(node.other(), image.name), str)
    wait_until(lambda: node.names(image.name) == image.plain)
    wait_until(lambda: not node.marked())


def test_without_its_mark_it_would_stay(node: Node, image: Image) -> None:
    crashed(node, image, "after PullImage")
    for mark in node.marks.iterdir():
        mark.unlink()
    assert isinstance(pulled(node.other(), image.name), str)
    node.other().stop()  # which ends what it has begun
    assert node.names(image.name) == {*image.plain, image.by_child}


def test_what_a_crash_leaves_after_the_names_goes_by_itself(node: Node, image: Image) -> None:
    crashed(node, image, "before Images.Delete")
    assert image.plain < node.names(image.name)
    node.other().stop()
    with CriClient(node.other().socket) as client:  # whatever is asked of the parts that answer pulls
        client.raw("/grpc.health.v1.Health/Check", b"")
    wait_until(lambda: node.names(image.name) == image.plain and not node.marked())


def test_a_name_that_was_asked_for_after_the_crash_stays(node: Node, image: Image) -> None:
    crashed(node, image, "after PullImage")
    assert isinstance(pulled(node.other(), image.name.removesuffix(":1") + image.by_child), str)
    assert isinstance(pulled(node.other(), image.name), str)
    node.other().stop()
    assert node.names(image.name) == {*image.plain, image.by_child}
    assert not node.marked()


@pytest.mark.parametrize("where", ["after PullImage", "before Images.Create"])
def test_an_image_that_is_removed_before_it_has_its_names_is_pulled_again(
    node: Node, image: Image, cri: CriClient, where: str
) -> None:
    child = image.name.removesuffix(":1") + image.by_child
    daemon = node.gated(Stop(where, lambda: cri.remove_image(child)))
    image_id = pulled(daemon, image.name)
    assert isinstance(image_id, str), daemon.log_text()
    assert f"event=pulled-again image={image.name}" in daemon.log_text()
    status = cri.image_status(image.name)
    assert status is not None
    assert status.id == image_id
    wait_until(lambda: node.names(image.name) == image.plain)
    wait_until(lambda: not node.marked())


@pytest.mark.parametrize("where", ["after PullImage", "before Images.Delete"])
def test_two_imagefits_that_pull_the_same_leave_what_one_leaves(node: Node, image: Image, where: str) -> None:
    """As during a hand-over: the new one must take the old one's record neither away nor for somebody else's."""
    stop = Stop(where)
    old, new = node.gated(stop), node.other()
    pulling = node.pulling(old, image.name)
    assert stop.is_there.wait(_SECONDS)
    # While the old one removes, the new one waits for it: then it is let go on first.
    late = node.pulling(new, image.name)
    if where == "before Images.Delete":
        wait_until(lambda: f"event=decision image={image.name}" in new.log_text())
    else:
        assert isinstance(late.result(_SECONDS), str)
        assert image.by_child in node.names(image.name)
    stop.go_on.set()
    assert isinstance(pulling.result(_SECONDS), str)
    assert isinstance(late.result(_SECONDS), str)
    wait_until(lambda: node.names(image.name) == image.plain)
    wait_until(lambda: not node.marked())
