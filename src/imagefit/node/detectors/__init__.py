"""Every detector there is, in the order of the report. A new source is a new file and a new row here."""

from typing import Final

from imagefit.node.contract import Detector
from imagefit.node.detectors.cpu import CpuDetector
from imagefit.node.detectors.kernel_cmdline import KernelCmdlineDetector
from imagefit.node.detectors.kernel_config import KernelConfigDetector
from imagefit.node.detectors.kernel_modules import EnabledModulesDetector, LoadedModulesDetector
from imagefit.node.detectors.kernel_version import KernelVersionDetector
from imagefit.node.detectors.libc import LibcDetector
from imagefit.node.detectors.memory import HugepagesDetector, NumaDetector, SwapDetector
from imagefit.node.detectors.microarchitecture import MicroarchitectureDetector
from imagefit.node.detectors.os_release import OsReleaseDetector
from imagefit.node.detectors.pci import PciDetector
from imagefit.node.detectors.selinux import SelinuxDetector

DETECTORS: Final[tuple[Detector, ...]] = (
    CpuDetector(),
    MicroarchitectureDetector(),
    KernelVersionDetector(),
    KernelConfigDetector(),
    LoadedModulesDetector(),
    EnabledModulesDetector(),
    KernelCmdlineDetector(),
    SelinuxDetector(),
    OsReleaseDetector(),
    LibcDetector(),
    NumaDetector(),
    SwapDetector(),
    HugepagesDetector(),
    PciDetector(),
)
