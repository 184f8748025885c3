"""From spawn to listening and to ready, and what the daemon spends when nobody calls.

Knows how each is seen from outside, with metrics as the systemd unit has them, and what it is compared with: the same
interpreter that does nothing, which is the machine's speed at this moment, and the smallest server of the same library,
which is the floor. Leaves to ``spending`` how a process is looked at.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import grpc

from benchmarks.measuring import SHARE, Figure, figure, interleaved, ratios
from benchmarks.profiles import import_shares
from benchmarks.spending import Memory, memory_of, spent_by
from harness.containerd import Containerd
from harness.daemon import Daemon
from harness.process import free_port

PART: Final = "start"
NOTHING: Final = "python"
"""``python -c pass``: the interpreter that does nothing."""
BARE: Final = "bare server"
IMAGEFIT: Final = "imagefit"
"""As its systemd unit runs it, with metrics."""
WITHOUT_METRICS: Final = "without metrics"
END: Final = f"{NOTHING}: spawn to end"
ANSWERED: Final = f"{IMAGEFIT}: spawn to ImageStatus"
READY: Final = f"{IMAGEFIT}: spawn to ready"
PROPORTIONAL: Final = f"{IMAGEFIT}: idle memory (PSS)"
PRIVATE: Final = f"{IMAGEFIT}: idle memory, private"
_MS: Final = 1_000
_WAIT_SECONDS: Final = 20
_LOOK_SECONDS: Final = 0.0002
_SETTLED_SECONDS: Final = 5
_IDLE_SECONDS: Final = 10
_MINUTE: Final = 60
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = b"\x08\x01"
_IMAGE_STATUS: Final = "/runtime.v1.ImageService/ImageStatus"
# ImageStatusRequest: image (1) with its image string (1), a name that containerd does not have.
_NO_IMAGE: Final = b"\x0a\x12\x0a\x10benchmark/none:1"


@dataclass(frozen=True, slots=True)
class _Started:
    """Seconds from the spawn to each step; of what has no such step, the last one that it has."""

    listening: float
    answered: float
    ready: float


@dataclass(frozen=True, slots=True)
class _Idle:
    """What is spent when nobody calls: memory, how many threads, and a second's wake-ups and CPU seconds."""

    memory: Memory
    threads: int
    wakeups: float
    cpu_seconds: float


