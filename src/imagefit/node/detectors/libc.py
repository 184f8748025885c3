"""The host's C libraries, from the text inside their files; none of the host's programs is run.

Knows where distributions put them and how they name their version. Elements: ``glibc`` and ``musl``, a version each,
and NFD's ``name`` and ``version`` for the first of the two that is there (NFD ``source/system/libc.go``, which knows
no version of musl, and amd64 only).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError

FEATURE: Final = "system.libc"

_DIRECTORIES: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
# Machine → Debian's directory of that architecture and musl's name for it.
_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "aarch64": ("aarch64-linux-gnu", "aarch64"),
    "armv6l": ("arm-linux-gnueabihf", "armhf"),
    "armv7l": ("arm-linux-gnueabihf", "armhf"),
    "i686": ("i386-linux-gnu", "i386"),
    "loongarch64": ("loongarch64-linux-gnu", "loongarch64"),
    "ppc64le": ("powerpc64le-linux-gnu", "powerpc64le"),
    "riscv64": ("riscv64-linux-gnu", "riscv64"),
    "s390x": ("s390x-linux-gnu", "s390x"),
    "x86_64": ("x86_64-linux-gnu", "x86_64"),
}
_LIBRARY_MAX_BYTES: Final = 16 * 1024 * 1024
_GLIBC_BANNER: Final = b"GNU C Library "
_GLIBC_VERSION: Final = re.compile(rb"GNU C Library [^\n\0]{0,200}? version (\d+\.\d+(?:\.\d+)?)")
_MUSL_BANNER: Final = b"musl libc"
# The banner of musl is a format; its version is a string of its own.
_MUSL_VERSION: Final = re.compile(rb"(?<![0-9.])([01]\.[0-9]{1,2}\.[0-9]{1,3})(?:[-_][\w.-]{1,40})?\0")


class LibcDetector:
    """The C libraries and their versions; none where the usual directories hold none."""

    name = "libc"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Look where distributions put C libraries. Raises ``CannotLookError``."""
        triple, musl_name = _NAMES.get(host.machine, ("", ""))
        glibc = _version(host, _glibc_paths(triple), glibc_version)
        musl = _version(host, (f"/lib/ld-musl-{musl_name}.so.1",) if musl_name else (), musl_version)
        if not glibc and not musl and not any(map(host.exists, _DIRECTORIES)):
            raise NotThereError(f"none of {', '.join(_DIRECTORIES)}")
        if not glibc and not musl and host.machine not in _NAMES:
            raise CannotLookError(
                f"where C libraries lie on {host.machine or 'a machine of unknown name'} is not known"
            )
        return Facts(attributes={FEATURE: describe(glibc, musl)})


def describe(glibc: str, musl: str) -> Attributes:
    """Return the elements for two versions, each empty where that library is not there."""
    found = {name: version for name, version in (("glibc", glibc), ("musl", musl)) if version}
    first = next(iter(found.items()), None)
    return found if first is None else {**found, "name": first[0], "version": first[1]}


def glibc_version(content: bytes) -> str:
    """Return the version that a glibc library names in its banner, such as ``2.36``; empty for any other file."""
    start = content.find(_GLIBC_BANNER)
    found = None if start < 0 else _GLIBC_VERSION.match(content, start)
    return "" if found is None else found[1].decode()


def musl_version(content: bytes) -> str:
    """Return the version of a musl library, such as ``1.2.3``; empty for any other file."""
    found = _MUSL_VERSION.search(content) if _MUSL_BANNER in content else None
    return "" if found is None else found[1].decode()


def _glibc_paths(triple: str) -> Iterator[str]:
    if triple:
        yield f"/lib/{triple}/libc.so.6"
        yield f"/usr/lib/{triple}/libc.so.6"
    for directory in _DIRECTORIES:
        yield f"{directory}/libc.so.6"


def _version(host: HostView, paths: Iterable[str], read: Callable[[bytes], str]) -> str:
    for path in paths:
        try:
            version = read(host.read_bytes(path, _LIBRARY_MAX_BYTES))
        except NotThereError:
            continue
        if not version:
            raise CannotLookError(f"{path} names no version")
        return version
    return ""
