"""Every fault: how it strikes, at which steps, and how its cause ends.

Knows what goes wrong on a node. Leaves to ``site`` how a part is brought to do that, to ``running`` when.
"""

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import grpc

from faults import steps
from faults.images import Image
from faults.site import Site
from faults.steps import Step
from harness.http_gate import CUT

_SLOW_SECONDS: Final = 0.1
_DAY_SECONDS: Final = 24 * 60 * 60
_NOT_READY: Final = 503
_SPARE_BYTES: Final = 4 * 1024 * 1024


class Struck(Protocol):
    """The run that a fault strikes in."""

    image: Image

    def move_tag(self) -> None:
        """Have the image's tag stand for another index from now on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which something goes wrong.

    Attributes:
        name: as the table shows it.
        steps: where it makes sense; the first is the most delicate one.
        strike: makes it so.
        mend: ends the cause and brings back what has ended; what is broken by then has to recover by itself.
        recovery_seconds: how long that may take.
    """

    name: str
    steps: tuple[Step, ...]
    strike: Callable[[Site, Struck], None]
    mend: Callable[[Site], None] = Site.revive
    recovery_seconds: float = 30.0


def _refusing(*stops: str, answer: Any) -> Callable[[Site, Struck], None]:
    """Return what has a gate give an answer at every stop whose name begins with one of these."""

    def strike(site: Site, _: Struck) -> None:
        site.answer = lambda stop: answer if stop.startswith(stops) else None

    return strike


def _slow(*stops: str) -> Callable[[Site, Struck], None]:
    def wait(stop: str) -> None:
        if stop.startswith(stops):
            time.sleep(_SLOW_SECONDS)

    def strike(site: Site, _: Struck) -> None:
        site.answer = wait

    return strike


def _another_each_time(site: Site, run: Struck) -> None:
    def move(stop: str) -> None:
        if stop.endswith("HEAD manifests"):
            run.move_tag()

    site.answer = move


def _signalled(number: signal.Signals, pid: Callable[[Site], int]) -> Callable[..., None]:
    def strike(site: Site, _: Struck | None = None) -> None:
        os.kill(pid(site), number)

    return strike


def _pid_of_containerd(site: Site) -> int:
    return site.containerd.pid


def _pid_of_imagefit(site: Site) -> int:
    return site.imagefit.pid


def _thawed(pid: Callable[[Site], int]) -> Callable[[Site], None]:
    def mend(site: Site) -> None:
        os.kill(pid(site), signal.SIGCONT)
        site.revive()

    return mend


def _remove_socket(site: Site, _: Struck) -> None:
    site.imagefit.socket.unlink()


def _replace_socket(site: Site, _: Struck) -> None:
    junk = site.imagefit.root / "junk"
    junk.write_text("no socket")
    junk.replace(site.imagefit.socket)


def _take_socket(site: Site, _: Struck) -> None:
    thief = socket.socket(socket.AF_UNIX)
    path = site.imagefit.root / "thief.sock"
    path.unlink(missing_ok=True)
    thief.bind(str(path))
    thief.listen()
    path.replace(site.imagefit.socket)
    site.thief = thief


def _chase_thief(site: Site) -> None:
    if site.thief is not None:
        site.thief.close()
        site.thief = None
    site.revive()


def _limited(kind: int, amount: Callable[[Path], int]) -> Callable[[Site, Struck], None]:
    def strike(site: Site, _: Struck) -> None:
        pid = site.imagefit.pid
        with contextlib.suppress(OSError):
            hard = resource.prlimit(pid, kind)[1]
            resource.prlimit(pid, kind, (amount(Path(f"/proc/{pid}")), hard))

    return strike


def _unlimited(kind: int) -> Callable[[Site], None]:
    def mend(site: Site) -> None:
        with contextlib.suppress(OSError):
            _, hard = resource.prlimit(site.imagefit.pid, kind)
            resource.prlimit(site.imagefit.pid, kind, (hard, hard))
        site.revive()

    return mend


def _no_more_descriptors(process: Path) -> int:
    return max(int(one.name) for one in (process / "fd").iterdir()) + 1


def _little_more_memory(process: Path) -> int:
    pages = int((process / "statm").read_text().split()[0])
    return pages * resource.getpagesize() + _SPARE_BYTES


def _writable(site: Site) -> None:
    site.imagefit.open_disk()
    site.revive()


def _emptied(site: Site) -> None:
    site.imagefit.empty_disk()
    site.revive()


