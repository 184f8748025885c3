"""All detectors together: one node, and how each of them fared.

Knows that one broken detector costs only itself. Leaves to detectors what they read and to the caller what is logged.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from imagefit.model.facts import Facts, Node
from imagefit.model.microarchitecture import level_of, normalize
from imagefit.node.contract import CannotLookError, Detector, HostView
from imagefit.node.detectors import DETECTORS

_CPU_FLAGS: Final = "cpu.cpuid"
# Machines whose name is neither OCI's nor one that an index would use, with the variant that the name itself says.
_MACHINES: Final[Mapping[str, tuple[str, str]]] = {
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armv8l": ("arm", "v8"),
    "i586": ("386", ""),
    "loongarch64": ("loong64", ""),
}
_VARIANTS_BY_NAME: Final = frozenset({"arm"})


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """How one detector fared.

    Attributes:
        name: the detector's.
        seconds: how long it took.
        ok: False where it broke, which is a defect; a source that cannot be read is none.
        message: why it broke or what it could not read; empty where nothing is to be said.
        uncovered: features of the detector that nothing is known about now.
    """

    name: str
    seconds: float
    ok: bool
    message: str = ""
    uncovered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """What is known of the node, and one report per detector, in their order."""

    node: Node
    reports: tuple[DetectorReport, ...]


def collect(host: HostView, detectors: Iterable[Detector] = DETECTORS) -> Collected:
    """Run every detector on a host.

    Args:
        host: the running machine, or a moved root.
        detectors: where two of them cover one feature, the later one's facts stand.
    """
    facts = Facts()
    reports: list[DetectorReport] = []
    for detector in detectors:
        found, report = _run(detector, host)
        facts = facts.merged(found)
        reports.append(report)
    architecture, variant = platform_of(host.machine, facts)
    return Collected(Node("linux", architecture, variant, facts), tuple(reports))


def platform_of(machine: str, facts: Facts) -> tuple[str, str]:
    """Return a host's architecture and highest variant as OCI writes them.

    Args:
        machine: as ``uname -m`` prints it.
        facts: with ``cpu.cpuid`` where the CPU could be read.

    Returns:
        The variant is at least the lowest of its architecture, and empty where the CPU could not be read or the
        architecture has no levels that flags tell apart.
    """
    named, variant = _MACHINES.get(machine, (machine, ""))
    architecture, lowest = normalize(named, variant)
    if architecture in _VARIANTS_BY_NAME:
        return architecture, lowest
    flags = facts.flags.get(_CPU_FLAGS)
    return architecture, "" if flags is None else level_of(architecture, flags) or lowest


def _run(detector: Detector, host: HostView) -> tuple[Facts, DetectorReport]:
    facts, ok, message = Facts(), True, ""
    started = time.perf_counter()
    try:
        facts = detector.detect(host)
    except CannotLookError as error:
        message = str(error)
    except Exception as error:  # noqa: BLE001 - the one place where a defect in a detector is kept from the others
        ok, message = False, f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    uncovered = tuple(feature for feature in detector.features if not facts.covers(feature))
    return facts, DetectorReport(detector.name, seconds, ok, message, uncovered)
