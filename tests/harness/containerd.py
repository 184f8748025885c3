"""A real containerd with its CRI plugin, in a folder of its own.

Knows containerd's configuration, and what it leaves on a machine: shims, mounts, control groups. Leaves to ``cri`` what
is asked over its socket. Its records are read with containerd's public Images API, v1
(``proto/containerd_client.proto``).
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc

from harness.cri import CGROUP_PARENT, CriClient
from harness.process import ChildProcess, HarnessError, connects
from harness.proto import containerd_client_pb2 as messages

BINARY = "containerd"
_SOCKET_MAX_CHARACTERS = 90  # 108 less containerd's own ending, ".ttrpc"
_LIST_IMAGES = "/containerd.services.images.v1.Images/List"
_CRI_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_MNT_DETACH = 2
_CGROUPS = Path("/sys/fs/cgroup")

_CONFIGURATION = """\
version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.restart",
  "io.containerd.internal.v1.tracing",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{sandbox_image}"
  stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{root}/cni/bin"
  conf_dir = "{root}/cni/conf"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{root}/runc"
  SystemdCgroup = false

{registry}
"""
_FOLDERS = """\
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{certs}:{more}"
"""


def major_version() -> int:
    """Return the first number of the installed containerd's version."""
    said = subprocess.run((BINARY, "--version"), check=True, capture_output=True, text=True).stdout
    return int(said.split()[2].removeprefix("v").partition(".")[0])


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A name that containerd keeps for an image, and the content that it points at."""

    name: str
    digest: str
    media_type: str
    size: int
    labels: dict[str, str]


class Containerd:
    """A containerd whose content, state, socket and logs stand in one folder, deleted when it stops."""

    def __init__(self, root: Path, sandbox_image: str = "", registries: str = "") -> None:
        """Prepare the folder.

        Args:
            root: made here if it is not there; its path must be short.
            sandbox_image: what every pod's sandbox runs; without it no pod can run.
            registries: tables of its configuration that say how registries are reached; without them the folders
                ``certs_dir`` and, after it, ``more_certs_dir`` do, which is made by who needs it.

        Raises:
            HarnessError: a socket under ``root`` would have too long a path, or this is not root.
        """
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.socket = root / "c.sock"
        self.config_file = root / "config.toml"
        self.sandbox_image = sandbox_image
        self.certs_dir = root / "certs.d"
        self.certs_dir.mkdir(exist_ok=True)
        self.more_certs_dir = root / "more-certs.d"
        self._registries = registries or _FOLDERS.format(certs=self.certs_dir, more=self.more_certs_dir)
        self._process = ChildProcess("containerd", root / "containerd.log")
        if len(str(self.socket)) > _SOCKET_MAX_CHARACTERS:
            raise HarnessError(f"the path of {self.socket} is too long for a socket")
        if os.geteuid() != 0:
            raise HarnessError("containerd needs root: run the tests as root")
        self.snapshotter = "overlayfs" if _overlay_works(root / "overlay") else "native"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until CRI answers on its socket, at most 20 s."""
        self.config_file.write_text(
            _CONFIGURATION.format(
                root=self.root,
                socket=self.socket,
                sandbox_image=self.sandbox_image,
                snapshotter=self.snapshotter,
                registry=self._registries,
            )
        )
        self._process.start((BINARY, "--config", str(self.config_file)))
        self._process.wait_until(lambda: connects(self.socket))
        with CriClient(self.socket) as cri:
            self._process.wait_until(lambda: _answers(cri))

    def restart(self) -> None:
        """Stop and start it as a service manager does: pods live on, content and records stay."""
        self._process.stop()
        self.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process.running

    def halt(self) -> None:
        """End it in order and keep everything: ``start`` brings it back with what it had."""
        self._process.stop()

    def kill(self) -> None:
        """End it at once, as a crash does: ``start`` brings it back with what it had."""
        self._process.kill()

    def stop(self) -> None:
        """End its pods, containerd, what is left of them, and delete the folder. Stopping twice does no harm."""
        if self._process.running:
            self._remove_pods()
        self._process.stop()
        self._end_shims()
        for mount in sorted(self._mounts(), key=len, reverse=True):
            _unmount(mount)
        shutil.rmtree(self.root, ignore_errors=True)
        _remove_cgroups()

    def configure_host(self, host: str, hosts_toml: str) -> None:
        """Write how a registry is reached: the text of ``certs.d/<host>/hosts.toml``; it counts from the next pull."""
        _write_hosts(self.certs_dir / host, hosts_toml)

    def configure_host_second(self, host: str, hosts_toml: str) -> None:
        """Write the same into ``more_certs_dir``, where it counts if the first folder has nothing for the host."""
        _write_hosts(self.more_certs_dir / host, hosts_toml)

    def forget_hosts(self) -> None:
        """Remove all that was written of how registries are reached."""
        for folder in (self.certs_dir, self.more_certs_dir):
            shutil.rmtree(folder, ignore_errors=True)
        self.certs_dir.mkdir()

    def records(self) -> dict[str, ImageRecord]:
        """Return every image record of CRI's namespace by its name, as containerd itself lists them."""
        with grpc.insecure_channel(
            f"unix:{self.socket}", options=(("grpc.default_authority", "localhost"),)
        ) as channel:
            call = channel.unary_unary(
                _LIST_IMAGES,
                request_serializer=messages.ListImagesRequest.SerializeToString,
                response_deserializer=messages.ListImagesResponse.FromString,
            )
            reply = call(messages.ListImagesRequest(), metadata=_CRI_NAMESPACE, timeout=10)
        return {image.name: _record(image) for image in reply.images}

    def log_text(self) -> str:
        """Return the end of its log."""
        return self._process.log_text()

    def shims(self) -> list[int]:
        """Return the process ids of the shims that this containerd started."""
        address = str(self.socket)
        return [
            pid
            for pid, words in _command_lines()
            if Path(words[0]).name.startswith("containerd-shim") and address in words
        ]

    def _remove_pods(self) -> None:
        with CriClient(self.socket) as cri, contextlib.suppress(grpc.RpcError):
            for pod in cri.list_pods():
                cri.remove_pod(pod)

    def _end_shims(self) -> None:
        # A shim that no containerd stops any more keeps its containers: they are its children.
        for shim in self.shims():
            for pid in (*_children(shim), shim):
                _end(pid)
        # Shims listen outside of containerd's folder, where only an orderly end removes the socket.
        for address in self.root.glob("state/io.containerd.runtime.v2.task/*/*/address"):
            Path(address.read_text().strip().removeprefix("unix://")).unlink(missing_ok=True)

    def _mounts(self) -> list[str]:
        points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
        return [point for point in points if Path(point).is_relative_to(self.root)]


