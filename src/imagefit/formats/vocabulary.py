"""What a label asks of a node: a table from the drafts' words to NFD's features.

Knows every label of the ``oci.*`` vocabulary, the fact that answers it, and how its value is written. Leaves to the
dialects where labels stand, and to ``selection`` whether the answer is yes. A new label is a new row. Sources:
proposals H, I and J of the OCI image-compatibility working group for the labels, NFD's built-in features for the
facts.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.model.cpu_flags import flag_names
from imagefit.model.facts import ANYWHERE
from imagefit.model.microarchitecture import depth_of_flag, depth_of_target, target_of
from imagefit.model.ranges import is_range, parse_ranges
from imagefit.model.requirement import (
    Check,
    EqualTo,
    HasFlag,
    HasInstance,
    HasValue,
    Includes,
    InRanges,
    Question,
    Test,
)

LABEL_OF_FEATURES: Final = "platform.features"
_MAX_VALUE_CHARACTERS: Final = 16_384
_SHOWN_CHARACTERS: Final = 200
_REMEMBERED: Final = 1024
_MAX_REMEMBERED_CHARACTERS: Final = 128
_CPU_FLAGS: Final = ("cpu.cpuid",)
FREE_FACTS: Final = ("operator.fact", "local.feature", "local.label", ANYWHERE)
"""Where a fact is looked for that has no feature of its own: what the operator states or another tool wrote down."""
MODULE_FACTS: Final = ("kernel.loadedmodule", "kernel.enabledmodule")
"""Where a kernel module shows."""
# Both spellings of a vendor: what the CPU says and what NFD says.
_VENDORS: Final = (
    ("AuthenticAMD", "AMD"),
    ("GenuineIntel", "Intel"),
    ("HygonGenuine", "Hygon"),
    ("CentaurHauls", "VIA"),
    ("ARM", "ARM Limited"),
)
# Authors' words for archspec's targets of a whole architecture.
_TARGETS: Final[Mapping[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
_ENABLED: Final = ("y", "m")
_DISABLED: Final = ("n",)
_PCI_DEVICE = re.compile(r"(?:0x)?([0-9a-fA-F]{4})[.:](?:0x)?([0-9a-fA-F]{4})")
_KERNEL_OPTION = re.compile(r"(?:CONFIG_)?([A-Za-z0-9_]+)(?:=(.*))?")


class _Asked(msgspec.Struct, frozen=True):
    """One label with its value and where its answer is."""

    label: str
    value: str
    features: tuple[str, ...]
    element: str

    def check(self, asked: str, question: Question, *, negated: bool = False, depth: int = 0) -> Check:
        return Check(self.label, asked, question, negated=negated, depth=depth)

    def value_check(self, asked: str, test: Test, *, negated: bool = False) -> Check:
        return self.check(asked, HasValue(self.features, self.element, test), negated=negated)


def checks_of_label(label: str, value: str) -> tuple[Check, ...]:
    """Return the checks that one label of a set stands for.

    Args:
        label: the author's key. One that is not in the table asks for a fact of that very name.
        value: the author's value as text.

    Returns:
        One check per item of a list, in the author's order, else one check.

    Raises:
        InvalidDocumentError: the value is not of the label's kind.
    """
    if "," in value or len(label) + len(value) > _MAX_REMEMBERED_CHARACTERS:
        return _checks_of_label(label, value)
    return _remembered(label, value)


def _checks_of_label(label: str, value: str) -> tuple[Check, ...]:
    if not label.strip():
        raise InvalidDocumentError("an empty label")
    row, element = _row(label)
    return row.read(_Asked(label, bounded(value), row.features, element))


# A node sees the same labels again and again, in the sets of one index and from one image to the next. Lists are not
# remembered, nor what is long: each of these stands for one check, and no author can have megabytes kept.
_remembered: Final = lru_cache(_REMEMBERED)(_checks_of_label)


def checks_of_value(label: str, value: str, features: tuple[str, ...], element: str) -> tuple[Check, ...]:
    """Return the checks of a value that may be a range, a list or plain.

    Args:
        label: the author's word for the fact.
        value: as the author wrote it.
        features: where the fact is, any of them.
        element: its name there.

    Raises:
        InvalidDocumentError: the value is a range that cannot be read.
    """
    return _value(_Asked(label, bounded(value), features, element))


def as_test(value: str) -> Test:
    """Return the test of a value that may be a range or plain. Raises ``InvalidDocumentError`` for a bad range."""
    return InRanges(parse_ranges(value)) if is_range(value) else EqualTo((value,))


def bounded(value: str) -> str:
    """Return a value without the space around it. Raises ``InvalidDocumentError`` for one that is too long."""
    if len(value) > _MAX_VALUE_CHARACTERS:
        raise InvalidDocumentError(f"a value of {len(value)} characters, more than {_MAX_VALUE_CHARACTERS}")
    return value.strip()


def labels() -> tuple[tuple[str, str], ...]:
    """Return every label of the table with what it asks for; one that ends in a dot is followed by a name."""
    return tuple((label, row.asks) for table in (_LABELS, _PREFIXES) for label, row in table.items())


def checks_of_flags(label: str, names: Iterable[str]) -> tuple[Check, ...]:
    """Return one check per CPU feature, each in any of the spellings that ``model.cpu_flags`` knows.

    Raises:
        InvalidDocumentError: a name is empty.
    """
    distinct: dict[Question, Check] = {}
    for name in names:
        check = (_remembered_flag if len(name) <= _MAX_REMEMBERED_CHARACTERS else _flag)(label, name.strip())
        distinct.setdefault(check.question, check)
    return tuple(distinct.values())


def _flags(asked: _Asked) -> tuple[Check, ...]:
    return checks_of_flags(asked.label, _items(asked.value))


def _flag(label: str, name: str) -> Check:
    if not name:
        raise InvalidDocumentError("an empty feature name")
    names = flag_names(name)
    return Check(label, name, HasFlag(_CPU_FLAGS, names), depth=max(depth_of_flag(one) for one in names))


_remembered_flag: Final = lru_cache(_REMEMBERED)(_flag)


def _cpu_targets(asked: _Asked) -> tuple[Check, ...]:
    return tuple(_cpu_target(asked, item) for item in _items(asked.value))


def _cpu_target(asked: _Asked, item: str) -> Check:
    target = _TARGETS.get(item.lower()) or target_of(item)
    # A target that archspec does not know yet is one that nobody could have looked for.
    features = asked.features if target else (*asked.features, ANYWHERE)
    return asked.check(item, HasFlag(features, (target or item,)), depth=depth_of_target(target))


def _vendors(asked: _Asked) -> tuple[Check, ...]:
    return tuple(_vendor(asked, item) for item in _items(asked.value))


def _vendor(asked: _Asked, item: str) -> Check:
    names = (some for some in _VENDORS if item.casefold() in {name.casefold() for name in some})
    return asked.value_check(item, EqualTo(next(names, (item,))))


def _version(asked: _Asked) -> tuple[Check, ...]:
    return (asked.value_check(asked.value, InRanges(parse_ranges(asked.value))),)


def _value(asked: _Asked) -> tuple[Check, ...]:
    if is_range(asked.value):
        return _version(asked)
    if "," in asked.value:
        return tuple(asked.value_check(item, Includes(item)) for item in _items(asked.value))
    return (asked.value_check(asked.value, EqualTo((asked.value,))),)


def _kernel_options(asked: _Asked) -> tuple[Check, ...]:
    return tuple(_kernel_option(asked, item) for item in _items(asked.value))


def _kernel_option(asked: _Asked, item: str) -> Check:
    found = _KERNEL_OPTION.fullmatch(item)
    if found is None:
        raise InvalidDocumentError(f"{item[:_SHOWN_CHARACTERS]!r} is not a kernel option")
    name, value = found[1], found[2]
    if value in _DISABLED:
        return asked.check(item, HasValue(asked.features, name, EqualTo(_ENABLED)), negated=True)
    wanted = _ENABLED if value is None else (value.strip('"'),)
    return asked.check(item, HasValue(asked.features, name, EqualTo(wanted)))


def _modules(asked: _Asked) -> tuple[Check, ...]:
    return tuple(asked.check(item, _module_question(item)) for item in _items(asked.value))


def _module(asked: _Asked) -> tuple[Check, ...]:
    """Read ``oci.kernel.modules.<name>``: true, false, or a fact of the label's own name, such as a version."""
    word = asked.value.rstrip(", ").casefold()
    if word not in {"true", "false", ""}:
        return _value(_Asked(asked.label, asked.value, FREE_FACTS, asked.label))
    negated = word == "false"
    return (asked.check(asked.value, _module_question(asked.element), negated=negated),)


