"""Versions and ranges of versions, as flat sets write them.

Knows the grammar of FORMATS' ranges: comparators (``>=2.31, <=2.37``), intervals (``[4.19, 5.16)``) and alternatives
(``||``, or a comma between intervals). Leaves to others which label holds a version.
Sources: proposals H, I and J of the OCI image-compatibility working group.
"""

import re
from functools import lru_cache

import msgspec

from imagefit.errors import InvalidDocumentError

_MAX_PARTS = 128
_REMEMBERED = 256
_MAX_REMEMBERED_CHARACTERS = 128
_DOTTED = r"\d{1,18}(?:\.\d{1,18}){0,15}"
_NUMBERS = re.compile(rf"v?({_DOTTED})(?!\.?\d)((?:[-_+~]{_DOTTED}(?!\.?\d))?)", re.ASCII)
_PLAIN = re.compile(_DOTTED, re.ASCII)
_EXACT = re.compile(_NUMBERS.pattern + r"([.+~-][0-9A-Za-z.+~_-]{0,200})?", re.ASCII)
_COMPARATOR = re.compile(r"(>=|<=|==|>|<|=)\s*(\S+)")
_INTERVAL = re.compile(r"\s*([\[(])([^,\[\]()]*),([^,\[\]()]*)([\])])\s*(,|$)")


class Version(msgspec.Struct, frozen=True):
    """A version as its leading numbers.

    Attributes:
        release: the dotted numbers without trailing zeros, ``5.14.0-427.el9`` → (5, 14), so that 5.14 equals 5.14.0.
        build: the numbers after the first dash, (427,) there; compared only where the asking side has them.
    """

    release: tuple[int, ...]
    build: tuple[int, ...] = ()


class Interval(msgspec.Struct, frozen=True):
    """All versions between two ends; None leaves that side open-ended."""

    low: Version | None = None
    low_included: bool = True
    high: Version | None = None
    high_included: bool = True

    def holds(self, version: Version) -> bool:
        """Tell whether ``version`` lies inside."""
        if self.low is not None:
            order = _compare(version, self.low)
            if order < 0 or (order == 0 and not self.low_included):
                return False
        if self.high is not None:
            order = _compare(version, self.high)
            if order > 0 or (order == 0 and not self.high_included):
                return False
        return True


class Ranges(msgspec.Struct, frozen=True):
    """Some version sets; a version is in when every interval of at least one of them holds.

    Attributes:
        alternatives: one tuple of intervals per alternative, in the author's order.
    """

    alternatives: tuple[tuple[Interval, ...], ...]

    def holds(self, version: Version) -> bool:
        """Tell whether ``version`` is in one of the alternatives."""
        return any(all(interval.holds(version) for interval in intervals) for intervals in self.alternatives)


def parse_version(text: str) -> Version | None:
    """Return the leading numbers of a version that a node reports, or None where it starts with none.

    Kernels such as ``5.14.0-427.el9.x86_64`` are read for their leading numbers; nothing after them is refused.
    """
    return _remembered(text) if len(text) <= _MAX_REMEMBERED_CHARACTERS else _leading(text)


def _leading(text: str) -> Version | None:
    found = _NUMBERS.match(text.strip())
    return None if found is None else _version(found)


# A node's own versions are asked for again and again.
_remembered = lru_cache(_REMEMBERED)(_leading)


def is_exact(text: str) -> bool:
    """Tell whether a text is a number or a dotted version and nothing else, so that 4 and 4.0 are the same."""
    return _PLAIN.fullmatch(text) is not None


def is_range(text: str) -> bool:
    """Tell whether a label's value is written as a range rather than as a plain value or a list."""
    return "||" in text or text.lstrip()[:1] in {"<", ">", "=", "[", "("}


def parse_ranges(text: str) -> Ranges:
    """Read a range.

    Args:
        text: such as ``>=2.31, <=2.37``, ``[4.19, 5.16)``, ``[1, 2), [3, 4]`` or ``<2 || >=3``; a plain version is the
            range that holds only it.

    Raises:
        InvalidDocumentError: it is not one, or one of its intervals can hold nothing.
    """
    parts = text.split("||")
    if len(parts) + text.count(",") > _MAX_PARTS:
        raise InvalidDocumentError(f"a range of more than {_MAX_PARTS} parts")
    alternatives: list[tuple[Interval, ...]] = []
    for part in parts:
        if part.lstrip()[:1] in {"[", "("}:
            alternatives.extend((interval,) for interval in _intervals(part))
        else:
            alternatives.append(_comparators(part))
    return Ranges(tuple(alternatives))


def _version(found: re.Match[str]) -> Version:
    release = [int(number) for number in found[1].split(".")]
    while len(release) > 1 and not release[-1]:
        release.pop()
    build = tuple(int(number) for number in found[2][1:].split(".")) if found[2] else ()
    return Version(tuple(release), build)


def _compare(have: Version, asked: Version) -> int:
    """Return below, equal or above zero; the build counts only where the asking side names one."""
    if not asked.build or have.release != asked.release:
        return (have.release > asked.release) - (have.release < asked.release)
    return (have.build > asked.build) - (have.build < asked.build)


def _asked_version(text: str) -> Version:
    found = _EXACT.fullmatch(text)
    # Words after a dot belong to a build, as in 427.el9; without one they are a wildcard such as 5.15.x.
    if found is None or (not found[2] and (found[3] or "").startswith(".")):
        raise InvalidDocumentError(f"{text[:80]!r} is not a version")
    return _version(found)


def _comparators(text: str) -> tuple[Interval, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise InvalidDocumentError(f"an empty range in {text[:80]!r}")
    return tuple(_comparator(word) for word in words)


def _comparator(word: str) -> Interval:
    found = _COMPARATOR.fullmatch(word)
    operator, version = (found[1], _asked_version(found[2])) if found else ("=", _asked_version(word))
    match operator:
        case ">=" | ">":
            return Interval(low=version, low_included=operator == ">=")
        case "<=" | "<":
            return Interval(high=version, high_included=operator == "<=")
        case _:
            return Interval(low=version, high=version)


def _intervals(text: str) -> list[Interval]:
    intervals: list[Interval] = []
    position = 0
    while position < len(text):
        found = _INTERVAL.match(text, position)
        if found is None:
            if text[position:].strip() == "":
                break
            raise InvalidDocumentError(f"{text[position:].strip()[:80]!r} is not an interval such as [4.19, 5.16)")
        intervals.append(_interval(found))
        position = found.end()
    return intervals


def _interval(found: re.Match[str]) -> Interval:
    low, high = (_asked_version(end.strip()) if end.strip() else None for end in (found[2], found[3]))
    interval = Interval(low, found[1] == "[", high, found[4] == "]")
    if low is not None and high is not None:
        ends = [(end.release, end.build if low.build and high.build else ()) for end in (low, high)]
        one_point = low == high and not (interval.low_included and interval.high_included)
        if ends[0] > ends[1] or one_point:
            raise InvalidDocumentError(f"no version is inside {found[0].strip(' ,')[:80]!r}")
    return interval
