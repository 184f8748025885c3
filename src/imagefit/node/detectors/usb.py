"""USB devices, from /sys/bus/usb.

Knows that a device may leave its class to its interfaces, which stand beside it under its name and a colon.
Implements NFD ``source/usb/utils.go``; two interfaces of one class are one instance here, since they would be equal.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import HostView
from imagefit.node.sysfs import list_devices, read_values

FEATURE: Final = "usb.device"

_BUSES: Final = "/sys/bus"
_DEVICES: Final = "/sys/bus/usb/devices"
_FILES: Final = {"class": "bDeviceClass", "vendor": "idVendor", "device": "idProduct", "serial": "serial"}
_CLASS_OF_INTERFACE: Final = "bInterfaceClass"
_CLASS_BY_INTERFACE: Final = "00"


class UsbDetector:
    """One instance per device and class: ``class``, ``vendor``, ``device`` and, where it has one, ``serial``."""

    name = "usb"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all devices, hubs included. Raises ``CannotLookError``."""
        interfaces = interfaces_of(list_devices(host, _DEVICES, _BUSES))
        instances = (one for device, below in interfaces.items() for one in _read(host, device, below))
        return Facts(instances={FEATURE: tuple(instances)})


def _read(host: HostView, name: str, interfaces: Iterable[str]) -> Iterator[Attributes]:
    device = parse_device(read_values(host, f"{_DEVICES}/{name}", _FILES.values()))
    if device.get("class") == _CLASS_BY_INTERFACE:
        values = (read_values(host, f"{_DEVICES}/{one}", (_CLASS_OF_INTERFACE,)) for one in interfaces)
        yield from by_class(device, (one.get(_CLASS_OF_INTERFACE, "") for one in values))
    elif device:
        yield device


def interfaces_of(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return each device with its interfaces, such as ``1-2`` → (``1-2:1.0``,), in the order of the names."""
    found: dict[str, list[str]] = {}
    for name in names:
        device, colon, _ = name.partition(":")
        found.setdefault(device, []).extend((name,) if colon else ())
    return {device: tuple(interfaces) for device, interfaces in found.items()}


def parse_device(values: Attributes) -> Attributes:
    """Return NFD's elements for the files of a device, file name → content; those that are empty are left out."""
    return {element: values[file] for element, file in _FILES.items() if values.get(file)}


def by_class(device: Attributes, classes: Iterable[str]) -> Iterator[Attributes]:
    """Yield a device once per class of its interfaces, in their order; an interface without a class is left out."""
    for interface_class in dict.fromkeys(classes):
        if interface_class:
            yield {**device, "class": interface_class}
