"""The three truths and how they combine: all-of lets no win, any-of lets yes win, and unknown comes before the rest."""

from collections.abc import Iterable
from enum import StrEnum


class Truth(StrEnum):
    """Three truths: a missing fact is no only if a detector that covers it looked."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def all_of(truths: Iterable[Truth]) -> Truth:
    """Combine truths of which all must be yes: no wins, then unknown."""
    found = set(truths)
    return next((truth for truth in (Truth.NO, Truth.UNKNOWN) if truth in found), Truth.YES)


def any_of(truths: Iterable[Truth]) -> Truth:
    """Combine truths of which one must be yes: yes wins, then unknown."""
    found = set(truths)
    return next((truth for truth in (Truth.YES, Truth.UNKNOWN) if truth in found), Truth.NO)


def opposite(truth: Truth) -> Truth:
    """Return no for yes and yes for no; what is not known stays so."""
    return {Truth.YES: Truth.NO, Truth.NO: Truth.YES, Truth.UNKNOWN: Truth.UNKNOWN}[truth]


def truth_of(holds: bool) -> Truth:  # noqa: FBT001 - a predicate's result is its only argument
    """Return yes or no for what is known."""
    return Truth.YES if holds else Truth.NO
