"""Who asks the same shares one asking, and what was learnt is believed for as long as was set, by its asker alone."""

import asyncio
import gc
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from imagefit.errors import (
    ContentInvalidError,
    ContentMissingError,
    InvalidConfigurationError,
    RegistryDeniedError,
    RegistryUnreachableError,
)
from imagefit.model.credentials import AuthConfig
from imagefit.registry.resolution import KEPT_MAX, Fingerprints, Shared
from imagefit.registry.time_limit import seconds_left, time_limit


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """Answers with how often it was asked, or fails; waits for ``go`` first."""

    failure: Exception | None = None
    asked: int = 0
    ended: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> int:
        self.asked += 1
        answer = self.asked
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        if self.failure is not None:
            raise self.failure
        return answer


def run(use: Callable[[], Awaitable[None]]) -> None:
    async def checked() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: pytest.fail(str(context)))
        await use()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(checked())
    gc.collect()


async def started(*waiting: Awaitable[int]) -> list[asyncio.Future[int]]:
    """Start these and let each come to where it waits."""
    tasks: list[asyncio.Future[int]] = [asyncio.ensure_future(one) for one in waiting]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def test_who_asks_the_same_at_the_same_time_shares_one_asking() -> None:
    async def use() -> None:
        shared, source = Shared[int](0, 0), Source()
        same = await started(*(shared.get("a", source) for _ in range(100)))
        other = await started(shared.get("b", source))
        source.go.set()
        assert await asyncio.gather(*same, *other) == [1] * 100 + [2]
        assert await shared.get("a", source) == 3

    run(use)


@pytest.mark.parametrize("failure", [ContentInvalidError("no"), InvalidConfigurationError("no"), KeyError("defect")])
def test_a_failure_is_that_of_all_and_of_nobody_later(failure: Exception) -> None:
    async def use() -> None:
        shared, source = Shared[int](60, 60), Source(failure)
        tasks = await started(*(shared.get("a", source) for _ in range(3)))
        source.go.set()
        assert await asyncio.gather(*tasks, return_exceptions=True) == [failure] * 3
        source.failure = None
        assert await shared.get("a", source) == 2

    run(use)


def test_who_is_cancelled_cancels_nobody_else() -> None:
    async def use() -> None:
        shared, source = Shared[int](0, 0), Source()
        first, second = await started(shared.get("a", source), shared.get("a", source))
        first.cancel()
        await asyncio.wait((first,))
        assert first.cancelled()
        assert source.ended == 0
        source.go.set()
        assert await second == 1

    run(use)


def test_an_asking_ends_with_the_last_who_waits() -> None:
    async def use() -> None:
        shared, source = Shared[int](0, 0), Source(failure=RegistryDeniedError("never seen"))
        tasks = await started(*(shared.get("a", source) for _ in range(2)))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        source.failure = None
        (again,) = await started(shared.get("a", source))
        assert (source.asked, source.ended) == (2, 1)
        source.go.set()
        assert await again == 2

    run(use)


def test_a_time_limit_ends_waiting_and_counts_for_the_longest_who_waits() -> None:
    async def use() -> None:
        shared, left, go = Shared[int](0, 0), list[float](), asyncio.Event()

        async def ask() -> int:
            left.append(seconds_left())
            await go.wait()
            left.append(seconds_left())
            return 1

        async def waits(seconds: float) -> int:
            async with time_limit(asyncio.get_running_loop().time() + seconds):
                return await shared.get("a", ask)

        (short,) = await started(waits(0.05))
        (long,) = await started(waits(5))
        with pytest.raises(TimeoutError):
            await short
        go.set()
        assert await long == 1
        assert left[0] <= 0.05
        assert 4 < left[1] <= 5

    run(use)


def test_an_asking_that_takes_long_is_not_joined() -> None:
    async def use() -> None:
        clock, source = Clock(), Source()
        shared = Shared[int](0, 0, clock)
        tasks = await started(shared.get("a", source))
        clock.now += 2.4
        tasks += await started(shared.get("a", source))
        clock.now += 0.2
        tasks += await started(shared.get("a", source), shared.get("a", source))
        source.go.set()
        assert await asyncio.gather(*tasks) == [1, 1, 2, 2]

    run(use)


