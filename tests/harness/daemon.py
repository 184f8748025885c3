"""The daemon itself, as a real process: ``imagefit serve`` in front of a containerd.

Knows how it is started and when it listens. Leaves to the test what its configuration says.
"""

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from harness.process import ChildProcess, connects

_TABLES = {
    "server": 'socket = "{root}/i.sock"\nstate = "{root}/state"\n',
    "containerd": 'socket = "{containerd}"\n',
    "registry": 'config-path = "{certs}"\ncontainerd-config = ""\ncache = "{root}/cache"\n',
    "decisions": 'file = "{root}/decisions.jsonl"\n',
}


class Daemon:
    """An ``imagefit serve`` whose socket, configuration, cache and log stand in one folder, which is the caller's."""

    def __init__(
        self,
        root: Path,
        containerd_socket: Path,
        config: str = "",
        certs_dir: Path | None = None,
        *,
        verbose: bool = True,
        take_over: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Write the configuration.

        Args:
            root: made here if it is not there; its path must be short.
            containerd_socket: where CRI calls go.
            config: TOML; a table that it lacks (``server``, ``containerd``, ``registry``, ``decisions``) is written
                here.
            certs_dir: the registry's ``config-path``; without it ``certs.d`` beside containerd's socket.
            verbose: whether its log tells every step; False is how it runs on a node.
            take_over: whether it takes the socket from a daemon that has it.
            environment: what it finds in its environment beside that of this process, such as ``NOTIFY_SOCKET``.
        """
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.socket = root / "i.sock"
        self.config_file = root / "config.toml"
        self._process = ChildProcess("imagefit", root / "imagefit.log")
        self._options = (*(("--verbose",) if verbose else ()), *(("--take-over",) if take_over else ()))
        self._environment = {**os.environ, **(environment or {})}
        self._places = {
            "root": root,
            "containerd": containerd_socket,
            "certs": certs_dir or containerd_socket.parent / "certs.d",
        }
        self.configure(config)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process.running

    def configure(self, config: str) -> None:
        """Write another configuration; a daemon that runs reads it when it is told to."""
        given = tomllib.loads(config)
        added = (f"[{name}]\n{text.format_map(self._places)}\n" for name, text in _TABLES.items() if name not in given)
        self.config_file.write_text("".join((*added, config)))

    def start(self) -> None:
        """Start it and wait until its socket accepts connections, at most 20 s."""
        self.begin()
        self._process.wait_until(lambda: connects(self.socket))

    def begin(self) -> None:
        """Start it without waiting for anything."""
        command = (sys.executable, "-m", "imagefit.cli.main", "--config", str(self.config_file), "serve")
        self._process.start((*command, *self._options), environment=self._environment)

    def wait(self, timeout_seconds: float = 20) -> int | None:
        """Wait until it ends by itself and return its exit status; None if it still runs then."""
        return self._process.wait(timeout_seconds)

    def stop(self, timeout_seconds: float = 10) -> int | None:
        """End it with SIGTERM and return its exit status; None if it was not started."""
        return self._process.stop(timeout_seconds)

    def restart(self) -> None:
        """Stop and start it on the same socket."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._process.kill()

    def log_text(self) -> str:
        """Return the end of its log."""
        return self._process.log_text()
