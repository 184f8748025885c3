"""The soak, ``make soak``: mixed calls for ten minutes with restarts; memory and descriptors have to stay flat.

Knows the mix, the phases and what flat means. The same mix is first made on containerd alone: an error that comes
through imagefit has to be one that it gives, too. Memory is judged in one long phase without restarts of imagefit,
since a restart makes a new process; containerd is restarted all the same, as that is when connections could be lost.
"""

import contextlib
import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import unwind_when_terminated
from benchmarks.programs import search_system_folders
from benchmarks.progress import Progress
from benchmarks.spending import memory_of
from faults.errors import name_of
from faults.images import OPEN, Image, push
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.registry import Registry

SECONDS: Final = 600
_BOTH: Final = "restarts of both"
SHARES: Final = {"containerd alone": 0.1, _BOTH: 0.2, "restarts of containerd": 0.7}
"""The phases in their order, and how much of the time each takes; imagefit is judged in the last."""
MEMORY_MB: Final = 4.0
"""How much imagefit may grow from the second quarter of the last phase to its last quarter, medians compared.

A Python process that does the same again and again keeps what its allocator has once taken: 3.3 MB of 68 were measured
on a busy machine. 0.3 kB lost at each of 80 calls a second would be 5 MB in the 3.5 minutes between those medians.
"""
DESCRIPTORS: Final = 4
"""The same for open descriptors: connections to the registry come and go, two for each pull that is under way."""

_CLIENTS: Final = 4
_IMAGES: Final = 12
_PAUSE_SECONDS: Final = 0.005
_EVENTS: Final = "/containerd.services.events.v1.Events/Subscribe"
_ALWAYS_KNOWN: Final = frozenset({"connection lost", "containerd's own"})
# grpcio drops a call that comes in the very moment of a stop: CANCELLED, where containerd says UNAVAILABLE.
_AT_A_STOP: Final = "called off"
_PER_RESTART: Final = 2
_BETWEEN_RESTARTS: Final = 12  # parts of a phase


@dataclass(slots=True)
class Phase:
    """What one phase was like.

    Attributes:
        name: see ``SHARES``.
        calls: how many were made.
        errors: how often each error came, by its name, or by itself where it has none.
        restarts: how many parts were restarted.
        memory: samples of imagefit's resident memory in MB, in order; empty where it is not judged.
        descriptors: the same of its open descriptors.
    """

    name: str
    calls: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    memory: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)


