"""One child process of the harness: started, waited for, ended by its id.

Knows processes and free ports. Leaves to the parts what is started and when it is ready.
"""

import contextlib
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOG_SHOWN_CHARACTERS = 6000
_PORTS = range(20000, 32768)
"""Below the ports that Linux gives to outgoing connections: a part that restarts finds its port still free."""


class HarnessError(AssertionError):
    """A real part did not do what the test needs of it."""


class ChildProcess:
    """A program that writes its output to a file."""

    def __init__(self, name: str, log: Path) -> None:
        """Name it for messages; ``log`` gets standard error, and standard output unless told otherwise."""
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            HarnessError: it was not started.
        """
        if self._process is None:
            raise HarnessError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(
        self, command: Sequence[str], *, stdout: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it in a session of its own, so that a Ctrl-C reaches the tests and not their parts.

        Args:
            command: program and arguments.
            stdout: file that standard output is appended to; the log without it.
            environment: all of its environment; this process's without it.

        Raises:
            HarnessError: it runs already.
        """
        if self.running:
            raise HarnessError(f"{self.name} runs already")
        with self.log.open("ab") as log, (stdout or self.log).open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float = 20) -> None:
        """Wait until ``ready`` says so; where it never does, end the process.

        Raises:
            HarnessError: the process ended or the time is over; the message ends with its log.
        """
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise HarnessError(f"{self.name} ended early\n{self.log_text()}")
            if time.monotonic() > deadline:
                self.kill()
                raise HarnessError(f"{self.name} is not ready after {timeout_seconds} s\n{self.log_text()}")
            time.sleep(0.005)

    def stop(self, timeout_seconds: float = 10) -> int | None:
        """End it with SIGTERM, after the time with SIGKILL; return its exit status, None if it was not started."""
        if self._process is None:
            return None
        if self.running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait(timeout_seconds)

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait until it ends by itself and return its exit status; None if it still runs then, or was not started."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return None if self._process is None else self._process.wait(timeout_seconds)
        return None

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def log_text(self) -> str:
        """Return the end of what it logged."""
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_text(errors="replace")[-_LOG_SHOWN_CHARACTERS:]
        return ""


def free_port() -> int:
    """Return a loopback port that nothing listens on.

    Raises:
        HarnessError: none was found.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise HarnessError("no free port on 127.0.0.1")


def connects(address: tuple[str, int] | Path) -> bool:
    """Tell whether something accepts connections on a port or a Unix socket."""
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(address) if isinstance(address, Path) else address)
        return True
    return False
