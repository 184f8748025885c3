"""Architectures and variants: what runs what, how deep a level is, and which flags make one."""

import pytest

from imagefit.model.cpu_flags import nfd_names
from imagefit.model.microarchitecture import (
    depth,
    depth_of_flag,
    depth_of_target,
    level_of,
    level_of_cpu,
    normalize,
    runs,
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        pytest.param(("amd64", ""), ("amd64", "v1"), id="amd64 without variant"),
        pytest.param(("amd64", "v3"), ("amd64", "v3"), id="amd64"),
        pytest.param(("AMD64", "V3"), ("amd64", "v3"), id="any case"),
        pytest.param(("amd64", "3"), ("amd64", "v3"), id="bare number"),
        pytest.param(("x86_64", ""), ("amd64", "v1"), id="x86_64"),
        pytest.param(("x86-64", "v2"), ("amd64", "v2"), id="x86-64"),
        pytest.param(("aarch64", ""), ("arm64", "v8"), id="aarch64"),
        pytest.param(("arm64", "8"), ("arm64", "v8"), id="arm64 bare number"),
        pytest.param(("arm64", "v8.0"), ("arm64", "v8"), id="arm64 v8.0"),
        pytest.param(("arm64", "v9.0"), ("arm64", "v9"), id="arm64 v9.0"),
        pytest.param(("arm64", "v9.2"), ("arm64", "v9.2"), id="arm64 v9.2"),
        pytest.param(("arm", ""), ("arm", "v7"), id="arm without variant"),
        pytest.param(("arm", "6"), ("arm", "v6"), id="arm bare number"),
        pytest.param(("armhf", ""), ("arm", "v7"), id="armhf"),
        pytest.param(("armel", ""), ("arm", "v6"), id="armel"),
        pytest.param(("i386", ""), ("386", ""), id="i386"),
        pytest.param(("s390x", ""), ("s390x", ""), id="no variants"),
        pytest.param(("unknown", ""), ("unknown", ""), id="attestation"),
        pytest.param(("", ""), ("", ""), id="nothing"),
    ],
)
def test_architecture_and_variant_have_one_normal_form(written: tuple[str, str], normal: tuple[str, str]) -> None:
    assert normalize(*written) == normal


_YES = [
    *(("amd64", have, want) for have, want in [("v1", "v1"), ("v4", "v1"), ("v4", "v3"), ("v4", "v4"), ("v2", "v1")]),
    *(("arm", have, want) for have, want in [("v5", "v5"), ("v7", "v5"), ("v7", "v6"), ("v8", "v7"), ("v8", "v8")]),
    *(("arm64", have, want) for have, want in [("v8", "v8"), ("v8.2", "v8"), ("v8.2", "v8.1"), ("v9", "v8")]),
    *(("arm64", have, want) for have, want in [("v9", "v8.5"), ("v9.2", "v8.7"), ("v9.4", "v8.9"), ("v9.2", "v9.1")]),
    *(("arm64", have, want) for have, want in [("v9", "v9"), ("v9.7", "v9"), ("v9.7", "v8.9")]),
    *(("riscv64", have, want) for have, want in [("rva22u64", "rva20u64"), ("rva23u64", "rva23u64")]),
    *(("ppc64le", have, want) for have, want in [("power9", "power8"), ("power11", "power10")]),
    ("s390x", "", ""),
    ("386", "", ""),
    *((architecture, have, "") for architecture, have in [("riscv64", "rva22u64"), ("ppc64le", "power9")]),
]
_NO = [
    *(("amd64", have, want) for have, want in [("v1", "v2"), ("v3", "v4"), ("v4", "v5"), ("v4", "v0"), ("v4", "x")]),
    *(("arm", have, want) for have, want in [("v5", "v6"), ("v7", "v8"), ("v8", "v9"), ("v8", "v4")]),
    *(("arm64", have, want) for have, want in [("v8", "v8.1"), ("v8.9", "v9"), ("v9", "v8.6"), ("v9.2", "v8.8")]),
    *(("arm64", have, want) for have, want in [("v9", "v9.1"), ("v9.7", "v10"), ("v9.7", "v7"), ("v9.7", "v8.x")]),
    *(("riscv64", have, want) for have, want in [("rva20u64", "rva22u64"), ("rva23u64", "rva24u64")]),
    *(("ppc64le", have, want) for have, want in [("power8", "power9"), ("power9", "power9le")]),
    ("s390x", "", "z15"),
]


