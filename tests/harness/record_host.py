"""Records what the detectors read on the running machine as a small tree, without what would identify the machine.

Knows which content identifies a machine and what stands in its place. What is read is not listed anywhere: it is
traced, so that a new detector's files are recorded without a change here. Leaves the facts to the detectors.

Usage: ``PYTHONPATH=src:tests python tests/harness/record_host.py tests/hosts/recorded-NAME``, then read every file.
"""

import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from imagefit.node.collect import Collected, collect
from imagefit.node.contract import FILE_MAX_BYTES, HostView

_CPUS_MAX: Final = 2
_OSRELEASE: Final = "/proc/sys/kernel/osrelease"
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_PLACEHOLDER: Final = "empty"

# What an operator wrote is the operator's: no part of it is recorded.
_NOT_RECORDED: Final = ("/etc/imagefit/", "/etc/kubernetes/")
# Directories that every machine has: all that detectors ask is that they are there, and the names in them tell much.
_LISTED_TO_EXIST: Final = frozenset({
    "/etc", "/sys", "/sys/bus", "/sys/class", "/sys/devices", "/sys/devices/system", "/sys/devices/system/cpu",
    "/sys/firmware", "/sys/fs", "/sys/kernel/mm", "/sys/module",
})  # fmt: skip
# Parameters that say nothing about who runs the machine; all others are left out, with their values.
_CMDLINE_KEPT: Final = re.compile(
    r"(?<!\S)(quiet|ro|rw|nomodule|nosmt|panic=\d+|console=[\w,]+|iommu=pt"
    r"|(?:default_)?hugepagesz?=\w+|(?:isolcpus|nohz_full|rcu_nocbs)=[\d,-]+)(?!\S)"
)
_CONFIG_KEPT: Final = re.compile(
    rb"CONFIG_(?:64BIT|X86_64|ARM64|SMP|NUMA|HZ|PREEMPT\w*|MODULES|CGROUPS|NAMESPACES|SECCOMP|BPF|BPF_SYSCALL|HUGETLBFS"
    rb"|TRANSPARENT_HUGEPAGE|OVERLAY_FS|EXT4_FS|XFS_FS|BTRFS_FS|KVM|VIRTIO_NET|VIRTIO_BLK|NF_TABLES|VXLAN)=[\w]+\n"
)
_OS_RELEASE_KEPT: Final = re.compile(
    r"(?:NAME|PRETTY_NAME|ID|ID_LIKE|VERSION|VERSION_ID|VERSION_CODENAME|VARIANT_ID)=.*"
)
_SWAP_AREA: Final = re.compile(r"(?m)^/\S+")
# Numbers that are unique to one machine, wherever they stand.
_UNIQUE: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "00000000-0000-0000-0000-000000000000"),
    (re.compile(r"(?<![\w:])[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,19}(?![\w:])"), "00:00:00:00:00:00"),
    (re.compile(r"(?<![\w:])[0-9a-fA-F]{4}(?::[0-9a-fA-F]{4}){3,7}(?![\w:])"), "0000:0000:0000:0000"),
    (re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"), "0.0.0.0"),  # noqa: S104 - stands for any address
    (re.compile(r"(?m)^(Serial\s*:|identification\s*:|unique_id|hive_id).*"), r"\1 0"),
    (re.compile(r"(identification = )\w+"), r"\g<1>000000"),
)
_GLIBC: Final = re.compile(rb"GNU C Library [^\n\0]{0,200}\n")
_MUSL: Final = re.compile(rb"musl libc[^\n\0]{0,40}\n")
_MUSL_VERSION: Final = re.compile(rb"(?<![0-9.])[01]\.[0-9]{1,2}\.[0-9]{1,3}\0")


