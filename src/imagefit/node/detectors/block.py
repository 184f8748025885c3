"""Block devices, from /sys/block.

Implements NFD ``source/storage/storage.go``: disks, and loop devices and mapped ones all the same; no partitions.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView
from imagefit.node.sysfs import list_devices, read_values

FEATURE: Final = "storage.block"

_DEVICES: Final = "/sys/block"
_CLASSES: Final = "/sys/class"
_FILES: Final = ("queue/dax", "queue/rotational", "queue/nr_zones", "queue/zoned")


class BlockDetector:
    """One instance per device: ``name``, ``dax``, ``rotational``, ``nr_zones`` and ``zoned``."""

    name = "storage-block"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all devices. Raises ``CannotLookError``."""
        names = list_devices(host, _DEVICES, _CLASSES)
        devices = ({"name": name, **read_values(host, f"{_DEVICES}/{name}", _FILES)} for name in names)
        return Facts(instances={FEATURE: tuple(devices)})