class StartError(Exception):
    """A process that should listen did not."""


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Return the figures of the start and of an idle daemon.

    Args:
        rounds: how often each is measured.
        tell: is told what is being done.
    """
    with tempfile.TemporaryDirectory(prefix="ifb-") as name, Containerd(Path(name) / "c") as containerd:
        daemon = Daemon(Path(name) / "d", containerd.socket)
        quiet = (str(Path(sys.executable).with_name("imagefit")), "--config", str(daemon.config_file), "serve")
        imagefit = (*quiet, "--metrics", f"127.0.0.1:{free_port()}")
        bare_socket = Path(name) / "b.sock"
        bare = (sys.executable, str(Path(__file__).with_name("bare_server.py")), str(bare_socket))
        ways: dict[str, Callable[[], _Started]] = {
            NOTHING: _nothing,
            BARE: partial(_listen, bare, bare_socket),
            IMAGEFIT: partial(_get_ready, imagefit, daemon.socket),
        }
        starts = interleaved(ways, rounds, tell)
        idles = interleaved(
            {
                f"{BARE}, idle": partial(_idle, bare, bare_socket),
                f"{IMAGEFIT}, idle": partial(_idle, imagefit, daemon.socket),
                f"{WITHOUT_METRICS}, idle": partial(_idle, quiet, daemon.socket),
            },
            rounds,
            tell,
        )
    tell("profile of the imports")
    return [*_start_figures(starts), *_idle_figures(*idles.values()), *_import_figures()]


def listening_name_of(way: str) -> str:
    """Return the name of the figure that says how long a way takes to listen."""
    return f"{way}: spawn to listening"


def idle_name_of(way: str) -> str:
    """Return the name of the figure that says what memory a way has when idle."""
    return f"{way}: idle memory (RSS)"


def _start_figures(starts: dict[str, list[_Started]]) -> Iterator[Figure]:
    floors = [one.ready for one in starts[NOTHING]]
    yield figure(PART, END, "ms", [one * _MS for one in floors], is_compared=False)
    for way in (BARE, IMAGEFIT):
        listening = [one.listening for one in starts[way]]
        name = listening_name_of(way)
        yield figure(PART, name, "ms", [one * _MS for one in listening], is_compared=False)
        yield figure(PART, f"{name} / {NOTHING}", "x", ratios(listening, floors))
    steps = {
        ANSWERED: [one.answered for one in starts[IMAGEFIT]],
        READY: [one.ready for one in starts[IMAGEFIT]],
    }
    for step, seconds in steps.items():
        yield figure(PART, step, "ms", [one * _MS for one in seconds], is_compared=False)
        yield figure(PART, f"{step} / {NOTHING}", "x", ratios(seconds, floors))


def _idle_figures(bare: Sequence[_Idle], imagefit: Sequence[_Idle], quiet: Sequence[_Idle]) -> Iterator[Figure]:
    for way, idles in ((BARE, bare), (IMAGEFIT, imagefit), (WITHOUT_METRICS, quiet)):
        resident = [one.memory.resident for one in idles]
        yield figure(PART, idle_name_of(way), "MB", resident, is_compared=way != BARE)
    for way, idles in ((BARE, bare), (IMAGEFIT, imagefit)):
        wakeups = [one.wakeups for one in idles]
        yield figure(PART, f"{way}: wake-ups when idle", "1/s", wakeups, is_compared=False)
        spent = [one.cpu_seconds * _MINUTE * _MS for one in idles]
        yield figure(PART, f"{way}: CPU of an idle minute", "ms", spent, is_compared=False)
    for name, unit, values in (
        (PROPORTIONAL, "MB", [one.memory.proportional for one in imagefit]),
        (PRIVATE, "MB", [one.memory.private for one in imagefit]),
        (f"{IMAGEFIT}: threads when idle", "threads", [one.threads for one in imagefit]),
    ):
        yield figure(PART, name, unit, values)


def _import_figures() -> Iterator[Figure]:
    """Return what the imports before listening consist of; a profile, so it is looked at once."""
    for package, share in import_shares().items():
        yield figure(PART, f"share of the imports: {package}", SHARE, [share], is_compared=False)


def _nothing() -> _Started:
    """Run an interpreter that does nothing; its end is the only step that is seen."""
    started = time.perf_counter()
    subprocess.run((sys.executable, "-c", "pass"), check=True)
    seconds = time.perf_counter() - started
    return _Started(seconds, seconds, seconds)


def _listen(command: Sequence[str], listens: Path) -> _Started:
    """Start a server and see how long it takes to listen."""
    started = time.perf_counter()
    with _running(command) as process:
        _wait_until_listening(process, listens)
        seconds = time.perf_counter() - started
    return _Started(seconds, seconds, seconds)


def _get_ready(command: Sequence[str], listens: Path) -> _Started:
    """Start the daemon and see how long it takes to each step."""
    started = time.perf_counter()
    with _running(command) as process:
        _wait_until_listening(process, listens)
        listening = time.perf_counter() - started
        with grpc.insecure_channel(f"unix:{listens}", (("grpc.default_authority", "localhost"),)) as channel:
            channel.unary_unary(_IMAGE_STATUS, bytes, bytes)(_NO_IMAGE, timeout=_WAIT_SECONDS)
            answered = time.perf_counter() - started
            _wait_until_serving(channel)
        return _Started(listening, answered, time.perf_counter() - started)


def _idle(command: Sequence[str], listens: Path) -> _Idle:
    """Start a server and see what it spends once it has settled."""
    with _running(command) as process:
        _wait_until_listening(process, listens)
        time.sleep(_SETTLED_SECONDS)
        memory, before = memory_of(process.pid), spent_by(process.pid)
        time.sleep(_IDLE_SECONDS)
        after = spent_by(process.pid)
    return _Idle(
        memory,
        after.threads,
        (after.wakeups - before.wakeups) / _IDLE_SECONDS,
        (after.cpu_seconds - before.cpu_seconds) / _IDLE_SECONDS,
    )


@contextmanager
def _running(command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process in a session of its own, so that a Ctrl-C reaches only who ends it."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(process: "subprocess.Popen[bytes]", listens: Path) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(listens))
            return
        time.sleep(_LOOK_SECONDS)
    raise StartError(f"nothing listens on {listens}")


def _wait_until_serving(channel: grpc.Channel) -> None:
    check = channel.unary_unary(_HEALTH, bytes, bytes)
    deadline = time.monotonic() + _WAIT_SECONDS
    while check(b"", timeout=_WAIT_SECONDS) != _SERVING:
        if time.monotonic() > deadline:
            raise StartError("the daemon is not ready")
        time.sleep(_LOOK_SECONDS)
