"""Network devices, from /sys/class/net.

Knows that a device is of hardware where sysfs links it to some. Implements NFD ``source/network/network.go``.
"""

from collections.abc import Iterable
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import HostView
from imagefit.node.sysfs import list_devices, read_values

DEVICE_FEATURE: Final = "network.device"
VIRTUAL_FEATURE: Final = "network.virtual"

_CLASSES: Final = "/sys/class"
_DEVICES: Final = "/sys/class/net"
_NO_DEVICES: Final = frozenset({"bonding_masters"})
_OF_ALL: Final = ("operstate", "speed")
_OF_HARDWARE: Final = (*_OF_ALL, "device/sriov_numvfs", "device/sriov_totalvfs")


class NetworkDetector:
    """One instance per device: ``name``, ``operstate``, ``speed`` and, of hardware, ``sriov_numvfs``/``totalvfs``."""

    name = "network"
    features = (DEVICE_FEATURE, VIRTUAL_FEATURE)

    def detect(self, host: HostView) -> Facts:
        """Read all devices. Raises ``CannotLookError``."""
        names = [name for name in list_devices(host, _DEVICES, _CLASSES) if name not in _NO_DEVICES]
        hardware = [name for name in names if host.exists(f"{_DEVICES}/{name}/device")]
        virtual = [name for name in names if name not in set(hardware)]
        devices = {
            DEVICE_FEATURE: _read(host, hardware, _OF_HARDWARE),
            VIRTUAL_FEATURE: _read(host, virtual, _OF_ALL),
        }
        return Facts(instances=devices)


def _read(host: HostView, names: Iterable[str], files: Iterable[str]) -> tuple[Attributes, ...]:
    # A device that is down refuses to tell its speed.
    return tuple({"name": name, **read_values(host, f"{_DEVICES}/{name}", files)} for name in names)
