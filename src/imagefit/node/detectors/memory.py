"""NUMA, swap and huge pages, from /sys and /proc/swaps.

Implements NFD ``source/memory/memory.go``.
"""

import re
from collections.abc import Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import HostView, NotThereError

NUMA_FEATURE: Final = "memory.numa"
SWAP_FEATURE: Final = "memory.swap"
HUGEPAGES_FEATURE: Final = "memory.hugepages"

_NODES: Final = "/sys/devices/system/node"
_SWAPS: Final = "/proc/swaps"
_MEMORY_MANAGEMENT: Final = "/sys/kernel/mm"
_HUGEPAGES: Final = "/sys/kernel/mm/hugepages"
_NODE: Final = re.compile(r"node\d+")
_HUGEPAGE_SIZE: Final = re.compile(r"hugepages-(\d+)kB")
_UNITS: Final = ("Ki", "Mi", "Gi", "Ti")
_UNIT: Final = 1024


class NumaDetector:
    """``is_numa`` and ``node_count``."""

    name = "memory-numa"
    features = (NUMA_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """List the memory nodes. Raises ``CannotLookError``."""
        return Facts(attributes={NUMA_FEATURE: parse_nodes(host.list_dir(_NODES))})


class SwapDetector:
    """``enabled``: ``true`` or ``false``."""

    name = "memory-swap"
    features = (SWAP_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the swap areas. Raises ``CannotLookError``."""
        return Facts(attributes={SWAP_FEATURE: {"enabled": _word(holds=has_swap(host.read_text(_SWAPS)))}})


class HugepagesDetector:
    """``enabled``, and per size such as ``hugepages-2Mi`` the number of pages that are set aside."""

    name = "memory-hugepages"
    features = (HUGEPAGES_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the pools. Raises ``CannotLookError``."""
        try:
            pools = host.list_dir(_HUGEPAGES)
        except NotThereError:
            # A kernel without huge pages has the directory above only.
            host.list_dir(_MEMORY_MANAGEMENT)
            pools = ()
        totals = {pool: host.read_text(f"{_HUGEPAGES}/{pool}/nr_hugepages") for pool in pools}
        return Facts(attributes={HUGEPAGES_FEATURE: parse_hugepages(totals)})


def parse_nodes(names: tuple[str, ...]) -> Attributes:
    """Count the memory nodes among the names in /sys/devices/system/node."""
    count = sum(1 for name in names if _NODE.fullmatch(name))
    return {"is_numa": _word(holds=count > 1), "node_count": str(count)}


def has_swap(text: str) -> bool:
    """Tell whether /proc/swaps has more than its heading."""
    return sum(1 for line in text.splitlines() if line.strip()) > 1


def parse_hugepages(totals: Mapping[str, str]) -> Attributes:
    """Read the pools.

    Args:
        totals: name in /sys/kernel/mm/hugepages, such as ``hugepages-2048kB`` → its ``nr_hugepages``.
    """
    sizes = {pool: found for pool in totals if (found := _HUGEPAGE_SIZE.fullmatch(pool))}
    pages = {f"hugepages-{_quantity(int(found[1]))}": totals[pool].strip() for pool, found in sizes.items()}
    return {"enabled": _word(holds=any(count.strip("0") for count in pages.values())), **pages}


def _quantity(size_kib: int) -> str:
    """Return a size as Kubernetes writes quantities: the largest unit that leaves it whole."""
    unit = 0
    while size_kib and size_kib % _UNIT == 0 and unit + 1 < len(_UNITS):
        size_kib //= _UNIT
        unit += 1
    return f"{size_kib}{_UNITS[unit]}"


def _word(*, holds: bool) -> str:
    return "true" if holds else "false"
