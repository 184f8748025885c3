"""What every test can have: a real registry, a real containerd, a repository name of its own.

Real parts are started once per session, when the first test asks for one, and are never skipped.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from harness.containerd import BINARY as CONTAINERD
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.images import push_pause
from harness.registry import BINARY as REGISTRY
from harness.registry import Registry

# Machines that run tests pause at any time: a deadline would fail good examples.
settings.register_profile("imagefit", deadline=None)
settings.load_profile("imagefit")

_repository_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder with a short path (sockets need one), deleted in the end."""
    path = Path(tempfile.mkdtemp(prefix="if-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def registry(folder: Path) -> Iterator[Registry]:
    """A real registry, open to everybody on loopback."""
    _require(REGISTRY, "gcc")
    with Registry(folder / "r") as started:
        yield started


@pytest.fixture(scope="session")
def containerd(folder: Path, registry: Registry) -> Iterator[Containerd]:
    """A real containerd, whose pods' sandboxes run an image of the registry."""
    _require(CONTAINERD, "containerd-shim-runc-v2", "runc")
    with Containerd(folder / "c", sandbox_image=push_pause(registry)) as started:
        yield started


@pytest.fixture
def cri(containerd: Containerd) -> Iterator[CriClient]:
    """A CRI client of containerd's own socket, whose pods are removed after the test."""
    with CriClient(containerd.socket) as client:
        yield client


@pytest.fixture
def repository() -> str:
    """A repository path that no other test has."""
    return f"test/{os.getpid()}-{next(_repository_numbers)}"


def _require(*programs: str) -> None:
    search = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    os.environ["PATH"] = search  # Debian keeps runc where only root's shells look.
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.fail(f"{', '.join(missing)} not installed: run `make test` as root", pytrace=False)
