"""Whole hosts from small trees: what is known of each, and what must not be said of it."""

import gzip
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from archspec.cpu import TARGETS

from harness.record_host import TracingHost, record, scrub
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.model.facts import Facts
from imagefit.node.collect import Collected, collect
from imagefit.node.contract import HostView
from imagefit.node.detectors import DETECTORS

_HOSTS = Path(__file__).parent.parent / "hosts"
_RECORDED = "recorded-amd64-microvm"
_UNREADABLE = "amd64-unreadable"


@dataclass(frozen=True)
class _Expected:
    """What a host's documentation says of it.

    Attributes:
        platform: architecture and variant.
        target: the best archspec target; with its ancestors it is all that the host fits.
        not_target: one that is near and must not be there.
        kernel: major and minor version.
        libc: name and version.
        distribution: ``ID`` and ``VERSION_ID``.
        pci: class, vendor and device of each, in the order of their addresses.
        vendor: of the CPU; empty where the kernel shows none.
        numa_nodes: empty where nothing tells.
        selinux: whether it enforces.
        swap: whether there is any.
        hugepages: whether any are set aside.
        uncovered: all features that detectors are there for and that nothing is known about.
    """

    platform: tuple[str, str]
    target: str
    not_target: str
    kernel: str
    libc: str
    distribution: str
    pci: tuple[str, ...]
    vendor: str = ""
    numa_nodes: str = "1"
    selinux: str = "false"
    swap: str = "false"
    hugepages: str = "false"
    uncovered: frozenset[str] = frozenset()


_NO_KERNEL_FILES = frozenset({"kernel.config", "kernel.enabledmodule"})
_NO_CPU_FLAGS = frozenset({"cpu.cpuid", "cpu.model"})
_NO_NUMA = frozenset({"memory.numa"})
# NVIDIA's library speaks for the running machine only.
_NO_NVML = frozenset({"nvidia.cuda", "nvidia.device"})
# Operators state what they like, so what they leave out is not known to be absent.
_NOTHING_STATED = frozenset({"operator.fact"})

