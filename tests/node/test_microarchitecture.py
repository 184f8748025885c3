"""archspec targets of a given CPU: the same that archspec finds for itself."""

from pathlib import Path

import archspec
import pytest
from archspec.cpu import TARGETS
from archspec.cpu.schema import TARGETS_JSON

from imagefit.node.contract import CannotLookError
from imagefit.node.cpuinfo import machine_of
from imagefit.node.detectors.microarchitecture import Cpu, fitting_targets, parse_cpu

_ARM_VENDORS = TARGETS_JSON["conversions"]["arm_vendors"]
_RECORDED = sorted((Path(archspec.__file__).parent / "json/tests/targets").glob("linux-*"))


def _fitting(text: str, machine: str) -> frozenset[str]:
    return fitting_targets(parse_cpu(text, machine, _ARM_VENDORS), tuple(TARGETS.values()))


def _line(name: str) -> set[str]:
    return {name, *(ancestor.name for ancestor in TARGETS[name].ancestors)}


def test_every_machine_that_archspec_recorded_is_what_its_name_says() -> None:
    assert _RECORDED, "this archspec comes without its recorded machines"
    wrong = {}
    for file in _RECORDED:
        expected = file.name.split("-", 2)[2]
        # The name tells the family; of POWER's two byte orders the text does not.
        found = _fitting(file.read_text(), TARGETS[expected].family.name)
        if found != _line(expected):
            wrong[file.name] = found ^ _line(expected)
    assert not wrong


def test_the_machine_is_told_by_every_recording() -> None:
    machines = {file.name: machine_of(file.read_text()) for file in _RECORDED}
    families = {file.name: TARGETS[file.name.split("-", 2)[2]].family.name for file in _RECORDED}
    assert machines == {name: "ppc64le" if family == "ppc64" else family for name, family in families.items()}


_V2 = "lm mmx sse sse2 ssse3 sse4_1 sse4_2 popcnt cx16 lahf_lm"
_V3 = f"{_V2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"


@pytest.mark.parametrize(
    ("flags", "targets"),
    [
        pytest.param("lm mmx sse sse2", {"x86_64"}, id="v1"),
        pytest.param(_V2, {"x86_64", "x86_64_v2"}, id="v2"),
        pytest.param(_V3, {"x86_64", "x86_64_v2", "x86_64_v3"}, id="v3"),
        pytest.param(_V3.replace("movbe", ""), {"x86_64", "x86_64_v2"}, id="v3-but-one"),
    ],
)
def test_a_cpu_of_unknown_make_fits_the_generic_levels(flags: str, targets: set[str]) -> None:
    assert _fitting(f"vendor_id: Nobody\nflags: {flags}\n", "x86_64") == targets


def test_a_target_of_another_vendor_does_not_fit() -> None:
    zen = " ".join(TARGETS["zen2"].features)
    assert "zen2" in _fitting(f"vendor_id: AuthenticAMD\nflags: {zen}\n", "x86_64")
    assert "zen2" not in _fitting(f"vendor_id: GenuineIntel\nflags: {zen}\n", "x86_64")


def test_an_arm_cpu_fits_no_generic_level_but_by_its_ancestors() -> None:
    assert _fitting("Features: fp asimd\nCPU implementer: 0x99\n", "aarch64") == {"aarch64"}
    graviton = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs"
    found = _fitting(f"Features: {graviton}\nCPU implementer: 0x41\nCPU part: 0xd0c\n", "aarch64")
    assert {"neoverse_n1", "armv8.2a", "aarch64"} <= found
    assert "neoverse_v1" not in found


def test_power_generations_include_those_below() -> None:
    assert _fitting("cpu: POWER9 (raw)\n", "ppc64le") == {"power9le", "power8le", "ppc64le"}
    assert _fitting("cpu: unknown\n", "ppc64le") == {"ppc64le"}


@pytest.mark.parametrize("cpu", [Cpu("vax"), Cpu("")])
def test_a_family_that_archspec_does_not_know_is_not_looked_at(cpu: Cpu) -> None:
    with pytest.raises(CannotLookError):
        fitting_targets(cpu, tuple(TARGETS.values()))


def test_an_empty_cpuinfo_is_not_looked_at() -> None:
    with pytest.raises(CannotLookError):
        parse_cpu("", "x86_64", {})
