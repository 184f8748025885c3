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
    found = Truth.YES
    for truth in truths:
        if truth is Truth.NO:
            return truth
        if truth is Truth.UNKNOWN:
            found = truth
    return found


def any_of(truths: Iterable[Truth]) -> Truth:
    """Combine truths of which one must be yes: yes wins, then unknown."""
    found = Truth.NO
    for truth in truths:
        if truth is Truth.YES:
            return truth
        if truth is Truth.UNKNOWN:
            found = truth
    return found


def opposite(truth: Truth) -> Truth:
    """Return no for yes and yes for no; what is not known stays so."""
    if truth is Truth.YES:
        return Truth.NO
    return Truth.YES if truth is Truth.NO else truth


def truth_of(holds: bool) -> Truth:  # noqa: FBT001 - a predicate's result is its only argument
    """Return yes or no for what is known."""
    return Truth.YES if holds else Truth.NO