class TracingHost(HostView):
    """A host that remembers what was read of it.

    Attributes:
        contents: path → the longest content that a read of it returned.
        listed: directories and the names in them.
        found: paths that were asked for and are there.
    """

    def __init__(self, root: str | Path = "/", machine: str | None = None) -> None:
        """Take what ``HostView`` takes."""
        super().__init__(root, machine)
        self.contents: dict[str, bytes] = {}
        self.listed: dict[str, tuple[str, ...]] = {}
        self.found: set[str] = set()

    def read_start(self, path: str, size_bytes: int) -> bytes:
        """Read and remember."""
        content = super().read_start(path, size_bytes)
        self.contents[path] = max(content, self.contents.get(path, b""), key=len)
        return content

    def read_trusted(self, path: str, limit_bytes: int = FILE_MAX_BYTES) -> bytes:
        """Read and remember."""
        self.contents[path] = content = super().read_trusted(path, limit_bytes)
        return content

    def list_dir(self, path: str) -> tuple[str, ...]:
        """List and remember."""
        self.listed[path] = names = super().list_dir(path)
        return names

    def exists(self, path: str) -> bool:
        """Look and remember."""
        if is_there := super().exists(path):
            self.found.add(path)
        return is_there


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded.

    Attributes:
        collected: what the detectors found on the machine itself.
        machine: its name, as ``uname -m`` prints it.
        scrubbed: paths whose content was changed or left out.
    """

    collected: Collected
    machine: str
    scrubbed: frozenset[str] = field(default_factory=frozenset)


def record(target: Path, root: str | Path = "/") -> Recording:
    """Write what the detectors read below ``root`` to ``target``, a new directory."""
    host = TracingHost(root)
    collected = collect(host)
    release = host.contents.get(_OSRELEASE, b"").decode().strip()
    scrubbed: set[str] = set()
    for path, content in host.contents.items():
        kept = scrub(path, content)
        if kept != content:
            scrubbed.add(path)
        if kept is not None:
            _write(target, _renamed(path, release), kept)
    for path in sorted({*_there(host), *host.found}, reverse=True):
        if not path.startswith(_NOT_RECORDED):
            _stand_in(target, Path(root), path, host)
    return Recording(collected, host.machine, frozenset(scrubbed))


def _there(host: TracingHost) -> Iterator[str]:
    """Yield directories that were listed, and what is in them where that may matter."""
    for directory, names in host.listed.items():
        yield directory
        if directory not in _LISTED_TO_EXIST:
            yield from (f"{directory}/{name}" for name in names)


def scrub(path: str, content: bytes) -> bytes | None:
    """Return what of a file may be shown, or None where nothing may.

    Args:
        path: as the host sees it.
        content: all that was read of it.
    """
    if path.startswith(_NOT_RECORDED):
        return None
    name = PurePosixPath(path).name
    if name.startswith(("libc.so", "ld-musl-")):
        return _banner(content)
    if name.startswith("config") and b"CONFIG_" in (plain := _expanded(content)):
        kept = b"".join(_CONFIG_KEPT.findall(plain))
        return gzip.compress(kept, mtime=0) if plain != content else kept
    text = content.decode("utf-8", "replace")
    for pattern, stand_in in _UNIQUE:
        text = pattern.sub(stand_in, text)
    rule = next((rule for suffix, rule in _RULES.items() if path.endswith(suffix)), None)
    if rule is None and "/dmi/id/" in path:
        rule = _recorded
    return (text if rule is None else rule(text)).encode()


def _banner(content: bytes) -> bytes:
    """Return what stands for a C library: the lines that say which one it is."""
    kept = [_GLIBC] if _GLIBC.search(content) else [_MUSL, _MUSL_VERSION]
    return b"ELF not a library " + b"".join(found[0] for part in kept if (found := part.search(content)))


def _cpuinfo(text: str) -> str:
    return "\n\n".join(text.strip("\n").split("\n\n")[:_CPUS_MAX]) + "\n"


def _cmdline(text: str) -> str:
    return " ".join(_CMDLINE_KEPT.findall(text)) + "\n"


def _release(text: str) -> str:
    found = re.match(r"[\d.]*\d", text)
    return f"{found[0] if found else '0'}\n"


def _os_release(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if _OS_RELEASE_KEPT.fullmatch(line))


def _swaps(text: str) -> str:
    return _SWAP_AREA.sub("/swap", text)


def _recorded(_: str) -> str:
    return "recorded\n"


_RULES: Final[Mapping[str, Callable[[str], str]]] = {
    "/proc/cpuinfo": _cpuinfo,
    "/proc/cmdline": _cmdline,
    _OSRELEASE: _release,
    "/os-release": _os_release,
    "/proc/swaps": _swaps,
    "/hostname": _recorded,
    "/serial": _recorded,
    "/address": _recorded,
    "/node_guid": _recorded,
    "/sys_image_guid": _recorded,
    "/unique_id": _recorded,
    "/node_desc": _recorded,
}


def _expanded(content: bytes) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_WINDOW).decompress(content)
    except zlib.error:
        return content


def _renamed(path: str, release: str) -> str:
    """Return where a file lies once the kernel has no local name any more."""
    return path.replace(release, _release(release).strip()) if release else path


def _write(target: Path, path: str, content: bytes) -> None:
    file = target / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _stand_in(target: Path, root: Path, path: str, host: TracingHost) -> None:
    """Make that something is there, for a detector that asks no more than that."""
    here, there = target / path.lstrip("/"), root / path.lstrip("/")
    if here.exists():
        return
    if not there.is_dir():
        here.parent.mkdir(parents=True, exist_ok=True)
        here.touch()
        return
    here.mkdir(parents=True)
    # git keeps no empty directory. In one whose names count, a file would be a finding.
    if path not in host.listed or path in _LISTED_TO_EXIST:
        (here / _PLACEHOLDER).touch()


if __name__ == "__main__":
    for changed in sorted(record(Path(sys.argv[1])).scrubbed):
        sys.stdout.write(f"scrubbed: {changed}\n")
