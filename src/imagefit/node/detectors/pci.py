"""PCI devices, from /sys/bus/pci.

Implements NFD ``source/pci/utils.go``, without its grouping of equal devices: every device is an instance.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.sysfs import VALUE_MAX_BYTES, list_devices

FEATURE: Final = "pci.device"

_BUSES: Final = "/sys/bus"
_DEVICES: Final = "/sys/bus/pci/devices"
_NEEDED: Final = ("class", "vendor", "device", "subsystem_vendor", "subsystem_device")
_OPTIONAL: Final = ("sriov_totalvfs", "iommu_group/type")
_CLASS_DIGITS: Final = 4


class PciDetector:
    """One instance per device, in the order of their addresses; devices that do not say what they are, are left out."""

    name = "pci"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all devices. Raises ``CannotLookError``."""
        addresses = list_devices(host, _DEVICES, _BUSES)
        devices = (parse_device(_values(host, f"{_DEVICES}/{address}")) for address in addresses)
        return Facts(instances={FEATURE: tuple(device for device in devices if device is not None)})


def _values(host: HostView, directory: str) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for name in (*_NEEDED, *_OPTIONAL):
        # A device may go away while it is read, and most lack the optional files.
        with suppress(CannotLookError):
            values[name] = host.read_text(f"{directory}/{name}", VALUE_MAX_BYTES)
    return values


def parse_device(values: Mapping[str, str]) -> Attributes | None:
    """Read one device.

    Args:
        values: file name → content, such as ``class`` → ``0x030200``.

    Returns:
        Numbers without ``0x`` and in lower-case, the class as its first four digits (class and subclass); None where
        one of the five numbers that every device has is missing.
    """
    if any(name not in values for name in _NEEDED):
        return None
    device = {name: value.strip().lower().removeprefix("0x") for name, value in values.items() if name in _NEEDED}
    device["class"] = device["class"][:_CLASS_DIGITS]
    return device | {name: value.strip() for name, value in values.items() if name in _OPTIONAL}