_EXPECTED = {
    "amd64-v1-intel-harpertown": _Expected(
        ("amd64", "v1"), "core2", "nehalem", "6.1", "glibc 2.36", "debian 12",
        ("0104 1000:0060", "0200 14e4:164c"), vendor="Intel", swap="true",
    ),
    "amd64-v1-vm": _Expected(
        ("amd64", "v1"), "x86_64", "x86_64_v2", "6.6", "musl 1.2.4", "alpine 3.19.1",
        (), vendor="Intel", swap="true", uncovered=_NO_KERNEL_FILES,
    ),
    "amd64-v2-amd-bulldozer": _Expected(
        ("amd64", "v2"), "bulldozer", "piledriver", "4.18", "glibc 2.28", "rocky 8.10",
        ("0106 1002:4391", "0200 14e4:165f"), vendor="AMD", numa_nodes="2", hugepages="true",
    ),
    "amd64-v2-intel-westmere": _Expected(
        ("amd64", "v2"), "westmere", "sandybridge", "6.4", "glibc 2.38", "opensuse-leap 15.6",
        ("0106 8086:3a22", "0200 8086:10c9"), vendor="Intel", numa_nodes="2", swap="true", hugepages="true",
    ),
    "amd64-v2-vm-masked": _Expected(
        ("amd64", "v2"), "westmere", "skylake_avx512", "5.15", "glibc 2.35", "ubuntu 22.04",
        ("0300 15ad:0405", "0107 15ad:07c0", "0200 15ad:07b0"), vendor="Intel",
    ),
    "amd64-v3-amd-gpu-instinct": _Expected(
        ("amd64", "v3"), "zen2", "zen3", "5.15", "glibc 2.35", "ubuntu 22.04",
        ("0380 1002:740f", "0380 1002:740f", "0200 15b3:101d", "0108 144d:a80a"), vendor="AMD", numa_nodes="2",
    ),
    "amd64-v3-amd-server": _Expected(
        ("amd64", "v3"), "zen3", "zen4", "5.15", "glibc 2.35", "ubuntu 22.04",
        ("0200 15b3:101d", "0108 144d:a80a"), vendor="AMD", numa_nodes="2", hugepages="true",
    ),
    "amd64-v3-intel-old-kernel": _Expected(
        ("amd64", "v3"), "haswell", "broadwell", "3.10", "glibc 2.17", "centos 7",
        ("0200 8086:1521", "0104 1000:005d"), vendor="Intel", numa_nodes="2", selinux="true",
        uncovered=_NO_KERNEL_FILES | {"cpu.pstate"},
    ),
    "amd64-v4-amd-rdma": _Expected(
        ("amd64", "v4"), "zen4", "zen5", "5.14", "glibc 2.34", "rocky 9.4",
        ("0207 15b3:1021", "0200 15b3:1021", "0108 144d:a80a"), vendor="AMD", numa_nodes="2", selinux="true",
        hugepages="true",
    ),
    "amd64-v4-intel-gpu": _Expected(
        ("amd64", "v4"), "sapphirerapids", "zen", "5.14", "glibc 2.34", "rhel 9.4",
        ("0302 10de:2330", "0207 15b3:1021"), vendor="Intel", numa_nodes="2", selinux="true", uncovered=_NO_NVML,
    ),
    "arm64-desktop-apple-m1": _Expected(
        ("arm64", "v8.5"), "m1", "m2", "6.6", "glibc 2.38", "fedora-asahi-remix 39",
        ("0280 14e4:4425",), vendor="Apple", numa_nodes="", selinux="true", swap="true", uncovered=_NO_NUMA,
    ),
    # archspec has no Cortex-A76, from which the Neoverse N1 comes: it takes one for the other, and so do we.
    "arm64-desktop-raspberry-pi-5": _Expected(
        ("arm64", "v8.2"), "neoverse_n1", "neoverse_v1", "6.6", "glibc 2.36", "debian 12",
        ("0604 14e4:2712", "0200 1de4:0001"), vendor="ARM", numa_nodes="", swap="true", uncovered=_NO_NUMA,
    ),
    "arm64-fujitsu-a64fx": _Expected(
        ("arm64", "v8.2"), "a64fx", "armv8.3a", "4.18", "glibc 2.28", "rocky 8.5",
        ("0207 15b3:1017",), vendor="Fujitsu", numa_nodes="4", hugepages="true",
    ),
    "arm64-neoverse-n1": _Expected(
        ("arm64", "v8.2"), "neoverse_n1", "neoverse_v1", "6.1", "glibc 2.36", "debian 12",
        ("0108 1d0f:8061", "0200 1d0f:ec20"), vendor="ARM", uncovered=frozenset({"kernel.enabledmodule"}),
    ),
    "arm64-v9-nvidia-grace": _Expected(
        ("arm64", "v9"), "neoverse_v2", "armv9.2a", "6.5", "glibc 2.35", "ubuntu 22.04",
        ("0207 15b3:1021", "0108 144d:a80a", "0302 10de:2342"), vendor="ARM", numa_nodes="2", hugepages="true",
        uncovered=_NO_NVML,
    ),
    "ppc64le-power9-ac922": _Expected(
        ("ppc64le", "power9"), "power9le", "power10le", "4.18", "glibc 2.28", "rhel 8.4",
        ("0207 15b3:1019", "0302 10de:1db5"), numa_nodes="2", uncovered=_NO_CPU_FLAGS | _NO_NVML,
    ),
    "riscv64-u74-visionfive2": _Expected(
        ("riscv64", "rva20u64"), "u74mc", "x60", "6.6", "glibc 2.37", "debian",
        ("0604 1556:1111", "0c03 1106:3483"), numa_nodes="", uncovered=_NO_CPU_FLAGS | _NO_NUMA,
    ),
    "riscv64-x60-banana-pi": _Expected(
        ("riscv64", "rva22u64"), "x60", "u74mc", "6.1", "glibc 2.38", "bianbu 1.0",
        (), uncovered=_NO_CPU_FLAGS | _NO_KERNEL_FILES,
    ),
    "s390x-z15": _Expected(
        ("s390x", ""), "", "x86_64", "5.15", "glibc 2.35", "ubuntu 22.04",
        ("0200 15b3:1016",), vendor="IBM/S390", uncovered=frozenset({"cpu.microarchitecture"}),
    ),
    _RECORDED: _Expected(
        ("amd64", "v3"), "zen2", "zen3", "6.18", "glibc 2.36", "debian 12",
        ("0600 8086:0d57", "ffff 1af4:1045", "0180 1af4:1042", "0200 1af4:1041", "ffff 1af4:1053", "ffff 1af4:1044"),
        vendor="AMD", uncovered=frozenset({"kernel.loadedmodule", "kernel.enabledmodule"}),
    ),
}  # fmt: skip

