"""Whether idle states are enabled, from /sys/devices/system/cpu/cpuidle.

Implements NFD ``source/cpu/cstate_amd64.go``: nothing is said of other drivers than intel_idle.
"""

from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.sysfs import VALUE_MAX_BYTES, is_there

FEATURE: Final = "cpu.cstate"

_CPU: Final = "/sys/devices/system/cpu"
_CPUIDLE: Final = "/sys/devices/system/cpu/cpuidle"
_DRIVER: Final = "/sys/devices/system/cpu/cpuidle/current_driver"
_DEEPEST: Final = "/sys/module/intel_idle/parameters/max_cstate"


class CstateDetector:
    """``enabled``: ``true`` or ``false``; empty without the driver."""

    name = "cpu-cstate"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the driver's name and how deep it may go. Raises ``CannotLookError``."""
        if not is_there(host, _CPUIDLE, _CPU) or host.read_text(_DRIVER, VALUE_MAX_BYTES).strip() != "intel_idle":
            return Facts(attributes={FEATURE: {}})
        return Facts(attributes={FEATURE: parse_deepest(host.read_text(_DEEPEST, VALUE_MAX_BYTES))})


def parse_deepest(text: str) -> Attributes:
    """Read the deepest state that the driver may use; 0 is none.

    Raises:
        CannotLookError: it is no number.
    """
    try:
        return {"enabled": "true" if int(text) > 0 else "false"}
    except ValueError as error:
        raise CannotLookError(f"{_DEEPEST} holds no number") from error
