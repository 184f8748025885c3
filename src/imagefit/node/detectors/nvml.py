"""What only NVIDIA's management library tells: the CUDA version that the driver runs, and each GPU's abilities.

Knows which of its calls are asked. The library talks to the running machine's driver, so it is never called for a moved
root, and never where there is no driver. Its Python module is an extra (``imagefit[nvidia]``). Leaves to ``nvidia``
what files tell, and has a feature of its own: two lists of the same GPUs under one feature would count each GPU twice.
Where the device file is missing the library would start a program that makes it, so it is not called then either.
Source: the NVML API Reference. NFD has no such feature; its GPU labels come from NVIDIA's own GPU feature discovery.
"""

# ruff: noqa: D102, N802 - the names of NVIDIA's module

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol, cast

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError
from imagefit.node.nvidia_driver import has_driver

CUDA_FEATURE: Final = "nvidia.cuda"
DEVICE_FEATURE: Final = "nvidia.device"

_DEVICE_FILE: Final = "/dev/nvidiactl"
_CUDA_MAJOR: Final = 1000
_CUDA_MINOR: Final = 10
_MIB: Final = 1024 * 1024


class Pci(Protocol):
    """Where a GPU is."""

    domain: int
    bus: int
    device: int


class Memory(Protocol):
    """How much memory a GPU has, in bytes."""

    total: int


class Nvml(Protocol):
    """What is asked of NVIDIA's Python module, in its own names; a GPU's handle is the library's own pointer."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlSystemGetCudaDriverVersion_v2(self) -> int: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...
    def nvmlDeviceGetName(self, handle: object) -> str: ...
    def nvmlDeviceGetPciInfo(self, handle: object) -> Pci: ...
    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Memory: ...
    def nvmlDeviceGetCudaComputeCapability(self, handle: object) -> tuple[int, int]: ...
    def nvmlDeviceGetMigMode(self, handle: object) -> list[int]: ...


def load_nvml() -> Nvml:
    """Return NVIDIA's Python module.

    Raises:
        CannotLookError: it is not installed.
    """
    try:
        # An extra, and eighty milliseconds that only a node with GPUs should wait for.
        import pynvml
    except ImportError as error:
        raise CannotLookError("NVIDIA's library is not asked: pip install 'imagefit[nvidia]'") from error
    return cast("Nvml", pynvml)


class NvmlDetector:
    """The CUDA version that the driver runs, and one instance per GPU, in the library's order."""

    name = "nvml"
    features = (CUDA_FEATURE, DEVICE_FEATURE)

    def __init__(self, load: Callable[[], Nvml] = load_nvml) -> None:
        """Take what returns the library, called only where there is a driver."""
        self._load = load

    def detect(self, host: HostView) -> Facts:
        """Ask the library. Raises ``CannotLookError``."""
        if not has_driver(host):
            return Facts(attributes={CUDA_FEATURE: {}}, instances={DEVICE_FEATURE: ()})
        if host.root != "/":
            raise CannotLookError("NVIDIA's library tells of the running machine only, not of a moved root")
        if not host.exists(_DEVICE_FILE):
            raise NotThereError(f"{_DEVICE_FILE} is not there, so NVIDIA's library is not asked")
        return read_nvml(self._load())


def read_nvml(nvml: Nvml) -> Facts:
    """Ask for everything; a GPU that does not answer to a question lacks that element.

    Raises:
        CannotLookError: the library cannot be used, or does not list the GPUs.
    """
    try:
        nvml.nvmlInit()
        try:
            cuda = cuda_version(nvml.nvmlSystemGetCudaDriverVersion_v2())
            return Facts(attributes={CUDA_FEATURE: cuda}, instances={DEVICE_FEATURE: tuple(_devices(nvml))})
        finally:
            nvml.nvmlShutdown()
    except nvml.NVMLError as error:
        raise CannotLookError(f"NVIDIA's library: {error}") from error


def cuda_version(number: int) -> Attributes:
    """Return the elements for a version as the library writes it, such as 12040 for 12.4."""
    major, minor = number // _CUDA_MAJOR, number % _CUDA_MAJOR // _CUDA_MINOR
    return {"version": f"{major}.{minor}", "major": str(major), "minor": str(minor)}


def _devices(nvml: Nvml) -> Iterator[Attributes]:
    for index in range(nvml.nvmlDeviceGetCount()):
        yield _device(nvml, nvml.nvmlDeviceGetHandleByIndex(index))


def _device(nvml: Nvml, handle: object) -> Attributes:
    device: dict[str, str] = {}
    for ask in (_product, _bus, _memory, _compute, _mig):
        # An older GPU or driver does not know every question, MIG above all.
        with suppress(nvml.NVMLError):
            device |= ask(nvml, handle)
    return device


def _product(nvml: Nvml, handle: object) -> Attributes:
    return {"product": nvml.nvmlDeviceGetName(handle)}


def _bus(nvml: Nvml, handle: object) -> Attributes:
    pci = nvml.nvmlDeviceGetPciInfo(handle)
    return {"bus": f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0"}


def _memory(nvml: Nvml, handle: object) -> Attributes:
    return {"memory_mib": str(nvml.nvmlDeviceGetMemoryInfo(handle).total // _MIB)}


def _compute(nvml: Nvml, handle: object) -> Attributes:
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    return {"compute.major": str(major), "compute.minor": str(minor)}


def _mig(nvml: Nvml, handle: object) -> Attributes:
    current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    return {"mig": "true" if current else "false"}
