"""Targets: the detectors on a host whose files hold anything, and the files that operators and tools write for them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from fuzz.contract import Target, text_of
from imagefit.node.contract import CannotLookError, Detector, HostView
from imagefit.node.cpuinfo import machine_of
from imagefit.node.detectors import DETECTORS
from imagefit.node.detectors.facts_d import parse_facts
from imagefit.node.detectors.features_d import parse_feature_file

_SEPARATOR: Final = b"\n===\n"
_DETECTORS: Final[Mapping[str, Detector]] = {one.name: one for one in DETECTORS if one.name != "nvml"}  # reads no file
# Names that some detector or other looks for in a directory; an input may add its own.
_NAMES: Final = ("0", "0000:00:01.0", "1-2", "1-2:1.0", "a.toml", "cpu0", "eth0", "hugepages-2048kB", "node0", "sda")
_NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)


class _Host(HostView):
    """A host whose files hold what is given, in the order in which they are first read."""

    def __init__(self, machine: str, names: list[str], parts: list[bytes]) -> None:
        super().__init__("/nowhere", machine)
        self._names = tuple(sorted({*_NAMES, *(name for name in names if name.isprintable() and name)}))
        self._parts = parts
        self._known: dict[str, bytes] = {}

    def read_start(self, path: str, size_bytes: int) -> bytes:
        if path not in self._known:
            if not self._parts:
                raise CannotLookError(path)
            self._known[path] = self._parts[len(self._known) % len(self._parts)]
        return self._known[path][:size_bytes]

    def read_trusted(self, path: str, limit_bytes: int = 1024 * 1024) -> bytes:
        return self.read_bytes(path, limit_bytes)

    def list_dir(self, path: str) -> tuple[str, ...]:
        return self._names

    def exists(self, path: str) -> bool:
        return len(path) % 7 != 0


def _detect(content: bytes) -> None:
    """Take a detector, a machine and names of files, each on a line; then the files."""
    head, *parts = content.split(_SEPARATOR)
    name, machine, *names = [*text_of(head).split("\n", 16), "", ""]
    if name in _DETECTORS:
        _DETECTORS[name].detect(_Host(machine, names, parts))


def _feature_file(content: bytes) -> None:
    features, labels, faults = parse_feature_file(text_of(content), _NOW)
    assert all(isinstance(value, str) for value in (*features.values(), *labels.values(), *faults))


def _cpuinfo(content: bytes) -> None:
    assert machine_of(text_of(content)) is not None


def targets() -> Iterator[Target]:
    """Yield the targets."""
    words = (b"flags\t\t: ", b"CPU implementer\t: 0x", b"processor\t: 0\n", b"0x", b"\0", b"\xd9\xa3")
    names = tuple(f"{name}\n".encode() for name in (*_DETECTORS, "x86_64", "aarch64", "ppc64le", "riscv64", "s390x"))
    yield Target("host", _detect, (CannotLookError,), (_SEPARATOR, *words, *names), 1024 * 1024)
    directives = (b"# +expiry-time=", b"# +no-feature", b"# +no-label", b"2030-07-28T11:22:33Z", b"=", b"\n")
    yield Target("feature-file", _feature_file, (), directives, 64 * 1024)
    tables = (b"[facts]\n", b"[flags]\n", b'[attributes."', b'[[instances."', b"a.b.c = ", b"[[", b"inf", b"1e400")
    yield Target("facts-file", parse_facts, (ValueError,), tables, 64 * 1024)
    yield Target("cpuinfo", _cpuinfo, (), words, 64 * 1024)
