"""CPU flags and model, from /proc/cpuinfo.

Knows which fields hold them and NFD's words for vendors. Leaves the names of flags to ``model.cpu_flags``.
Sources: NFD ``source/cpu/cpu.go`` and github.com/klauspost/cpuid (vendors; family and model on arm64, from MIDR_EL1).
"""

from collections.abc import Mapping
from typing import Final

from imagefit.model.cpu_flags import nfd_names
from imagefit.model.facts import Attributes, Facts
from imagefit.model.microarchitecture import normalize
from imagefit.node.contract import CPUINFO, CPUINFO_FIRST_BYTES, CannotLookError, HostView
from imagefit.node.cpuinfo import first_cpu

FLAGS_FEATURE: Final = "cpu.cpuid"
MODEL_FEATURE: Final = "cpu.model"

_FLAG_FIELDS: Final = ("flags", "Features", "features")
_VENDORS: Final[Mapping[str, str]] = {
    "AuthenticAMD": "AMD",
    "CentaurHauls": "VIA",
    "Genuine  RDC": "RDC",
    "GenuineIntel": "Intel",
    "GenuineTMx86": "Transmeta",
    "Geode by NSC": "NSC",
    "HygonGenuine": "Hygon",
    "SiS SiS SiS": "SiS",
    "TransmetaCPU": "Transmeta",
    "VIA VIA VIA": "VIA",
    "Vortex86 SoC": "SiS",
}
_ARM_IMPLEMENTERS: Final[Mapping[int, str]] = {
    0x41: "ARM",
    0x42: "Broadcom",
    0x43: "Cavium",
    0x44: "DEC",
    0x46: "Fujitsu",
    0x48: "HiSilicon",
    0x49: "Infineon",
    0x4D: "Motorola",
    0x4E: "NVIDIA",
    0x50: "AMCC",
    0x51: "Qualcomm",
    0x56: "Marvell",
    0x61: "Apple",
    0x69: "Intel",
    0x6D: "Microsoft",
    0xC0: "Ampere",
}
# MIDR_EL1 of every CPU since Armv7 has 0xf here; /proc/cpuinfo shows 8 instead.
_MIDR_ARCHITECTURE: Final = 0xF


class CpuDetector:
    """Flags (``cpu.cpuid``) and vendor, family and model (``cpu.model``)."""

    name = "cpu"
    features = (FLAGS_FEATURE, MODEL_FEATURE)

    def detect(self, host: HostView) -> Facts:
        """Read the first CPU. Raises ``CannotLookError``."""
        text = host.read_start(CPUINFO, CPUINFO_FIRST_BYTES).decode("utf-8", "replace")
        return parse_cpu(text, normalize(host.machine, "")[0])


def parse_cpu(text: str, architecture: str) -> Facts:
    """Read /proc/cpuinfo.

    Args:
        text: the file, or enough of its start to hold the first CPU.
        architecture: normalised.

    Returns:
        ``cpu.cpuid`` only where the kernel shows flags at all (not on ppc64le and riscv64); ``cpu.model`` only where it
        shows a vendor.

    Raises:
        CannotLookError: no CPU is described.
    """
    cpu = first_cpu(text)
    if not cpu:
        raise CannotLookError(f"{CPUINFO} describes no CPU")
    field = next((name for name in _FLAG_FIELDS if name in cpu), None)
    flags = {} if field is None else {FLAGS_FEATURE: nfd_names(set(cpu[field].split()), architecture)}
    model = _arm_model(cpu) if "CPU implementer" in cpu else _model(cpu)
    return Facts(flags=flags, attributes={MODEL_FEATURE: model} if model else {})


def _model(cpu: Mapping[str, str]) -> Attributes:
    vendor = cpu.get("vendor_id", "")
    named = {"vendor_id": _VENDORS.get(vendor, vendor), "family": cpu.get("cpu family", ""), "id": cpu.get("model", "")}
    return {name: value for name, value in named.items() if value} if vendor else {}


def _arm_model(cpu: Mapping[str, str]) -> Attributes:
    try:
        fields = ("CPU implementer", "CPU variant", "CPU part", "CPU revision")
        implementer, variant, part, revision = (int(cpu[name], 0) for name in fields)
    except (KeyError, ValueError):
        return {}
    return {
        "vendor_id": _ARM_IMPLEMENTERS.get(implementer, f"{implementer:#04x}"),
        "family": str(variant << 4 | _MIDR_ARCHITECTURE),
        "id": str(part << 4 | revision),
    }
