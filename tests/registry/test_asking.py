"""Which host is asked, for how long: one that does not answer must not spend the time of those that follow."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import pytest

from fakes.scripted_server import Answer, Asked, ScriptedServer, answer, dripping, resolved, served, silence
from imagefit.errors import ContentMissingError, RegistryUnreachableError
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.registry.asking import Asker, Question
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost
from imagefit.registry.outages import LAST_SECONDS, Outages
from imagefit.registry.retry import Retry
from imagefit.registry.time_limit import PATIENCE_SECONDS, seconds_left, time_limit
from imagefit.registry.transport import Transport

_T = TypeVar("_T")
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
DESCRIPTOR = Descriptor(digest_of(INDEX), INDEX_TYPE, len(INDEX))
REFERENCE = ImageReference("r.example.com", "app", tag="v1")


def good(asked: Asked) -> Answer:
    return (resolved if asked.method == "HEAD" else served)(INDEX_TYPE, INDEX)


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Yield an address whose connections never come to be: its queue is full and nobody takes from it."""
    with contextlib.ExitStack() as ending:
        listening = ending.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(2):
            waiting = ending.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def refused() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{closed.getsockname()[1]}"


def run(
    use: Callable[[RegistryClient], Awaitable[_T]], budget_seconds: float, *hosts: RegistryHost
) -> tuple[_T, float]:
    """Return what ``use`` returns within its budget, and how long it took in seconds."""

    async def timed() -> tuple[_T, float]:
        client = RegistryClient(lambda _: hosts, None, "imagefit/test", retry=Retry(first_pause_seconds=0))
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with time_limit(began + budget_seconds):
                return await use(client), loop.time() - began
        finally:
            await client.close()

    return asyncio.run(timed())


async def pulled(client: RegistryClient) -> bytes:
    await client.resolve(REFERENCE, None)
    return await client.fetch(REFERENCE, DESCRIPTOR, None, kind="manifests")


def pulled_from(first: RegistryHost, budget_seconds: float) -> tuple[list[str], float]:
    """Pull with a good host after ``first``; return the methods that it saw, and the time."""

    async def timed() -> tuple[list[str], float]:
        loop = asyncio.get_running_loop()
        async with ScriptedServer(answers=good) as server:
            hosts = first, RegistryHost("http", server.address)
            client = RegistryClient(lambda _: hosts, None, "imagefit/test", retry=Retry(first_pause_seconds=0))
            began = loop.time()
            async with time_limit(began + budget_seconds):
                assert await pulled(client) == INDEX
            took = loop.time() - began
            await client.close()
            return server.methods, took

    return asyncio.run(timed())


def test_a_black_hole_costs_a_share_of_the_time_and_once() -> None:
    with black_hole() as address:
        methods, took = pulled_from(RegistryHost("http", address, is_mirror=True), 2)
    assert methods == ["HEAD", "GET"]
    # Three tenths of what is left, for the HEAD alone.
    assert 0.5 < took < 1.5


def test_a_configured_time_for_connecting_counts_where_it_is_shorter() -> None:
    with black_hole() as address:
        _, took = pulled_from(RegistryHost("http", address, dial_timeout_seconds=0.1), 10)
    assert took < 1.5


@pytest.mark.parametrize(("fair_seconds", "asked_again"), [(0.5, False), (60, True)], ids=["fair", "too little time"])
def test_a_host_that_accepts_and_says_nothing_comes_last_where_it_had_time(
    *, fair_seconds: float, asked_again: bool
) -> None:
    """At the end of a budget even a healthy host is too slow, which must not cost it its place."""

    async def timed() -> None:
        async with ScriptedServer(silence) as silent, ScriptedServer(answers=good) as server:
            hosts = tuple(RegistryHost("http", one.address) for one in (silent, server))
            transport = Transport("imagefit/test")
            asker = Asker(lambda _: hosts, transport, None, Outages(fair_seconds=fair_seconds))
            question = Question(REFERENCE, None, "manifests/v1", "*/*")
            for _ in range(2):
                async with time_limit(asyncio.get_running_loop().time() + 1):
                    await asker.first(question, lambda host, asked: asker.exchange(host, asked, "HEAD"))
            await transport.close()
            assert (len(silent.methods), len(server.methods)) == (1 + asked_again, 2)

    asyncio.run(timed())


SLOW = {
    "silent": silence,
    "dripping headers": dripping(b"HTTP/1.1 200 OK\r\nX-Slow: "),
    "dripping body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n", b""),
}


@pytest.mark.parametrize("slow", SLOW.values(), ids=SLOW)
def test_a_slow_mirror_of_content_costs_half_of_the_time(slow: Answer) -> None:
    async def timed() -> None:
        async with ScriptedServer(slow) as mirror, ScriptedServer(answers=good) as server:
            hosts = (
                RegistryHost("http", mirror.address, capabilities=frozenset({"pull"})),
                RegistryHost("http", server.address),
            )
            client = RegistryClient(lambda _: hosts, None, "imagefit/test")
            async with time_limit(asyncio.get_running_loop().time() + 0.8):
                assert await pulled(client) == INDEX
            await client.close()
            assert (mirror.methods, server.methods) == (["GET"], ["HEAD", "GET"])

    asyncio.run(timed())


