"""All parts of a node as they stand while faults strike: registry, containerd, imagefit, and the gates between them.

Knows how each part ends, comes back and is told apart. Leaves to ``catalog`` what strikes, to ``running`` when.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

from faults.images import push
from faults.steps import Step
from harness.clock import Clock
from harness.containerd import Containerd
from harness.cri import CriClient, Pod
from harness.daemon import Daemon
from harness.grpc_gate import GrpcGate
from harness.http_gate import HttpGate
from harness.images import push_pause
from harness.process import ChildProcess, HarnessError, connects
from harness.registry import Registry

DISK_BYTES: Final = 64 * 1024 * 1024
"""Size of the disk that holds imagefit's cache and state."""
_CONFIG: Final = """\
[server]
socket = "{root}/i.sock"
state = "{root}/disk/state"
drain-seconds = 10

[registry]
config-path = "{certs}"
containerd-config = ""
cache = "{root}/disk/cache"

[decisions]
file = "{root}/disk/decisions.jsonl"

[[image]]
match = "*/strict/*"
on-error = "fail"
"""
_PAGE_BYTES: Final = 4096
_HANDED_OVER_SECONDS: Final = 30.0
_READ_ONLY: Final = 1
_REMOUNT: Final = 32
_BIND: Final = 4096
_DETACH: Final = 2

Answer = Callable[[str], Any]
"""What a gate answers at a stop, while a fault lasts: see the ``Visit`` of each gate."""


class Imagefit(Daemon):
    """An ``imagefit serve`` with a wall clock that can jump, which another can take over from."""

    def __init__(self, root: Path, backend: Path, certs: Path) -> None:
        """Write the configuration, and mount the disk of cache and state."""
        root.mkdir()
        self.disk = root / "disk"
        self.disk.mkdir()
        _mount_tmpfs(self.disk)
        self.clock = Clock(root)
        text = _CONFIG.format(root=root, certs=certs)
        super().__init__(root, backend, text, take_over=True, environment=self.clock.environment)  # as its unit does
        self._former: list[ChildProcess] = []

    def begin(self) -> None:
        """Start it without waiting for anything; one that runs goes on."""
        if self.running:
            self._former.append(self._process)
        self._process = ChildProcess("imagefit", self._process.log)
        super().begin()

    def terminate(self) -> None:
        """Tell it to stop, without waiting for that."""
        os.kill(self.pid, signal.SIGTERM)
        self._former.append(self._process)

    def taken_over(self) -> None:
        """Start another that takes the socket over, and wait until it has it, at most 20 s."""
        before = self.socket.stat().st_ino
        self.begin()
        self._process.wait_until(lambda: self.socket.stat().st_ino != before and connects(self.socket))

    def revive(self) -> None:
        """Start it where it has ended, once those that were told to end have done so."""
        for former in self._former:
            _wait(lambda one=former: not one.running, _HANDED_OVER_SECONDS)  # type: ignore[misc]
        self._former.clear()
        if not self.running:
            self.start()

    def stop(self, timeout_seconds: float = 15) -> int | None:
        """End it, and unmount its disk."""
        for former in self._former:
            former.kill()
        status = super().stop(timeout_seconds)
        _libc().umount2(os.fsencode(self.disk), _DETACH)
        return status

    def logged_bytes(self) -> int:
        """Return the length of the log so far."""
        return self._process.log.stat().st_size if self._process.log.exists() else 0

    def log_since(self, start: int) -> str:
        """Return what the log says after so many bytes."""
        with self._process.log.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")

    def protect_disk(self) -> None:
        """Have the disk take no more writes, but to files that are open."""
        folder = os.fsencode(self.disk)
        for flags in (_BIND, _BIND | _REMOUNT | _READ_ONLY):  # remounted itself, it would be busy
            if _libc().mount(folder, folder, None, flags, None) != 0:
                raise HarnessError(f"protecting {self.disk}: {os.strerror(ctypes.get_errno())}")

    def open_disk(self) -> None:
        """Have it take writes again."""
        _libc().umount2(os.fsencode(self.disk), _DETACH)

    def fill_disk(self) -> None:
        """Leave no byte free."""
        with contextlib.suppress(OSError), (self.disk / "full").open("wb", buffering=0) as file:
            while file.write(bytes(_PAGE_BYTES)):
                pass

    def empty_disk(self) -> None:
        """Give the room back."""
        (self.disk / "full").unlink(missing_ok=True)


