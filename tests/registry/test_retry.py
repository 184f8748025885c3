"""What is asked again, how often and after which pause: both sides of each rule."""

import asyncio
from collections.abc import Mapping

import pytest

from fakes.scripted_server import Answer, ScriptedServer, answer, cut_off, dripping, resolved, served, silence
from imagefit.errors import ContentInvalidError, ContentMissingError, RegistryDeniedError, RegistryUnreachableError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.registry.client import RegistryClient
from imagefit.registry.exchange import Response
from imagefit.registry.failures import PassingError, UnresponsiveError, retry_after_seconds
from imagefit.registry.host import RegistryHost
from imagefit.registry.retry import Again, Retry
from imagefit.registry.time_limit import time_limit

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
GOOD = resolved(INDEX_TYPE, INDEX)
AT_ONCE = Retry(first_pause_seconds=0)
PASSING = PassingError("503")


def again_after(pause_seconds: float, position: int) -> Again:
    return Again(frozenset({position}), pause_seconds)


def retry(jitter: float = 0.5) -> Retry:
    return Retry(jitter=lambda: jitter)


@pytest.mark.parametrize(
    ("tries", "jitter", "pause_seconds"),
    [(1, 0.5, 0.25), (1, 0.0, 0.125), (1, 1.0, 0.375), (2, 0.5, 0.75), (2, 0.0, 0.375), (2, 1.0, 1.125)],
)
def test_a_pause_grows_and_differs(tries: int, jitter: float, pause_seconds: float) -> None:
    again = retry(jitter).again({0: PASSING}, tries, 10)
    assert again == again_after(pause_seconds, 0)


def test_two_tries_follow_the_first() -> None:
    assert retry().again({0: PASSING}, 2, 10) is not None
    assert retry().again({0: PASSING}, 3, 10) is None


NOT_AGAIN = [
    RegistryUnreachableError("500"),
    UnresponsiveError("no connection"),
    RegistryDeniedError("401"),
    ContentMissingError("404"),
    ContentInvalidError("another digest"),
]


@pytest.mark.parametrize("failure", NOT_AGAIN, ids=str)
def test_only_what_may_pass_is_asked_again(failure: RegistryUnreachableError) -> None:
    assert retry().again({0: failure}, 1, 10) is None
    assert retry().again({0: failure, 1: PASSING}, 1, 10) == again_after(0.25, 1)


@pytest.mark.parametrize(
    ("wanted_seconds", "left_seconds", "pause_seconds"),
    [(0, 10, 0.25), (5, 10, 5), (7.5, 10, 7.5), (7.6, 10, None), (3600, 10, None), (0, 0.2, None), (0, 0, None)],
)
def test_no_pause_outlasts_the_caller(wanted_seconds: float, left_seconds: float, pause_seconds: float | None) -> None:
    again = retry().again({0: PassingError("429", retry_after_seconds=wanted_seconds)}, 1, left_seconds)
    assert again == (None if pause_seconds is None else again_after(pause_seconds, 0))


def test_a_host_that_wants_more_time_than_there_is_costs_the_others_none() -> None:
    failures = {0: PassingError("429", retry_after_seconds=60), 1: PASSING}
    assert retry().again(failures, 1, 10) == again_after(0.25, 1)


RETRY_AFTER: list[tuple[Mapping[str, str], float]] = [
    ({}, 0),
    ({"retry-after": "7"}, 7),
    ({"retry-after": " 0 "}, 0),
    ({"retry-after": "9" * 5000}, 999_999_999),
    ({"retry-after": "-7"}, 0),
    ({"retry-after": "1.5"}, 0),
    ({"retry-after": "٣"}, 0),
    ({"retry-after": "soon"}, 0),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0),
    ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 -0000"}, 0),
    ({"retry-after": "Wed, 99 Oct 99999 07:28:30 GMT", "date": "x"}, 0),
]


@pytest.mark.parametrize(("headers", "seconds"), RETRY_AFTER, ids=lambda value: str(value)[:60])
def test_what_a_host_asks_for(headers: Mapping[str, str], seconds: float) -> None:
    assert retry_after_seconds(Response(429, headers, (), b"", is_elsewhere=False)) == seconds


