"""What a CPU flag is called: by the Linux kernel, by Node Feature Discovery, by Go, by an image's author.

Knows the names that differ and the rule for all others. Leaves to others how a CPU is read and what an image needs.
Sources: Linux ``arch/x86/include/asm/cpufeatures.h`` (the names in /proc/cpuinfo), github.com/klauspost/cpuid
(``cpuid.go``: NFD's names on amd64), NFD ``source/cpu/cpuid_linux_arm64.go``, golang.org/x/sys ``cpu/cpu.go``.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

# Linux name → NFD name on amd64, where the latter is not simply the former in upper-case and without underscores.
_AMD64_NAMES: Final[Mapping[str, str]] = {
    "3dnow": "AMD3DNOW",
    "3dnowext": "AMD3DNOWEXT",
    "abm": "LZCNT",
    "aes": "AESNI",
    "amd_ppin": "PPIN",
    "apx": "APX_F",
    "arch_capabilities": "IA32_ARCH_CAP",
    "core_capabilities": "IA32_CORE_CAP",
    "cpb": "CPBOOST",
    "cx8": "CMPXCHG8",
    "decodeassists": "SVMDA",
    "flush_l1d": "FLUSH_L1D",
    "flushbyasid": "SVMFBASID",
    "fma": "FMA3",
    "fpu": "X87",
    "fsrc": "CMPSB_SCADBS_SHORT",
    "fsrs": "STOSB_SHORT",
    "fzrm": "MOVSB_ZL",
    "ht": "HTT",
    "hybrid_cpu": "HYBRID_CPU",
    "ibpb_brtype": "IBPB_BRTYPE",
    "ibt": "CETIBT",
    "intel_ppin": "PPIN",
    "lahf_lm": "LAHF",
    "lbrv": "LBRVIRT",
    "md_clear": "MD_CLEAR",
    "npt": "SVMNP",
    "nrip_save": "NRIPS",
    "overflow_recov": "MCAOVERFLOW",
    "pausefilter": "SVMPF",
    "pclmulqdq": "CLMUL",
    "pfthreshold": "SVMPFT",
    "pni": "SSE3",
    "rtm_always_abort": "RTM_ALWAYS_ABORT",
    "sep": "SYSEE",
    "sev_es": "SEV_ES",
    "sev_snp": "SEV_SNP",
    "sgx_lc": "SGXLC",
    "sha_ni": "SHA",
    "sm3": "SM3_X86",
    "sm4": "SM4_X86",
    "ssbd": "SPEC_CTRL_SSBD",
    "sse4_1": "SSE4",
    "svm_lock": "SVML",
    "tdx_guest": "TDX_GUEST",
    "topoext": "TOPEXT",
    "tsc_scale": "TSCRATEMSR",
    "user_shstk": "CETSS",
    "vmcb_clean": "VMCBCLEAN",
}
# Spellings above that are, in upper-case, NFD's names of other flags on arm64 and ppc64le.
_NAMES_ELSEWHERE: Final = frozenset({"AES", "FPU", "SM3", "SM4"})
# Spellings that are no name of Linux: fields of Go's x/sys/cpu after ``Has``, and words of the x86-64 psABI.
_OTHER_SPELLINGS: Final[Mapping[str, str]] = {
    "avx512gfni": "GFNI",
    "avx512vaes": "VAES",
    "avx512vpclmulqdq": "VPCLMULQDQ",
    "cmpxchg16b": "CX16",
    "lahfsahf": "LAHF",
}
# Names of NFD's for what Linux shows no flag of.
_NFD_ONLY: Final = ("AVX10_128", "AVX10_256", "AVX10_512")
# Flags that nothing shows by itself: a kernel shows xsave only where it enabled it, which is what OSXSAVE says, and
# AVX512 is Go's word for the set that every server with AVX-512 has.
_IMPLIED: Final[tuple[tuple[str, AbstractSet[str]], ...]] = (
    ("OSXSAVE", frozenset({"XSAVE"})),
    ("AVX512", frozenset({"AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"})),
)
_SEPARATORS: Final = str.maketrans("", "", "_-.")


def _key(text: str) -> str:
    """Return what all spellings of one name have in common."""
    return text.strip().lower().translate(_SEPARATORS)


# NFD's own names come last: where a spelling is both, NFD's word for it wins (``sse4``, ``sha``).
_AMD64_OF_KEY: Final[Mapping[str, str]] = {
    **_OTHER_SPELLINGS,
    **{_key(flag): name for flag, name in _AMD64_NAMES.items()},
    **{_key(name): name for name in (*_AMD64_NAMES.values(), *_NFD_ONLY)},
}


def nfd_name(flag: str, architecture: str) -> str:
    """Return NFD's name for a flag as /proc/cpuinfo shows it.

    Args:
        flag: such as ``sse4_1`` or ``asimddp``.
        architecture: normalised, such as ``amd64``.
    """
    if architecture in {"amd64", "386"} and flag in _AMD64_NAMES:
        return _AMD64_NAMES[flag]
    return flag.upper().replace("_", "")


def nfd_names(flags: AbstractSet[str], architecture: str) -> frozenset[str]:
    """Return NFD's names for all flags of one CPU, those included that other flags imply.

    Args:
        flags: as /proc/cpuinfo shows them.
        architecture: normalised, such as ``amd64``.
    """
    names = {nfd_name(flag, architecture) for flag in flags}
    if architecture in {"amd64", "386"}:
        names.update(implied for implied, needed in _IMPLIED if needed <= names)
    return frozenset(names)


def flag_names(text: str) -> tuple[str, ...]:
    """Return every name of NFD's that an author's spelling of a CPU flag may mean, on any architecture.

    Args:
        text: in NFD's spelling (``AVX512FP16``), /proc/cpuinfo's (``avx512_fp16``) or Go's (``avx512vbmi2``), any case.

    Returns:
        amd64's name first, then that of other architectures where it differs; at least one, no duplicates.
    """
    key = _key(text)
    plain = key.upper()
    amd64 = _AMD64_OF_KEY.get(key, plain)
    return (amd64, plain) if amd64 != plain and plain in _NAMES_ELSEWHERE else (amd64,)
