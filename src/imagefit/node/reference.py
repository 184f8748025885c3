"""What each feature is, in words: a row per feature, for the reference page and for ``imagefit node``.

Knows shape, elements and an example of every feature that a detector covers. Leaves to detectors where facts come from;
a test holds both together. Names are NFD's where NFD has the feature ("Available features" of its customization guide).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imagefit.model.facts import Shape


@dataclass(frozen=True, slots=True)
class Described:
    """One feature.

    Attributes:
        shape: NFD's.
        about: what it says, and what it means that it is empty where that is not plain.
        example: one element, or the elements of one instance, as ``imagefit node`` shows them.
        elements: all that there can be; empty where their names come from the source.
        shown: what tells a person which instance it is, with elements in braces; empty for all elements.
    """

    shape: Shape
    about: str
    example: str
    elements: tuple[str, ...] = ()
    shown: str = ""


FEATURES: Final[Mapping[str, Described]] = {
    "amd.driver": Described(
        "attributes",
        "AMD's driver where it is not the kernel's own, which has no version of its own; empty where none is loaded",
        "version=6.3.6",
        ("version",),
    ),
    "amd.gpu": Described(
        "instances",
        "AMD GPUs that compute (KFD); `gfx` is LLVM's name of the target",
        "gfx90a, 65520 MiB",
        ("gfx", "vendor", "device", "bus", "memory_mib"),
        "{gfx}, {memory_mib} MiB",
    ),
    "cpu.coprocessor": Described("attributes", "the compression unit of POWER", "nx_gzip=true", ("nx_gzip",)),
    "cpu.cpuid": Described("flags", "CPU features, in NFD's names", "AVX2"),
    "cpu.cstate": Described(
        "attributes",
        "whether Intel's idle states are enabled; empty without their driver",
        "enabled=true",
        ("enabled",),
    ),
    "cpu.microarchitecture": Described(
        "flags", "archspec targets that the CPU runs: the best one and all its ancestors", "x86_64_v3"
    ),
    "cpu.model": Described(
        "attributes", "vendor, family and model number", "vendor_id=Intel", ("vendor_id", "family", "id")
    ),
    "cpu.pstate": Described(
        "attributes",
        "Intel's frequency driver; empty without it",
        "scaling_governor=performance",
        ("status", "turbo", "scaling_governor"),
    ),
    "cpu.security": Described(
        "attributes",
        "confidential computing: what is enabled, and how much of it there is",
        "sev.snp.enabled=true",
        (
            *("se.enabled", "sev.asids", "sev.enabled", "sev.encrypted_state_ids", "sev.es.enabled"),
            *("sev.snp.enabled", "sgx.enabled", "sgx.epc", "tdx.enabled", "tdx.protected", "tdx.total_keys"),
        ),
    ),
    "cpu.topology": Described(
        "attributes",
        "sockets and hardware threads",
        "hardware_multithreading=true",
        ("hardware_multithreading", "socket_count"),
    ),
    "kernel.cmdline": Described("attributes", "parameters that the kernel was started with", "hugepagesz=1G"),
    "kernel.config": Described("attributes", "kernel options that are set, without `CONFIG_`", "PREEMPT=y"),
    "kernel.enabledmodule": Described("flags", "modules that are loaded or built in", "overlay"),
    "kernel.loadedmodule": Described("flags", "modules that are loaded", "nvidia_uvm"),
    "kernel.selinux": Described("attributes", "whether SELinux enforces", "enabled=true", ("enabled",)),
    "kernel.version": Described(
        "attributes", "the kernel's release", "full=6.1.0-18-amd64", ("full", "major", "minor", "revision")
    ),
    "local.feature": Described(
        "attributes", "what others wrote down for NFD; see [NFD's feature files](#nfds-feature-files)", "vendor.io/x=1"
    ),
    "local.label": Described("attributes", "the same, of lines that are labels", "vendor.io/x=1"),
    "memory.hugepages": Described("attributes", "huge pages that are set aside, by size", "hugepages-2Mi=1024"),
    "memory.numa": Described("attributes", "memory nodes", "node_count=2", ("is_numa", "node_count")),
    "memory.nv": Described("instances", "non-volatile memory", "nd_dax", ("name", "devtype", "mode"), "{devtype}"),
    "memory.swap": Described("attributes", "whether there is swap", "enabled=false", ("enabled",)),
    "network.device": Described(
        "instances",
        "network devices of hardware; `speed` is in Mbit/s",
        "eth0 up",
        ("name", "operstate", "speed", "sriov_numvfs", "sriov_totalvfs"),
        "{name} {operstate}",
    ),
    "network.virtual": Described(
        "instances",
        "network devices without hardware",
        "cni0 up",
        ("name", "operstate", "speed"),
        "{name} {operstate}",
    ),
    "nvidia.cuda": Described(
        "attributes",
        "the CUDA version that NVIDIA's driver runs; needs `imagefit[nvidia]`; empty where there is no driver",
        "version=12.4",
        ("version", "major", "minor"),
    ),
    "nvidia.device": Described(
        "instances",
        "NVIDIA GPUs as the library tells of them; needs `imagefit[nvidia]`",
        "NVIDIA H100 80GB HBM3, 81559 MiB",
        ("product", "bus", "memory_mib", "compute.major", "compute.minor", "mig"),
        "{product}, {memory_mib} MiB",
    ),
    "nvidia.driver": Described(
        "attributes",
        "NVIDIA's kernel driver; empty where there is none",
        "version=550.54.15",
        ("version", "major", "minor", "revision"),
    ),
    "nvidia.gpu": Described(
        "instances",
        "NVIDIA GPUs that the driver runs; `minor` is that of the device file",
        "NVIDIA H100 80GB HBM3",
        ("product", "bus", "minor"),
        "{product}",
    ),
    "operator.fact": Described(
        "attributes", "what the operator states; see [Stating facts](#stating-facts)", "com.example.licensed=true"
    ),
    "pci.device": Described(
        "instances",
        "PCI devices; `class` is class and subclass, numbers are hexadecimal",
        "0302 10de:2330",
        (
            *("class", "vendor", "device", "subsystem_vendor", "subsystem_device"),
            *("sriov_totalvfs", "iommu_group/type"),
        ),
        "{class} {vendor}:{device}",
    ),
    "rdma.device": Described(
        "instances",
        "InfiniBand, RoCE and iWARP devices, by the first active port; `net` is the network device beside it",
        "mlx5_0 InfiniBand ACTIVE",
        (
            *("name", "node_type", "fw_ver", "board_id", "hca_type", "link_layer", "state", "rate", "rate_gbps"),
            *("ports", "net"),
        ),
        "{name} {link_layer} {state}",
    ),
    "storage.block": Described(
        "instances",
        "disks and other block devices, without partitions",
        "nvme0n1",
        ("name", "dax", "rotational", "nr_zones", "zoned"),
        "{name}",
    ),
    "system.dmiid": Described("attributes", "who made the machine, its board and its firmware", "sys_vendor=Dell Inc."),
    "system.libc": Described(
        "attributes",
        "C libraries of the host",
        "glibc=2.36",
        ("glibc", "musl", "name", "version"),
    ),
    "system.name": Described("attributes", "the node's name", "nodename=worker-1", ("nodename",)),
    "system.osrelease": Described(
        "attributes", "the distribution: keys of os-release, and parts of its version", "VERSION_ID.major=12"
    ),
    "usb.device": Described(
        "instances",
        "USB devices, one per class of their interfaces; `class` is hexadecimal",
        "09 1d6b:0002",
        ("class", "vendor", "device", "serial"),
        "{class} {vendor}:{device}",
    ),
}
"""Feature → what it is."""
