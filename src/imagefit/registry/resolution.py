"""One asking for all who ask the same, and what was learnt, for a short time.

Knows who asks the same: who wants the same thing with the same credentials. Leaves to ``client`` what is asked, and to
its settings how long an answer is believed. What is believed is never shared between credentials: whoever may not see
an image must not learn from another's pull what its tag stands for.

All calls come from one event loop.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import astuple, dataclass, field
from typing import Final, Generic, TypeVar

from imagefit.errors import ContentMissingError, RegistryDeniedError, RegistryError, RegistryUnreachableError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.time_limit import TimeLimit, counted_to, seconds_left

_T = TypeVar("_T")

KEPT_MAX: Final = 1024
"""Most answers that are believed at a time; the oldest goes first."""
# An older asking may hang where a new one would not.
_JOINED_MAX_SECONDS: Final = 2.5


@dataclass(frozen=True, slots=True)
class Memory:
    """How long is believed what was learnt.

    Attributes:
        tag_seconds: what a tag stands for; 0 asks anew for every pull.
        missing_seconds: that something is missing or denied; 0 asks anew for every pull.
    """

    tag_seconds: float = 0.0
    missing_seconds: float = 2.0


class Fingerprints:
    """Tells credentials apart without keeping them."""

    def __init__(self) -> None:
        """Make the key of this process, so that nothing in memory allows to guess a password by trying."""
        self._key = secrets.token_bytes(32)

    def of(self, auth: AuthConfig | None) -> bytes:
        """Return 32 bytes that are the same for the same credentials, as long as this process runs."""
        # A repr, since it is plain where one part ends.
        written = repr(auth and astuple(auth)).encode("utf-8", "backslashreplace")
        return hashlib.blake2b(written, key=self._key, digest_size=32).digest()


@dataclass(slots=True)
class _Asking(Generic[_T]):
    task: asyncio.Task[_T]
    limit: TimeLimit
    began: float
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error as it is kept: the error itself would keep alive all that its traceback refers to."""

    kind: type[RegistryError]
    message: str
    advice: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[_T]):
    until: float
    answer: _T | _Refusal


class Shared(Generic[_T]):
    """Answers by what was asked.

    Args:
        answer_seconds: how long an answer is believed.
        missing_seconds: how long is believed that something is missing or denied; other errors are never kept.
        clock: seconds that only grow.
    """

    def __init__(
        self, answer_seconds: float, missing_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know nothing yet."""
        self._answer_seconds = answer_seconds
        self._missing_seconds = missing_seconds
        self._clock = clock
        self._askings: dict[Hashable, _Asking[_T]] = {}
        self._kept: dict[Hashable, _Kept[_T]] = {}
        self._tasks: set[asyncio.Task[_T]] = set()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[_T]], *, keep: bool = True) -> _T:
        """Return what is believed, or what the asking that is under way brings, or ask.

        Args:
            key: the same for what is the same for the same credentials.
            ask: asks. It goes on as long as anybody waits for it, and what it raises is raised to all who wait.
            keep: whether a good answer may be kept.

        Raises:
            RegistryError: out of ``ask``; RegistryUnreachableError if ``close`` ended it.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock():
            return _answered(kept.answer)
        asking = self._askings.get(key)
        if asking is None or self._clock() - asking.began > _JOINED_MAX_SECONDS:
            asking = self._begin(key, ask, keep=keep)
        return await self._awaited(key, asking)

    def forget(self, is_wrong: Callable[[_T], bool]) -> None:
        """Believe no answer any more of which ``is_wrong`` is true."""
        for key, kept in list(self._kept.items()):
            if not isinstance(kept.answer, _Refusal) and is_wrong(kept.answer):
                del self._kept[key]

    async def close(self) -> None:
        """End every asking."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, key: Hashable, ask: Callable[[], Awaitable[_T]], *, keep: bool) -> _Asking[_T]:
        limit = TimeLimit(asyncio.get_running_loop().time() + seconds_left())

        async def asked() -> _T:
            return await ask()

        with counted_to(limit):
            asking = _Asking(asyncio.create_task(asked()), limit, self._clock())
        self._askings[key] = asking
        self._tasks.add(asking.task)
        asking.task.add_done_callback(lambda task: self._ended(key, task, keep=keep))
        return asking

    async def _awaited(self, key: Hashable, asking: _Asking[_T]) -> _T:
        asking.limit.until = max(asking.limit.until, asyncio.get_running_loop().time() + seconds_left())
        asking.waiting += 1
        try:
            # wait() leaves the task alone when it is cancelled itself.
            await asyncio.wait((asking.task,))
        finally:
            asking.waiting -= 1
            if not asking.waiting and not asking.task.done():
                self._drop(key, asking.task)
                asking.task.cancel()
        if asking.task.cancelled():
            raise RegistryUnreachableError("the asking was ended from within")
        return asking.task.result()

    def _ended(self, key: Hashable, task: asyncio.Task[_T], *, keep: bool) -> None:
        self._tasks.discard(task)
        self._drop(key, task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None and keep:
            self._keep(key, task.result(), self._answer_seconds)
        elif isinstance(error, ContentMissingError | RegistryDeniedError):
            self._keep(key, _Refusal(type(error), error.message, error.advice), self._missing_seconds)

    def _drop(self, key: Hashable, task: asyncio.Task[_T]) -> None:
        asking = self._askings.get(key)
        if asking is not None and asking.task is task:
            del self._askings[key]

    def _keep(self, key: Hashable, answer: _T | _Refusal, seconds: float) -> None:
        if seconds <= 0:
            return
        self._kept.pop(key, None)
        self._kept[key] = _Kept(self._clock() + seconds, answer)
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]


def _answered(answer: _T | _Refusal) -> _T:
    if isinstance(answer, _Refusal):
        raise answer.kind(answer.message, advice=answer.advice)
    return answer
