"""Accelerators beside the CPU: the compression unit of POWER, from /sys/devices/vio.

Implements NFD ``source/cpu/coprocessor_ppc64le.go``; elsewhere the file is never there.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView
from imagefit.node.sysfs import is_there

FEATURE: Final = "cpu.coprocessor"

_DEVICES: Final = "/sys/devices"
_NX_GZIP: Final = "/sys/devices/vio/ibm,compression-v1/nx_gzip_caps"


class CoprocessorDetector:
    """``nx_gzip``: ``true``, or left out."""

    name = "cpu-coprocessor"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Look for the unit's abilities. Raises ``CannotLookError``."""
        return Facts(attributes={FEATURE: {"nx_gzip": "true"} if is_there(host, _NX_GZIP, _DEVICES) else {}})
