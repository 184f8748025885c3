"""The daemon in front of the session's containerd."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon

Start = Callable[..., Daemon]


@pytest.fixture
def start(containerd: Containerd, folder: Path, repository: str) -> Iterator[Start]:
    """Start a daemon with a configuration; it ends after the test."""
    started: list[Daemon] = []

    def _start(config: str = "") -> Daemon:
        root = folder / f"d{repository.rpartition('-')[2]}-{len(started)}"
        daemon = Daemon(root, containerd.socket, config)
        started.append(daemon)
        daemon.start()
        return daemon

    yield _start
    for daemon in started:
        daemon.stop()
        sys.stdout.write(daemon.log_text())  # pytest shows it where a test fails


@pytest.fixture
def daemon(start: Start) -> Daemon:
    """A daemon with its default policy."""
    return start()


@pytest.fixture
def through(daemon: Daemon) -> Iterator[CriClient]:
    """A CRI client of the daemon's socket."""
    with CriClient(daemon.socket) as client:
        yield client


def failure(cri: CriClient, name: str, timeout_seconds: float = 30) -> tuple[grpc.StatusCode, str] | str:
    """Return how a pull ended: its error as kubelet sees it, or the image ID."""
    try:
        return cri.pull(name, timeout_seconds=timeout_seconds)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
