"""Every detector there is, in the order of the report. A new source is a new file and a new row here."""

from typing import Final

from imagefit.node.contract import Detector
from imagefit.node.detectors.amd_gpu import AmdDriverDetector, AmdGpuDetector
from imagefit.node.detectors.block import BlockDetector
from imagefit.node.detectors.cpu import CpuDetector
from imagefit.node.detectors.cpu_coprocessor import CoprocessorDetector
from imagefit.node.detectors.cpu_cstate import CstateDetector
from imagefit.node.detectors.cpu_pstate import PstateDetector
from imagefit.node.detectors.cpu_security import SecurityDetector
from imagefit.node.detectors.cpu_topology import TopologyDetector
from imagefit.node.detectors.dmi import DmiDetector
from imagefit.node.detectors.facts_d import FactsDDetector
from imagefit.node.detectors.features_d import FeaturesDDetector
from imagefit.node.detectors.kernel_cmdline import KernelCmdlineDetector
from imagefit.node.detectors.kernel_config import KernelConfigDetector
from imagefit.node.detectors.kernel_modules import EnabledModulesDetector, LoadedModulesDetector
from imagefit.node.detectors.kernel_version import KernelVersionDetector
from imagefit.node.detectors.libc import LibcDetector
from imagefit.node.detectors.memory import HugepagesDetector, NumaDetector, SwapDetector
from imagefit.node.detectors.microarchitecture import MicroarchitectureDetector
from imagefit.node.detectors.network import NetworkDetector
from imagefit.node.detectors.node_name import NodeNameDetector
from imagefit.node.detectors.nvdimm import NvdimmDetector
from imagefit.node.detectors.nvidia import NvidiaDetector
from imagefit.node.detectors.nvml import NvmlDetector
from imagefit.node.detectors.os_release import OsReleaseDetector
from imagefit.node.detectors.pci import PciDetector
from imagefit.node.detectors.rdma import RdmaDetector
from imagefit.node.detectors.selinux import SelinuxDetector
from imagefit.node.detectors.usb import UsbDetector

DETECTORS: Final[tuple[Detector, ...]] = (
    CpuDetector(),
    MicroarchitectureDetector(),
    TopologyDetector(),
    PstateDetector(),
    CstateDetector(),
    SecurityDetector(),
    CoprocessorDetector(),
    KernelVersionDetector(),
    KernelConfigDetector(),
    LoadedModulesDetector(),
    EnabledModulesDetector(),
    KernelCmdlineDetector(),
    SelinuxDetector(),
    OsReleaseDetector(),
    LibcDetector(),
    DmiDetector(),
    NodeNameDetector(),
    NumaDetector(),
    SwapDetector(),
    HugepagesDetector(),
    NvdimmDetector(),
    PciDetector(),
    UsbDetector(),
    NetworkDetector(),
    BlockDetector(),
    NvidiaDetector(),
    NvmlDetector(),
    AmdDriverDetector(),
    AmdGpuDetector(),
    RdmaDetector(),
    FeaturesDDetector(),
    FactsDDetector(),  # the last, since what the operator states stands over everything else
)