class Mix:
    """Clients that make calls by chance until they are told to stop."""

    def __init__(self, socket: Path, images: list[Image], phase: Phase) -> None:
        """Prepare them; what they see is counted in ``phase``."""
        self._client = CriClient(socket)
        self._images = images
        self._phase = phase
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(number,)) for number in range(_CLIENTS)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _go_on(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - chosen, not kept secret
        client = self._client
        calls: list[Callable[[str], object]] = [
            lambda name: client.pull(name, timeout_seconds=60),
            client.image_status,
            lambda _: client.list_images(),
            lambda _: client.image_fs_info(),
            client.remove_image,
            lambda _: self._listen(chance),
        ]
        while not self._stop.wait(_PAUSE_SECONDS):
            call = chance.choices(calls, weights=(4, 8, 2, 1, 2, 1))[0]
            error = ""
            try:
                call(chance.choice(self._images).name)
            except grpc.RpcError as raised:
                error = f"{raised.code().name}: {raised.details()}"
            with self._lock:
                self._phase.calls += 1
                if error:
                    self._phase.errors[name_of(f"call: {error}") or error] += 1

    def _listen(self, chance: random.Random) -> None:
        """Listen to containerd's events for a moment, and hang up."""
        call = self._client._channel.unary_stream(_EVENTS, None, None)(b"", timeout=20)
        time.sleep(chance.uniform(0, 0.05))
        call.cancel()  # type: ignore[no-untyped-call]


class Soak:
    """The parts, and the phases that they go through."""

    def __init__(self, root: Path, seconds: float, tell: Callable[[str], None]) -> None:
        """Prepare a soak of so many seconds in a folder with a short path."""
        self._root = root
        self._seconds = seconds
        self._tell = tell

    def run(self) -> list[Phase]:
        """Go through all phases."""
        root = self._root
        with Registry(root / "r") as registry, Containerd(root / "c") as containerd:
            names = (f"soak/{OPEN}/{number}" for number in range(_IMAGES))
            images = [push(registry, registry.address, name, name) for name in names]
            with Daemon(root / "d", containerd.socket, verbose=False) as imagefit:
                restarts: dict[str, list[Callable[[], None]]] = {
                    "containerd alone": [containerd.restart],
                    _BOTH: [imagefit.restart, containerd.restart, lambda: _crashed(imagefit)],
                    "restarts of containerd": [containerd.restart],
                }
                return [self._phase(name, restarts[name], images, containerd, imagefit) for name in SHARES]

    def _phase(
        self,
        name: str,
        restarts: list[Callable[[], None]],
        images: list[Image],
        containerd: Containerd,
        imagefit: Daemon,
    ) -> Phase:
        phase = Phase(name)
        is_alone = name == "containerd alone"
        seconds = self._seconds * SHARES[name]
        ends = time.monotonic() + seconds
        next_restart = time.monotonic() + seconds / _BETWEEN_RESTARTS
        with Mix(containerd.socket if is_alone else imagefit.socket, images, phase):
            while (left := ends - time.monotonic()) > 0:
                self._tell(f"{name}: {phase.calls} calls, {left:.0f} s left")
                time.sleep(min(1.0, left))
                if time.monotonic() > next_restart:
                    restarts[phase.restarts % len(restarts)]()
                    phase.restarts += 1
                    next_restart = time.monotonic() + seconds / _BETWEEN_RESTARTS
                if len(restarts) == 1 and not is_alone:
                    phase.memory.append(memory_of(imagefit.pid).resident)
                    phase.descriptors.append(len(os.listdir(f"/proc/{imagefit.pid}/fd")))  # noqa: PTH208 - only counted
        return phase


def problems(phases: list[Phase]) -> Iterator[str]:
    """Yield what did not hold: errors that containerd alone does not give, and growth."""
    known = _ALWAYS_KNOWN | set(phases[0].errors)
    for phase in phases[1:]:
        for error, count in phase.errors.items():
            is_of_a_stop = error == _AT_A_STOP and phase.name == _BOTH and count <= _PER_RESTART * phase.restarts
            if error not in known and not is_of_a_stop:
                yield f"{phase.name}: an error that containerd alone does not give: {error}"
    for what, samples, limit in (
        ("MB of memory", phases[-1].memory, MEMORY_MB),
        ("descriptors", phases[-1].descriptors, DESCRIPTORS),
    ):
        _, before, _, after = quarters(samples)
        if after - before > limit:
            yield f"{what}: {before:.1f} became {after:.1f}, {limit:g} more are allowed"


def quarters(samples: list[float]) -> list[float]:
    """Return the medians of the quarters of at least four samples; the first one warms up."""
    length = len(samples) // 4
    return [statistics.median(samples[start : start + length]) for start in range(0, 4 * length, length)]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path, deleted in the end."""
    root = Path(tempfile.mkdtemp(prefix="if-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> int:
    """Soak for ``SOAK_SECONDS`` (600), and return 1 where something did not hold, else 0."""
    seconds = float(os.environ.get("SOAK_SECONDS") or SECONDS)
    with folder() as root, Progress() as progress:
        phases = Soak(root, seconds, progress.tell if sys.stderr.isatty() else _quiet).run()
    _print(phases)
    found = list(problems(phases))
    for problem in found:
        print(f"FAILED: {problem}")
    print("the soak holds" if not found else "the soak does not hold")
    return int(bool(found))


def _print(phases: list[Phase]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("phase", "calls", "errors", "restarts", "MB by quarter", "descriptors"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    for phase in phases:
        memory = descriptors = ""
        if phase.memory:
            memory = " ".join(f"{median:.1f}" for median in quarters(phase.memory))
            descriptors = " ".join(f"{median:.0f}" for median in quarters(phase.descriptors))
        figures = (phase.calls, phase.errors.total(), phase.restarts, memory, descriptors)
        table.add_row(phase.name, *map(str, figures))
    console = Console(highlight=False)
    console.print(table)
    for phase in phases:
        for error, count in phase.errors.most_common():
            console.print(f"  {phase.name}: {count} x {error}", markup=False)


def _crashed(imagefit: Daemon) -> None:
    imagefit.kill()
    imagefit.start()


def _quiet(_: str) -> None:
    """Tell nothing: where there is no terminal, a line each second would be too many."""


if __name__ == "__main__":
    unwind_when_terminated()
    search_system_folders()
    sys.exit(main())
