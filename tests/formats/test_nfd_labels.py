"""NFD's labels: what each asks, on nodes where NFD would set it so and where it would not."""

from typing import Final

import pytest

from builders import node
from imagefit.errors import InvalidDocumentError
from imagefit.formats.nfd_labels import LABEL_NAMESPACE, needs_of_nfd_label
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Check, Document
from imagefit.selection.match import judge_document

_NODE: Final = node(
    flags={
        "cpu.cpuid": ["AVX2", "FMA3", "SSE4"],
        "kernel.enabledmodule": ["ib_uverbs"],
        "kernel.loadedmodule": ["ib_uverbs", "rdma_ucm"],
    },
    attributes={
        "cpu.coprocessor": {"nx_gzip": "true"},
        "cpu.cstate": {"enabled": "false"},
        "cpu.model": {"vendor_id": "Intel", "family": "6", "id": "143"},
        "cpu.pstate": {"status": "active", "turbo": "false"},
        "cpu.rdt": {"RDTMON": "true"},
        "cpu.security": {"sgx.enabled": "true", "se.enabled": "true", "tdx.module-version.full": "1.5.0"},
        "cpu.sst": {"bf.enabled": "true"},
        "cpu.topology": {"hardware_multithreading": "true"},
        "kernel.config": {"HZ": "250", "NFS_FS": "m", "PREEMPT": "n"},
        "kernel.selinux": {"enabled": "false"},
        "kernel.version": {"full": "5.14.0-427.el9.x86_64", "major": "5", "minor": "14", "revision": "0"},
        "local.feature": {"vendor.io/licensed": "true", "rack": "7"},
        "memory.numa": {"is_numa": "true"},
        "memory.swap": {"enabled": "false"},
        "nvidia.cuda": {"version": "12.4", "major": "12", "minor": "4"},
        "nvidia.driver": {"version": "550.54.15", "major": "550", "minor": "54", "revision": "15"},
        "system.osrelease": {"ID": "rocky", "VERSION_ID": "9.4", "VERSION_ID.major": "9"},
    },
    instances={
        "memory.nv": [{"devtype": "nd_btt"}],
        "network.device": [{"name": "a", "sriov_totalvfs": "8", "sriov_numvfs": "0"}],
        "nvidia.device": [{"compute.major": "9", "compute.minor": "0", "memory_mib": "81559"}],
        "nvidia.gpu": [{"product": "NVIDIA H100 80GB HBM3"}],
        "pci.device": [
            {
                "class": "0302",
                "vendor": "10de",
                "device": "2330",
                "subsystem_vendor": "10de",
                "subsystem_device": "16c1",
                "sriov_totalvfs": "16",
            },
            {"class": "0200", "vendor": "8086", "device": "1533"},
        ],
        "storage.block": [{"name": "sda", "rotational": "1"}, {"name": "nvme0n1", "rotational": "0"}],
        "usb.device": [{"class": "ff", "vendor": "1a6e", "device": "089a"}],
    },
)


def _truth(label: str, value: str, where: Node = _NODE) -> str:
    document = Document("", (Alternative(needs_of_nfd_label(label, value)),))
    return judge_document(document, where).truth


