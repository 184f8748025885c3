"""What the kernel was configured with, from /proc/config.gz or the file that the distribution ships.

Implements NFD ``source/kernel/kconfig.go``: names without ``CONFIG_``, values ``y``, ``m``, numbers, unquoted strings.
"""

import re
import zlib
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError

FEATURE: Final = "kernel.config"

_OSRELEASE: Final = "/proc/sys/kernel/osrelease"
_RUNNING: Final = "/proc/config.gz"
_SHIPPED: Final = (
    "/boot/config-{release}",
    "/lib/modules/{release}/config",
    "/usr/lib/modules/{release}/config",
    "/usr/lib/ostree-boot/config-{release}",
    "/usr/lib/kernel/config-{release}",
    "/usr/src/linux-headers-{release}/.config",
    "/lib/modules/{release}/build/.config",
)
_FILE_MAX_BYTES: Final = 4 * 1024 * 1024
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_OPTION: Final = re.compile(r"^CONFIG_([A-Za-z0-9_]+)=(.*)$", re.MULTILINE)


class KernelConfigDetector:
    """Option → value; options that are not set are absent."""

    name = "kernel-config"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the first configuration of the running kernel that is there. Raises ``CannotLookError``."""
        try:
            content = expand(host.read_bytes(_RUNNING, _FILE_MAX_BYTES), _FILE_MAX_BYTES)
        except NotThereError:
            content = _shipped(host)
        return Facts(attributes={FEATURE: parse_config(content.decode("utf-8", "replace"))})


def _shipped(host: HostView) -> bytes:
    release = host.read_text(_OSRELEASE).strip()
    for pattern in _SHIPPED:
        try:
            return host.read_bytes(pattern.format(release=release), _FILE_MAX_BYTES)
        except NotThereError:
            continue
    raise NotThereError(f"neither {_RUNNING} nor a configuration file of {release}")


def expand(content: bytes, limit_bytes: int) -> bytes:
    """Return what a gzip file holds.

    Raises:
        CannotLookError: it is none, is cut short or holds more than the limit.
    """
    decoder = zlib.decompressobj(_GZIP_WINDOW)
    try:
        expanded = decoder.decompress(content, limit_bytes)
    except zlib.error as error:
        raise CannotLookError(f"{_RUNNING}: {error}") from error
    if not decoder.eof:
        raise CannotLookError(f"{_RUNNING} is cut short or holds more than {limit_bytes} bytes")
    return expanded


def parse_config(text: str) -> Attributes:
    """Read the lines ``CONFIG_X=value``; comments, among them ``# CONFIG_X is not set``, are no options."""
    return {name: _unquoted(value.rstrip(" \t\r")) for name, value in _OPTION.findall(text)}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
