"""What a label of Node Feature Discovery asks of a node: a table from the names of labels to NFD's features.

Knows NFD's built-in labels, those of NVIDIA's GPU Feature Discovery that a detector can answer, and that NFD leaves out
a label instead of setting it to false. Leaves to the dialects where labels stand. Sources: NFD "Feature labels" and
``GetLabels`` of its sources (``source/*/*.go``); "GPU Feature Discovery" of NVIDIA's k8s-device-plugin.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from imagefit.errors import InvalidDocumentError
from imagefit.formats.vocabulary import (
    MODULE_FACTS,
    as_test,
    bounded,
    checks_of_flags,
    checks_of_label,
    checks_of_value,
)
from imagefit.model.facts import ANYWHERE
from imagefit.model.ranges import parse_ranges
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
)

LABEL_NAMESPACE: Final = "feature.node.kubernetes.io/"
"""What the names of NFD's labels begin with; documents leave it out."""

_BOOLEANS: Final = {"true": True, "yes": True, "false": False, "no": False}
_CPU_FLAGS: Final = "cpu.cpuid"
_KERNEL_CONFIG: Final = "kernel.config"
_SET_OPTION: Final = EqualTo(("y", "m"))
_TRUE: Final = EqualTo(("true",))
_SOME: Final = InRanges(parse_ranges(">0"))
_ANY_NUMBER: Final = InRanges(parse_ranges(">=0"))


class _Asked(msgspec.Struct, frozen=True):
    """One label with its value; ``rest`` is what of its name the row leaves open."""

    label: str
    value: str
    rest: str = ""

    @property
    def is_boolean(self) -> bool:
        """Whether it is asked that the label is there, or that it is not."""
        return self.value.casefold() in _BOOLEANS


_Read = Callable[[_Asked], tuple[Need, ...]]


def needs_of_nfd_label(label: str, value: str) -> tuple[Need, ...]:
    """Return what one label asks.

    Args:
        label: NFD's name for it, with or without ``feature.node.kubernetes.io/``. One that is not in the tables asks
            for a fact of that very name.
        value: the author's value as text; a range is read as one. ``false`` asks that NFD would not set the label.

    Raises:
        InvalidDocumentError: the value is not of the label's kind.
    """
    name = label.removeprefix(LABEL_NAMESPACE)
    read, rest = _row(name)
    if read is None:
        return tuple(replace(check, label=label) for check in checks_of_label(name, value))
    return read(_Asked(label, bounded(value), rest))


def boolean_of(value: str) -> bool:
    """Return true or yes, false or no as a truth. Raises ``InvalidDocumentError`` for anything else."""
    if value.casefold() not in _BOOLEANS:
        raise InvalidDocumentError("expected true or false")
    return _BOOLEANS[value.casefold()]


def _presence(asked: _Asked, *questions: Question) -> tuple[Need, ...]:
    """Return the needs of a label that is there where all questions are answered yes."""
    if boolean_of(asked.value):
        return tuple(Check(asked.label, asked.value, question) for question in questions)
    absent = tuple(Check(asked.label, asked.value, question, negated=True) for question in questions)
    return absent if len(absent) == 1 else (Group(any_of=True, members=absent),)


def _value_of(*features: str, prefix: str = "") -> _Read:
    """Return how to read a label that has an element's value."""
    return lambda asked: checks_of_value(asked.label, asked.value, features, prefix + asked.rest)


def _true_of(feature: str, prefix: str = "") -> _Read:
    """Return how to read a label that is there where an element is true, or that has the element's value."""

    def read(asked: _Asked) -> tuple[Need, ...]:
        element = prefix + asked.rest
        if not asked.is_boolean:
            return checks_of_value(asked.label, asked.value, (feature,), element)
        return _presence(asked, HasValue((feature,), element, _TRUE))

    return read


def _instance_of(feature: str, *tests: tuple[str, Test]) -> _Read:
    """Return how to read a label that is there where an instance passes the tests."""
    return lambda asked: _presence(asked, HasInstance(feature, tests))


def _attribute_of(feature: str, attribute: str) -> _Read:
    """Return how to read a label that has the value of an instance's attribute."""

    def read(asked: _Asked) -> tuple[Need, ...]:
        question = HasInstance(feature, ((attribute, as_test(asked.value)),))
        return (Check(asked.label, asked.value, question),)

    return read


def _modules(*names: str) -> _Read:
    return lambda asked: _presence(asked, *(HasFlag(MODULE_FACTS, (name,)) for name in names))


def _cpu_flag(asked: _Asked) -> tuple[Need, ...]:
    if not asked.is_boolean:
        return checks_of_value(asked.label, asked.value, (_CPU_FLAGS, ANYWHERE), asked.rest)
    there = tuple(replace(check, asked=asked.value) for check in checks_of_flags(asked.label, (asked.rest,)))
    return there if boolean_of(asked.value) else tuple(replace(check, negated=True, depth=0) for check in there)


def _vendor(asked: _Asked) -> tuple[Need, ...]:
    return tuple(replace(check, label=asked.label) for check in checks_of_label("oci.cpu.vendor", asked.value))


def _kernel_option(asked: _Asked) -> tuple[Need, ...]:
    if not asked.is_boolean:
        return checks_of_value(asked.label, asked.value, (_KERNEL_CONFIG,), asked.rest)
    return _presence(asked, HasValue((_KERNEL_CONFIG,), asked.rest, _SET_OPTION))


