"""All detectors together: one node, and how each of them fared.

Knows that one broken detector costs only itself, and that one that hangs is broken. Leaves to detectors what they read
and to the caller what is logged.
"""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from imagefit.model.facts import Facts, Node
from imagefit.model.microarchitecture import level_of, level_of_cpu, normalize
from imagefit.node.contract import CPUINFO, CPUINFO_FIRST_BYTES, CannotLookError, Detector, HostView, Partial
from imagefit.node.cpuinfo import first_cpu
from imagefit.node.detectors import DETECTORS
from imagefit.node.runner import Runner, TooSlowError

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
# Where the level is not in the CPU's flags: the field of /proc/cpuinfo that tells it.
_LEVEL_FIELDS: Final[Mapping[str, str]] = {"ppc64le": "cpu", "riscv64": "isa"}


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """How one detector fared.

    Attributes:
        name: the detector's.
        seconds: how long it took.
        ok: False where it broke or took too long, which is a defect; a source that cannot be read is none.
        message: why it broke or what it could not read; empty where nothing is to be said.
        uncovered: features of the detector that nothing is known about now.
        warnings: parts of its source that were bad, one line each; the rest counts.
    """

    name: str
    seconds: float
    ok: bool
    message: str = ""
    uncovered: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Collected:
    """What is known of the node, and one report per detector, in their order."""

    node: Node
    reports: tuple[DetectorReport, ...]


def collect(host: HostView, detectors: Iterable[Detector] = DETECTORS, runner: Runner | None = None) -> Collected:
    """Run every detector on a host.

    Args:
        host: the running machine, or a moved root.
        detectors: where two of them name one attribute, the later one's value stands.
        runner: one that lasts knows from earlier calls which detectors still hang; by default a new one.
    """
    runner = runner or Runner()
    facts = Facts()
    reports: list[DetectorReport] = []
    for detector in detectors:
        found, report = _run(detector, host, runner)
        looked = frozenset(detector.features) - frozenset(report.uncovered)
        merged = facts.merged(found)
        facts = replace(merged, unseen=(merged.unseen | frozenset(report.uncovered)) - looked)
        reports.append(report)
    runner.rest()
    architecture, variant = platform_of(host.machine, facts, _shown_cpu(host))
    return Collected(Node("linux", architecture, variant, facts), tuple(reports))


def this_node() -> Node:
    """Return what is known of the machine that this runs on."""
    return collect(HostView()).node


def platform_of(machine: str, facts: Facts, shown_cpu: str = "") -> tuple[str, str]:
    """Return a host's architecture and highest variant as OCI writes them.

    Args:
        machine: as ``uname -m`` prints it.
        facts: with ``cpu.cpuid`` where the CPU could be read.
        shown_cpu: what /proc/cpuinfo calls the CPU, on ppc64le and riscv64, whose levels are not in the flags.

    Returns:
        The variant is at least the lowest of its architecture, and empty where the CPU could not be read or the
        architecture has no levels that can be told apart.
    """
    named, variant = _MACHINES.get(machine, (machine, ""))
    architecture, lowest = normalize(named, variant)
    if architecture in _VARIANTS_BY_NAME:
        return architecture, lowest
    if architecture in _LEVEL_FIELDS:
        return architecture, level_of_cpu(architecture, shown_cpu)
    flags = facts.flags.get(_CPU_FLAGS)
    return architecture, "" if flags is None else level_of(architecture, flags) or lowest


def _shown_cpu(host: HostView) -> str:
    with suppress(CannotLookError):
        if field := _LEVEL_FIELDS.get(host.machine):
            text = host.read_start(CPUINFO, CPUINFO_FIRST_BYTES).decode("utf-8", "replace")
            return first_cpu(text).get(field, "")
    return ""


def _run(detector: Detector, host: HostView, runner: Runner) -> tuple[Facts, DetectorReport]:
    found, ok, message = Partial(Facts(), ()), True, ""
    started = time.perf_counter()
    try:
        found = _partial(runner.run(detector, host))
    except CannotLookError as error:
        message = str(error)
    except TooSlowError as error:
        ok, message = False, str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the one place where a detector's defect is kept from others
        ok, message = False, f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - started
    uncovered = tuple(feature for feature in detector.features if not found.facts.covers(feature))
    return found.facts, DetectorReport(detector.name, seconds, ok, message, uncovered, found.warnings)


def _partial(found: Facts | Partial) -> Partial:
    return found if isinstance(found, Partial) else Partial(found, ())
