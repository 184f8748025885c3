"""CPU flags and model."""

import pytest

from imagefit.node.contract import CannotLookError, HostView
from imagefit.node.detectors.cpu import CpuDetector, parse_cpu
from node.conftest import MakeHost

_X86 = "vendor_id\t: {vendor}\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: x\nflags\t\t: fpu aes xsave sse4_1\n"


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        ("GenuineIntel", "Intel"),
        ("AuthenticAMD", "AMD"),
        ("HygonGenuine", "Hygon"),
        ("CentaurHauls", "VIA"),
        ("SomebodyElse", "SomebodyElse"),
    ],
)
def test_vendors_have_nfds_names(vendor: str, name: str) -> None:
    facts = parse_cpu(_X86.format(vendor=vendor), "amd64")
    assert facts.attributes == {"cpu.model": {"vendor_id": name, "family": "25", "id": "1"}}
    assert facts.flags == {"cpu.cpuid": {"X87", "AESNI", "XSAVE", "OSXSAVE", "SSE4"}}


@pytest.mark.parametrize(
    ("implementer", "name"), [("0x41", "ARM"), ("0xc0", "Ampere"), ("0x4e", "NVIDIA"), ("0x01", "0x01")]
)
def test_arm_implementers_have_nfds_names(implementer: str, name: str) -> None:
    text = f"Features: fp aes\nCPU implementer: {implementer}\nCPU variant: 0x3\nCPU part: 0xd0c\nCPU revision: 1\n"
    facts = parse_cpu(text, "arm64")
    assert facts.attributes == {"cpu.model": {"vendor_id": name, "family": "63", "id": "53441"}}
    assert facts.flags == {"cpu.cpuid": {"FP", "AES"}}


def test_s390x_shows_its_features() -> None:
    facts = parse_cpu("vendor_id       : IBM/S390\nfeatures\t: esan3 zarch vxe2\n", "s390x")
    assert facts.flags == {"cpu.cpuid": {"ESAN3", "ZARCH", "VXE2"}}


@pytest.mark.parametrize("text", ["processor: 0\nisa: rv64imafdc\n", "processor: 0\ncpu: POWER9 (raw)\n"])
def test_a_kernel_that_shows_no_flags_leaves_them_uncovered(text: str) -> None:
    facts = parse_cpu(text, "riscv64")
    assert not facts.covers("cpu.cpuid")
    assert not facts.covers("cpu.model")


@pytest.mark.parametrize("implementer", ["0x41", "what"])
def test_an_arm_cpu_that_is_not_named_in_full_still_has_its_flags(implementer: str) -> None:
    facts = parse_cpu(f"Features: fp\nCPU implementer: {implementer}\n", "arm64")
    assert facts.flags == {"cpu.cpuid": {"FP"}}
    assert not facts.covers("cpu.model")


@pytest.mark.parametrize("text", ["", "nothing\n"])
def test_what_describes_no_cpu_is_not_looked_at(text: str) -> None:
    with pytest.raises(CannotLookError):
        parse_cpu(text, "arm64")


def test_the_detector_reads_the_first_cpu_only(make_host: MakeHost) -> None:
    host = make_host({"/proc/cpuinfo": (_X86.format(vendor="AuthenticAMD") + "\n") * 2000})
    assert CpuDetector().detect(host).attributes["cpu.model"]["vendor_id"] == "AMD"


def test_without_cpuinfo_nothing_is_known(make_host: MakeHost) -> None:
    host: HostView = make_host({})
    with pytest.raises(CannotLookError):
        CpuDetector().detect(host)
