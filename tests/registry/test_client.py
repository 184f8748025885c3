"""The client against a registry on the wire: what it asks, what it believes, and what it tells nobody."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from fakes.registry import FakeRegistry
from imagefit.errors import (
    ContentInvalidError,
    ContentMissingError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnreachableError,
)
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES, Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient, Resolved
from imagefit.registry.host import RegistryHost, default_host
from imagefit.registry.retry import Retry

_T = TypeVar("_T")
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
DIGEST = digest_of(INDEX)
DESCRIPTOR = Descriptor(DIGEST, INDEX_TYPE, len(INDEX))
SECRET = "planted-5ecret"  # noqa: S105  # planted to be looked for
AUTH = AuthConfig(username="user", password=SECRET)
PATH = "team/app"


def reference_on(registry: FakeRegistry, tag: str = "v1") -> ImageReference:
    return ImageReference(registry.address, PATH, tag=tag)


def host_of(registry: FakeRegistry) -> RegistryHost:
    return default_host(registry.address)


def asked(
    use: Callable[[RegistryClient], Awaitable[_T]], *hosts: RegistryHost, cache: ContentCache | None = None
) -> _T:
    """Run ``use`` with a client that knows ``hosts``, or the default host of every domain."""

    async def run() -> _T:
        client = RegistryClient(
            lambda domain: hosts or (default_host(domain),), cache, "imagefit/test", retry=Retry(first_pause_seconds=0)
        )
        try:
            return await use(client)
        finally:
            await client.close()

    result = asyncio.run(run())
    gc.collect()
    return result


def resolve(registry: FakeRegistry, *hosts: RegistryHost, auth: AuthConfig | None = None) -> Resolved:
    return asked(lambda client: client.resolve(reference_on(registry), auth), *hosts)


def fetch(
    registry: FakeRegistry,
    *hosts: RegistryHost,
    descriptor: Descriptor = DESCRIPTOR,
    auth: AuthConfig | None = None,
    cache: ContentCache | None = None,
) -> bytes:
    return asked(
        lambda client: client.fetch(reference_on(registry), descriptor, auth, kind="manifests"), *hosts, cache=cache
    )


def put_index(registry: FakeRegistry) -> None:
    registry.put(PATH, "v1", INDEX_TYPE, INDEX)


def no_secret_in(registry: FakeRegistry) -> bool:
    return not any(SECRET in str(seen) or "authorization" in seen.headers for seen in registry.seen)


def test_a_tag_is_resolved_with_one_head(registry: FakeRegistry) -> None:
    put_index(registry)
    assert resolve(registry) == Resolved(INDEX_TYPE, DIGEST, len(INDEX))
    assert registry.requests == [("HEAD", f"/v2/{PATH}/manifests/v1")]
    headers = registry.seen[0].headers
    assert headers["accept"].endswith("application/vnd.oci.image.index.v1+json, */*")
    assert (headers["accept-encoding"], headers["user-agent"]) == ("identity", "imagefit/test")


@pytest.mark.parametrize("fault", ["no_digest_header", "no_length", "head_not_allowed"])
def test_a_head_that_says_too_little_costs_one_get(registry: FakeRegistry, tmp_path: Path, fault: str) -> None:
    put_index(registry)
    if fault == "head_not_allowed":
        registry.faults.statuses["HEAD", ""] = 405
    else:
        setattr(registry.faults, fault, True)

    async def use(client: RegistryClient) -> bytes:
        resolved = await client.resolve(reference_on(registry), None)
        assert resolved == Resolved(INDEX_TYPE, DIGEST, len(INDEX))
        return await client.fetch(reference_on(registry), DESCRIPTOR, None, kind="manifests")

    assert asked(use, cache=ContentCache(tmp_path)) == INDEX
    assert [method for method, _ in registry.requests] == ["HEAD", "GET"]


def test_a_digest_is_that_of_the_reference(registry: FakeRegistry) -> None:
    put_index(registry)
    by_digest = reference_on(registry).at(DIGEST)
    pull_only = replace(host_of(registry), capabilities=frozenset({"pull"}))
    assert asked(lambda client: client.resolve(by_digest, None), pull_only).digest == DIGEST


def test_a_digest_whose_content_is_another_is_refused(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.faults.wrong_body = registry.faults.no_length = True
    with pytest.raises(ContentInvalidError, match="another digest"):
        asked(lambda client: client.resolve(reference_on(registry).at(DIGEST), None))


def test_a_tag_is_asked_of_no_host_that_may_not_resolve(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_index(registry)
    put_index(other)
    mirror = replace(host_of(other), capabilities=frozenset({"pull"}), is_mirror=True)
    resolve(registry, mirror, host_of(registry))
    assert other.requests == []
    fetch(registry, mirror, host_of(registry))
    assert other.requests == [("GET", f"/v2/{PATH}/manifests/{DIGEST}")]
    assert other.seen[0].query.startswith("ns=127.0.0.1")
    with pytest.raises(RegistryUnreachableError, match="no host is configured"):
        resolve(registry, mirror)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_after_a_bad_status_the_next_host_is_asked(registry: FakeRegistry, other: FakeRegistry, status: int) -> None:
    put_index(registry)
    other.faults.statuses["*", ""] = status
    assert resolve(registry, host_of(other), host_of(registry)).digest == DIGEST
    assert fetch(registry, host_of(other), host_of(registry)) == INDEX


def test_after_a_dead_host_the_next_is_asked(registry: FakeRegistry) -> None:
    put_index(registry)
    with FakeRegistry() as stopped:
        dead = host_of(stopped)
    assert resolve(registry, dead, host_of(registry)).digest == DIGEST
    with pytest.raises(RegistryUnreachableError):
        resolve(registry, dead)


ERRORS = [
    (401, RegistryDeniedError),
    (403, RegistryDeniedError),
    (404, ContentMissingError),
    (418, RegistryUnreachableError),
    (429, RegistryUnreachableError),
    (502, RegistryUnreachableError),
]


@pytest.mark.parametrize(("status", "error"), ERRORS)
def test_a_status_has_its_error(registry: FakeRegistry, status: int, error: type[RegistryError]) -> None:
    registry.faults.statuses["*", ""] = status
    with pytest.raises(error, match=registry.address):
        resolve(registry)
    with pytest.raises(error, match=registry.address):
        fetch(registry)


def test_missing_is_said_only_where_every_host_says_so(registry: FakeRegistry, other: FakeRegistry) -> None:
    other.faults.statuses["*", ""] = 500
    with pytest.raises(RegistryUnreachableError, match=r"404.*500"):
        resolve(registry, host_of(registry), host_of(other))


def test_wrong_content_is_refused_and_the_next_host_asked(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_index(registry)
    put_index(other)
    other.faults.wrong_body = True
    with pytest.raises(ContentInvalidError, match="another digest"):
        fetch(registry, host_of(other))
    assert fetch(registry, host_of(other), host_of(registry)) == INDEX


REFUSED_DESCRIPTORS = {
    "smaller than what comes": Descriptor(DIGEST, INDEX_TYPE, len(INDEX) - 1),
    "larger than what comes": Descriptor(DIGEST, INDEX_TYPE, len(INDEX) + 1),
    "larger than the limit": Descriptor(DIGEST, INDEX_TYPE, MAX_DOCUMENT_BYTES + 1),
    "no digest": Descriptor("sha256:../../x", INDEX_TYPE, len(INDEX)),
}


@pytest.mark.parametrize("descriptor", REFUSED_DESCRIPTORS.values(), ids=REFUSED_DESCRIPTORS)
def test_a_descriptor_that_does_not_hold(registry: FakeRegistry, descriptor: Descriptor) -> None:
    put_index(registry)
    with pytest.raises(ContentInvalidError):
        fetch(registry, descriptor=descriptor)


@pytest.mark.parametrize("no_length", [False, True])
def test_no_more_is_read_than_the_limit(registry: FakeRegistry, *, no_length: bool) -> None:
    digest = registry.put(PATH, "v1", INDEX_TYPE, b"x" * (MAX_DOCUMENT_BYTES + 1))
    registry.faults.no_length = no_length
    with pytest.raises(ContentInvalidError, match="more than"):
        resolve(registry)
    with pytest.raises(ContentInvalidError, match="more than"):
        fetch(registry, descriptor=Descriptor(digest))


def test_a_media_type_cannot_smuggle_a_header(registry: FakeRegistry) -> None:
    put_index(registry)
    fetch(registry, descriptor=Descriptor(DIGEST, "a/b\r\nx-evil: 1", len(INDEX)))
    assert registry.seen[0].headers["accept"] == "*/*"
    assert "x-evil" not in registry.seen[0].headers


def test_a_connection_cut_off_in_the_content(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.faults.cut_off = True
    with pytest.raises(RegistryUnreachableError):
        fetch(registry)


@pytest.mark.parametrize("fault", ["drip", "hang"])
def test_a_slow_registry_is_cut_off_in_time(registry: FakeRegistry, fault: str) -> None:
    put_index(registry)
    registry.faults.hang = fault == "hang"
    registry.faults.drip_seconds = 0.05 if fault == "drip" else 0.0

    async def use(client: RegistryClient) -> bytes:
        async with asyncio.timeout(0.3):
            return await client.fetch(reference_on(registry), DESCRIPTOR, None, kind="manifests")

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asked(use)
    assert time.monotonic() - started < 2


def test_headers_that_drip_are_cut_off_in_time() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def use(client: RegistryClient) -> None:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with server:
            reference = ImageReference(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", PATH, tag="v1")
            async with asyncio.timeout(0.3):
                await client.resolve(reference, None)

    with pytest.raises(TimeoutError):
        asked(use)


@pytest.mark.parametrize(
    "answer",
    [b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n", b""],
    ids=["no HTTP", "a header too long", "nothing"],
)
def test_an_answer_that_is_none(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async def use(client: RegistryClient) -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            await client.resolve(
                ImageReference(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", PATH, tag="v1"), None
            )

    with pytest.raises((ContentInvalidError, RegistryUnreachableError)):
        asked(use)


def test_cancelled_requests_leave_nothing_behind(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.faults.hang = True

    async def use(client: RegistryClient) -> None:
        tasks = [asyncio.ensure_future(client.resolve(reference_on(registry), None)) for _ in range(12)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        registry.faults.hang = False
        assert (await client.resolve(reference_on(registry), None)).digest == DIGEST
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asked(use)


def test_what_is_cached_is_not_asked_for_again(registry: FakeRegistry, tmp_path: Path) -> None:
    put_index(registry)
    cache = ContentCache(tmp_path)
    assert fetch(registry, cache=cache) == fetch(registry, cache=cache) == INDEX
    assert len(registry.requests) == 1


def test_a_corrupted_cache_heals(registry: FakeRegistry, tmp_path: Path) -> None:
    put_index(registry)
    cache = ContentCache(tmp_path)
    fetch(registry, cache=cache)
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"something else")
    assert fetch(registry, cache=cache) == INDEX
    assert len(registry.requests) == 2
    assert path.read_bytes() == INDEX


def test_a_redirect_is_followed(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_index(registry)
    put_index(other)
    registry.faults.redirect_to = other.url
    assert fetch(registry) == INDEX


def test_an_endless_redirect_ends(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.faults.redirect_to = registry.url
    with pytest.raises(ContentInvalidError, match="more than 5 redirects"):
        fetch(registry)
    assert len(registry.requests) == 6


@pytest.mark.parametrize("target", ["ftp://x", "http://[", "http://user:pw@127.0.0.1", "http://x:99999999", "http:"])
def test_a_redirect_to_nonsense(registry: FakeRegistry, target: str) -> None:
    put_index(registry)
    registry.faults.redirect_to = target
    with pytest.raises((ContentInvalidError, RegistryUnreachableError)):
        fetch(registry)


@pytest.mark.parametrize("bearer", [False, True])
def test_no_secret_follows_a_redirect(registry: FakeRegistry, other: FakeRegistry, *, bearer: bool) -> None:
    put_index(registry)
    put_index(other)
    registry.access.username, registry.access.password = AUTH.username, AUTH.password
    registry.access.bearer = bearer
    registry.faults.redirect_to = other.url
    configured = replace(host_of(registry), headers=(("X-Configured", SECRET),))
    assert fetch(registry, configured, auth=AUTH) == INDEX
    assert registry.seen[-1].headers["x-configured"] == SECRET
    assert len(other.seen) == 1
    assert no_secret_in(other)
    assert "x-configured" not in other.seen[0].headers


def test_a_challenge_from_where_a_redirect_led_is_not_answered(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_index(registry)
    put_index(other)
    registry.faults.redirect_to = other.url
    other.access.username = "somebody"
    with pytest.raises(RegistryDeniedError):
        fetch(registry, auth=AUTH)
    assert no_secret_in(other)


def test_a_token_server_elsewhere_sees_no_secret(registry: FakeRegistry, other: FakeRegistry) -> None:
    # The same address on another port would be the same host, so the realm has another of the machine's names.
    put_index(registry)
    registry.access.bearer = True
    registry.access.realm = f"http://localhost:{other.address.rpartition(':')[2]}/token"
    with pytest.raises(RegistryDeniedError, match="was shown no credentials"):
        resolve(registry, auth=AUTH)
    assert [seen.path for seen in other.seen] == ["/token"]
    assert no_secret_in(other)


def test_credentials_for_another_server_are_not_used(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.username, registry.access.password = AUTH.username, AUTH.password
    with pytest.raises(RegistryDeniedError, match="has none for it"):
        resolve(registry, auth=replace(AUTH, server_address="https://elsewhere.example.com"))
    assert no_secret_in(registry)
    assert resolve(registry, auth=replace(AUTH, server_address=registry.url)).digest == DIGEST


FAILURES: dict[str, Callable[[FakeRegistry], None]] = {
    "wrong password": lambda registry: setattr(registry.access, "password", "another"),
    "no token": lambda registry: registry.faults.statuses.update({("*", "/token"): 500}),
    "token refused": lambda registry: registry.faults.statuses.update({("*", "/token"): 403}),
    "forbidden": lambda registry: registry.faults.statuses.update({("GET", "manifests"): 403}),
    "redirected": lambda registry: setattr(registry.faults, "redirect_to", f"{registry.url}/x?signature={SECRET}#"),
    "cut off": lambda registry: setattr(registry.faults, "cut_off", True),
}


@pytest.mark.parametrize("break_it", FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("bearer", [False, True])
def test_no_error_shows_a_secret(
    registry: FakeRegistry, break_it: Callable[[FakeRegistry], None], *, bearer: bool
) -> None:
    put_index(registry)
    registry.access.username, registry.access.password = AUTH.username, AUTH.password
    registry.access.bearer = bearer
    break_it(registry)
    if not bearer:
        registry.faults.statuses.setdefault(("GET", "manifests"), 500)
    with pytest.raises(RegistryError) as caught:
        fetch(registry, auth=AUTH)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


def test_a_password_is_shown_once_asked_for(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.username, registry.access.password = AUTH.username, AUTH.password

    async def use(client: RegistryClient) -> bytes:
        await client.resolve(reference_on(registry), AUTH)
        return await client.fetch(reference_on(registry), DESCRIPTOR, AUTH, kind="manifests")

    assert asked(use) == INDEX
    assert [method for method, _ in registry.requests] == ["HEAD", "HEAD", "GET"]
    assert "authorization" not in registry.seen[0].headers


def test_a_token_is_kept_and_refreshed_once(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.bearer = True

    async def use(client: RegistryClient) -> None:
        await client.resolve(reference_on(registry), None)
        await client.resolve(reference_on(registry), None)
        assert [path for _, path in registry.requests].count("/token") == 1
        registry.revoke_tokens()
        await client.resolve(reference_on(registry), None)

    asked(use)
    assert [path for _, path in registry.requests].count("/token") == 2
    query = next(seen.query for seen in registry.seen if seen.path == "/token")
    assert query == "service=fake&scope=repository:team/app:pull"


def test_concurrent_requests_share_one_token(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.bearer = True

    async def use(client: RegistryClient) -> None:
        await asyncio.gather(*(client.resolve(reference_on(registry), None) for _ in range(6)))

    asked(use)
    assert [path for _, path in registry.requests].count("/token") == 1


def test_an_identity_token_is_changed_into_a_token(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.bearer, registry.access.username, registry.access.identity_token = True, "user", SECRET
    assert resolve(registry, auth=AuthConfig(identity_token=SECRET)).digest == DIGEST
    posted = next(seen for seen in registry.seen if seen.path == "/token")
    assert posted.method == "POST"
    assert "grant_type=refresh_token" in posted.body


def test_tokens_are_not_shared_between_credentials(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.username, registry.access.password, registry.access.bearer = AUTH.username, AUTH.password, True

    async def use(client: RegistryClient) -> None:
        await client.resolve(reference_on(registry), AUTH)
        with pytest.raises(RegistryDeniedError):
            await client.resolve(reference_on(registry), None)
        with pytest.raises(RegistryDeniedError):
            await client.resolve(reference_on(registry), replace(AUTH, password="another"))  # noqa: S106  # a wrong one

    asked(use)


def test_every_request_is_counted(registry: FakeRegistry) -> None:
    put_index(registry)
    registry.access.bearer = True
    counted: list[tuple[str, str, str]] = []

    async def run() -> None:
        client = RegistryClient(
            lambda domain: (default_host(domain),), None, "imagefit/test", lambda *one: counted.append(one)
        )
        await client.resolve(reference_on(registry), None)
        await client.close()

    asyncio.run(run())
    assert counted == [
        (registry.address, "HEAD", "401"),
        (registry.address, "GET", "200"),
        (registry.address, "HEAD", "200"),
    ]


def test_a_connection_serves_many_requests(registry: FakeRegistry) -> None:
    put_index(registry)

    async def use(client: RegistryClient) -> None:
        for _ in range(3):
            await client.resolve(reference_on(registry), None)
            await client.fetch(reference_on(registry), DESCRIPTOR, None, kind="manifests")
        pools = list(client._transport._connections._pools.values())
        assert len(pools) == 1
        connector = pools[0].session.connector
        assert connector is not None
        assert sum(len(idle) for idle in connector._conns.values()) == 1

    asked(use)