def test_every_host_is_asked_once_before_any_is_asked_again() -> None:
    async def use() -> None:
        async with ScriptedServer(answer(503)) as first, ScriptedServer(answer(503), answer(500)) as second:
            hosts = tuple(RegistryHost("http", one.address) for one in (first, second))
            client = RegistryClient(lambda _: hosts, None, "imagefit/test", retry=Retry(first_pause_seconds=0))
            with pytest.raises(RegistryUnreachableError, match=f"{first.address}.*503.*{second.address}.*500"):
                await client.resolve(REFERENCE, None)
            # The second one's 500 does not pass.
            assert (len(first.asked), len(second.asked)) == (3, 2)
            await client.close()

    asyncio.run(use())


def test_a_bad_moment_of_a_mirror_costs_one_request() -> None:
    async def use() -> None:
        async with ScriptedServer(answer(503)) as mirror, ScriptedServer(answers=good) as server:
            hosts = tuple(RegistryHost("http", one.address) for one in (mirror, server))
            client = RegistryClient(lambda _: hosts, None, "imagefit/test")
            assert await pulled(client) == INDEX
            assert (mirror.methods, server.methods) == (["HEAD", "GET"], ["HEAD", "GET"])
            await client.close()

    asyncio.run(use())


def test_a_dead_mirror_does_not_make_missing_what_may_be_there() -> None:
    async def use() -> None:
        async with ScriptedServer(answer(404)) as server:
            hosts = RegistryHost("http", refused()), RegistryHost("http", server.address)
            client = RegistryClient(lambda _: hosts, None, "imagefit/test")
            for _ in range(2):
                with pytest.raises(RegistryUnreachableError, match=f"{hosts[0].host}.*404"):
                    await client.resolve(REFERENCE, None)
            await client.close()

    asyncio.run(use())


def test_all_hosts_are_asked_where_all_failed_a_moment_ago() -> None:
    async def use() -> None:
        hosts = RegistryHost("http", refused()), RegistryHost("http", refused())
        outcomes: list[tuple[str, str, str]] = []
        client = RegistryClient(lambda _: hosts, None, "imagefit/test", lambda *one: outcomes.append(one))
        for _ in range(2):
            with pytest.raises(RegistryUnreachableError):
                await client.resolve(REFERENCE, None)
        await client.close()
        assert [host for host, _, _ in outcomes] == [host.host for host in hosts] * 2

    asyncio.run(use())


def test_nobody_to_ask_is_an_error_that_says_so() -> None:
    with pytest.raises(RegistryUnreachableError, match="no host is configured to pull and resolve"):
        run(lambda client: client.resolve(REFERENCE, None), 5)


def test_missing_is_believed_for_a_moment() -> None:
    async def use() -> None:
        async with ScriptedServer(answer(404)) as server:
            host = RegistryHost("http", server.address)
            client = RegistryClient(lambda _: (host,), None, "imagefit/test")
            for _ in range(3):
                with pytest.raises(ContentMissingError):
                    await client.resolve(REFERENCE, None)
            # Believed for two seconds.
            assert server.methods == ["HEAD"]
            await client.close()

    asyncio.run(use())


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_silence_counts_for_one_name_and_for_its_time() -> None:
    """Who publishes images that are slow to come must not take a mirror away from those of another registry."""
    clock = Clock()
    outages = Outages(clock)
    dead, other = RegistryHost("https", "dead"), RegistryHost("https", "other")
    outages.add(dead, "r.example", 10)
    assert outages.of((dead, other), "r.example") == {0}
    assert outages.of((other, dead), "r.example") == {1}
    assert not outages.of((dead, other), "other.example")
    assert not outages.of((replace(dead, scheme="http"), other), "r.example")
    clock.now += LAST_SECONDS
    assert not outages.of((dead, other), "r.example")


def test_silences_are_bounded() -> None:
    outages = Outages()
    hosts = [RegistryHost("https", f"h{number}") for number in range(300)]
    for host in hosts:
        outages.add(host, "r.example", 10)
    assert len(outages.of(hosts, "r.example")) == 256
    assert outages.of((hosts[0], hosts[299]), "r.example") == {1}


async def nothing_left(until: float) -> None:
    async with time_limit(until):
        assert seconds_left() == 0
        await asyncio.Event().wait()


def test_what_is_left_of_a_limit() -> None:
    async def use() -> None:
        now = asyncio.get_running_loop().time()
        assert seconds_left() == PATIENCE_SECONDS
        async with time_limit(now + 50):
            assert 49 < seconds_left() <= 50
            # An inner limit may be shorter and is never longer.
            async with time_limit(now + 20):
                assert 19 < seconds_left() <= 20
            async with time_limit(now + 99):
                assert 49 < seconds_left() <= 50
            with pytest.raises(TimeoutError):
                await nothing_left(now - 1)
        assert seconds_left() == PATIENCE_SECONDS

    asyncio.run(use())
