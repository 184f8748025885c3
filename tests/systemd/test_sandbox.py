"""The daemon in the sandbox of its unit: it serves, pulls and sees the node as it does outside.

systemd is not started: ``sandbox`` puts the same restrictions in force. A system call that the unit does not allow ends
the process here, so a test that passes has made none.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import child
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import ChildProcess, connects
from harness.registry import Registry
from systemd import sandbox

UNIT = Path("systemd/imagefit.service").absolute()
GENEROUS_SECONDS = 60
IMAGEFIT = (sys.executable, "-m", "imagefit.cli.main")


class Sandbox:
    """Runs commands in the sandbox; the one folder that they may write to is given."""

    def __init__(self, folder: Path, calls: dict[str, int]) -> None:
        folder.mkdir()
        self.folder = folder
        self.calls = folder / "calls"
        self.calls.write_text("".join(f"{name} {number}\n" for name, number in calls.items()))

    def start(self, *command: str, **environment: str) -> ChildProcess:
        process = ChildProcess("sandboxed", self.folder / "log")
        words = (sys.executable, sandbox.__file__, str(UNIT), str(self.calls), str(self.folder), *command)
        process.start(words, stdout=self.folder / "out", environment={**os.environ, **environment})
        return process

    def ended(self, *command: str) -> tuple[int | None, str]:
        """Run a command to its end; return its exit status and what it printed."""
        (self.folder / "out").unlink(missing_ok=True)
        process = self.start(*command)
        code = process.wait(60)
        return code, (self.folder / "out").read_text() + process.log_text()


@pytest.fixture(scope="module")
def calls() -> dict[str, int]:
    """The system calls that the unit allows."""
    return sandbox.calls_of(UNIT)


@pytest.fixture
def inside(folder: Path, repository: str, calls: dict[str, int]) -> Sandbox:
    return Sandbox(folder / f"s{repository.rpartition('-')[2]}", calls)


@pytest.fixture
def daemon(inside: Sandbox, containerd: Containerd) -> Iterator[Daemon]:
    daemon = Daemon(inside.folder / "d", containerd.socket)
    _, *options = dict(sandbox.settings_of(UNIT))["ExecStart"].replace(":9477", ":0").split()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(inside.folder / "n"))
        manager.settimeout(GENEROUS_SECONDS)
        process = inside.start(
            *(*IMAGEFIT, "--config", str(daemon.config_file), *options), NOTIFY_SOCKET=str(inside.folder / "n")
        )
        while b"READY=1" not in manager.recv(4096):
            assert process.running
    assert connects(daemon.socket)
    yield daemon
    assert process.stop() == 0, process.log_text()


def test_a_pull_goes_through_the_daemon_in_its_sandbox(
    daemon: Daemon, registry: Registry, repository: str, containerd: Containerd, inside: Sandbox
) -> None:
    entries = [
        push_image(registry, repository, None, f"plain of {repository}"),
        push_image(registry, repository, None, f"chosen of {repository}", variant="v2"),
    ]
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    with CriClient(daemon.socket) as through:
        through.pull(name)
        assert through.image_status(name) is not None
    assert containerd.records()[name].digest == entries[1]["digest"]
    assert (inside.folder / "d/decisions.jsonl").stat().st_mode & 0o777 == 0o600
    assert daemon.socket.stat().st_mode & 0o777 == containerd.socket.stat().st_mode & 0o777


def test_the_node_looks_the_same_from_inside(inside: Sandbox) -> None:
    code, text = inside.ended(*IMAGEFIT, "node", "-o", "json")
    assert code == 0, text
    assert json.loads(text) == json.loads(child("node", "-o", "json").out)


REFUSED = {
    # What a program runs into, and how it is told.
    "system": ("os.open('/etc/imagefit-was-here', os.O_CREAT)", "Read-only file system"),
    "family": ("socket.socket(socket.AF_NETLINK)", "Address family not supported by protocol"),
    "capability": ("pathlib.Path('own').touch(); os.chown('own', 1, 1)", "Operation not permitted"),
    "memory": ("mmap.mmap(-1, 4096, prot=7)", "Permission denied"),
}
KILLED = {
    # System calls that the unit does not allow: they would be seen.
    "privileged": "os.setuid(0)",
    "resources": "os.sched_setaffinity(0, [0])",
    "mount": "ctypes.CDLL(None).mount(0, 0, 0, 0, 0)",
    "debug": "ctypes.CDLL(None).ptrace(0, 0, 0, 0)",
}
# Each in a process of its own, all in one sandbox; what came of it in one line.
TRIES = """
import ctypes, mmap, os, pathlib, signal, socket, sys
os.chdir(sys.argv[1])
for program in sys.argv[2:]:
    if not os.fork():
        try:
            exec(program)
        except OSError as error:
            print(error.strerror, flush=True)
        os._exit(0)
    ended = os.wait()[1]
    if os.WIFSIGNALED(ended):
        print(signal.Signals(os.WTERMSIG(ended)).name, flush=True)
"""


def test_what_the_unit_forbids_fails_or_would_be_seen(inside: Sandbox) -> None:
    programs = [*(program for program, _ in REFUSED.values()), *KILLED.values(), "print('allowed', flush=True)"]
    code, text = inside.ended(sys.executable, "-c", TRIES, str(inside.folder), *programs)
    assert code == 0
    assert text.splitlines() == [*(why for _, why in REFUSED.values()), *("SIGSYS" for _ in KILLED), "allowed"]
