"""Names of CPU flags: what must be one name, and what must stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.model.cpu_flags import flag_names, nfd_name, nfd_names
from imagefit.model.microarchitecture import level_of

_AMD64 = {
    "3dnow": "AMD3DNOW",
    "abm": "LZCNT",
    "aes": "AESNI",
    "amx_tile": "AMXTILE",
    "avx2": "AVX2",
    "avx512_fp16": "AVX512FP16",
    "avx512_vbmi2": "AVX512VBMI2",
    "avx512ifma": "AVX512IFMA",
    "avx_vnni": "AVXVNNI",
    "cx16": "CX16",
    "cx8": "CMPXCHG8",
    "fma": "FMA3",
    "fpu": "X87",
    "fxsr": "FXSR",
    "fxsr_opt": "FXSROPT",
    "ht": "HTT",
    "lahf_lm": "LAHF",
    "md_clear": "MD_CLEAR",
    "pclmulqdq": "CLMUL",
    "pni": "SSE3",
    "rdrand": "RDRAND",
    "sha_ni": "SHA",
    "sse4_1": "SSE4",
    "sse4_2": "SSE42",
    "ssse3": "SSSE3",
    "xsave": "XSAVE",
}


@pytest.mark.parametrize(("flag", "name"), _AMD64.items())
def test_a_flag_of_amd64_has_the_name_that_nfd_gives_it(flag: str, name: str) -> None:
    assert nfd_name(flag, "amd64") == name


@pytest.mark.parametrize(("flag", "name"), [("aes", "AES"), ("asimddp", "ASIMDDP"), ("sm3", "SM3"), ("sve2", "SVE2")])
def test_a_flag_of_arm64_is_its_own_name(flag: str, name: str) -> None:
    assert nfd_name(flag, "arm64") == name


@pytest.mark.parametrize(("flag", "name"), _AMD64.items())
def test_an_author_may_write_linux_or_nfd_spelling(flag: str, name: str) -> None:
    assert name in flag_names(flag)
    assert name in flag_names(flag.upper())
    assert name in flag_names(name)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("AVX512FP16", ("AVX512FP16",), id="nfd"),
        pytest.param("avx512_fp16", ("AVX512FP16",), id="cpuinfo"),
        pytest.param("avx512vbmi2", ("AVX512VBMI2",), id="go"),
        pytest.param("sse41", ("SSE4",), id="go-sse41"),
        pytest.param("SSE4.1", ("SSE4",), id="dotted"),
        pytest.param("sse42", ("SSE42",), id="go-sse42"),
        pytest.param("popcnt", ("POPCNT",), id="go-popcnt"),
        pytest.param("avx512vaes", ("VAES",), id="go-avx512vaes"),
        pytest.param("osxsave", ("OSXSAVE",), id="go-osxsave"),
        pytest.param("CMPXCHG16B", ("CX16",), id="psabi"),
        pytest.param("LAHF-SAHF", ("LAHF",), id="psabi-lahf"),
        pytest.param("AVX10_256", ("AVX10_256",), id="nfd-only"),
        pytest.param("aes", ("AESNI", "AES"), id="two-architectures"),
        pytest.param("sm4", ("SM4_X86", "SM4"), id="two-architectures-sm4"),
        pytest.param("asimddp", ("ASIMDDP",), id="arm64"),
        pytest.param(" avx2 ", ("AVX2",), id="spaces"),
        pytest.param("no_such_flag", ("NOSUCHFLAG",), id="unknown"),
    ],
)
def test_a_spelling_stands_for_these_names(text: str, names: tuple[str, ...]) -> None:
    assert flag_names(text) == names


@pytest.mark.parametrize(
    ("one", "other"),
    [("sse4_1", "sse4_2"), ("sse4a", "sse4_1"), ("avx512vbmi", "avx512_vbmi2"), ("sha1", "sha_ni"), ("fma", "fma4")],
)
def test_different_flags_have_different_names(one: str, other: str) -> None:
    assert not set(flag_names(one)) & set(flag_names(other))


def test_a_kernel_that_shows_xsave_has_enabled_it() -> None:
    assert nfd_names({"xsave"}, "amd64") == {"XSAVE", "OSXSAVE"}
    assert "OSXSAVE" not in nfd_names({"avx"}, "amd64")


def test_avx512_is_the_five_that_come_together() -> None:
    five = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    assert "AVX512" in nfd_names(five, "amd64")
    assert "AVX512" not in nfd_names(five - {"avx512vl"}, "amd64")


def test_the_names_are_those_that_levels_are_made_of() -> None:
    v2 = {"cmov", "cx8", "fpu", "fxsr", "mmx", "sse", "sse2", "cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1"}
    v3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
    v4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    assert level_of("amd64", nfd_names(v2, "amd64")) == "v1"
    assert level_of("amd64", nfd_names(v2 | {"sse4_2"}, "amd64")) == "v2"
    assert level_of("amd64", nfd_names(v2 | {"sse4_2"} | v3, "amd64")) == "v3"
    assert level_of("amd64", nfd_names(v2 | {"sse4_2"} | v3 | v4, "amd64")) == "v4"


@given(st.text(max_size=20))
def test_any_text_has_names_without_duplicates(text: str) -> None:
    names = flag_names(text)
    assert names
    assert len(set(names)) == len(names)


@given(st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True), st.sampled_from(["amd64", "arm64", "s390x"]))
def test_what_a_node_shows_is_found_by_the_same_spelling(flag: str, architecture: str) -> None:
    assert nfd_name(flag, architecture) in flag_names(flag)