@pytest.mark.parametrize(("architecture", "have", "want"), _YES)
def test_a_node_runs_every_variant_at_or_below_its_own(architecture: str, have: str, want: str) -> None:
    assert runs((architecture, have), (architecture, want)) is True


@pytest.mark.parametrize(("architecture", "have", "want"), _NO)
def test_a_node_runs_no_variant_above_its_own_and_no_unknown_one(architecture: str, have: str, want: str) -> None:
    assert runs((architecture, have), (architecture, want)) is False


@pytest.mark.parametrize(
    ("have", "want"),
    [
        pytest.param("amd64", "arm64", id="amd64 and arm64"),
        pytest.param("arm64", "amd64", id="arm64 and amd64"),
        pytest.param("arm", "arm64", id="32-bit hardware"),
        pytest.param("386", "amd64", id="32-bit PC"),
        pytest.param("amd64", "unknown", id="attestation"),
        pytest.param("amd64", "", id="none"),
        pytest.param("ppc64le", "ppc64", id="other byte order"),
    ],
)
def test_a_node_runs_no_other_architecture(have: str, want: str) -> None:
    assert runs(normalize(have, ""), normalize(want, "")) is False


@pytest.mark.parametrize(
    ("architecture", "want"),
    [
        pytest.param("amd64", "v2", id="amd64"),
        pytest.param("amd64", "v4", id="amd64 highest"),
        pytest.param("arm", "v7", id="arm"),
        pytest.param("arm64", "v8.1", id="arm64"),
        pytest.param("arm64", "v9", id="arm64 next major"),
        pytest.param("riscv64", "rva23u64", id="riscv64"),
        pytest.param("ppc64le", "power9", id="ppc64le"),
    ],
)
def test_a_node_of_unknown_variant_may_run_a_higher_one(architecture: str, want: str) -> None:
    assert runs((architecture, ""), (architecture, want)) is None
    assert runs((architecture, "strange"), (architecture, want)) is None


@pytest.mark.parametrize(
    ("architecture", "lowest", "unknown"),
    [
        pytest.param("amd64", "v1", "v9", id="amd64"),
        pytest.param("arm", "v5", "v9", id="arm"),
        pytest.param("arm64", "v8", "v7", id="arm64"),
        pytest.param("riscv64", "rva20u64", "rva1", id="riscv64"),
        pytest.param("ppc64le", "power8", "power7", id="ppc64le"),
    ],
)
def test_a_node_of_unknown_variant_runs_the_lowest_and_no_unknown_one(
    architecture: str, lowest: str, unknown: str
) -> None:
    assert runs((architecture, ""), (architecture, lowest)) is True
    assert runs((architecture, ""), (architecture, unknown)) is False


@pytest.mark.parametrize("variant", ["v5", "v6", "v7", "v8"])
def test_whether_arm64_runs_32_bit_arm_is_not_known(variant: str) -> None:
    assert runs(("arm64", "v9.2"), ("arm", variant)) is None


def test_whether_amd64_runs_32_bit_pc_builds_is_not_known() -> None:
    assert runs(("amd64", "v3"), ("386", "")) is None
    assert runs(("amd64", ""), normalize("i386", "")) is None
    assert runs(("amd64", "v3"), ("386", "v1")) is False
    assert runs(("arm64", "v8"), ("386", "")) is False


@pytest.mark.parametrize("variant", ["v4", "v9", "v8.1", ""])
def test_arm64_runs_no_unknown_variant_of_arm(variant: str) -> None:
    assert runs(("arm64", "v9.2"), ("arm", variant)) is False