class Site:
    """The parts, which run. To be used with ``with``; ``arm`` says where a fault strikes."""

    def __init__(self, root: Path) -> None:
        """Start everything under ``root``, whose path is short."""
        self._ending = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._armed: tuple[Step, Callable[[], None]] | None = None
        self._seen: Counter[str] = Counter()
        self.answer: Answer | None = None
        self.thief: socket.socket | None = None
        try:
            self._start(root)
        except BaseException:
            self._ending.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def _start(self, root: Path) -> None:
        entered = self._ending.enter_context
        self.registry = entered(Registry(root / "r"))
        self.containerd = entered(Containerd(root / "c", sandbox_image=push_pause(self.registry)))
        self.http = HttpGate(self.registry.address, self._visit)
        self._ending.callback(self.http.close)
        self.grpc = GrpcGate(root / "g.sock", self.containerd.socket, self._visit)
        self._ending.callback(self.grpc.close)
        self.grpc.open()
        self.imagefit = Imagefit(root / "i", self.grpc.socket, self.containerd.certs_dir)
        self._ending.callback(self.imagefit.stop)
        self.imagefit.start()
        self.through = CriClient(self.imagefit.socket)
        self._ending.callback(self._close_through)
        self.direct = entered(CriClient(self.containerd.socket))
        self.pod: Pod = self.direct.run_pod("faults")
        # What no fault may touch.
        self.through.pull(push(self.registry, self.domain, "faults/resident", "resident").name)

    @property
    def domain(self) -> str:
        """Host and port under which images are pulled."""
        return self.http.address

    def arm(self, step: Step, strike: Callable[[], None]) -> None:
        """Have ``strike`` called once, in the moment of a step that comes from now on, and while that waits."""
        with self._lock:
            self._seen.clear()
            self._armed = step, strike
        if not step.stop:
            self._struck("")

    def disarm(self) -> bool:
        """Tell whether the fault has struck; it does not any more."""
        with self._lock:
            has_struck, self._armed = self._armed is None, None
        return has_struck

    def hang_up(self) -> None:
        """End kubelet's connection with every call on it, as its restart does; the next call makes another."""
        former, self.through = self.through, CriClient(self.imagefit.socket)
        former.close()

    def kill_containerd(self) -> None:
        """End containerd at once, and every connection to it."""
        self.containerd.kill()
        self.grpc.shut()

    def terminate_containerd(self) -> None:
        """Stop containerd in order, and every connection to it."""
        self.containerd.halt()
        self.grpc.shut()

    def revive(self) -> None:
        """Bring back what has ended."""
        self.answer = None
        if not self.registry.running:
            self.registry.start()
        if not self.containerd.running:
            self.containerd.start()
        self.grpc.open()
        self.imagefit.revive()

    def records(self) -> dict[str, str]:
        """Return the digest of every record of containerd by its name."""
        return {name: record.digest for name, record in self.containerd.records().items()}

    def _close_through(self) -> None:
        self.through.close()  # another by then

    def _visit(self, stop: str) -> Any:
        self._struck(stop)
        answer = self.answer
        return answer(stop) if answer else None

    def _struck(self, stop: str) -> None:
        with self._lock:
            self._seen[stop] += 1
            armed = self._armed
            if armed is None or (armed[0].stop, armed[0].nth) != (stop, self._seen[stop]):
                return
            self._armed = None
        armed[1]()


@contextlib.contextmanager
def site(keep_logs: Path | None = None) -> Iterator[Site]:
    """Start all parts, and end them whatever happens inside.

    Args:
        keep_logs: a folder that gets imagefit's log where something is raised inside.
    """
    root = Path(tempfile.mkdtemp(prefix="if-"))
    try:
        with Site(root) as made:
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _wait(done: Callable[[], bool], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not done():
        if time.monotonic() > deadline:
            raise HarnessError(f"still not after {timeout_seconds} s")
        time.sleep(0.01)


def _mount_tmpfs(folder: Path) -> None:
    options = f"size={DISK_BYTES}".encode()
    if _libc().mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options) != 0:
        raise HarnessError(f"mounting {folder}: {os.strerror(ctypes.get_errno())}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
