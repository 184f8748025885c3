"""What a key below the name of a group asks of a node: a table from the drafts' words to features.

Knows the groups of the drafts: ``org.opencontainers`` (proposal B), ``io.archspec`` and ``org.supercontainers``
(proposals C, D, F and compspec) and NFD's. A key is looked up by group and key together, since authors divide the same
name in different places (``org.supercontainers`` ``mpi.version``, ``org.supercontainers.mpi`` ``version``); one that
is not known asks for a fact of that whole name. Leaves labels (``oci.*``) to ``vocabulary``, NFD's to ``nfd_labels``
and how groups are written to ``namespaced``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from imagefit.errors import InvalidDocumentError
from imagefit.formats.nfd_labels import LABEL_NAMESPACE, boolean_of, needs_of_nfd_label
from imagefit.formats.vocabulary import FREE_FACTS, MODULE_FACTS, checks_of_label
from imagefit.model.ranges import is_range, parse_ranges
from imagefit.model.requirement import (
    Check,
    EqualTo,
    Group,
    HasFlag,
    HasInstance,
    HasValue,
    InRanges,
    Need,
    Question,
    Test,
    negated,
)

_NFD: Final = frozenset({"nfd", "io.kubernetes.nfd", LABEL_NAMESPACE.rstrip("/")})
_LABELS: Final = "oci."
_SHOWN_CHARACTERS: Final = 80

_PCI: Final = "org.opencontainers.hardware.pci"
_PCI_ATTRIBUTES: Final[Mapping[str, str]] = {
    f"{_PCI}.class-id": "class",
    f"{_PCI}.device-id": "device",
    f"{_PCI}.subsystem-device-id": "subsystem_device",
    f"{_PCI}.subsystem-vendor-id": "subsystem_vendor",
    f"{_PCI}.vendor-id": "vendor",
}
_HEXADECIMAL: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{4})")

# A processor that computes, as PCI tells: a display controller of one who makes GPUs. Intel's 0300 is in the CPU.
_GPU_CLASSES: Final = EqualTo(("0300", "0302", "0380", "1200"))
_GPUS: Final[Mapping[str, Question]] = {
    "amd": HasInstance("pci.device", (("vendor", EqualTo(("1002",))), ("class", _GPU_CLASSES))),
    "intel": HasInstance("pci.device", (("vendor", EqualTo(("8086",))), ("class", EqualTo(("0302", "0380"))))),
    "nvidia": HasInstance("pci.device", (("vendor", EqualTo(("10de",))), ("class", _GPU_CLASSES))),
}
_GPU_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "amd": ("amdgpu",),
    "amdgpu": ("amdgpu",),
    "intel": ("i915", "xe"),
    "nvidia": ("nvidia",),
}
_GFX: Final = re.compile(r"gfx[0-9a-f]{3,5}", re.IGNORECASE)
_COMPUTE_CAPABILITY: Final = re.compile(r"(?:sm_)?(\d{1,2})\.?(\d)")
_VIRTUALIZATION: Final[Mapping[str, str]] = {"vt-x": "VMX", "amd-v": "SVM"}


def needs_of_key(group: str, key: str, value: str) -> tuple[Need, ...]:
    """Return what one key asks.

    Args:
        group: a reverse domain name, or ``nfd``.
        key: the author's; a label (``oci.*``) means the same in every group.
        value: of the key as text.

    Raises:
        InvalidDocumentError: the value is not of the key's kind.
    """
    if not key.strip():
        raise InvalidDocumentError("an empty key")
    if key.startswith(_LABELS):
        return checks_of_label(key, value)
    if group in _NFD or key.startswith(LABEL_NAMESPACE):
        return needs_of_nfd_label(key, value)
    name = f"{group}.{key}"
    if name in _KEYS:
        return _KEYS[name](name, value)
    for prefix, read in _PREFIXES.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            return read(name.removeprefix(prefix), name, value)
    return checks_of_label(name, value)


def pci_attribute(group: str, key: str) -> str | None:
    """Return the attribute of a PCI device that a key asks for; None where it asks for something else."""
    return _PCI_ATTRIBUTES.get(f"{group}.{key}")


def pci_number(value: str) -> str:
    """Return a number of a PCI device as nodes show it. Raises ``InvalidDocumentError`` for anything else."""
    found = _HEXADECIMAL.fullmatch(value)
    if found is None:
        raise InvalidDocumentError(f"{value[:_SHOWN_CHARACTERS]!r} is not a number of four hexadecimal digits")
    return found[1].lower()


def pci_device(attributes: Mapping[str, str]) -> tuple[Check, ...]:
    """Return the need for one device that has all of some attributes; none where there are none."""
    if not attributes:
        return ()
    asked = ", ".join(f"{attribute} {number}" for attribute, number in attributes.items())
    tests = tuple((attribute, EqualTo((number,))) for attribute, number in attributes.items())
    return (Check(_PCI, asked, HasInstance("pci.device", tests)),)


_Read = Callable[[str, str], tuple[Need, ...]]
_ReadRest = Callable[[str, str, str], tuple[Need, ...]]


def _any(name: str, value: str, questions: Iterable[Question]) -> Need:
    checks = tuple(Check(name, value, question) for question in questions)
    return checks[0] if len(checks) == 1 else Group(any_of=True, members=checks)


def _as(known: str) -> _Read:
    """Return how to read a key that means a label of the vocabulary."""
    return lambda name, value: tuple(replace(check, label=name) for check in checks_of_label(known, value))


def _as_prefix(known: str) -> _ReadRest:
    """Return how to read a key of which the rest, after a prefix of the vocabulary, makes a label."""
    return lambda rest, name, value: _as(known + rest)(name, value)


def _kernel_option(rest: str, name: str, value: str) -> tuple[Need, ...]:
    checks = checks_of_label("oci.kernel.configurations", f"{rest}={value}")
    return tuple(replace(check, label=name, asked=value) for check in checks)


def _value_in(test: Callable[[str], Test], *places: tuple[str, str]) -> _Read:
    """Return how to read a key whose value is in one of several elements."""

    def read(name: str, value: str) -> tuple[Need, ...]:
        return (_any(name, value, (HasValue((feature,), element, test(value)) for feature, element in places)),)

    return read


def _stated(test: Callable[[str], Test]) -> _Read:
    """Return how to read a key that asks for a fact of its own name."""
    return lambda name, value: (Check(name, value, HasValue(FREE_FACTS, name, test(value))),)


def _name(value: str) -> Test:
    return EqualTo((value,), ignore_case=True)


def _version(value: str) -> Test:
    return InRanges(parse_ranges(value))


def _virtualization(name: str, value: str) -> tuple[Need, ...]:
    flag = _VIRTUALIZATION.get(value.casefold())
    if flag is None:
        raise InvalidDocumentError("expected VT-x or AMD-V")
    return (Check(name, value, HasFlag(("cpu.cpuid",), (flag,))),)


def _gpu(name: str, value: str) -> tuple[Need, ...]:
    need = _any(name, value, _GPUS.values())
    return (need if boolean_of(value) else negated(need),)


def _gpu_vendor(name: str, value: str) -> tuple[Need, ...]:
    question = _GPUS.get(value.casefold())
    return checks_of_label(name, value) if question is None else (Check(name, value, question),)


def _gpu_driver(name: str, value: str) -> tuple[Need, ...]:
    modules = _GPU_MODULES.get(value.casefold())
    if modules is not None:
        return (Check(name, value, HasFlag(MODULE_FACTS, modules)),)
    return _DRIVER_VERSION(name, value) if value[:1].isdecimal() or is_range(value) else checks_of_label(name, value)


def _gpu_architecture(name: str, value: str) -> tuple[Need, ...]:
    if _GFX.fullmatch(value):
        return (Check(name, value, HasInstance("amd.gpu", (("gfx", _name(value)),))),)
    if found := _COMPUTE_CAPABILITY.fullmatch(value):
        tests = (("compute.major", EqualTo((found[1],))), ("compute.minor", EqualTo((found[2],))))
        return (Check(name, value, HasInstance("nvidia.device", tests)),)
    return checks_of_label(name, value)


_OS: Final = "system.osrelease"
_DRIVER_VERSION: Final = _value_in(_version, ("nvidia.driver", "version"), ("amd.driver", "version"))
_CUDA_VERSION: Final = _value_in(_version, ("nvidia.cuda", "version"))
_KEYS: Final[Mapping[str, _Read]] = {
    "io.archspec.cpu.features": _as("oci.cpu.features"),
    "io.archspec.cpu.target": _as("oci.cpu.microarchitecture"),
    "io.archspec.cpu.vendor": _as("oci.cpu.vendor"),
    "io.archspec.target": _as("oci.cpu.microarchitecture"),
    "org.opencontainers.hardware.cpu.features": _as("oci.cpu.features"),
    "org.opencontainers.hardware.cpu.vendor": _as("oci.cpu.vendor"),
    "org.opencontainers.hardware.cpu.virtualization": _virtualization,
    "org.opencontainers.kernel.version": _as("oci.kernel.version"),
    "org.opencontainers.os.version": _value_in(_version, (_OS, "VERSION_ID")),
    "org.supercontainers.hardware.gpu.architecture": _gpu_architecture,
    "org.supercontainers.hardware.gpu.available": _gpu,
    "org.supercontainers.hardware.gpu.cuda": _CUDA_VERSION,
    "org.supercontainers.hardware.gpu.cuda.version": _CUDA_VERSION,
    "org.supercontainers.hardware.gpu.driver": _gpu_driver,
    "org.supercontainers.hardware.gpu.driver.version": _DRIVER_VERSION,
    "org.supercontainers.hardware.gpu.enabled": _gpu,
    "org.supercontainers.hardware.gpu.vendor": _gpu_vendor,
    "org.supercontainers.mpi.implementation": _stated(_name),
    "org.supercontainers.mpi.version": _stated(_version),
    "org.supercontainers.os.name": _value_in(_name, (_OS, "PRETTY_NAME"), (_OS, "NAME"), (_OS, "ID")),
    "org.supercontainers.os.release": _value_in(_version, (_OS, "VERSION"), (_OS, "VERSION_ID")),
    "org.supercontainers.os.vendor": _value_in(_name, (_OS, "ID")),
    "org.supercontainers.os.version": _value_in(_version, (_OS, "VERSION_ID")),
}
# The rest of the key is the element that is asked for.
_PREFIXES: Final[Mapping[str, _ReadRest]] = {
    "org.opencontainers.kernel.cmdline.": _as_prefix("oci.kernel.cmdline."),
    "org.opencontainers.kernel.configuration.": _kernel_option,
    "org.opencontainers.kernel.modules.": _as_prefix("oci.kernel.modules."),
}