# Features of which a recording says less than the machine.
_SCRUBBED = frozenset(
    {
        "kernel.cmdline",
        "kernel.config",
        "kernel.version",
        "system.dmiid",
        "system.name",
        "system.osrelease",
        "usb.device",
    }
)
# Those that are not in files, or in files that are the operator's.
_NOT_RECORDED = _NO_NVML | _NOTHING_STATED | {"local.feature", "local.label"}

# Host, feature, then what is there and what is not: of flags, of elements (as element=value), of lists of devices.
_DETAILS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("amd64-v1-intel-harpertown", "cpu.cpuid", ("SSSE3", "SSE4", "CX16"), ("SSE42", "POPCNT")),
    ("amd64-v1-intel-harpertown", "system.dmiid", ("sys_vendor=Dell Inc.", "product_name=PowerEdge 2950"), ()),
    ("amd64-v1-intel-harpertown", "storage.block", ("name=sda rotational=1",), ("rotational=0",)),
    ("amd64-v1-vm", "network.device", ("name=eth0 operstate=up speed=-1",), ("name=lo",)),
    ("amd64-v1-vm", "cpu.topology", ("hardware_multithreading=false", "socket_count=1"), ()),
    ("amd64-v2-intel-westmere", "cpu.topology", ("hardware_multithreading=true", "socket_count=2"), ()),
    ("amd64-v2-intel-westmere", "cpu.cstate", ("enabled=true",), ()),
    ("amd64-v2-intel-westmere", "network.device", ("name=eth0 speed=1000 sriov_totalvfs=7",), ("sriov_numvfs=0",)),
    ("amd64-v2-intel-westmere", "cpu.cpuid", ("SSE42", "POPCNT", "AESNI"), ("AVX", "OSXSAVE")),
    ("amd64-v2-intel-westmere", "memory.hugepages", ("hugepages-1Gi=2", "hugepages-2Mi=0"), ()),
    ("amd64-v2-amd-bulldozer", "cpu.cpuid", ("AVX", "XOP", "FMA4", "SSE4A"), ("FMA3", "BMI1", "F16C", "AVX2")),
    ("amd64-v2-amd-bulldozer", "cpu.security", (), ("sev.enabled",)),
    ("amd64-v2-amd-bulldozer", "network.device", ("name=eno1 operstate=up", "name=eno2 operstate=down"), ("name=lo",)),
    ("amd64-v2-amd-bulldozer", "storage.block", ("name=sda rotational=1", "name=sdb rotational=0"), ()),
    ("amd64-v2-vm-masked", "system.dmiid", ("sys_vendor=VMware, Inc.",), ()),
    ("amd64-v2-vm-masked", "network.virtual", ("name=cali0123456789a", "name=lo"), ("name=ens192",)),
    ("amd64-v2-vm-masked", "cpu.cpuid", ("HYPERVISOR", "SSE42", "AESNI"), ("AVX", "AVX2", "AVX512F", "OSXSAVE")),
    ("amd64-v2-vm-masked", "cpu.model", ("family=6", "id=85"), ()),
    ("amd64-v3-amd-gpu-instinct", "amd.driver", ("version=6.3.6",), ()),
    ("amd64-v3-amd-gpu-instinct", "amd.gpu",
     ("gfx=gfx90a device=740f bus=0000:63:00.0 memory_mib=65520", "gfx=gfx90a bus=0000:43:00.0"), ("vendor=0000",)),
    ("amd64-v3-amd-gpu-instinct", "nvidia.gpu", (), ("bus=0000:63:00.0",)),
    ("amd64-v3-amd-gpu-instinct", "kernel.loadedmodule", ("amdgpu",), ("nvidia",)),
    ("amd64-v3-amd-server", "cpu.security",
     ("sev.enabled=true", "sev.asids=410", "sev.es.enabled=true", "sev.encrypted_state_ids=99"), ("sev.snp.enabled",)),
    ("amd64-v3-amd-server", "network.device", ("name=enp1s0f0np0 speed=100000 sriov_totalvfs=8",), ("name=cni0",)),
    ("amd64-v3-amd-server", "kernel.config", ("HZ=250", "BTRFS_FS=m"), ("PREEMPT",)),
    ("amd64-v3-amd-server", "kernel.enabledmodule", ("mlx5_core", "ext4", "acpi_cpufreq"), ()),
    ("amd64-v3-amd-server", "kernel.loadedmodule", ("mlx5_core",), ("ext4",)),
    ("amd64-v3-amd-server", "kernel.cmdline", ("dyndbg=file a.c +p", "isolcpus=2-3"), ("debug",)),
    ("amd64-v3-amd-server", "memory.hugepages", ("hugepages-2Mi=4", "hugepages-1Gi=0"), ()),
    ("amd64-v3-amd-server", "pci.device", ("device=101d sriov_totalvfs=8",), ("device=a80a sriov_totalvfs=8",)),
    ("amd64-v3-intel-old-kernel", "cpu.cpuid", ("AVX2", "FMA3", "BMI2"), ("AVX512F", "ADX", "RDSEED")),
    ("amd64-v3-intel-old-kernel", "cpu.cstate", ("enabled=true",), ()),
    ("amd64-v3-intel-old-kernel", "storage.block", ("name=sda rotational=1",), ("zoned=none", "dax=0")),
    ("amd64-v3-intel-old-kernel", "kernel.version", ("full=3.10.0-1160.el7.x86_64", "revision=0"), ()),
    ("amd64-v4-amd-rdma", "cpu.cpuid", ("AVX512F", "AVX512VNNI", "AVX512BF16"), ("AMXTILE", "AVX512FP16")),
    ("amd64-v4-amd-rdma", "cpu.security", ("sev.snp.enabled=true",), ("sgx.enabled", "tdx.enabled", "tdx.protected")),
    ("amd64-v4-amd-rdma", "cpu.topology", ("hardware_multithreading=true", "socket_count=1"), ()),
    ("amd64-v4-amd-rdma", "network.device",
     ("name=ens2np0 speed=200000 sriov_numvfs=0 sriov_totalvfs=16", "name=ibp65s0 operstate=up"), ("name=lo",)),
    ("amd64-v4-amd-rdma", "kernel.loadedmodule", ("mlx5_ib", "ib_uverbs"), ()),
    ("amd64-v4-amd-rdma", "local.feature",
     ("vendor.example/fabric.speed=ndr", "vendor.example/lustre=true", "vendor.example/rail=3"),
     ("vendor.example/pool", "vendor.example/drained")),
    ("amd64-v4-amd-rdma", "local.label",
     ("vendor.example/lustre=true", "vendor.example/pool=training"), ("vendor.example/rail", "vendor.example/drained")),
    ("amd64-v4-amd-rdma", "rdma.device",
     ("name=mlx5_0 hca_type=MT4129 link_layer=InfiniBand state=ACTIVE rate_gbps=400 net=ibp65s0",
      "name=mlx5_1 hca_type=MT4129 link_layer=Ethernet state=ACTIVE rate_gbps=200 net=ens2np0"), ("state=DOWN",)),
    ("amd64-v4-amd-rdma", "memory.hugepages", ("hugepages-1Gi=16",), ()),
    ("amd64-v4-intel-gpu", "cpu.cpuid", ("AVX512F", "AMXTILE", "AMXINT8"), ("SSE4A",)),
    ("amd64-v4-intel-gpu", "nvidia.driver", ("version=550.54.15", "major=550"), ()),
    ("amd64-v4-intel-gpu", "nvidia.gpu", ("product=NVIDIA H100 80GB HBM3 bus=0000:18:00.0",), ("bus=0000:29:00.0",)),
    ("amd64-v4-intel-gpu", "rdma.device", ("name=mlx5_0 link_layer=InfiniBand rate_gbps=400",), ()),
    ("amd64-v4-intel-gpu", "amd.gpu", (), ("bus=0000:18:00.0",)),
    ("amd64-v4-intel-gpu", "cpu.pstate", ("status=active", "turbo=true", "scaling_governor=performance"), ()),
    ("amd64-v4-intel-gpu", "memory.nv",
     ("name=region0 devtype=nd_pmem", "name=namespace0.0 mode=memory"), ("name=region0 mode=memory",)),
    ("amd64-v4-intel-gpu", "storage.block", ("name=pmem0 dax=1",), ("dax=0",)),
    ("amd64-v4-intel-gpu", "kernel.loadedmodule", ("nvidia", "nvidia_uvm"), ("amdgpu",)),
    ("arm64-desktop-apple-m1", "cpu.cpuid", ("FLAGM2", "FRINT", "SHA3"), ("SVE", "BF16", "I8MM")),
    ("arm64-desktop-apple-m1", "kernel.config", ("ARM64_16K_PAGES=y",), ("ARM64_4K_PAGES",)),
    ("arm64-desktop-apple-m1", "cpu.pstate", (), ("status",)),
    ("arm64-desktop-apple-m1", "system.dmiid", (), ("sys_vendor",)),
    ("arm64-desktop-raspberry-pi-5", "usb.device",
     ("class=03 vendor=046d device=c31c", "class=fe vendor=1a6e device=089a", "class=09 vendor=1d6b"), ("class=00",)),
    ("arm64-desktop-raspberry-pi-5", "network.device", ("name=eth0 speed=1000", "name=wlan0 operstate=down"), ()),
    ("arm64-desktop-raspberry-pi-5", "cpu.cpuid", ("ASIMDDP", "ATOMICS"), ("SVE", "JSCVT")),
    ("arm64-fujitsu-a64fx", "cpu.cpuid", ("SVE", "FCMA"), ("SVE2", "AES", "LRCPC")),
    ("arm64-v9-nvidia-grace", "cpu.cpuid", ("SVE2", "BF16", "I8MM", "BTI"), ("ECV", "SME")),
    ("arm64-fujitsu-a64fx", "rdma.device", ("hca_type=MT4119 state=DOWN",), ("state=ACTIVE",)),
    ("arm64-v9-nvidia-grace", "nvidia.gpu", ("product=NVIDIA GH200 480GB bus=0009:01:00.0",), ()),
    ("arm64-v9-nvidia-grace", "memory.hugepages", ("hugepages-512Mi=8",), ()),
    ("ppc64le-power9-ac922", "nvidia.driver", ("version=470.57.02", "revision=02"), ()),
    ("ppc64le-power9-ac922", "nvidia.gpu", ("product=Tesla V100-SXM2-16GB bus=0004:04:00.0",), ()),
    ("arm64-neoverse-n1", "system.dmiid", ("sys_vendor=Amazon EC2", "product_name=m6g.large"), ()),
    ("ppc64le-power9-ac922", "cpu.coprocessor", (), ("nx_gzip",)),
    ("ppc64le-power9-ac922", "cpu.topology", ("hardware_multithreading=true", "socket_count=2"), ()),
    ("ppc64le-power9-ac922", "kernel.config", ("PPC_64K_PAGES=y",), ("64BIT",)),
    ("ppc64le-power9-ac922", "memory.numa", ("is_numa=true",), ()),
    ("riscv64-u74-visionfive2", "system.osrelease", ("VERSION_CODENAME=trixie",), ("VERSION_ID",)),
    ("s390x-z15", "cpu.cpuid", ("VX", "VXE2"), ("ASIMD",)),
    ("s390x-z15", "cpu.security", ("se.enabled=true",), ("sev.enabled",)),
    ("s390x-z15", "storage.block", ("name=dasda rotational=0",), ()),
    (_RECORDED, "system.name", ("nodename=recorded",), ()),
    (_RECORDED, "cpu.cstate", (), ("enabled",)),
    (_RECORDED, "network.device", ("name=eth0 operstate=up",), ("name=lo",)),
    (_RECORDED, "network.virtual", ("name=lo operstate=unknown",), ("name=eth0",)),
    (_RECORDED, "storage.block", ("name=vda rotational=1 zoned=none",), ("name=sda",)),
    (_RECORDED, "cpu.cpuid", ("HYPERVISOR", "AVX2", "VAES"), ("AVX512F", "PKU")),
    (_RECORDED, "kernel.cmdline", ("quiet=",), ("rdinit", "init", "ip")),
)  # fmt: skip


