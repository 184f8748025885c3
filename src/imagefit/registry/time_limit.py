"""How long the caller of the moment still waits.

Knows the time limit that a caller set, wherever in its work it is asked for: asyncio cancels at the end of one and
tells nobody before, but whoever shares time out among hosts or waits to ask again must know. Leaves to the callers what
becomes of a limit that is reached.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

PATIENCE_SECONDS: Final = 10.0
"""What is left where nobody set a limit; nothing is cut off then."""


@dataclass(slots=True)
class TimeLimit:
    """Until when somebody waits, by the event loop's clock; later where somebody joins who waits longer."""

    until: float


_current: Final[ContextVar[TimeLimit | None]] = ContextVar("time limit of a registry's answer", default=None)


@contextlib.asynccontextmanager
async def time_limit(until: float) -> AsyncIterator[None]:
    """Do what is inside until ``until`` (the event loop's clock), or until an outer limit that ends sooner.

    Raises:
        TimeoutError: the time is over.
    """
    outer = _current.get()
    ends = until if outer is None else min(until, outer.until)
    with counted_to(TimeLimit(ends)):
        async with asyncio.timeout_at(ends):
            yield


@contextlib.contextmanager
def counted_to(limit: TimeLimit) -> Iterator[None]:
    """Have ``seconds_left`` count to ``limit`` inside; nothing is cut off at its end."""
    token = _current.set(limit)
    try:
        yield
    finally:
        _current.reset(token)


def seconds_left() -> float:
    """Return how long the caller of the moment still waits, 0 at the least."""
    limit = _current.get()
    return PATIENCE_SECONDS if limit is None else max(0.0, limit.until - asyncio.get_running_loop().time())