def test_what_is_closed_ends_with_an_error_that_has_a_name() -> None:
    async def use() -> None:
        clock, source = Clock(), Source()
        shared = Shared[int](0, 0, clock)
        tasks = await started(shared.get("a", source))
        clock.now += 3
        tasks += await started(shared.get("a", source))
        await shared.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [RegistryUnreachableError] * 2
        assert source.ended == 2

    run(use)


def test_an_answer_is_believed_for_as_long_as_was_set() -> None:
    async def use() -> None:
        clock, source = Clock(), Source()
        source.go.set()
        shared = Shared[int](5, 0, clock)
        answers = [await shared.get("a", source)]
        for passed in (4.9, 0.2, 4.9, 0.2):
            clock.now += passed
            answers.append(await shared.get("a", source))
        assert answers == [1, 1, 2, 2, 3]
        assert await shared.get("b", source) == 4
        assert [await shared.get("c", source, keep=False) for _ in range(2)] == [5, 6]

    run(use)


KEPT_FAILURES = [
    (ContentMissingError("no such tag"), True),
    (RegistryDeniedError("no", advice="log in"), True),
    (RegistryUnreachableError("down"), False),
    (ContentInvalidError("wrong"), False),
    (InvalidConfigurationError("wrong"), False),
    (OSError("defect"), False),
]


@pytest.mark.parametrize(("failure", "is_kept"), KEPT_FAILURES, ids=lambda value: type(value).__name__)
def test_missing_and_denied_are_believed_for_as_long_as_was_set(failure: Exception, *, is_kept: bool) -> None:
    async def use() -> None:
        clock, source = Clock(), Source(failure)
        source.go.set()
        shared = Shared[int](0, 2, clock)
        for passed, asked in ((0, 1), (1.9, 1 if is_kept else 2), (0.2, 2 if is_kept else 3)):
            clock.now += passed
            with pytest.raises(type(failure)) as caught:
                await shared.get("a", source)
            assert str(caught.value) == str(failure)
            assert source.asked == asked

    run(use)


def test_nothing_is_kept_for_no_time() -> None:
    async def use() -> None:
        source = Source(ContentMissingError("no"))
        source.go.set()
        shared = Shared[int](0, 0)
        for asked in (1, 2):
            with pytest.raises(ContentMissingError):
                await shared.get("a", source)
            assert source.asked == asked

    run(use)


def test_what_turns_out_wrong_is_forgotten() -> None:
    async def use() -> None:
        source = Source()
        source.go.set()
        shared = Shared[int](60, 60)
        assert [await shared.get(key, source) for key in "ab"] == [1, 2]
        source.failure = ContentMissingError("no")
        with pytest.raises(ContentMissingError):
            await shared.get("c", source)
        shared.forget(lambda answer: answer == 1)
        source.failure = None
        assert [await shared.get(key, source) for key in "ab"] == [4, 2]
        with pytest.raises(ContentMissingError):
            await shared.get("c", source)

    run(use)


def test_what_is_believed_is_bounded() -> None:
    async def use() -> None:
        source = Source()
        source.go.set()
        shared = Shared[int](60, 60)
        for key in range(KEPT_MAX + 1):
            await shared.get(key, source)
        asked = source.asked
        await shared.get(1, source)
        assert source.asked == asked
        await shared.get(0, source)
        assert source.asked == asked + 1

    run(use)


AUTH = AuthConfig("user", "planted", "planted-too", "https://r.example.com", "planted-token")
OTHER_AUTHS = {
    "another user": replace(AUTH, username="other"),
    "another password": replace(AUTH, password="other"),  # noqa: S106  # no real one
    "another auth": replace(AUTH, auth="other"),
    "another server": replace(AUTH, server_address=""),
    "another token": replace(AUTH, identity_token=""),
    "another split": replace(AUTH, username="userp", password="lanted"),  # noqa: S106  # no real one
    "nothing": AuthConfig(),
    "none": None,
    "no text": AuthConfig("\udcff"),
}


def test_fingerprints_tell_credentials_apart() -> None:
    fingerprints = Fingerprints()
    assert fingerprints.of(AUTH) == fingerprints.of(replace(AUTH))
    every = [AUTH, *OTHER_AUTHS.values()]
    assert all(fingerprints.of(one) != fingerprints.of(two) for one, two in itertools.combinations(every, 2))


def test_a_fingerprint_says_nothing_without_its_process() -> None:
    assert Fingerprints().of(AUTH) != Fingerprints().of(AUTH)
    assert b"planted" not in Fingerprints().of(AUTH)
