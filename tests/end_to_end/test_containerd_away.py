"""A containerd that ends, comes back or stands still: what kubelet's next call and a pull under way meet."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from end_to_end.test_healing import Image, Node, Stop, pulled, wait_until
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.registry import Registry

_SECONDS = 30
# 2 s are promised; the machine that runs the tests may be busy.
_RECOVERY_SECONDS = 6
# Longer than gRPC is given between two looks for containerd, and than one turn of waiting for names.
_FROZEN_SECONDS = 2.5


@pytest.fixture
def image(registry: Registry, repository: str) -> Image:
    return Image(registry, repository)


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Node]:
    """A containerd of this module's own, which its tests end and freeze, and imagefits before it."""
    root = folder / "w"
    root.mkdir()
    with Containerd(folder / "away") as containerd, ExitStack() as ending:
        yield Node(containerd, root, ending)


class Starting(Stop):
    """The first call that comes by is answered as by a containerd that is not initialized yet."""

    def visit(self, where: str) -> grpc.StatusCode | None:
        if where != self._where or self.is_there.is_set():
            return None
        self.is_there.set()
        return grpc.StatusCode.UNKNOWN


def is_right(node: Node, image: Image) -> None:
    """Wait until there is what the pull of a chosen entry leaves, and nothing more."""
    wait_until(lambda: node.names(image.name) == image.plain and not node.marked())
    assert node.containerd.records()[image.name].digest == image.by_child.removeprefix("@")


def is_right_with_the_next_pull(node: Node, image: Image) -> None:
    """Pull again as kubelet does, until that works."""
    wait_until(lambda: isinstance(pulled(node.gated(Stop("")), image.name), str))
    is_right(node, image)


def status_of(cri: CriClient, image: str) -> str | grpc.StatusCode:
    try:
        status = cri.image_status(image)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return "" if status is None else status.id


def answered(cri: CriClient, image: str) -> float:
    """Wait until an image's status is told, and return when that was."""
    wait_until(lambda: not isinstance(status_of(cri, image), grpc.StatusCode))
    return time.monotonic()


def test_kubelet_is_answered_soon_after_containerd_is_back(node: Node, image: Image) -> None:
    daemon = node.other()
    assert isinstance(pulled(daemon, image.name), str)
    with CriClient(daemon.socket) as through, CriClient(node.containerd.socket) as direct:
        node.containerd.kill()
        wait_until(lambda: status_of(through, image.name) is grpc.StatusCode.UNAVAILABLE)
        starting = threading.Thread(target=node.containerd.start)
        starting.start()
        back = answered(direct, image.name)
        seconds = answered(through, image.name) - back
        starting.join()
    print(f"answered {seconds:.2f} s after containerd itself")  # noqa: T201 - the figure
    assert seconds < _RECOVERY_SECONDS


def test_a_pull_under_way_ends_as_without_imagefit_when_containerd_is_killed(node: Node, image: Image) -> None:
    direct: list[Future[str | grpc.StatusCode]] = []
    kill = threading.Timer(_FROZEN_SECONDS / 4, node.containerd.kill)

    def freeze() -> None:
        # Both calls have begun and none can end before it is killed.
        os.kill(node.containerd.pid, signal.SIGSTOP)
        direct.append(node.pulling(node.containerd, image.name))
        kill.start()

    through = pulled(node.gated(Stop("before PullImage", freeze)), image.name)
    kill.join()
    assert (through, direct[0].result(_SECONDS)) == (grpc.StatusCode.UNAVAILABLE,) * 2
    node.containerd.start()
    is_right_with_the_next_pull(node, image)


@pytest.mark.parametrize("where", ["after PullImage", "after Images.Create"])
def test_no_other_build_comes_in_because_containerd_ends(node: Node, image: Image, where: str) -> None:
    assert pulled(node.gated(Stop(where, node.containerd.kill)), image.name) is grpc.StatusCode.UNAVAILABLE
    node.containerd.start()
    is_right_with_the_next_pull(node, image)


def test_a_containerd_that_has_only_just_come_back_is_no_reason_for_another_build(node: Node, image: Image) -> None:
    """For some tenths of a second its image service answers UNKNOWN, "server is not initialized yet"."""
    assert pulled(node.gated(Starting("before ImageStatus")), image.name) is grpc.StatusCode.UNAVAILABLE
    assert node.names(image.name) == set()
    is_right_with_the_next_pull(node, image)


def test_a_containerd_that_stands_still_for_some_seconds_is_waited_for(node: Node, image: Image) -> None:
    pid = node.containerd.pid
    thaw = threading.Timer(_FROZEN_SECONDS, os.kill, (pid, signal.SIGCONT))

    def freeze() -> None:
        os.kill(pid, signal.SIGSTOP)
        thaw.start()

    daemon = node.gated(Stop("before ImageStatus", freeze))
    assert isinstance(pulled(daemon, image.name), str), daemon.log_text()
    thaw.join()
    assert f"event=records-failed image={image.name}" not in daemon.log_text()
    is_right(node, image)