def _collected(name: str) -> Collected:
    return collect(HostView(_HOSTS / name))


def _uncovered(collected: Collected) -> set[str]:
    return {feature for report in collected.reports for feature in report.uncovered}


def _broken(collected: Collected) -> list[str]:
    return [report.message for report in collected.reports if not report.ok]


def _everything(facts: Facts) -> Mapping[str, object]:
    return {**facts.flags, **facts.attributes, **facts.instances}


def test_every_host_is_expected_to_be_something() -> None:
    assert {path.name for path in _HOSTS.iterdir() if path.is_dir()} == {*_EXPECTED, _UNREADABLE}


@pytest.mark.parametrize(("name", "expected"), _EXPECTED.items(), ids=_EXPECTED.keys())
def test_a_host_is_what_its_files_say(name: str, expected: _Expected) -> None:
    collected = _collected(name)
    facts, attributes = collected.node.facts, collected.node.facts.attributes
    assert attributes.get("cpu.model", {}).get("vendor_id", "") == expected.vendor
    assert "{major}.{minor}".format(**attributes["kernel.version"]) == expected.kernel
    assert "{name} {version}".format(**attributes["system.libc"]) == expected.libc
    release = attributes["system.osrelease"]
    assert " ".join(release[key] for key in ("ID", "VERSION_ID") if key in release) == expected.distribution
    devices = facts.instances["pci.device"]
    assert tuple(f"{one['class']} {one['vendor']}:{one['device']}" for one in devices) == expected.pci
    assert attributes.get("memory.numa", {}).get("node_count", "") == expected.numa_nodes
    assert attributes["kernel.selinux"]["enabled"] == expected.selinux
    assert attributes["memory.swap"]["enabled"] == expected.swap
    assert attributes["memory.hugepages"]["enabled"] == expected.hugepages
    assert _uncovered(collected) == expected.uncovered | _NOTHING_STATED
    assert _broken(collected) == []


