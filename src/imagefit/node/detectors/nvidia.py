"""NVIDIA's driver and the GPUs that it runs, from /proc/driver/nvidia.

Knows both spellings of its version line: that of the closed kernel module and that of the open one. Leaves to ``nvml``
what only NVIDIA's library tells. What identifies one piece of hardware (UUID) is not kept. Source: "Using the /proc
File System Interface" in the driver's README. NFD has no such feature.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError
from imagefit.node.nvidia_driver import DIRECTORY, has_driver

DRIVER_FEATURE: Final = "nvidia.driver"
GPU_FEATURE: Final = "nvidia.gpu"

_VERSION: Final = f"{DIRECTORY}/version"
_MODULE_VERSION: Final = "/sys/module/nvidia/version"
_GPUS: Final = f"{DIRECTORY}/gpus"
_FILE_MAX_BYTES: Final = 16 * 1024
_NUMBERS: Final = r"(?P<version>(?P<major>\d+)\.(?P<minor>\d+)(?:\.(?P<revision>\d+))?)"
_MODULE_LINE: Final = re.compile(rf"^NVRM version:[^\n]*?Kernel Module(?: for \S+)?[ \t]+{_NUMBERS}\b", re.MULTILINE)
_BARE: Final = re.compile(rf"\s*{_NUMBERS}\s*")
_UNKNOWN: Final = frozenset({"", "N/A", "Unknown"})
# Our element → the driver's field.
_FIELDS: Final[Mapping[str, str]] = {"product": "Model", "bus": "Bus Location", "minor": "Device Minor"}


class NvidiaDetector:
    """The driver's version, and one instance per GPU that it runs, in the order of their addresses."""

    name = "nvidia"
    features = (DRIVER_FEATURE, GPU_FEATURE)

    def detect(self, host: HostView) -> Facts:
        """Read the driver's files. Raises ``CannotLookError``."""
        if not has_driver(host):
            return Facts(attributes={DRIVER_FEATURE: {}}, instances={GPU_FEATURE: ()})
        return Facts(attributes={DRIVER_FEATURE: _driver(host)}, instances={GPU_FEATURE: tuple(_gpus(host))})


def _driver(host: HostView) -> Attributes:
    try:
        return parse_driver(host.read_text(_VERSION, _FILE_MAX_BYTES))
    except NotThereError:
        return parse_module_version(host.read_text(_MODULE_VERSION, _FILE_MAX_BYTES))


def _gpus(host: HostView) -> Iterator[Attributes]:
    try:
        addresses = host.list_dir(_GPUS)
    except NotThereError:
        return  # the driver makes the directory with its first GPU
    for address in addresses:
        try:
            gpu = parse_gpu(host.read_text(f"{_GPUS}/{address}/information", _FILE_MAX_BYTES))
        except NotThereError:
            continue  # taken out of the machine meanwhile
        if gpu is not None:
            yield {"bus": address, **gpu}


def parse_driver(text: str) -> Attributes:
    """Read /proc/driver/nvidia/version.

    Returns:
        ``version`` and its numbers ``major``, ``minor`` and, where it has three, ``revision``.

    Raises:
        CannotLookError: no line names the kernel module's version.
    """
    return _numbers(_MODULE_LINE.search(text), _VERSION)


def parse_module_version(text: str) -> Attributes:
    """Read /sys/module/nvidia/version, such as ``550.54.15``. Returns and raises as ``parse_driver``."""
    return _numbers(_BARE.fullmatch(text), _MODULE_VERSION)


def parse_gpu(text: str) -> Attributes | None:
    """Read the ``information`` of one GPU.

    Returns:
        ``product``, ``bus`` and ``minor`` (of its device file) as far as the driver knows them; None for a GPU that the
        operator has excluded.
    """
    fields = dict(_fields(text))
    if fields.get("GPU Excluded") == "Yes":
        return None
    values = {element: fields.get(field, "") for element, field in _FIELDS.items()}
    return {element: value for element, value in values.items() if value not in _UNKNOWN}


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()


def _numbers(found: re.Match[str] | None, path: str) -> Attributes:
    if found is None:
        raise CannotLookError(f"{path} names no version")
    return {name: value for name, value in found.groupdict().items() if value is not None}
