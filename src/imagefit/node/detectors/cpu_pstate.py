"""How Intel's P-state driver sets the CPU's frequency, from /sys/devices/system/cpu.

Implements NFD ``source/cpu/pstate_amd64.go``: nothing is said of other drivers. NFD also asks of each policy whether it
has CPUs; the kernel does not let the governor of one without be read.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.sysfs import VALUE_MAX_BYTES, is_there, list_devices, read_values

FEATURE: Final = "cpu.pstate"

_CPU: Final = "/sys/devices/system/cpu"
_PSTATE: Final = "/sys/devices/system/cpu/intel_pstate"
_POLICIES: Final = "/sys/devices/system/cpu/cpufreq"
_GOVERNOR: Final = "scaling_governor"


class PstateDetector:
    """``status``, ``turbo`` and, where all CPUs have the same, ``scaling_governor``; empty without the driver."""

    name = "cpu-pstate"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the driver's switches and the governors. Raises ``CannotLookError``."""
        if not is_there(host, _PSTATE, _CPU):
            return Facts(attributes={FEATURE: {}})
        status = host.read_text(f"{_PSTATE}/status", VALUE_MAX_BYTES)
        no_turbo = read_values(host, _PSTATE, ("no_turbo",)).get("no_turbo", "")
        return Facts(attributes={FEATURE: describe(status, no_turbo, _governors(host))})


def _governors(host: HostView) -> Iterator[str]:
    with suppress(CannotLookError):
        for policy in list_devices(host, _POLICIES, _CPU):
            yield from read_values(host, f"{_POLICIES}/{policy}", (_GOVERNOR,)).values()


def describe(status: str, no_turbo: str, governors: Iterable[str]) -> Attributes:
    """Return the elements.

    Args:
        status: ``active``, ``passive`` or ``off``.
        no_turbo: ``0`` or ``1``; empty where it could not be read.
        governors: one per policy; asked for only where the driver is active, since others set the frequency elsewhere.
    """
    mode = status.strip()
    if mode == "off":
        return {}
    turbo = {"turbo": "true" if no_turbo.startswith("0") else "false"} if no_turbo else {}
    found = set(governors) if mode == "active" else set()
    return {"status": mode, **turbo, **({_GOVERNOR: found.pop()} if len(found) == 1 else {})}
