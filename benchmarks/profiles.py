"""What a choice and a start consist of, for what misses its limit.

Knows the steps of a choice, by the functions that do them, and the packages that a start imports. A profiler slows what
it watches, so only shares are told, never times.
"""

import cProfile
import importlib
import pstats
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final

STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "read the index": ("imagefit.model.oci", "parse_index"),
    "platforms": ("imagefit.selection.session", "Selection._start"),
    "read the sets": ("imagefit.selection.judging", "Judging._document"),
    "judge the sets": ("imagefit.selection.judging", "Judging._verdict_on"),
    "rank": ("imagefit.selection.rank", "rank"),
}
"""Module and function of each step of a choice."""
ELSE: Final = "all else"
"""What is none of the steps, or of the packages."""
PACKAGES: Final = ("grpc", "imagefit", "asyncio", "msgspec")
"""Whose modules are told apart; the rest is Python's own library."""

_IMPORTED: Final = "import imagefit.cli.main, imagefit.cli.serve, imagefit.daemon.life"


class ProfileError(Exception):
    """A step is not done where this module looks for it."""


def choice_shares(choose: Callable[[], object], steps: Mapping[str, tuple[str, str]] = STEPS) -> dict[str, float]:
    """Return the share of each step in a choice, then that of all else; they add up to 1.

    Args:
        choose: makes a choice.
        steps: module and function of each step, none of which is part of another.

    Raises:
        ProfileError: a step's function is not there, or was not called.
    """
    codes = {step: _code_of(*place) for step, place in steps.items()}
    profile = cProfile.Profile()
    profile.runcall(choose)
    found: Any = pstats.Stats(profile)
    spent: dict[str, float] = {}
    for step, code in codes.items():
        key = (code.co_filename, code.co_firstlineno, code.co_name)
        if key not in found.stats:
            raise ProfileError(f"{step!r}: {'.'.join(steps[step])} was not called; see benchmarks/profiles.py")
        spent[step] = found.stats[key][3]  # with all that it calls
    spent[ELSE] = found.total_tt - sum(spent.values())
    return {step: one / found.total_tt for step, one in spent.items()}


def import_shares() -> dict[str, float]:
    """Return the share of each package in the time that importing takes before the daemon listens; they add up to 1."""
    ended = subprocess.run(
        (sys.executable, "-X", "importtime", "-c", _IMPORTED), check=True, capture_output=True, text=True
    )
    return shares_in(ended.stderr)


def shares_in(log: str) -> dict[str, float]:
    """Return what the log of ``-X importtime`` says, by ``PACKAGES`` and ``ELSE``: own µs, those of all, module."""
    spent: Counter[str] = Counter()
    for line in log.splitlines():
        own, _, module = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if own.isdecimal():
            package = module.partition(".")[0]
            spent[package if package in PACKAGES else ELSE] += int(own)
    return {package: spent[package] / spent.total() for package in (*PACKAGES, ELSE)}


def _code_of(module: str, function: str) -> CodeType:
    found: Any = importlib.import_module(module)
    for name in function.split("."):
        found = getattr(found, name, None)
    code = getattr(found, "__code__", None)
    if not isinstance(code, CodeType):
        raise ProfileError(f"{module} has no function {function}; see benchmarks/profiles.py")
    return code