def _clock_right(site: Site) -> None:
    site.imagefit.clock.set_ahead(0)
    site.revive()


_ASKING: Final = (*steps.FETCHING, *steps.RESOLVING, steps.AT_REST)
_STANDING: Final = (steps.BEFORE_PULL, steps.AT_REST, steps.GET_OF_INDEX)
_ANSWERING: Final = (*steps.CALLING, steps.AT_REST)
_AT_SOCKET: Final = (steps.BEFORE_PULL, steps.AT_REST, steps.BEFORE_REMOVAL)
_ENDING: Final = (steps.AFTER_PULL, *(step for step in steps.ALL if step is not steps.AFTER_PULL))
_CRI: Final = ("before PullImage", "before ImageStatus", "before ListImages", "before RemoveImage", "before Images.")
_REGISTRY: Final = ("imagefit ", "containerd ")

_ALL: Final = (
    Fault("imagefit killed", _ENDING, lambda site, _: site.imagefit.kill()),
    Fault("imagefit terminated", _ENDING, lambda site, _: site.imagefit.terminate()),
    Fault("imagefit frozen", _ENDING, _signalled(signal.SIGSTOP, _pid_of_imagefit), _thawed(_pid_of_imagefit)),
    Fault("imagefit handed over", _ENDING, lambda site, _: site.imagefit.taken_over()),
    Fault("kubelet restarted", _ENDING, lambda site, _: site.hang_up()),
    Fault("containerd killed", _ENDING, lambda site, _: site.kill_containerd(), recovery_seconds=2),
    Fault("containerd terminated", _ENDING, lambda site, _: site.terminate_containerd(), recovery_seconds=2),
    Fault("containerd frozen", _ENDING, _signalled(signal.SIGSTOP, _pid_of_containerd), _thawed(_pid_of_containerd)),
    Fault("containerd slow", _ANSWERING, _slow(*_CRI)),
    Fault("containerd unavailable", _ANSWERING, _refusing(*_CRI, answer=grpc.StatusCode.UNAVAILABLE)),
    Fault("Images API unknown", _ANSWERING, _refusing("before Images.", answer=grpc.StatusCode.UNIMPLEMENTED)),
    Fault("Images API denied", _ANSWERING, _refusing("before Images.", answer=grpc.StatusCode.PERMISSION_DENIED)),
    Fault("registry killed", _ASKING, lambda site, _: site.registry.kill()),
    Fault("registry terminated", _ASKING, lambda site, _: site.registry.pause()),
    Fault("registry slow", _ASKING, _slow(*_REGISTRY)),
    Fault("registry answers 503", _ASKING, _refusing(*_REGISTRY, answer=_NOT_READY)),
    Fault("registry cut off", _ASKING, _refusing(*_REGISTRY, answer=CUT)),
    Fault("tag moved", (steps.GET_OF_INDEX, *_STANDING[:2], *steps.FETCHING), lambda _, run: run.move_tag()),
    Fault("index differs each time", (steps.AT_REST, steps.GET_OF_INDEX), _another_each_time),
    Fault("socket removed", _AT_SOCKET, _remove_socket),
    Fault("socket replaced", _AT_SOCKET, _replace_socket),
    Fault("socket taken", _AT_SOCKET, _take_socket, _chase_thief),
    Fault("disk full", _STANDING, lambda site, _: site.imagefit.fill_disk(), _emptied),
    Fault("disk read-only", _STANDING, lambda site, _: site.imagefit.protect_disk(), _writable),
    Fault("clock a day ahead", _ENDING, lambda site, _: site.imagefit.clock.set_ahead(_DAY_SECONDS), _clock_right),
    Fault("clock a day behind", _ENDING, lambda site, _: site.imagefit.clock.set_ahead(-_DAY_SECONDS), _clock_right),
    Fault(
        "descriptors exhausted",
        (*_STANDING, steps.HEAD_OF_TAG),
        _limited(resource.RLIMIT_NOFILE, _no_more_descriptors),
        _unlimited(resource.RLIMIT_NOFILE),
    ),
    Fault(
        "memory exhausted",
        (*_STANDING, steps.HEAD_OF_TAG),
        _limited(resource.RLIMIT_AS, _little_more_memory),
        _unlimited(resource.RLIMIT_AS),
    ),
)
FAULTS: Final[Mapping[str, Fault]] = {fault.name: fault for fault in _ALL}
"""Each fault by its name, in the order of the table."""