def _write_hosts(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.toml").write_text(text)


def _record(image: messages.Image) -> ImageRecord:
    target = image.target
    return ImageRecord(image.name, target.digest, target.media_type, target.size, dict(image.labels))


def _answers(cri: CriClient) -> bool:
    # Version answers before the plugin has read what containerd already has; ListImages only after.
    try:
        cri.version()
        cri.list_images()
    except grpc.RpcError:
        return False
    return True


def _overlay_works(folder: Path) -> bool:
    # Not where the folder itself stands on an overlay, as in most containers.
    lower, upper, work, merged = (folder / name for name in ("lower", "upper", "work", "merged"))
    for directory in (lower, upper, work, merged):
        directory.mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}".encode()
    works: bool = _libc().mount(b"overlay", bytes(merged), b"overlay", 0, options) == 0
    if works:
        _unmount(str(merged))
    shutil.rmtree(folder)
    return works


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _unmount(path: str) -> None:
    _libc().umount2(os.fsencode(path), _MNT_DETACH)


def _command_lines() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
            yield int(folder.name), words


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        found = (task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children"))
        return [int(child) for words in found for child in words]
    return []


def _end(pid: int, timeout_seconds: float = 5) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + timeout_seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.005)


def _remove_cgroups() -> None:
    # Only empty ones can be removed: those of another session that runs now stay.
    name = CGROUP_PARENT.strip("/")
    for parent in (*_CGROUPS.glob(f"*/{name}"), *_CGROUPS.glob(name)):
        for folder, _, _ in os.walk(parent, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
