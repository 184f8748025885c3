"""The daemon in front of the session's containerd."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from end_to_end.lives import Make, Slow
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


@pytest.fixture
def root(folder: Path, repository: str) -> Path:
    """A folder of this test alone, with a short path."""
    path = folder / f"l{repository.rpartition('-')[2]}"
    path.mkdir()
    return path


@pytest.fixture
def make(root: Path, containerd: Containerd) -> Iterator[Make]:
    """Make a daemon that is not started; every one has a folder of its own and ends after the test."""
    made: list[Daemon] = []

    def _make(config: str = "", backend: Path | None = None, **options: Any) -> Daemon:
        daemon = Daemon(root / f"d{len(made)}", backend or containerd.socket, config, **options)
        made.append(daemon)
        return daemon

    yield _make
    for daemon in made:
        daemon.kill()
        sys.stdout.write(daemon.log_text())  # pytest shows it where a test fails


@pytest.fixture
def slow(root: Path) -> Iterator[Slow]:
    """A scripted backend in containerd's place, with one slow method."""
    scripted = Slow(root / "s.sock")
    yield scripted
    scripted.backend.stop()
