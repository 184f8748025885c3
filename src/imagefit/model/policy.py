"""What the operator wants: how to choose, and what to do where there is no choice."""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """Whether choices take effect."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


class NoMatch(StrEnum):
    """What happens to a pull when no entry fits."""

    REJECT = "reject"
    PASS_THROUGH = "pass-through"  # noqa: S105 - no password


class Unknown(StrEnum):
    """What becomes of entries of which it is not known whether they fit."""

    LAST = "last"
    REJECT = "reject"


class OnError(StrEnum):
    """What happens to a pull when nothing can be decided."""

    PASS_THROUGH = "pass-through"  # noqa: S105 - no password
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Preference:
    """Entries that claim that ``annotation`` is ``value`` gain ``weight``, which may be negative."""

    annotation: str
    value: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy for every pull of a node.

    Attributes:
        trust_referrers: believe metadata that only refers to an image; nothing that is reachable from the index by
            digest vouches for it.
    """

    mode: Mode = Mode.ENFORCE
    no_match: NoMatch = NoMatch.REJECT
    unknown: Unknown = Unknown.LAST
    on_error: OnError = OnError.PASS_THROUGH
    prefer: tuple[Preference, ...] = ()
    trust_referrers: bool = False