def _nvidia(kind: str, feature: str, elements: Mapping[str, str]) -> dict[str, _Read]:
    return {f"nvidia.com/cuda.{kind}.{part}": _value_of(feature, prefix=name) for part, name in elements.items()}


_NUMBERS: Final = {"major": "major", "minor": "minor"}
# Labels whose name is given.
_NAMES: Final[Mapping[str, _Read]] = {
    "cpu-hardware_multithreading": _true_of("cpu.topology", "hardware_multithreading"),
    "cpu-model.vendor_id": _vendor,
    "custom-rdma.available": _modules("ib_uverbs", "rdma_ucm"),
    "custom-rdma.capable": _instance_of("pci.device", ("vendor", EqualTo(("15b3",)))),
    "custom-rdma.enabled": _modules("ib_uverbs", "rdma_ucm"),
    "memory-numa": _true_of("memory.numa", "is_numa"),
    "memory-nv.dax": _instance_of("memory.nv", ("devtype", EqualTo(("nd_dax",)))),
    "memory-nv.present": _instance_of("memory.nv"),
    "memory-swap": _true_of("memory.swap", "enabled"),
    "memory-swap.enabled": _true_of("memory.swap", "enabled"),
    "network-sriov.capable": _instance_of("network.device", ("sriov_totalvfs", _SOME)),
    "network-sriov.configured": _instance_of("network.device", ("sriov_numvfs", _SOME)),
    "storage-nonrotationaldisk": _instance_of("storage.block", ("rotational", EqualTo(("0",)))),
    **_nvidia("driver", "nvidia.driver", _NUMBERS | {"rev": "revision"}),
    **_nvidia("driver-version", "nvidia.driver", _NUMBERS | {"revision": "revision", "full": "version"}),
    **_nvidia("runtime", "nvidia.cuda", _NUMBERS),
    **_nvidia("runtime-version", "nvidia.cuda", _NUMBERS | {"full": "version"}),
    "nvidia.com/gpu.compute.major": _attribute_of("nvidia.device", "compute.major"),
    "nvidia.com/gpu.compute.minor": _attribute_of("nvidia.device", "compute.minor"),
    "nvidia.com/gpu.memory": _attribute_of("nvidia.device", "memory_mib"),
    "nvidia.com/gpu.present": _instance_of("nvidia.gpu"),
}
# Labels of which the rest of the name is an element.
_PREFIXES: Final[Mapping[str, _Read]] = {
    "cpu-coprocessor.": _true_of("cpu.coprocessor"),
    "cpu-cpuid.": _cpu_flag,
    "cpu-cstate.": _value_of("cpu.cstate"),
    "cpu-model.": _value_of("cpu.model"),
    "cpu-power.sst_": _true_of("cpu.sst"),
    "cpu-pstate.": _value_of("cpu.pstate"),
    "cpu-rdt.": _true_of("cpu.rdt"),
    "cpu-se.": _true_of("cpu.security", "se."),
    "cpu-security.": _true_of("cpu.security"),
    "cpu-sgx.": _true_of("cpu.security", "sgx."),
    "kernel-config.": _kernel_option,
    "kernel-selinux.": _true_of("kernel.selinux"),
    "kernel-version.": _value_of("kernel.version"),
    "system-os_release.": _value_of("system.osrelease"),
}
_ID: Final = "[0-9a-fA-F]{4}"
# Which attributes a device's label names is up to NFD's configuration; these are the ways that are seen.
_PCI_FIELDS: Final = (
    ("vendor",),
    ("class", "vendor"),
    ("class", "vendor", "device"),
    ("class", "vendor", "device", "subsystem_vendor", "subsystem_device"),
)
_USB_FIELDS: Final = (("vendor", "device"), ("class", "vendor", "device"))
_PCI_LABEL: Final = re.compile(rf"pci-({_ID}(?:_{_ID})*)\.(present|sriov\.capable)")
_USB_LABEL: Final = re.compile(rf"usb-((?:[0-9a-fA-F]{{2}}_)?{_ID}_{_ID})\.present")


def _row(name: str) -> tuple[_Read | None, str]:
    if name in _NAMES:
        return _NAMES[name], ""
    for prefix, read in _PREFIXES.items():
        if name.startswith(prefix) and len(name) > len(prefix):
            return read, name.removeprefix(prefix)
    if found := _PCI_LABEL.fullmatch(name):
        more = () if found[2] == "present" else (("sriov_totalvfs", _ANY_NUMBER),)
        return _device("pci.device", found[1], _PCI_FIELDS, more), ""
    if found := _USB_LABEL.fullmatch(name):
        return _device("usb.device", found[1], _USB_FIELDS, ()), ""
    return None, ""


def _device(
    feature: str, numbers: str, ways: Iterable[tuple[str, ...]], more: tuple[tuple[str, Test], ...]
) -> _Read | None:
    values = numbers.lower().split("_")
    fields = next((way for way in ways if len(way) == len(values)), None)
    if fields is None:
        return None
    tests = tuple((field, EqualTo((value,))) for field, value in zip(fields, values, strict=True))
    return _instance_of(feature, *tests, *more)
