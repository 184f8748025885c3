"""A registry, near and far, a containerd and an imagefit: what a pull is timed on.

Knows how one pull is done in either way, how long imagefit's own steps took, and what the registry was asked. Leaves to
``pulls`` what is pulled and what becomes of the times.
"""

import contextlib
import http.client
import os
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from benchmarks.pulls_images import REFERRERS
from benchmarks.spending import memory_of
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import OCI_INDEX
from harness.process import ChildProcess, connects, free_port
from harness.registry import Registry

FAR_MS: Final = 50
"""Network delay of a round trip to the far registry."""

_HOSTS: Final = '[host."http://{address}"]\n  capabilities = ["pull", "resolve"]\n'
_CONFIG: Final = """\
[metrics]
listen = "127.0.0.1:{port}"

[[image]]
match = "*/{referrers}/*"
trust = ["index", "referrers"]
"""
# For so long imagefit shows the same metrics again.
_METRICS_SECONDS: Final = 1.1
_STEP: Final = re.compile(r'imagefit_step_seconds_sum\{step="(\w+)"\} (\S+)')


@dataclass(frozen=True, slots=True)
class Pulled:
    """One pull.

    Attributes:
        image_id: of what came.
        seconds: as the caller waited.
    """

    image_id: str
    seconds: float


class Site:
    """All parts, as they stand while pulls are measured.

    Attributes:
        registry: where images are pushed, and which counts.
        near: the registry's address; its round trips take no time but its own.
        far: the same registry's address behind a network.
    """

    def __init__(
        self, registry: Registry, far_port: int, containerd: Containerd, daemon: Daemon, metrics_port: int
    ) -> None:
        """Prepare to speak to all of them, which run."""
        self.registry = registry
        self.near, self.far = registry.address, f"127.0.0.1:{far_port}"
        self._daemon = daemon
        self._direct, self._through = CriClient(containerd.socket), CriClient(daemon.socket)
        self._metrics_port = metrics_port
        self._bare = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=10)

    def close(self) -> None:
        """Hang up."""
        self._bare.close()
        self._direct.close()
        self._through.close()

    def restart(self) -> None:
        """Have imagefit begin anew, as after an update."""
        self._daemon.restart()
        self._through.close()
        self._through = CriClient(self._daemon.socket)
        self._through.version()

    def direct(self, name: str) -> Pulled:
        """Pull by containerd alone."""
        return _timed(self._direct, name)

    def through(self, name: str) -> Pulled:
        """Pull through imagefit."""
        return _timed(self._through, name)

    def head(self, name: str) -> float:
        """Return the seconds of a bare HEAD for what a name of the near registry stands for.

        Its connection is kept, as imagefit keeps its own from one pull to the next.

        Args:
            name: without the registry, such as ``a/b:1``.

        Raises:
            RuntimeError: the registry does not know the name.
        """
        repository, _, tag = name.rpartition(":")
        started = time.perf_counter()
        self._bare.request("HEAD", f"/v2/{repository}/manifests/{tag}", headers={"Accept": OCI_INDEX})
        answer = self._bare.getresponse()
        answer.read()
        seconds = time.perf_counter() - started
        if answer.status != HTTPStatus.OK:
            raise RuntimeError(f"HEAD of {name}: {answer.status}")
        return seconds

    def memory(self) -> float:
        """Return the MB that imagefit has resident."""
        return memory_of(self._daemon.pid).resident

    def forget(self, image_id: str) -> None:
        """Have containerd remove an image with all its names and bytes."""
        self._direct.remove_image(image_id)

    @contextlib.contextmanager
    def asked(self) -> Iterator[Counter[str]]:
        """Count the registry's requests inside, by method, at its end."""
        counted: Counter[str] = Counter()
        self.registry.clear_requests()
        yield counted
        counted.update(request.method for request in self.registry.requests())

    @contextlib.contextmanager
    def fetched(self) -> Iterator[set[str]]:
        """Collect the digests of all that the registry was asked for inside, at its end."""
        digests: set[str] = set()
        self.registry.clear_requests()
        yield digests
        digests.update(one.path.rpartition("/")[2] for one in self.registry.requests() if one.method == "GET")

    @contextlib.contextmanager
    def steps(self) -> Iterator[dict[str, float]]:
        """Add up the seconds of imagefit's steps inside: ``resolve``, ``index``, ``judge``, ``pull`` …; at its end."""
        seconds: dict[str, float] = {}
        before = self._steps()
        yield seconds
        seconds.update((step, total - before.get(step, 0.0)) for step, total in self._steps().items())

    def _steps(self) -> dict[str, float]:
        time.sleep(_METRICS_SECONDS)
        connection = http.client.HTTPConnection("127.0.0.1", self._metrics_port, timeout=10)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return {step: float(seconds) for step, seconds in _STEP.findall(text)}


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Start all parts, and end them whatever happens inside."""
    root = Path(tempfile.mkdtemp(prefix="if-bench-"))
    try:
        with contextlib.ExitStack() as ending:
            registry = ending.enter_context(Registry(root / "r"))
            far_port = _relay(root, registry, ending)
            containerd = ending.enter_context(Containerd(root / "c"))
            for address in (registry.address, f"127.0.0.1:{far_port}"):
                containerd.configure_host(address, _HOSTS.format(address=address))
            metrics_port = free_port()
            config = _CONFIG.format(port=metrics_port, referrers=REFERRERS)
            daemon = ending.enter_context(Daemon(root / "d", containerd.socket, config, verbose=False))
            made = Site(registry, far_port, containerd, daemon, metrics_port)
            ending.callback(made.close)
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _relay(root: Path, registry: Registry, ending: contextlib.ExitStack) -> int:
    port = free_port()
    process = ChildProcess("the relay", root / "relay.log")
    command = (sys.executable, "-m", "benchmarks.pulls_relay", str(port), str(registry.port), str(FAR_MS / 2))
    ending.callback(process.stop)
    process.start(command, environment={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    process.wait_until(lambda: connects(("127.0.0.1", port)))
    return port


def _timed(client: CriClient, name: str) -> Pulled:
    started = time.perf_counter()
    image_id = client.pull(name)
    return Pulled(image_id, time.perf_counter() - started)
