"""Who made the machine, as its firmware tells the kernel, from /sys/devices/virtual/dmi.

Knows which of the strings NFD shows. Leaves out serial numbers and UUIDs, which only root reads and NFD does not show.
Implements NFD ``source/system/system.go``: 0.18 has the first two, later ones have all.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.sysfs import is_there, read_values

FEATURE: Final = "system.dmiid"

_DEVICES: Final = "/sys/devices"
_DMI: Final = "/sys/devices/virtual/dmi/id"
_FILES: Final = (
    *("sys_vendor", "product_name", "product_family", "product_sku", "product_version"),
    *("bios_date", "bios_vendor", "bios_version"),
    *("board_asset_tag", "board_name", "board_vendor", "board_version"),
    *("chassis_asset_tag", "chassis_type", "chassis_vendor", "chassis_version"),
)


class DmiDetector:
    """``sys_vendor``, ``product_name`` and the like; empty on a machine whose firmware has no such table."""

    name = "dmi"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read all strings. Raises ``CannotLookError``."""
        if not is_there(host, _DMI, _DEVICES):
            return Facts(attributes={FEATURE: {}})
        strings = read_values(host, _DMI, _FILES)
        if not strings:
            raise CannotLookError(f"{_DMI} shows nothing")
        return Facts(attributes={FEATURE: strings})
