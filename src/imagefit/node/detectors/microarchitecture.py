"""The archspec targets that the CPU fits, from /proc/cpuinfo.

Knows how a target is found to fit and which one is the best. Leaves the targets themselves to the archspec library, and
never lets it look at the running machine. Implements ``archspec.cpu.detect`` (``host`` and the compatibility checks) of
archspec 0.2 for a CPU that is given.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Protocol

from imagefit.model.facts import Facts
from imagefit.node.contract import CPUINFO, CPUINFO_FIRST_BYTES, CannotLookError, HostView
from imagefit.node.cpuinfo import first_cpu

FEATURE: Final = "cpu.microarchitecture"

_GENERIC: Final = "generic"
_POWER: Final = re.compile(r"POWER(\d+)", re.IGNORECASE)
# archspec's names for the ``uarch`` and ``model name`` that RISC-V kernels show.
_RISCV_NAMES: Final[Mapping[str, str]] = {
    "sifive,u74-mc": "u74mc",
    "spacemit,x60": "x60",
    "Spacemit(R) X60": "x60",
}


class Target(Protocol):
    """What is asked of one archspec target."""

    name: str
    vendor: str
    features: AbstractSet[str]
    generation: int
    cpu_part: str

    @property
    def ancestors(self) -> Sequence["Target"]:
        """All targets whose code runs on this one."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """A CPU as archspec tells them apart.

    Attributes:
        family: archspec's root target, which is the machine's name.
        vendor: as x86 CPUs name themselves, or archspec's name of the Arm implementer.
        features: flags in the kernel's names.
        part: Arm's part number as the kernel writes it, ``0xd0c``.
        generation: of a POWER CPU.
        model: archspec's name of a RISC-V CPU.
    """

    family: str
    vendor: str = ""
    features: AbstractSet[str] = frozenset()
    part: str = ""
    generation: int = 0
    model: str = ""


class MicroarchitectureDetector:
    """The best archspec target and all its ancestors, as flags."""

    name = "microarchitecture"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the first CPU and compare it with archspec's targets. Raises ``CannotLookError``."""
        text = host.read_start(CPUINFO, CPUINFO_FIRST_BYTES).decode("utf-8", "replace")
        # Loading archspec and its table costs tens of milliseconds that listening need not wait for.
        from archspec.cpu import TARGETS
        from archspec.cpu.schema import TARGETS_JSON

        cpu = parse_cpu(text, host.machine, TARGETS_JSON["conversions"]["arm_vendors"])
        return Facts(flags={FEATURE: fitting_targets(cpu, tuple(TARGETS.values()))})


def parse_cpu(text: str, machine: str, arm_vendors: Mapping[str, str]) -> Cpu:
    """Read what distinguishes targets.

    Args:
        text: /proc/cpuinfo, or enough of its start to hold the first CPU.
        machine: as ``uname -m`` prints it.
        arm_vendors: implementer as the kernel writes it → archspec's vendor.

    Raises:
        CannotLookError: no CPU is described.
    """
    fields = first_cpu(text)
    if not fields:
        raise CannotLookError(f"{CPUINFO} describes no CPU")
    match machine:
        case "x86_64":
            flags = set(fields.get("flags", "").split())
            # The kernel's word for sse3 is pni, which no target lists.
            return Cpu(machine, fields.get("vendor_id", ""), flags | ({"sse3"} if "ssse3" in flags else set()))
        case "aarch64":
            vendor = fields.get("CPU implementer", "")
            features = frozenset(fields.get("Features", "").split())
            return Cpu(machine, arm_vendors.get(vendor, vendor), features, fields.get("CPU part", ""))
        case "ppc64le" | "ppc64":
            found = _POWER.search(fields.get("cpu", ""))
            return Cpu(machine, generation=int(found[1]) if found else 0)
        case "riscv64":
            shown = (fields.get("uarch", ""), fields.get("model name", ""))
            return Cpu(machine, model=next((_RISCV_NAMES[name] for name in shown if name in _RISCV_NAMES), shown[0]))
        case _:
            return Cpu(machine)


def fitting_targets(cpu: Cpu, targets: Iterable[Target]) -> frozenset[str]:
    """Return the names of the best target for a CPU and of all its ancestors.

    The best is the deepest below the best generic one, so that one niche flag switched off by firmware costs one step
    and not the whole line.

    Raises:
        CannotLookError: no target is of the CPU's family.
    """
    fitting = [target for target in targets if cpu.family in _line(target) and _fits(cpu, target)]
    generic = max((target for target in fitting if target.vendor == _GENERIC), key=_depth, default=None)
    if generic is None:
        raise CannotLookError(f"archspec has no target for {cpu.family or 'this CPU'}")
    same_part = [target for target in fitting if cpu.part and target.cpu_part == cpu.part]
    candidates = [target for target in same_part or fitting if _line(target) > _line(generic)]
    return _line(max(candidates, key=_depth, default=generic))


def _line(target: Target) -> frozenset[str]:
    return frozenset({target.name, *(ancestor.name for ancestor in target.ancestors)})


def _depth(target: Target) -> tuple[int, int]:
    return len(target.ancestors), len(target.features)


def _fits(cpu: Cpu, target: Target) -> bool:
    if cpu.family in {"ppc64le", "ppc64"}:
        return target.generation <= cpu.generation
    if cpu.family == "riscv64":
        return target.vendor == _GENERIC or target.name == cpu.model
    # archspec lists no flags for the generic levels of Armv8 and v9, so that they would fit every CPU.
    if cpu.family == "aarch64" and target.vendor == _GENERIC and target.name != "aarch64":
        return False
    return target.vendor in {cpu.vendor, _GENERIC} and target.features <= cpu.features
