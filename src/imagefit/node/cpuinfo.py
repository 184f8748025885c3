"""The text of /proc/cpuinfo, as every architecture of Linux writes it.

Knows its fields and which architecture writes which. Leaves to detectors what the fields say.
Source: Linux ``show_cpuinfo`` of each architecture (``arch/*/kernel/**/proc.c``, ``setup.c`` or ``cpu.c``).
"""

from collections.abc import Mapping


def first_cpu(text: str) -> Mapping[str, str]:
    """Return the fields of the first block of /proc/cpuinfo.

    One block stands for all: a kernel shows as a flag only what every CPU of the machine has; s390x writes no other.

    Args:
        text: the file, or enough of its start.
    """
    fields: dict[str, str] = {}
    for line in text.lstrip("\n").splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            if fields and not line.strip():
                break
            continue
        fields[name.strip()] = value.strip()
    return fields


def machine_of(text: str) -> str:
    """Return the machine, as ``uname -m`` prints it, whose kernel writes cpuinfo in this shape; empty for none."""
    cpu = first_cpu(text)
    if "flags" in cpu:
        return "x86_64" if "lm" in cpu["flags"].split() else "i686"
    if "CPU implementer" in cpu:
        # ``asimd`` is the 64-bit kernel's word; for 32-bit programs and on 32-bit kernels it is ``neon``.
        is_64_bit = not {"asimd", "fp"}.isdisjoint(cpu.get("Features", "").split())
        return "aarch64" if is_64_bit else _arm(cpu.get("CPU architecture", ""))
    if cpu.get("isa", "").startswith("rv64"):
        return "riscv64"
    if cpu.get("cpu", "").upper().startswith("POWER"):
        return "ppc64le"
    if cpu.get("vendor_id", "") == "IBM/S390":
        return "s390x"
    if "Loongson" in cpu.get("CPU Family", ""):
        return "loongarch64"
    return ""


def _arm(architecture: str) -> str:
    return "armv6l" if architecture.startswith(("6", "5")) else "armv7l"