@pytest.mark.parametrize(("name", "expected"), _EXPECTED.items(), ids=_EXPECTED.keys())
def test_a_host_has_the_level_that_its_maker_documents(name: str, expected: _Expected) -> None:
    node = _collected(name).node
    assert (node.os, node.architecture, node.variant) == ("linux", *expected.platform)


@pytest.mark.parametrize(("name", "expected"), _EXPECTED.items(), ids=_EXPECTED.keys())
def test_a_host_fits_one_archspec_target_and_its_ancestors(name: str, expected: _Expected) -> None:
    line = {expected.target, *(one.name for one in TARGETS[expected.target].ancestors)} if expected.target else set()
    fitting = _collected(name).node.facts.flags.get("cpu.microarchitecture", frozenset())
    assert fitting == line
    assert expected.not_target not in fitting
    assert expected.not_target in TARGETS


@pytest.mark.parametrize(
    ("name", "feature", "there", "absent"), _DETAILS, ids=[f"{name} {feature}" for name, feature, _, _ in _DETAILS]
)
def test_a_host_has_what_distinguishes_it(
    name: str, feature: str, there: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    facts = _collected(name).node.facts
    known = _known(facts, feature)
    assert {one for one in there if not any(set(one.split()) <= have for have in known)} == set()
    assert {one for one in absent if any(set(one.split()) <= have for have in known)} == set()


def _known(facts: Facts, feature: str) -> list[set[str]]:
    """Return what is known as sets of words: of each flag, of each element with and without its value, per device."""
    if feature in facts.flags:
        return [{flag} for flag in facts.flags[feature]]
    if feature in facts.attributes:
        elements = facts.attributes[feature].items()
        return [{name} for name, _ in elements] + [set(f"{name}={value}".split()) for name, value in elements]
    return [set(" ".join(f"{name}={value}" for name, value in one.items()).split()) for one in facts.instances[feature]]


def test_what_an_operator_states_adds_to_what_a_host_says(tmp_path: Path) -> None:
    copy = tmp_path / "host"
    shutil.copytree(_HOSTS / "amd64-v4-amd-rdma", copy, symlinks=True)
    stated = copy / "etc/imagefit/facts.d/site.toml"
    stated.parent.mkdir(parents=True)
    stated.write_text('[facts]\nrack = "r12"\n[attributes."system.osrelease"]\nSITE = "north"\n')
    stated.chmod(0o644)
    collected = collect(HostView(copy))
    attributes = collected.node.facts.attributes
    assert attributes["operator.fact"] == {"rack": "r12"}
    assert (attributes["system.osrelease"]["ID"], attributes["system.osrelease"]["SITE"]) == ("rocky", "north")
    assert _uncovered(collected) == set()


@pytest.mark.parametrize("name", _EXPECTED)
def test_a_host_survives_being_written_and_read(name: str) -> None:
    node = _collected(name).node
    assert parse_profile(format_profile(node)) == node


def test_of_a_host_whose_files_cannot_be_read_only_the_readable_ones_are_known() -> None:
    collected = collect(HostView(_HOSTS / _UNREADABLE, machine="x86_64"))
    node = collected.node
    assert (node.os, node.architecture, node.variant) == ("linux", "amd64", "")
    assert node.facts.attributes["kernel.version"]["full"] == "5.15.0-91-generic"
    assert node.facts.attributes["system.osrelease"]["ID"] == "ubuntu"
    # /etc can be searched, so that nobody wrote anything down for NFD is knowledge.
    assert _everything(node.facts).keys() == {"kernel.version", "system.osrelease", "local.feature", "local.label"}
    assert (
        _uncovered(collected)
        == {feature for one in DETECTORS for feature in one.features} - _everything(node.facts).keys()
    )
    assert _broken(collected) == []


@pytest.mark.parametrize("name", ["amd64-v4-intel-gpu", "arm64-desktop-raspberry-pi-5"])
def test_a_file_that_cannot_be_read_breaks_nothing_and_makes_nothing_up(name: str, tmp_path: Path) -> None:
    copy = tmp_path / name
    shutil.copytree(_HOSTS / name, copy, symlinks=True)
    for detector in DETECTORS:
        tracing = TracingHost(copy)
        whole = collect(tracing, [detector])
        for path in tracing.contents:
            file = (copy / path.lstrip("/")).resolve()
            content = file.read_bytes()
            file.unlink()
            file.symlink_to(file.name)
            without = collect(HostView(copy, machine=tracing.machine), [detector])
            file.unlink()
            file.write_bytes(content)
            assert _broken(without) == []
            assert not _invented(without.node.facts, whole.node.facts)


def _invented(facts: Facts, whole: Facts) -> set[str]:
    """Return what is known of a part only and not of the whole."""
    flags = {flag for feature, known in facts.flags.items() for flag in known - whole.flags[feature]}
    return flags | {name for name in _everything(facts) if name not in _everything(whole)}


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def test_a_recording_says_of_the_running_machine_what_the_machine_says(tmp_path: Path) -> None:
    recording = record(tmp_path)
    live = recording.collected.node.facts
    replayed = collect(HostView(tmp_path, machine=recording.machine)).node.facts
    assert _everything(replayed).keys() ^ _everything(live).keys() <= _NOT_RECORDED
    for feature in _everything(live).keys() - _NOT_RECORDED - _SCRUBBED:
        assert _everything(replayed)[feature] == _everything(live)[feature], feature
    config = replayed.attributes.get("kernel.config", {})
    assert config.items() <= live.attributes.get("kernel.config", {}).items()


@pytest.mark.parametrize(
    ("path", "content", "left"),
    [
        pytest.param(
            "/proc/cmdline", "quiet root=UUID=1 ip=10.1.2.3 init=/x token=secret -- y\n", "quiet\n", id="cmdline"
        ),
        pytest.param("/proc/sys/kernel/osrelease", "6.1.0-18-acme-prod\n", "6.1.0\n", id="kernel release"),
        pytest.param("/proc/sys/kernel/hostname", "db7.example.com\n", "recorded\n", id="host name"),
        pytest.param("/sys/class/net/eth0/address", "52:54:00:12:34:56\n", "recorded\n", id="address"),
        pytest.param("/sys/devices/virtual/dmi/id/product_name", "Cloud X1\n", "recorded\n", id="product"),
        pytest.param("/a", "at 52:54:00:12:34:56 of 10.1.2.3\n", "at 00:00:00:00:00:00 of 0.0.0.0\n", id="addresses"),
        pytest.param("/a", "b88d:eb03:0009:7a10\n", "0000:0000:0000:0000\n", id="GUID"),
        pytest.param(
            "/a", "GPU-1b2c3d4e-0a1b-2c3d-4e5f-0a1b2c3d4e5f\n", "GPU-00000000-0000-0000-0000-000000000000\n", id="UUID"
        ),
        pytest.param(
            "/proc/cpuinfo", "Model\t: X\nSerial\t\t: 10000000abcdef\n", "Model\t: X\nSerial\t\t: 0\n", id="serial"
        ),
        pytest.param(
            "/proc/swaps", "Filename Type\n/home/eve/swap file 1\n", "Filename Type\n/swap file 1\n", id="swap"
        ),
        pytest.param("/etc/os-release", "ID=a\nBUILD_ID=b\nHOME_URL=c\n", "ID=a\n", id="os-release"),
        pytest.param("/boot/config-6.1", "CONFIG_HZ=250\nCONFIG_CMDLINE=y\n", "CONFIG_HZ=250\n", id="kernel config"),
        pytest.param(
            "/a/0000:c1:00.0", "0000:c1:00.0 6.1.0 v28.39.1002\n", "0000:c1:00.0 6.1.0 v28.39.1002\n", id="harmless"
        ),
        pytest.param("/etc/imagefit/facts.d/a", "a=b\n", None, id="facts of the operator"),
    ],
)
def test_what_identifies_a_machine_is_not_recorded(path: str, content: str, left: str | None) -> None:
    assert scrub(path, content.encode()) == (None if left is None else left.encode())


@pytest.mark.parametrize("file", _files(_HOSTS / _RECORDED), ids=lambda file: str(file.relative_to(_HOSTS / _RECORDED)))
def test_what_is_recorded_holds_nothing_that_would_be_scrubbed(file: Path) -> None:
    content = file.read_bytes()
    scrubbed = scrub(f"/{file.relative_to(_HOSTS / _RECORDED)}", content)
    assert scrubbed is not None
    if file.suffix == ".gz":
        content, scrubbed = gzip.decompress(content), gzip.decompress(scrubbed)
    assert scrubbed == content