def _module_question(name: str) -> HasFlag:
    return HasFlag(MODULE_FACTS, (name.replace("-", "_"),))


def _pci_devices(asked: _Asked) -> tuple[Check, ...]:
    return tuple(_pci_device(asked, item) for item in _items(asked.value))


def _pci_device(asked: _Asked, item: str) -> Check:
    found = _PCI_DEVICE.fullmatch(item)
    if found is None:
        raise InvalidDocumentError(
            f"{item[:_SHOWN_CHARACTERS]!r} is not vendor.device in hexadecimal, such as 10de.2336"
        )
    vendor, device = (EqualTo((number.lower(),), ignore_case=True) for number in found.groups())
    return asked.check(item, HasInstance(asked.features[0], (("vendor", vendor), ("device", device))))


def _items(value: str) -> tuple[str, ...]:
    """Return the distinct items of a list; a trailing comma is noise."""
    items = tuple(dict.fromkeys([item for part in value.split(",") if (item := part.strip())]))
    if not items:
        raise InvalidDocumentError("an empty list")
    return items


class _Row(msgspec.Struct, frozen=True):
    read: Callable[[_Asked], tuple[Check, ...]]
    features: tuple[str, ...]
    element: str = ""
    asks: str = ""


_LABELS: Final[Mapping[str, _Row]] = {
    "oci.cpu.features": _Row(_flags, _CPU_FLAGS, asks="CPU features, a list of which all are needed"),
    "oci.cpu.microarchitecture": _Row(
        _cpu_targets, ("cpu.microarchitecture",), asks="an archspec target that the CPU is, or descends from"
    ),
    "oci.cpu.vendor": _Row(_vendors, ("cpu.model",), "vendor_id", asks="the CPU vendor, in its own word or NFD's"),
    "oci.kernel.configurations": _Row(
        _kernel_options, ("kernel.config",), asks="kernel options, a list such as PREEMPT, CONFIG_HZ=250"
    ),
    "oci.kernel.modules": _Row(_modules, MODULE_FACTS, asks="kernel modules, loaded or built in, a list"),
    "oci.kernel.selinux": _Row(_value, ("kernel.selinux",), "enabled", asks="whether SELinux enforces"),
    "oci.kernel.version": _Row(_version, ("kernel.version",), "full", asks="the kernel release, a version or range"),
    "oci.kernel.versions": _Row(_version, ("kernel.version",), "full", asks="the kernel release, a version or range"),
    "oci.os.glibc": _Row(_version, ("system.libc",), "glibc", asks="the version of glibc, or a range"),
    "oci.os.openmpi": _Row(_version, FREE_FACTS, "oci.os.openmpi", asks="a stated Open MPI, a version or range"),
    "oci.pci.devices": _Row(_pci_devices, ("pci.device",), asks="PCI devices, a list of vendor.device in hexadecimal"),
}
# The rest of the label is the element that is asked for.
_PREFIXES: Final[Mapping[str, _Row]] = {
    "oci.kernel.cmdline.": _Row(_value, ("kernel.cmdline",), asks="a kernel parameter"),
    "oci.kernel.modules.": _Row(_module, MODULE_FACTS, asks="whether a kernel module is loaded or built in"),
}


def _row(label: str) -> tuple[_Row, str]:
    row = _LABELS.get(label)
    if row is not None:
        return row, row.element
    for prefix, prefixed in _PREFIXES.items():
        if label.startswith(prefix) and len(label) > len(prefix):
            return prefixed, label.removeprefix(prefix)
    return _Row(_value, FREE_FACTS), label
