"""Non-volatile memory, from /sys/bus/nd.

Implements NFD ``source/memory/memory.go`` (``detectNv``): regions, namespaces and what else is on the bus.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView
from imagefit.node.sysfs import list_devices, read_values

FEATURE: Final = "memory.nv"

_BUSES: Final = "/sys/bus"
_DEVICES: Final = "/sys/bus/nd/devices"
_FILES: Final = ("devtype", "mode")


class NvdimmDetector:
    """One instance per device: ``name`` and, where it has them, ``devtype`` and ``mode``."""

    name = "memory-nv"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all devices. Raises ``CannotLookError``."""
        names = list_devices(host, _DEVICES, _BUSES)
        devices = ({"name": name, **read_values(host, f"{_DEVICES}/{name}", _FILES)} for name in names)
        return Facts(instances={FEATURE: tuple(devices)})
