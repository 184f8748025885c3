"""AMD's driver and the GPUs that compute with it, from the topology that the kernel's KFD shows under /sys.

Knows KFD's nodes: CPUs and GPUs alike, told apart by their SIMD units. What identifies one piece of hardware
(``unique_id``) is not kept. Sources: Linux ``drivers/gpu/drm/amd/amdkfd/kfd_topology.c``; LLVM's AMDGPUUsage for the
names of targets. NFD has no such feature.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError
from imagefit.node.sysfs import VALUE_MAX_BYTES, list_devices

GPU_FEATURE: Final = "amd.gpu"
DRIVER_FEATURE: Final = "amd.driver"

_CLASSES: Final = "/sys/class"
_NODES: Final = "/sys/class/kfd/kfd/topology/nodes"
_MODULES: Final = "/sys/module"
_MODULE: Final = "/sys/module/amdgpu"
_VERSION: Final = "/sys/module/amdgpu/version"
_MIB: Final = 1024 * 1024
# KFD's heaps in the GPU's own memory: what the CPU reaches and what it does not.
_OWN_HEAPS: Final = frozenset({1, 2})


class AmdDriverDetector:
    """The version of a driver that is not the kernel's own."""

    name = "amd-driver"
    features = (DRIVER_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the module's version. Raises ``CannotLookError``."""
        return Facts(attributes={DRIVER_FEATURE: _driver(host)})


class AmdGpuDetector:
    """One instance per GPU, in the kernel's order; not known where the kernel does not name the GPUs' targets."""

    name = "amd-gpu"
    features = (GPU_FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the topology. Raises ``CannotLookError``."""
        return Facts(instances={GPU_FEATURE: tuple(_gpus(host))})


def _driver(host: HostView) -> Attributes:
    try:
        version = host.read_text(_VERSION, VALUE_MAX_BYTES).strip()
    except NotThereError:
        if host.exists(_MODULES) and not host.exists(_MODULE):
            return {}
        raise
    if not version:
        raise CannotLookError(f"{_VERSION} is empty")
    return {"version": version}


def _gpus(host: HostView) -> Iterator[Attributes]:
    nodes = list_devices(host, _NODES, _CLASSES)  # none without a driver that computes
    for node in sorted(filter(str.isdecimal, nodes), key=int):
        gpu = parse_gpu(host.read_text(f"{_NODES}/{node}/properties", VALUE_MAX_BYTES))
        if gpu is not None:
            yield {**gpu, **_memory(host, f"{_NODES}/{node}/mem_banks")}


def _memory(host: HostView, directory: str) -> Attributes:
    try:
        banks = [host.read_text(f"{directory}/{bank}/properties", VALUE_MAX_BYTES) for bank in host.list_dir(directory)]
    except CannotLookError:
        return {}
    return {"memory_mib": str(own_memory_bytes(banks) // _MIB)}


def parse_gpu(text: str) -> Attributes | None:
    """Read the properties of one node.

    Returns:
        ``gfx`` such as ``gfx90a``, ``vendor`` and ``device`` as ``pci.device`` has them, ``bus``; None for a node that
        is no GPU.

    Raises:
        CannotLookError: the kernel does not name the GPU's target, as before Linux 5.16.
    """
    properties = parse_properties(text)
    target = properties.get("gfx_target_version", 0)
    if not properties.get("simd_count", 0):
        return None
    if not target:
        raise CannotLookError("the kernel does not name the target (gfx) of a GPU")
    numbers = {"vendor": properties.get("vendor_id"), "device": properties.get("device_id")}
    ids = {name: f"{number:04x}" for name, number in numbers.items() if number is not None}
    return {"gfx": _gfx(target), **ids, **_bus(properties)}


def parse_properties(text: str) -> Mapping[str, int]:
    """Read lines of a name and a number; other lines are skipped."""
    lines = (line.split() for line in text.splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) == 2 and _is_number(words[1])}  # noqa: PLR2004


def own_memory_bytes(banks: Iterable[str]) -> int:
    """Return the size of a GPU's own memory from the properties of its memory banks."""
    all_properties = [parse_properties(bank) for bank in banks]
    return sum(one.get("size_in_bytes", 0) for one in all_properties if one.get("heap_type") in _OWN_HEAPS)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _gfx(target: int) -> str:
    """Return LLVM's name: the decimal major version, then minor and stepping as one hexadecimal digit each."""
    return f"gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}"


def _bus(properties: Mapping[str, int]) -> Attributes:
    location = properties.get("location_id")
    if location is None:
        return {}
    address = f"{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"
    return {"bus": f"{properties.get('domain', 0):04x}:{address}"}
