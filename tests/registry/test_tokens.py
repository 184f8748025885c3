"""How long a grant is kept, and what token servers may answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from fakes.registry import FakeRegistry
from imagefit.errors import ContentInvalidError, RegistryDeniedError, RegistryError, RegistryUnreachableError
from imagefit.registry.credentials import Credentials
from imagefit.registry.host import default_host
from imagefit.registry.tokens import Access, Authorizer
from imagefit.registry.transport import Transport

CREDENTIALS = Credentials("user", "planted")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def access_to(registry: FakeRegistry, credentials: Credentials | None = None, scope: str = "s") -> Access:
    return Access(default_host(registry.address), scope, credentials)


def challenge_of(registry: FakeRegistry, path: str = "token") -> list[str]:
    return [f'Bearer realm="{registry.url}/{path}"']


def run(use: Callable[[Authorizer], Awaitable[None]], clock: Clock | None = None) -> None:
    async def with_transport() -> None:
        transport = Transport("imagefit/test")
        try:
            await use(Authorizer(transport, clock or Clock()))
        finally:
            await transport.close()

    asyncio.run(with_transport())


@pytest.mark.parametrize(("expires_in", "kept"), [(300, 290), (60, 50), (0, 50), (10**9, 3500)])
def test_a_token_is_kept_until_it_ends(registry: FakeRegistry, expires_in: int, kept: float) -> None:
    registry.access.expires_in = expires_in
    clock = Clock()

    async def use(authorizer: Authorizer) -> None:
        access = access_to(registry)
        assert authorizer.known(access) is None
        grant = await authorizer.answer(access, challenge_of(registry), None)
        clock.now += kept
        assert authorizer.known(access) == grant
        clock.now += 101
        assert authorizer.known(access) is None

    run(use, clock)


@pytest.mark.parametrize("expires_in", [1, -5])
def test_a_token_that_ends_at_once_is_used_but_not_kept(registry: FakeRegistry, expires_in: int) -> None:
    registry.access.expires_in = expires_in

    async def use(authorizer: Authorizer) -> None:
        assert (await authorizer.answer(access_to(registry), challenge_of(registry), None)).authorization
        assert authorizer.known(access_to(registry)) is None

    run(use)


def test_grants_are_bounded(registry: FakeRegistry) -> None:
    async def use(authorizer: Authorizer) -> None:
        for number in range(600):
            await authorizer.answer(access_to(registry, CREDENTIALS, str(number)), ["Basic realm=r"], None)
        assert len(authorizer._grants) == 512
        assert authorizer.known(access_to(registry, CREDENTIALS, "0")) is None
        assert authorizer.known(access_to(registry, CREDENTIALS, "599")) is not None

    run(use)


USABLE = {
    "token": b'{"token": "t"}',
    "access token": b'{"access_token": "t", "token": null}',
    "life as text": b'{"token": "t", "expires_in": "300"}',
    "life that is no number": b'{"token": "t", "expires_in": "nan"}',
    "life without end": b'{"token": "t", "expires_in": "inf"}',
    "more": b'{"token": "t", "issued_at": "2020", "x": [1]}',
}


@pytest.mark.parametrize("answer", USABLE.values(), ids=USABLE)
def test_usable_answers(registry: FakeRegistry, answer: bytes) -> None:
    registry.access.token_answer = answer

    async def use(authorizer: Authorizer) -> None:
        grant = await authorizer.answer(access_to(registry), challenge_of(registry), None)
        assert grant.headers == (("Authorization", "Bearer t"),)
        assert "Bearer" not in repr(grant)

    run(use)


UNUSABLE = {
    "no JSON": b"x",
    "no object": b"[]",
    "no token": b"{}",
    "an empty token": b'{"token": ""}',
    "a header in the token": b'{"token": "t\\r\\nX: 1"}',
    "a token of another type": b'{"token": ["planted"]}',
    "too long a token": b'{"token": "' + b"x" * 15_000 + b'"}',
    "too long an answer": b'{"token": "t"}' + b" " * 300_000,
    "nested without end": b"[" * 100_000,
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_answers(registry: FakeRegistry, answer: bytes) -> None:
    registry.access.token_answer = answer

    async def use(authorizer: Authorizer) -> None:
        with pytest.raises(ContentInvalidError) as caught:
            await authorizer.answer(access_to(registry), challenge_of(registry), None)
        assert "planted" not in str(caught.value)

    run(use)


CHALLENGES: dict[str, tuple[list[str], type[RegistryError]]] = {
    "none": ([], RegistryDeniedError),
    "another kind": (["Negotiate"], RegistryDeniedError),
    "a password that there is not": (["Basic realm=r"], RegistryDeniedError),
    "a token of nowhere": (["Bearer"], ContentInvalidError),
    "a token of a file": (['Bearer realm="file:///etc/passwd"'], ContentInvalidError),
    "a token server that is not there": (['Bearer realm="http://127.0.0.1:1/token"'], RegistryUnreachableError),
}


@pytest.mark.parametrize(("headers", "error"), CHALLENGES.values(), ids=CHALLENGES)
def test_challenges_that_cannot_be_met(registry: FakeRegistry, headers: list[str], error: type[RegistryError]) -> None:
    async def use(authorizer: Authorizer) -> None:
        with pytest.raises(error, match=registry.address):
            await authorizer.answer(access_to(registry), headers, None)
        identity = access_to(registry, Credentials("", "planted"))
        with pytest.raises(error):
            await authorizer.answer(identity, headers, None)

    run(use)


def test_a_password_is_not_shown_twice(registry: FakeRegistry) -> None:
    async def use(authorizer: Authorizer) -> None:
        access = access_to(registry, CREDENTIALS)
        grant = await authorizer.answer(access, ["Basic realm=r"], None)
        with pytest.raises(RegistryDeniedError, match="refuses the credentials"):
            await authorizer.answer(access, ["Basic realm=r"], grant)
        assert authorizer.known(access) is None

    run(use)


def test_an_identity_token_follows_no_redirect(registry: FakeRegistry, other: FakeRegistry) -> None:
    registry.put("x", None, "application/json", b"{}")
    registry.faults.statuses["POST", "moved"] = 307

    async def use(authorizer: Authorizer) -> None:
        access = access_to(registry, Credentials("", "planted"))
        with pytest.raises(ContentInvalidError, match="must not be followed"):
            await authorizer.answer(access, challenge_of(registry, "moved"), None)

    run(use)
    assert "refresh_token=planted" in registry.seen[0].body


def test_scopes_are_those_of_both_as_in_containerd(registry: FakeRegistry) -> None:
    async def use(authorizer: Authorizer) -> None:
        challenge = f'Bearer realm="{registry.url}/token?a=b",scope="z:z:pull s"'
        await authorizer.answer(access_to(registry), [challenge], None)

    run(use)
    assert registry.seen[0].query == "a=b&scope=s&scope=z:z:pull"


def test_a_large_refusal_is_not_read(registry: FakeRegistry) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def use(authorizer: Authorizer) -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(5):
            with pytest.raises(RegistryDeniedError, match="status 403"):
                await authorizer.answer(access_to(registry), [f'Bearer realm="http://127.0.0.1:{port}/"'], None)

    run(use)


@pytest.mark.parametrize("life", [b'"nan"', b'"inf"', b'"-inf"'])
def test_a_token_whose_life_is_no_number_is_kept_for_a_minute(registry: FakeRegistry, life: bytes) -> None:
    registry.access.token_answer = b'{"token": "t", "expires_in": %s}' % life
    clock = Clock()

    async def use(authorizer: Authorizer) -> None:
        access = access_to(registry)
        await authorizer.answer(access, challenge_of(registry), None)
        clock.now += 56
        assert authorizer.known(access) is not None
        clock.now += 2
        assert authorizer.known(access) is None

    run(use, clock)