def methods_of(*script: Answer, fetching: bool = False, auth: AuthConfig | None = None) -> list[str]:
    """Resolve or fetch from a server with this script, whatever comes of it; return the methods that it saw."""

    async def run() -> list[str]:
        async with ScriptedServer(*script) as server:
            host = RegistryHost("http", server.address)
            client = RegistryClient(lambda _: (host,), None, "imagefit/test", retry=AT_ONCE)
            reference = ImageReference(server.address, "app", tag="v1")
            try:
                async with time_limit(asyncio.get_running_loop().time() + 5):
                    if fetching:
                        descriptor = Descriptor(digest_of(INDEX), INDEX_TYPE, len(INDEX))
                        await client.fetch(reference, descriptor, auth, kind="manifests")
                    else:
                        await client.resolve(reference, auth)
            except (RegistryUnreachableError, RegistryDeniedError, ContentInvalidError, ContentMissingError):
                pass
            finally:
                await client.close()
            return server.methods

    return asyncio.run(run())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_status_that_may_pass_is_asked_again(status: int) -> None:
    assert methods_of(answer(status), GOOD) == ["HEAD"] * 2
    assert methods_of(answer(status), answer(status), GOOD) == ["HEAD"] * 3
    assert methods_of(answer(status)) == ["HEAD"] * 3
    assert methods_of(answer(status), served(INDEX_TYPE, INDEX), fetching=True) == ["GET"] * 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 418, 500, 501, 505, 599])
def test_no_other_status_is(status: int) -> None:
    assert methods_of(answer(status), GOOD) == ["HEAD"]


def test_a_connection_that_breaks_is_asked_again() -> None:
    # aiohttp asks a kept connection that is closed again by itself; these are new ones.
    cut = cut_off(served(INDEX_TYPE, INDEX)[:-5])
    assert methods_of(cut, served(INDEX_TYPE, INDEX), fetching=True) == ["GET"] * 2
    assert methods_of(cut, fetching=True) == ["GET"] * 3


def test_a_body_that_comes_too_slowly_is_not() -> None:
    # 16 KiB a second, but two seconds for a start: so this test takes two.
    drip = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n", b"")
    assert methods_of(drip, served(INDEX_TYPE, INDEX), fetching=True) == ["GET"]


def test_time_that_a_host_wants_is_given_to_it_or_it_is_left_alone() -> None:
    assert methods_of(answer(429, {"Retry-After": "1"}), GOOD) == ["HEAD"] * 2
    assert methods_of(answer(429, {"Retry-After": "60"}), GOOD) == ["HEAD"]


def test_what_changes_something_is_not_sent_twice() -> None:
    async def run() -> list[str]:
        async with ScriptedServer(answer(503)) as tokens:
            challenge = {"WWW-Authenticate": f'Bearer realm="{tokens.url}/token"'}
            async with ScriptedServer(answer(401, challenge)) as server:
                host = RegistryHost("http", server.address)
                client = RegistryClient(lambda _: (host,), None, "imagefit/test", retry=AT_ONCE)
                for auth in (AuthConfig(identity_token="t"), AuthConfig(username="u", password="p")):  # noqa: S106
                    with pytest.raises(RegistryUnreachableError, match="status 503"):
                        await client.resolve(ImageReference(server.address, "app", tag="v1"), auth)
                await client.close()
                return tokens.methods

    assert asyncio.run(run()) == ["POST"] + ["GET"] * 3


def test_a_limit_that_is_over_ends_the_waiting_for_a_silent_host() -> None:
    async def run() -> None:
        async with ScriptedServer(silence) as server:
            host = RegistryHost("http", server.address)
            client = RegistryClient(lambda _: (host,), None, "imagefit/test")
            with pytest.raises(TimeoutError):
                async with time_limit(asyncio.get_running_loop().time() + 0.1):
                    await client.resolve(ImageReference(server.address, "app", tag="v1"), None)
            await client.close()

    asyncio.run(run())
