"""Kernel modules, from /proc/modules and the list of those that are built in.

Implements NFD ``source/kernel/modules.go``, with ``-`` in names written ``_`` as the kernel does once it is loaded.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView, NotThereError

LOADED_FEATURE: Final = "kernel.loadedmodule"
ENABLED_FEATURE: Final = "kernel.enabledmodule"

_OSRELEASE: Final = "/proc/sys/kernel/osrelease"
_MODULES: Final = "/proc/modules"
_BUILT_IN: Final = ("/lib/modules/{release}/modules.builtin", "/usr/lib/modules/{release}/modules.builtin")


class LoadedModulesDetector:
    """Modules that are loaded."""

    name = "kernel-loaded-modules"
    features = (LOADED_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the kernel's list. Raises ``CannotLookError``."""
        return Facts(flags={LOADED_FEATURE: parse_loaded(host.read_text(_MODULES))})


class EnabledModulesDetector:
    """Modules that are loaded or built in; known only where both lists are."""

    name = "kernel-enabled-modules"
    features = (ENABLED_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read both lists. Raises ``CannotLookError``."""
        built_in = parse_built_in(_built_in(host))
        return Facts(flags={ENABLED_FEATURE: built_in | parse_loaded(host.read_text(_MODULES))})


def _built_in(host: HostView) -> str:
    release = host.read_text(_OSRELEASE).strip()
    for pattern in _BUILT_IN:
        try:
            return host.read_text(pattern.format(release=release))
        except NotThereError:
            continue
    raise NotThereError(f"no modules.builtin of {release}")


def parse_loaded(text: str) -> frozenset[str]:
    """Read /proc/modules: the first word of each line."""
    return frozenset(line.split(maxsplit=1)[0].replace("-", "_") for line in text.splitlines() if line.strip())


def parse_built_in(text: str) -> frozenset[str]:
    """Read modules.builtin: one path per line, such as ``kernel/fs/ext4/ext4.ko``."""
    names = (line.strip().rpartition("/")[2] for line in text.splitlines())
    return frozenset(name.removesuffix(".ko").replace("-", "_") for name in names if name.endswith(".ko"))
