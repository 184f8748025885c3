"""Keys of the drafts' groups: what each asks, on a node that has it and for what it has not."""

from typing import Final

import pytest

from builders import node
from imagefit.errors import InvalidDocumentError
from imagefit.formats.group_keys import needs_of_key
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Check, Document
from imagefit.selection.match import judge_document

_NODE: Final = node(
    flags={
        "cpu.cpuid": ["AVX2", "VMX"],
        "cpu.microarchitecture": ["zen2", "x86_64_v3", "x86_64_v2", "x86_64"],
        "kernel.enabledmodule": [],
        "kernel.loadedmodule": ["amdgpu", "vfio", "vfio_pci"],
    },
    attributes={
        "amd.driver": {"version": "6.3.6"},
        "cpu.model": {"vendor_id": "AMD"},
        "kernel.cmdline": {"amd_iommu": "pt", "quiet": ""},
        "kernel.config": {"MODULES": "y", "DRM": "m"},
        "kernel.version": {"full": "6.1.0-18-amd64", "major": "6"},
        "nvidia.cuda": {},
        "nvidia.driver": {},
        "operator.fact": {
            "org.supercontainers.mpi.implementation": "OpenMPI",
            "org.supercontainers.mpi.version": "4.1.6",
            "org.network.b.mtu": "3000",
        },
        "system.osrelease": {
            "ID": "ubuntu",
            "NAME": "Ubuntu",
            "PRETTY_NAME": "Ubuntu 22.04.3 LTS",
            "VERSION": "22.04.3 LTS (Jammy Jellyfish)",
            "VERSION_ID": "22.04",
        },
    },
    instances={
        "amd.gpu": [{"gfx": "gfx90a"}],
        "nvidia.device": [],
        "pci.device": [{"class": "0380", "vendor": "1002", "device": "7408"}],
    },
)
_NVIDIA: Final = node(
    flags={"kernel.enabledmodule": [], "kernel.loadedmodule": ["nvidia"]},
    attributes={"amd.driver": {}, "nvidia.cuda": {"version": "12.4"}, "nvidia.driver": {"version": "550.54.15"}},
    instances={
        "nvidia.device": [{"compute.major": "9", "compute.minor": "0"}],
        "pci.device": [{"class": "0302", "vendor": "10de", "device": "2330"}],
    },
)
_OFFICE: Final = node(instances={"pci.device": [{"class": "0300", "vendor": "8086", "device": "46a6"}]})


def _truth(name: str, value: str, where: Node = _NODE) -> str:
    group, _, key = name.partition(" ")
    return judge_document(Document("", (Alternative(needs_of_key(group, key, value)),)), where).truth