@pytest.mark.parametrize(
    ("label", "value", "truth"),
    [
        ("cpu-coprocessor.nx_gzip", "true", "yes"),
        ("cpu-coprocessor.other", "true", "no"),
        ("cpu-cpuid.AVX2", "true", "yes"),
        ("cpu-cpuid.avx2", "true", "yes"),
        ("cpu-cpuid.AVX2", "false", "no"),
        ("cpu-cpuid.AVX512F", "true", "no"),
        ("cpu-cpuid.AVX512F", "false", "yes"),
        ("cpu-cpuid.AVX10_VERSION", "2", "unknown"),
        ("cpu-cstate.enabled", "false", "yes"),
        ("cpu-cstate.enabled", "true", "no"),
        ("cpu-hardware_multithreading", "true", "yes"),
        ("cpu-hardware_multithreading", "false", "no"),
        ("cpu-model.vendor_id", "Intel", "yes"),
        ("cpu-model.vendor_id", "GenuineIntel", "yes"),
        ("cpu-model.vendor_id", "AMD", "no"),
        ("cpu-model.family", "6", "yes"),
        ("cpu-model.id", ">=150", "no"),
        ("cpu-power.sst_bf.enabled", "true", "yes"),
        ("cpu-power.sst_cp.enabled", "true", "no"),
        ("cpu-pstate.status", "active", "yes"),
        ("cpu-pstate.status", "passive", "no"),
        ("cpu-pstate.turbo", "false", "yes"),
        ("cpu-pstate.scaling_governor", "powersave", "no"),
        ("cpu-rdt.RDTMON", "true", "yes"),
        ("cpu-rdt.RDTL3CA", "true", "no"),
        ("cpu-se.enabled", "true", "yes"),
        ("cpu-security.sgx.enabled", "true", "yes"),
        ("cpu-security.sev.enabled", "true", "no"),
        ("cpu-security.sev.enabled", "false", "yes"),
        ("cpu-security.tdx.module-version.full", ">=1.5", "yes"),
        ("cpu-sgx.enabled", "true", "yes"),
        ("custom-rdma.available", "true", "yes"),
        ("custom-rdma.capable", "true", "no"),
        ("custom-rdma.capable", "false", "yes"),
        ("custom-rdma.enabled", "true", "yes"),
        ("custom-rdma.enabled", "false", "no"),
        ("kernel-config.NFS_FS", "true", "yes"),
        ("kernel-config.PREEMPT", "true", "no"),
        ("kernel-config.PREEMPT", "false", "yes"),
        ("kernel-config.NO_HZ", "true", "no"),
        ("kernel-config.HZ", "250", "yes"),
        ("kernel-selinux.enabled", "true", "no"),
        ("kernel-selinux.enabled", "false", "yes"),
        ("kernel-version.full", "5.14.0-427.el9.x86_64", "yes"),
        ("kernel-version.full", ">=5.14, <6", "yes"),
        ("kernel-version.major", "5", "yes"),
        ("kernel-version.major", "4", "no"),
        ("kernel-version.major", ">=4", "yes"),
        ("memory-numa", "true", "yes"),
        ("memory-nv.dax", "true", "no"),
        ("memory-nv.present", "true", "yes"),
        ("memory-swap", "true", "no"),
        ("memory-swap.enabled", "false", "yes"),
        ("network-sriov.capable", "true", "yes"),
        ("network-sriov.configured", "true", "no"),
        ("nvidia.com/cuda.driver.major", "550", "yes"),
        ("nvidia.com/cuda.driver.rev", "15", "yes"),
        ("nvidia.com/cuda.driver-version.full", ">=560", "no"),
        ("nvidia.com/cuda.runtime-version.full", ">=12.2", "yes"),
        ("nvidia.com/cuda.runtime.major", "13", "no"),
        ("nvidia.com/gpu.compute.major", ">=8", "yes"),
        ("nvidia.com/gpu.compute.minor", "6", "no"),
        ("nvidia.com/gpu.memory", ">=80000", "yes"),
        ("nvidia.com/gpu.present", "true", "yes"),
        ("nvidia.com/gpu.present", "false", "no"),
        ("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3", "unknown"),
        ("pci-0302_10de.present", "true", "yes"),
        ("pci-0302_10DE.present", "true", "yes"),
        ("pci-0302_1002.present", "true", "no"),
        ("pci-0200_10de.present", "true", "no"),
        ("pci-10de.present", "true", "yes"),
        ("pci-0302_10de_2330.present", "yes", "yes"),
        ("pci-0302_10de_2330_10de_16c1.present", "true", "yes"),
        ("pci-0302_10de_2330_10de.present", "true", "unknown"),
        ("pci-0302_10de.sriov.capable", "true", "yes"),
        ("pci-0200_8086.sriov.capable", "true", "no"),
        ("pci-0200_8086.sriov.capable", "false", "yes"),
        ("storage-nonrotationaldisk", "true", "yes"),
        ("storage-nonrotationaldisk", "false", "no"),
        ("system-os_release.ID", "rocky", "yes"),
        ("system-os_release.ID", "ubuntu", "no"),
        ("system-os_release.VERSION_ID.major", "9", "yes"),
        ("system-os_release.VERSION_ID", ">=9.2", "yes"),
        ("usb-ff_1a6e_089a.present", "true", "yes"),
        ("usb-1a6e_089a.present", "true", "yes"),
        ("usb-fe_1a6e_089a.present", "true", "no"),
        ("vendor.io/licensed", "true", "yes"),
        ("vendor.io/licensed", "false", "no"),
        ("vendor.io/other", "true", "unknown"),
        ("rack", "7", "yes"),
        ("cpu-cpuid.", "true", "unknown"),
    ],
)
def test_a_label_asks_what_nfd_looks_at(label: str, value: str, truth: str) -> None:
    assert _truth(label, value) == truth
    assert _truth(f"{LABEL_NAMESPACE}{label}", value) == truth


@pytest.mark.parametrize(
    "label",
    [
        "cpu-cpuid.AVX2",
        "cpu-hardware_multithreading",
        "kernel-config.NO_HZ",
        "memory-numa",
        "pci-0302_10de.present",
        "custom-rdma.enabled",
        "nvidia.com/gpu.present",
    ],
)
@pytest.mark.parametrize("value", ["true", "false"])
def test_what_nothing_looked_at_is_unknown_either_way(label: str, value: str) -> None:
    assert _truth(label, value, node()) == "unknown"


def test_a_negated_label_shows_the_author_s_words_and_implies_no_cpu_level() -> None:
    (need,) = needs_of_nfd_label("cpu-cpuid.AVX512F", "false")
    assert isinstance(need, Check)
    assert (need.label, need.asked, need.negated, need.depth) == ("cpu-cpuid.AVX512F", "false", True, 0)


def test_a_flag_implies_its_cpu_level() -> None:
    (need,) = needs_of_nfd_label(f"{LABEL_NAMESPACE}cpu-cpuid.AVX512F", "true")
    assert isinstance(need, Check)
    assert (need.label, need.depth) == (f"{LABEL_NAMESPACE}cpu-cpuid.AVX512F", 4)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        pytest.param("memory-nv.present", "7", id="a device is there or not"),
        pytest.param("pci-0302_10de.present", "", id="an empty value"),
        pytest.param("custom-rdma.enabled", "on", id="no boolean"),
        pytest.param("kernel-version.full", ">=five", id="a bad range"),
        pytest.param("nvidia.com/gpu.memory", "[9, 8]", id="an empty range"),
        pytest.param(LABEL_NAMESPACE, "true", id="an empty name"),
        pytest.param("memory-numa", "a" * 20_000, id="a long value"),
    ],
)
def test_a_value_of_another_kind_is_refused(label: str, value: str) -> None:
    with pytest.raises(InvalidDocumentError):
        needs_of_nfd_label(label, value)