@pytest.mark.parametrize(
    ("architecture", "variants"),
    [
        pytest.param("amd64", ["v1", "v2", "v3", "v4"], id="amd64"),
        pytest.param("arm", ["v5", "v6", "v7", "v8"], id="arm"),
        pytest.param("arm64", ["v8", "v8.1", "v8.5", "v8.9", "v9", "v9.1", "v9.7"], id="arm64"),
        pytest.param("riscv64", ["rva20u64", "rva22u64", "rva23u64"], id="riscv64"),
        pytest.param("ppc64le", ["power8", "power9", "power10", "power11"], id="ppc64le"),
    ],
)
def test_a_higher_variant_lies_deeper(architecture: str, variants: list[str]) -> None:
    depths = [depth(architecture, variant) for variant in variants]
    assert depths == sorted(set(depths))
    assert depths[0] == 1


@pytest.mark.parametrize(("architecture", "variant"), [("amd64", "v5"), ("amd64", ""), ("s390x", "z15"), ("", "v1")])
def test_an_unknown_variant_has_no_depth(architecture: str, variant: str) -> None:
    assert depth(architecture, variant) == 0


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        pytest.param("SSE2", 1, id="v1"),
        pytest.param("SSE42", 2, id="v2"),
        pytest.param("AVX2", 3, id="v3"),
        pytest.param("FMA3", 3, id="v3 by NFD's name"),
        pytest.param("XSAVE", 3, id="xsave is what OSXSAVE says"),
        pytest.param("AVX512F", 4, id="v4"),
        pytest.param("AVX512FP16", 4, id="an extension of AVX-512"),
        pytest.param("ASIMD", 1, id="arm64 v8"),
        pytest.param("ATOMICS", 2, id="arm64 v8.1"),
        pytest.param("I8MM", 7, id="arm64 v8.6"),
        pytest.param("ZBA", 2, id="riscv64 rva22u64"),
        pytest.param("ZVBB", 3, id="riscv64 rva23u64"),
        pytest.param("SHA", 0, id="of no level"),
        pytest.param("AVXVNNI", 0, id="AVX but of no level"),
        pytest.param("NOSUCHFLAG", 0, id="unknown"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_a_flag_lies_as_deep_as_the_lowest_level_that_has_it(flag: str, expected: int) -> None:
    assert depth_of_flag(flag) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param("x86_64", 1, id="generic"),
        pytest.param("x86_64_v3", 3, id="generic v3"),
        pytest.param("haswell", 3, id="Intel v3"),
        pytest.param("skylake_avx512", 4, id="Intel v4"),
        pytest.param("zen2", 3, id="AMD v3"),
        pytest.param("zen4", 4, id="AMD v4"),
        pytest.param("aarch64", 1, id="arm64"),
        pytest.param("armv8.2a", 3, id="arm64 v8.2"),
        pytest.param("armv9.0a", 11, id="arm64 v9"),
        pytest.param("power9le", 0, id="of an architecture without levels in archspec"),
        pytest.param("zen99", 0, id="unknown"),
        pytest.param("Zen4", 0, id="other case"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_a_target_lies_as_deep_as_its_level(target: str, expected: int) -> None:
    assert depth_of_target(target) == expected


# x86-64 psABI, table "Micro-Architecture Levels", in NFD's names.
_V1 = {"CMOV", "CMPXCHG8", "X87", "FXSR", "MMX", "SSE", "SSE2"}
_V2 = _V1 | {"CX16", "LAHF", "POPCNT", "SSE3", "SSE4", "SSE42", "SSSE3"}
_V3 = _V2 | {"AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA3", "LZCNT", "MOVBE", "OSXSAVE"}
_V4 = _V3 | {"AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"}
_ARM_8 = {"FP", "ASIMD"}
_ARM_8_1 = _ARM_8 | {"ATOMICS", "ASIMDRDM", "CRC32"}
_ARM_8_2 = _ARM_8_1 | {"DCPOP"}
_ARM_8_4 = _ARM_8_2 | {"FCMA", "JSCVT", "LRCPC", "ASIMDDP", "DIT", "FLAGM", "ILRCPC", "USCAT"}
_ARM_8_5 = _ARM_8_4 | {"FLAGM2", "FRINT", "SB"}
_ARM_8_6 = _ARM_8_5 | {"BF16", "ECV", "I8MM"}


@pytest.mark.parametrize(
    ("architecture", "flags", "expected"),
    [
        pytest.param("amd64", _V1, "v1", id="amd64 v1"),
        pytest.param("amd64", _V2, "v2", id="amd64 v2"),
        pytest.param("amd64", _V3, "v3", id="amd64 v3"),
        pytest.param("amd64", _V4, "v4", id="amd64 v4"),
        pytest.param("amd64", _V4 | {"SHA", "AMXTILE"}, "v4", id="amd64 v4 and more"),
        pytest.param("amd64", _V1 - {"SSE2"}, "", id="amd64 below v1"),
        pytest.param("amd64", set(), "", id="amd64 without flags"),
        pytest.param("amd64", _V2 - {"POPCNT"}, "v1", id="amd64 one flag short of v2"),
        pytest.param("amd64", _V3 - {"OSXSAVE"}, "v2", id="amd64 where the kernel enabled no AVX"),
        pytest.param("amd64", _V4 - {"AVX512VL"}, "v3", id="amd64 one flag short of v4"),
        pytest.param("amd64", _V4 - {"MOVBE"}, "v2", id="amd64 v4 with a hole"),
        pytest.param("arm64", _ARM_8, "v8", id="arm64 v8"),
        pytest.param("arm64", _ARM_8_1, "v8.1", id="arm64 v8.1"),
        pytest.param("arm64", _ARM_8_2, "v8.2", id="arm64 v8.2"),
        pytest.param("arm64", _ARM_8_4, "v8.4", id="arm64 v8.4"),
        pytest.param("arm64", _ARM_8_5, "v8.5", id="arm64 v8.5"),
        pytest.param("arm64", _ARM_8_6, "v8.6", id="arm64 v8.6"),
        pytest.param("arm64", _ARM_8_5 | {"SVE2"}, "v9", id="arm64 v9 is v8.5 with SVE2"),
        pytest.param("arm64", _ARM_8_6 | {"SVE2"}, "v9.1", id="arm64 v9.1 is v8.6 with SVE2"),
        pytest.param("arm64", _ARM_8_6 - {"ECV"} | {"SVE2"}, "v9", id="arm64 v9.0 may have BF16 and I8MM"),
        pytest.param("arm64", _ARM_8_4 | {"SVE2"}, "v8.4", id="arm64 SVE2 does not make v9"),
        pytest.param("arm64", _ARM_8_2 - {"CRC32"}, "v8", id="arm64 with a hole"),
        pytest.param("arm64", {"FP"}, "", id="arm64 below v8"),
        pytest.param("s390x", {"VX"}, "", id="no levels made of flags"),
    ],
)
def test_the_level_is_the_highest_whose_flags_are_all_there(architecture: str, flags: set[str], expected: str) -> None:
    assert level_of(architecture, flags) == expected


@pytest.mark.parametrize(
    ("architecture", "flags", "expected"),
    [
        pytest.param(
            "amd64", "fpu cx8 cmov mmx fxsr sse sse2 pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm", "v2", id="amd64"
        ),
        pytest.param(
            "amd64", "fpu cx8 cmov mmx fxsr sse sse2 pni ssse3 cx16 sse4_1 sse4_2 lahf_lm", "v1", id="no popcnt"
        ),
        pytest.param("arm64", "fp asimd evtstrm aes sha1 sha2 crc32 atomics asimdrdm dcpop", "v8.2", id="arm64"),
        pytest.param("arm64", "fp asimd evtstrm crc32 atomics dcpop", "v8", id="no asimdrdm"),
    ],
)
def test_the_level_follows_from_the_flags_that_the_kernel_shows(architecture: str, flags: str, expected: str) -> None:
    assert level_of(architecture, nfd_names(frozenset(flags.split()), architecture)) == expected


# RISC-V profiles, mandatory user-mode extensions, as Linux shows them on hardware and in QEMU.
_RVA22 = "rv64imafdc_zicbom_zicboz_zicntr_zicsr_zifencei_zihintpause_zihpm_zfhmin_zba_zbb_zbs_zkt"
_RVA23 = (
    "rv64imafdcvh_zicbom_zicbop_zicboz_ziccrse_zicntr_zicond_zicsr_zifencei_zihintntl_zihintpause_zihpm_zimop_zawrs"
    "_zfa_zfh_zfhmin_zca_zcb_zcd_zcmop_zba_zbb_zbs_zkt_zvbb_zvfhmin_zvkt_ssnpm_sstc_svpbmt"
)
_X60 = (
    "rv64imafdcv_zicbom_zicboz_zicntr_zicond_zicsr_zifencei_zihintpause_zihpm_zfh_zfhmin_zca_zcd_zba_zbb_zbc_zbs_zkt"
    "_zve32f_zve32x_zve64d_zve64f_zve64x_zvfh_zvfhmin_zvkt_sscofpmf_sstc_svinval_svnapot_svpbmt"
)


@pytest.mark.parametrize(
    ("isa", "expected"),
    [
        pytest.param("rv64imafdc", "rva20u64", id="an older kernel"),
        pytest.param("rv64imafdcsu", "rva20u64", id="modes among the letters"),
        pytest.param("RV64IMAFDC\n", "rva20u64", id="any case"),
        pytest.param("rv64imafdc_zicntr_zicsr_zifencei_zihpm_zba_zbb", "rva20u64", id="SiFive U74"),
        pytest.param(_X60, "rva22u64", id="SpacemiT X60"),
        pytest.param(_RVA22, "rva22u64", id="rva22"),
        pytest.param(_RVA22.replace("_zbs", ""), "rva20u64", id="rva22 but one"),
        pytest.param(_RVA22.replace("imafdc_", "imafdcv_"), "rva22u64", id="vectors alone are no level"),
        pytest.param(_RVA23, "rva23u64", id="rva23"),
        pytest.param(_RVA23.replace("ssnpm", "supm"), "rva23u64", id="pointer masking by its own name"),
        pytest.param(_RVA23.replace("_ssnpm", ""), "rva22u64", id="rva23 before pointer masking"),
        pytest.param(_RVA23.replace("dcvh", "dch"), "rva22u64", id="rva23 where the kernel enabled no vectors"),
        pytest.param(_RVA23.replace("_zfhmin", ""), "rva20u64", id="rva23 with a hole"),
        pytest.param("rv64imac", "", id="no floating point"),
        pytest.param("rv64imafdxcv", "", id="a vendor's name begins with the x"),
        pytest.param("rv64ima_fdc", "", id="letters are no names"),
        pytest.param("rv32imafdc", "", id="32-bit"),
        pytest.param("rv64imafdc zba", "", id="nonsense"),
        pytest.param("", "", id="not shown"),
    ],
)
def test_a_profile_is_proven_by_what_the_isa_names(isa: str, expected: str) -> None:
    assert level_of_cpu("riscv64", isa) == expected


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("POWER8E (raw), altivec supported", "power8", id="POWER8E"),
        pytest.param("POWER8NVL (raw), altivec supported", "power8", id="POWER8NVL"),
        pytest.param("POWER9, altivec supported", "power9", id="POWER9"),
        pytest.param("POWER9 (architected), altivec supported", "power9", id="POWER10 in POWER9's mode"),
        pytest.param("POWER10 (raw), altivec supported", "power10", id="POWER10"),
        pytest.param("Power11 (architected), altivec supported", "power11", id="Power11"),
        pytest.param("Power12 (raw)", "power11", id="a later one"),
        pytest.param("POWER7+ (raw), altivec supported", "", id="POWER7"),
        pytest.param("POWER (raw)", "", id="no number"),
        pytest.param("PPC970MP, altivec supported", "", id="PPC970"),
        pytest.param("unknown (03010300)", "", id="unknown"),
        pytest.param("POWER" + "9" * 5000, "power11", id="hostile"),
        pytest.param("", "", id="not shown"),
    ],
)
def test_a_power_cpu_runs_every_generation_up_to_its_own(cpu: str, expected: str) -> None:
    assert level_of_cpu("ppc64le", cpu) == expected


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "s390x", ""])
def test_the_level_of_others_is_not_in_a_name(architecture: str) -> None:
    assert level_of_cpu(architecture, "rv64imafdc POWER9") == ""
