"""Architectures, their variants, and the CPU levels behind the variants.

Knows which variant runs on which, how deep a level is, and which flags make a level. Leaves to others how a CPU is
read. Sources: x86-64 psABI (section "Micro-Architecture Levels"), the mandatory features of the Arm architecture,
the RISC-V profiles (RVA20, RVA22, RVA23), and the normal forms of github.com/containerd/platforms (``database.go``).
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

_ARCHITECTURES: Final[Mapping[str, str]] = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i686": "386",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_DEFAULT_VARIANT: Final[Mapping[str, str]] = {"amd64": "v1", "arm": "v7", "arm64": "v8"}
# Names that say the variant themselves, whatever stands beside them.
_VARIANT_OF_NAME: Final[Mapping[str, str]] = {"armel": "v6", "armhf": "v7"}

# Lowest first. A node runs every variant at or below its own.
_ARM64_VARIANTS: Final = (
    "v8",
    *(f"v8.{minor}" for minor in range(1, 10)),
    "v9",
    *(f"v9.{minor}" for minor in range(1, 8)),
)
_VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "386": ("",),
    "amd64": ("v1", "v2", "v3", "v4"),
    "arm": ("v5", "v6", "v7", "v8"),
    "arm64": _ARM64_VARIANTS,
    "riscv64": ("rva20u64", "rva22u64", "rva23u64"),
    "ppc64le": ("power8", "power9", "power10", "power11"),
}
_ARM64_NINE_IS_EIGHT_PLUS: Final = 5
# Node and build of which containerd takes the second as a last resort; whether it runs is up to the kernel.
_RUN_IF_SUPPORTED: Final = frozenset({("arm64", "arm"), ("amd64", "386")})

# What each x86-64 level adds to the one below it, in NFD's names. The psABI writes LAHF-SAHF, CMPXCHG16B, SSE3, LZCNT,
# OSXSAVE for LAHF, CX16, SSE3, LZCNT, XSAVE; a kernel shows xsave only if it enabled it, which is what OSXSAVE says.
_AMD64_LEVELS: Final[tuple[tuple[str, AbstractSet[str]], ...]] = (
    ("v1", frozenset({"CMOV", "CMPXCHG8", "X87", "FXSR", "MMX", "SSE", "SSE2"})),
    ("v2", frozenset({"CX16", "LAHF", "POPCNT", "SSE3", "SSE4", "SSE42", "SSSE3"})),
    ("v3", frozenset({"AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA3", "LZCNT", "MOVBE", "OSXSAVE"})),
    ("v4", frozenset({"AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"})),
)
# What each Arm level makes mandatory and Linux shows in /proc/cpuinfo, in NFD's names (the kernel's, upper-case).
_ARM64_LEVELS: Final[tuple[tuple[str, AbstractSet[str]], ...]] = (
    ("v8", frozenset({"FP", "ASIMD"})),
    ("v8.1", frozenset({"ATOMICS", "ASIMDRDM", "CRC32"})),
    ("v8.2", frozenset({"DCPOP"})),
    ("v8.3", frozenset({"FCMA", "JSCVT", "LRCPC"})),
    ("v8.4", frozenset({"ASIMDDP", "DIT", "FLAGM", "ILRCPC", "USCAT"})),
    ("v8.5", frozenset({"FLAGM2", "FRINT", "SB"})),
    ("v8.6", frozenset({"BF16", "ECV", "I8MM"})),
)
# What each RISC-V profile makes mandatory for programs and Linux shows as ``isa``, in upper-case; Linux 6.13 is the
# first that shows it all. Left out: what others imply (Zicsr, Zicntr), hints that every CPU runs (Zicbop), and
# properties of memory and caches, which most kernels do not show (Ziccif, Ziccrse, Ziccamoa, Zicclsm, Za64rs, Zic64b).
_RISCV64_LEVELS: Final[tuple[tuple[str, AbstractSet[str]], ...]] = (
    ("rva20u64", frozenset({"I", "M", "A", "F", "D", "C"})),
    ("rva22u64", frozenset({"ZIHPM", "ZIHINTPAUSE", "ZBA", "ZBB", "ZBS", "ZICBOM", "ZICBOZ", "ZFHMIN", "ZKT"})),
    (
        "rva23u64",
        frozenset({"V", "ZVFHMIN", "ZVBB", "ZVKT", "ZIHINTNTL", "ZICOND", "ZIMOP", "ZCMOP", "ZCB", "ZFA", "ZAWRS"})
        | {"SUPM"},
    ),
)
_LEVELS: Final = {"amd64": _AMD64_LEVELS, "arm64": _ARM64_LEVELS, "riscv64": _RISCV64_LEVELS}
# One letter per extension, then names; some device trees write the first name without an underscore before it.
_ISA: Final = re.compile(r"rv64([a-rt-wy]*)(\w*)", re.ASCII)
# Most kernels show the supervisor's half of pointer masking only, which is what they give to programs as Supm.
_POINTER_MASKING: Final = "SSNPM"
# ``Power11`` is written otherwise than those before it.
_POWER: Final = re.compile(r"power(\d{1,4})", re.ASCII | re.IGNORECASE)
_DEPTH_OF_FLAG: Final[Mapping[str, int]] = {
    flag: depth for levels in _LEVELS.values() for depth, (_, flags) in enumerate(levels, start=1) for flag in flags
} | {"XSAVE": 3}
_AVX512: Final = "AVX512"
# archspec's generic targets, the levels that vendors' targets descend from.
_PLATFORM_OF_GENERIC: Final[Mapping[str, tuple[str, str]]] = {
    "x86_64": ("amd64", "v1"),
    **{f"x86_64_{variant}": ("amd64", variant) for variant in ("v2", "v3", "v4")},
    "aarch64": ("arm64", "v8"),
    **{f"arm{variant}a": ("arm64", variant) for variant in _ARM64_VARIANTS},
    "armv9.0a": ("arm64", "v9"),
}


def normalize(architecture: str, variant: str) -> tuple[str, str]:
    """Return architecture and variant as containerd normalises them, with the default variant filled in.

    Args:
        architecture: as an index writes it, any case, ``x86_64`` and ``aarch64`` included.
        variant: as an index writes it, or empty.

    Returns:
        For instance ``("amd64", "v1")`` for ``x86_64``; the variant stays empty where the architecture has none.
    """
    lower = architecture.lower()
    name = _ARCHITECTURES.get(lower, lower)
    level = variant.lower()
    if name in _DEFAULT_VARIANT and level.isdecimal():
        level = f"v{level}"
    if name == "arm64" and level in {"v8.0", "v9.0"}:
        level = level[:2]
    return name, _VARIANT_OF_NAME.get(lower) or level or _DEFAULT_VARIANT.get(name, "")


def runs(node: tuple[str, str], wanted: tuple[str, str]) -> bool | None:
    """Tell whether a node runs what is built for an architecture and variant.

    Args:
        node: normalised architecture and highest variant of the node; an empty variant is not known.
        wanted: normalised architecture and variant of the build.

    Returns:
        None where only the node's unknown variant, or its kernel's unknown 32-bit support, stands between yes and no.
    """
    (have, have_variant), (want, want_variant) = node, wanted
    if (have, want) in _RUN_IF_SUPPORTED:
        return None if want_variant in _VARIANTS.get(want, ("",)) else False
    if have != want:
        return False
    if want_variant in {"", have_variant, _lowest(want)}:
        return True
    order = _VARIANTS.get(want, ())
    if want_variant not in order:
        return False
    if have_variant not in order:
        return None
    if want == "arm64":
        return _arm64_includes(have_variant, want_variant)
    return order.index(want_variant) <= order.index(have_variant)


def depth(architecture: str, variant: str) -> int:
    """Return how deep a normalised variant lies: 1 for the lowest of its architecture, 0 for one that is not known."""
    order = _VARIANTS.get(architecture, ())
    return order.index(variant) + 1 if variant in order else 0


def depth_of_flag(flag: str) -> int:
    """Return the depth of the lowest level that has a CPU flag (NFD's name), 0 for a flag of no level.

    Every AVX-512 extension implies the level of AVX-512.
    """
    known = _DEPTH_OF_FLAG.get(flag, 0)
    return known or (len(_AMD64_LEVELS) if flag.startswith(_AVX512) else 0)


def target_of(text: str) -> str:
    """Return archspec's name of a target as people write it (``x86-64-v3``, ``Haswell``); empty for an unknown one."""
    from archspec.cpu import TARGETS

    name = text.lower().replace("-", "_")
    return name if name in TARGETS else ""


def depth_of_target(target: str) -> int:
    """Return the depth of the level that an archspec target implies, such as 4 for ``zen4``; 0 if unknown."""
    # Imported here: the library reads its table of targets at import, which only this question needs.
    from archspec.cpu import TARGETS

    known = TARGETS.get(target)
    if known is None:
        return 0
    return depth(*_PLATFORM_OF_GENERIC.get(str(known.generic.name), ("", "")))


def level_of(architecture: str, flags: AbstractSet[str]) -> str:
    """Return the highest level whose flags, and those of all levels below, a CPU has.

    Args:
        architecture: normalised.
        flags: the CPU's flags in NFD's names.

    Returns:
        The variant's name; empty where the architecture has no levels made of flags or the lowest is not reached.
    """
    reached = ""
    for name, needed in _LEVELS.get(architecture, ()):
        if not needed <= flags:
            break
        reached = name
    if architecture == "arm64" and depth("arm64", reached) >= depth("arm64", "v8.5") and "SVE2" in flags:
        return "v9.1" if reached == "v8.6" else "v9"
    return reached


def level_of_cpu(architecture: str, shown: str) -> str:
    """Return the highest level that what a kernel shows of a CPU proves.

    Args:
        architecture: normalised.
        shown: in /proc/cpuinfo, ``isa`` of riscv64, such as ``rv64imafdc_zba``, or ``cpu`` of ppc64le, such as
            ``POWER9 (raw), altivec supported``.

    Returns:
        The variant's name; empty where the lowest is not reached, or of another architecture.
    """
    if architecture == "riscv64":
        return level_of(architecture, _isa_extensions(shown))
    return _power_level(shown) if architecture == "ppc64le" else ""


def _isa_extensions(isa: str) -> frozenset[str]:
    found = _ISA.fullmatch(isa.strip().lower())
    if found is None:
        return frozenset()
    extensions = frozenset(name.upper() for name in (*found[1], *found[2].split("_")))
    return extensions | {"SUPM"} if _POINTER_MASKING in extensions else extensions


def _power_level(cpu: str) -> str:
    """Return the highest level at or below a CPU's generation, since each runs what is built for those before it."""
    found = _POWER.match(cpu.strip())
    generation = int(found[1]) if found else 0
    reached = [level for level in _VARIANTS["ppc64le"] if int(level.removeprefix("power")) <= generation]
    return reached[-1] if reached else ""


def _lowest(architecture: str) -> str:
    order = _VARIANTS.get(architecture)
    return order[0] if order else ""


def _arm64_includes(have: str, want: str) -> bool:
    """Tell whether one Arm level includes another: v9.x includes v9.y for y ≤ x and v8.(x+5) and below."""
    have_major, have_minor = _arm64_level(have)
    want_major, want_minor = _arm64_level(want)
    if have_major == want_major:
        return want_minor <= have_minor
    return have_major > want_major and want_minor <= have_minor + _ARM64_NINE_IS_EIGHT_PLUS


def _arm64_level(variant: str) -> tuple[int, int]:
    major, _, minor = variant[1:].partition(".")
    return int(major), int(minor or 0)
