"""Why a host did not give what was asked for, and which reason counts where several hosts failed.

Knows what an HTTP status means here, and which failures may pass. Leaves to ``retry`` whether one is waited for.
"""

from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from imagefit.errors import (
    ContentInvalidError,
    ContentMissingError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnreachableError,
)
from imagefit.registry.exchange import Response

DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
PASSING: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Statuses after which the same request may succeed a moment later."""
# What a person must know first; a 404 counts only where every host says so.
_GRAVITY: Final[tuple[type[RegistryError], ...]] = (
    RegistryDeniedError,
    ContentInvalidError,
    RegistryUnreachableError,
    ContentMissingError,
)


class PassingError(RegistryUnreachableError):
    """A host could not answer now: the same request may succeed a moment later."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0, advice: str = "") -> None:
        """Keep how long the host wants to be left alone, 0 where it did not say."""
        super().__init__(message, advice=advice)
        self.retry_after_seconds = retry_after_seconds


class UnresponsiveError(RegistryUnreachableError):
    """No connection to a host came to be, or too little came over it in time."""


def unreachable(message: str, response: Response, *, method: str) -> RegistryUnreachableError:
    """Return the error for a status that says that a host cannot answer.

    Args:
        message: what happened, for a person.
        response: the answer.
        method: of the request; what is not safe to send twice is not sent twice.
    """
    if response.status not in PASSING or method not in {"HEAD", "GET"}:
        return RegistryUnreachableError(message)
    return PassingError(message, retry_after_seconds=retry_after_seconds(response))


def retry_after_seconds(response: Response) -> float:
    """Return what ``Retry-After`` (RFC 9110, section 10.2.3) asks for, 0 at the least and for what cannot be read.

    A date is counted from the answer's own ``Date``, so that no clock of this node matters.
    """
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        wanted = parsedate_to_datetime(text) - parsedate_to_datetime(response.headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return max(0.0, wanted.total_seconds())


def gravest(failures: list[RegistryError]) -> RegistryError:
    """Return one error for those of several hosts: the gravest, with the messages of all; at least one is needed."""
    worst = min(failures, key=_gravity)
    return _GRAVITY[_gravity(worst)]("; ".join(failure.message for failure in failures), advice=worst.advice)


def _gravity(failure: RegistryError) -> int:
    places = (place for place, kind in enumerate(_GRAVITY) if isinstance(failure, kind))
    return next(places, _GRAVITY.index(RegistryUnreachableError))