@pytest.mark.parametrize(
    ("name", "value", "truth"),
    [
        ("io.archspec target", "zen2", "yes"),
        ("io.archspec target", "zen3", "no"),
        ("io.archspec target", "amd64", "yes"),
        ("io.archspec target", "arm64", "no"),
        ("io.archspec cpu.target", "x86_64_v2", "yes"),
        ("io.archspec.cpu target", "x86_64_v4", "no"),
        ("io.archspec cpu.vendor", "AuthenticAMD", "yes"),
        ("io.archspec cpu.vendor", "GenuineIntel", "no"),
        ("io.archspec cpu.features", "avx2", "yes"),
        ("io.archspec cpu.model", "13th Gen Intel(R) Core(TM) i5-1335U", "unknown"),
        ("nfd cpu-cpuid.AVX2", "true", "yes"),
        ("io.kubernetes.nfd cpu-cpuid.AVX2", "false", "no"),
        ("feature.node.kubernetes.io kernel-version.major", "6", "yes"),
        ("com.example feature.node.kubernetes.io/kernel-version.major", "5", "no"),
        ("com.example oci.cpu.features", "AVX2", "yes"),
        ("oci cpu.features", "AVX512F", "no"),
        ("org.opencontainers hardware.cpu.features", "AVX2,BMI2", "no"),
        ("org.opencontainers hardware.cpu.vendor", "AuthenticAMD", "yes"),
        ("org.opencontainers hardware.cpu.virtualization", "VT-x", "yes"),
        ("org.opencontainers hardware.cpu.virtualization", "amd-v", "no"),
        ("org.opencontainers kernel.cmdline.amd_iommu", "pt", "yes"),
        ("org.opencontainers kernel.cmdline.intel_iommu", "on", "no"),
        ("org.opencontainers kernel.cmdline.", "on", "unknown"),
        ("org.opencontainers kernel.configuration.CONFIG_MODULES", "y", "yes"),
        ("org.opencontainers kernel.configuration.DRM", "y", "no"),
        ("org.opencontainers kernel.configuration.CONFIG_DRM", "n", "no"),
        ("org.opencontainers kernel.configuration.CONFIG_DRM_NOUVEAU", "n", "yes"),
        ("org.opencontainers kernel.modules.vfio-pci", "true", "yes"),
        ("org.opencontainers kernel.modules.vfio_iommu_type", "true", "no"),
        ("org.opencontainers kernel.version", ">=5.10", "yes"),
        ("org.opencontainers os.version", ">=24.04", "no"),
        ("org.supercontainers mpi.implementation", "openmpi", "yes"),
        ("org.supercontainers mpi.implementation", "mpich", "no"),
        ("org.supercontainers.mpi implementation", "openmpi", "yes"),
        ("org.supercontainers mpi.version", "4.1.6", "yes"),
        ("org.supercontainers mpi.version", ">=4, <5", "yes"),
        ("org.supercontainers mpi.version", "4.2", "no"),
        ("org.supercontainers mpi.portability.mode", "abi", "unknown"),
        ("org.supercontainers os.name", "Ubuntu 22.04.3 LTS", "yes"),
        ("org.supercontainers os.name", "ubuntu", "yes"),
        ("org.supercontainers os.name", "Rocky", "no"),
        ("org.supercontainers os.vendor", "Ubuntu", "yes"),
        ("org.supercontainers os.vendor", "rocky", "no"),
        ("org.supercontainers os.version", "22.04", "yes"),
        ("org.supercontainers os.version", "20.04", "no"),
        ("org.supercontainers os.release", "22.04.3", "yes"),
        ("org.supercontainers os.release", "22.04.4", "no"),
        ("org.supercontainers hardware.gpu.available", "yes", "yes"),
        ("org.supercontainers hardware.gpu.available", "no", "no"),
        ("org.supercontainers.hardware.gpu available", "true", "yes"),
        ("org.supercontainers hardware.gpu.enabled", "false", "no"),
        ("org.supercontainers hardware.gpu.vendor", "AMD", "yes"),
        ("org.supercontainers hardware.gpu.vendor", "nvidia", "no"),
        ("org.supercontainers hardware.gpu.vendor", "other", "unknown"),
        ("org.supercontainers hardware.gpu.driver", "amdgpu", "yes"),
        ("org.supercontainers hardware.gpu.driver", "nvidia", "no"),
        ("org.supercontainers hardware.gpu.driver", "nouveau", "unknown"),
        ("org.supercontainers hardware.gpu.driver", ">=6", "yes"),
        ("org.supercontainers hardware.gpu.driver.version", "550.54.15", "no"),
        ("org.supercontainers hardware.gpu.cuda.version", ">=12", "no"),
        ("org.supercontainers hardware.gpu.architecture", "gfx90a", "yes"),
        ("org.supercontainers hardware.gpu.architecture", "gfx1100", "no"),
        ("org.supercontainers hardware.gpu.architecture", "sm_90", "no"),
        ("org.supercontainers hardware.gpu.architecture", "hopper", "unknown"),
        ("org.network.b mtu", ">=1500", "yes"),
        ("org.network.b mtu", "1350", "no"),
        ("org.network.b vxlan", "true", "unknown"),
    ],
)
def test_a_key_asks_for_what_its_group_means_by_it(name: str, value: str, truth: str) -> None:
    assert _truth(name, value) == truth


@pytest.mark.parametrize(
    ("name", "value", "truth"),
    [
        ("org.supercontainers hardware.gpu.available", "yes", "yes"),
        ("org.supercontainers hardware.gpu.vendor", "NVIDIA", "yes"),
        ("org.supercontainers hardware.gpu.driver", "550.54.15", "yes"),
        ("org.supercontainers hardware.gpu.driver.version", ">=560", "no"),
        ("org.supercontainers hardware.gpu.cuda", "12.4", "yes"),
        ("org.supercontainers hardware.gpu.cuda.version", ">=12.6", "no"),
        ("org.supercontainers hardware.gpu.architecture", "sm_90", "yes"),
        ("org.supercontainers hardware.gpu.architecture", "9.0", "yes"),
        ("org.supercontainers hardware.gpu.architecture", "sm_100", "no"),
    ],
)
def test_keys_of_gpus_ask_nvidia_s_driver_too(name: str, value: str, truth: str) -> None:
    assert _truth(name, value, _NVIDIA) == truth


def test_graphics_inside_an_intel_cpu_are_no_gpu() -> None:
    assert _truth("org.supercontainers hardware.gpu.available", "yes", _OFFICE) == "no"
    assert _truth("org.supercontainers hardware.gpu.available", "no", _OFFICE) == "yes"


def test_a_check_is_labelled_with_the_name_by_which_a_fact_can_be_stated() -> None:
    (need,) = needs_of_key("org.network.b", "mtu", "1350")
    assert isinstance(need, Check)
    assert need.label == "org.network.b.mtu"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("org.opencontainers hardware.cpu.virtualization", "other", id="no extension"),
        pytest.param("org.opencontainers kernel.version", "newest", id="no version"),
        pytest.param("org.opencontainers kernel.configuration.A B", "y", id="no option"),
        pytest.param("org.supercontainers mpi.version", "", id="an empty version"),
        pytest.param("org.supercontainers hardware.gpu.available", "7", id="no boolean"),
        pytest.param("org.network.b  ", "7", id="an empty key"),
    ],
)
def test_a_value_of_another_kind_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidDocumentError):
        _truth(name, value)
