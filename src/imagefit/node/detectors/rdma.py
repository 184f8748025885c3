"""RDMA devices (InfiniBand, RoCE, iWARP), from /sys/class/infiniband.

Knows which of a device's files say what it is, and which of its ports stands for it. What identifies one piece of
hardware (GUIDs) is not kept. Source: Linux ``Documentation/ABI/stable/sysfs-class-infiniband``. NFD has no such
feature.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.sysfs import list_devices, read_values

FEATURE: Final = "rdma.device"

_CLASSES: Final = "/sys/class"
_DEVICES: Final = "/sys/class/infiniband"
_OF_DEVICE: Final = ("node_type", "fw_ver", "board_id", "hca_type")
_OF_PORT: Final = ("link_layer", "state", "rate")
_ACTIVE: Final = "ACTIVE"
# Some files put the kernel's number before its word: "4: ACTIVE".
_NUMBERED: Final = re.compile(r"\d+: *(.*)")
_GIGABITS: Final = re.compile(r"([\d.]+) Gb/sec\b")


class RdmaDetector:
    """One instance per device, in the order of their names."""

    name = "rdma"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all devices. Raises ``CannotLookError``."""
        names = list_devices(host, _DEVICES, _CLASSES)
        return Facts(instances={FEATURE: tuple(_device(host, name) for name in names)})


def _device(host: HostView, name: str) -> Attributes:
    directory = f"{_DEVICES}/{name}"
    ports = [read_values(host, f"{directory}/ports/{port}", _OF_PORT) for port in _names(host, f"{directory}/ports")]
    network = _names(host, f"{directory}/device/net")
    return describe(name, read_values(host, directory, _OF_DEVICE), ports, network)


def _names(host: HostView, directory: str) -> tuple[str, ...]:
    with suppress(CannotLookError):
        return host.list_dir(directory)
    return ()


def describe(
    name: str, values: Mapping[str, str], ports: Iterable[Mapping[str, str]], network: Iterable[str]
) -> Attributes:
    """Return the elements of one device.

    Args:
        name: such as ``mlx5_0``.
        values: file name → content, of the device.
        ports: the same of each port; the first one that is active stands for all, else the first one.
        network: names of the network devices on the same hardware.

    Returns:
        ``name``, the files' values without the kernel's numbers, the ``rate_gbps`` of a rate such as ``100 Gb/sec (4X
        EDR)``, the number of ``ports`` and, where there is one, the first network device as ``net``.
    """
    shown = [{file: _word(content) for file, content in port.items()} for port in ports]
    port = next((one for one in shown if one.get("state") == _ACTIVE), shown[0] if shown else {})
    gigabits = _GIGABITS.match(port.get("rate", ""))
    device = {"name": name, **{file: _word(content) for file, content in values.items()}, **port}
    more = {"rate_gbps": gigabits[1] if gigabits else "", "net": next(iter(network), "")}
    return {file: value for file, value in (device | more).items() if value} | {"ports": str(len(shown))}


def _word(content: str) -> str:
    value = content.strip()
    found = _NUMBERED.fullmatch(value)
    return found[1] if found else value
