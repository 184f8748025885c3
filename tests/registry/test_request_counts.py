"""How many requests a pull costs the registry, case by case, and exactly.

A pull is here what a decision asks for: what the tag stands for, the index, and two documents that belong to it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.registry import FakeRegistry
from imagefit.cri.wire import PullRequest
from imagefit.errors import ContentMissingError, RegistryDeniedError
from imagefit.model.credentials import AuthConfig
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.outcome import PassThrough, Reason
from imagefit.model.reference import ImageReference
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import default_host
from imagefit.registry.resolution import Memory
from imagefit.service import Service

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
DOCUMENTS = (b'{"a":1}', b'{"b":2}')
PATH = "team/app"
AUTH = AuthConfig(username="user", password="password")  # noqa: S106  # no real one
HUNDRED = 100

COLD = {("HEAD", "v1"): 1, ("GET", "index"): 1, ("GET", "document"): 2}
TOKEN = {("HEAD", "v1"): 2, ("GET", "token"): 1}
COLD_WITH_TOKEN = {**COLD, **TOKEN}


class Pulls:
    """Pulls from a registry, and counts what it is asked for."""

    def __init__(self, registry: FakeRegistry, client: RegistryClient) -> None:
        self.registry, self.client = registry, client

    async def pull(self, path: str = PATH, auth: AuthConfig | None = None) -> None:
        """Ask for all that a decision asks for."""
        reference = ImageReference(self.registry.address, path, tag="v1")
        resolved = await self.client.resolve(reference, auth)
        await self.client.fetch(reference, Descriptor(resolved.digest, size=len(INDEX)), auth, kind="manifests")
        documents = [Descriptor(digest_of(content), size=len(content)) for content in DOCUMENTS]
        await asyncio.gather(*(self.client.fetch(reference, one, auth, kind="blobs") for one in documents))

    async def pull_often(self, times: int = HUNDRED, auth: AuthConfig | None = None) -> None:
        """Pull so often at the same time."""
        await asyncio.gather(*(self.pull(auth=auth) for _ in range(times)))

    def counted(self) -> dict[tuple[str, str], int]:
        """Return what was asked since the last call: method and what for → how often."""
        names = {digest_of(INDEX): "index", **dict.fromkeys(map(digest_of, DOCUMENTS), "document")}
        asked = [(method, path.rpartition("/")[2]) for method, path in self.registry.requests]
        self.registry.seen.clear()
        return dict(Counter((method, names.get(name, name)) for method, name in asked))


def filled(registry: FakeRegistry, path: str = PATH) -> None:
    registry.put(path, "v1", INDEX_TYPE, INDEX)
    for content in DOCUMENTS:
        registry.put(path, None, "application/json", content)


def run(
    registry: FakeRegistry, use: Callable[[Pulls], Awaitable[None]], cache: Path | None, memory: Memory | None = None
) -> None:
    """Use a client of its own, as after a start of the daemon."""

    async def with_client() -> None:
        client = RegistryClient(
            lambda domain: (replace(default_host(domain), scheme="http"),),
            None if cache is None else ContentCache(cache),
            "imagefit/test",
            memory=memory,
        )
        try:
            await use(Pulls(registry, client))
        finally:
            await client.close()

    filled(registry)
    asyncio.run(with_client())


def test_cold_and_warm(registry: FakeRegistry, tmp_path: Path) -> None:
    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        assert pulls.counted() == COLD
        for _ in range(3):
            await pulls.pull()
            assert pulls.counted() == {("HEAD", "v1"): 1}

    run(registry, use, tmp_path)
    # The cache outlives the process.
    run(registry, use_after_restart, tmp_path)


async def use_after_restart(pulls: Pulls) -> None:
    pulls.counted()
    await pulls.pull()
    assert pulls.counted() == {("HEAD", "v1"): 1}


def test_cold_and_warm_with_a_token(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.access.bearer = True

    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        assert pulls.counted() == COLD_WITH_TOKEN
        await pulls.pull()
        assert pulls.counted() == {("HEAD", "v1"): 1}

    run(registry, use, tmp_path)


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "without a cache"])
def test_a_hundred_at_once(registry: FakeRegistry, tmp_path: Path, *, cached: bool) -> None:
    registry.access.bearer = True

    async def use(pulls: Pulls) -> None:
        await pulls.pull_often()
        assert pulls.counted() == COLD_WITH_TOKEN

    run(registry, use, tmp_path if cached else None)


def test_a_hundred_at_once_when_warm(registry: FakeRegistry, tmp_path: Path) -> None:
    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        pulls.counted()
        await pulls.pull_often()
        assert pulls.counted() == {("HEAD", "v1"): 1}

    run(registry, use, tmp_path)


def test_a_hundred_at_once_with_two_credentials(registry: FakeRegistry, tmp_path: Path) -> None:
    # Each asks on its own; what the one brought into the cache serves the other, after its own HEAD.
    registry.access.username, registry.access.password = AUTH.username, AUTH.password
    other = replace(AUTH, server_address=registry.url)

    async def use(pulls: Pulls) -> None:
        await pulls.pull_often(auth=AUTH)
        assert pulls.counted() == {**COLD, ("HEAD", "v1"): 2}
        await asyncio.gather(pulls.pull_often(50, AUTH), pulls.pull_often(50, other))
        assert pulls.counted() == {("HEAD", "v1"): 2}

    run(registry, use, tmp_path)


def test_who_may_not_see_an_image_is_told_nothing_by_the_cache(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.access.username, registry.access.password = AUTH.username, AUTH.password

    async def use(pulls: Pulls) -> None:
        await pulls.pull(auth=AUTH)
        pulls.counted()
        for auth in (None, replace(AUTH, password="wrong")):  # noqa: S106  # no real one
            with pytest.raises(RegistryDeniedError):
                await pulls.pull(auth=auth)
        # Without credentials there is nothing to answer the challenge with.
        assert pulls.counted() == {("HEAD", "v1"): 3}

    run(registry, use, tmp_path, Memory(tag_seconds=60))


def test_an_expired_token(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.access.bearer = True

    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        pulls.counted()
        registry.revoke_tokens()
        await pulls.pull_often()
        assert pulls.counted() == TOKEN

    run(registry, use, tmp_path)


def test_a_token_that_is_known_to_end(registry: FakeRegistry, tmp_path: Path) -> None:
    # It lives for a second, less than the margin, so that it serves the request that it was asked for alone.
    registry.access.bearer, registry.access.expires_in = True, 1

    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        counts = pulls.counted()
        assert (counts["HEAD", "v1"], counts["GET", "index"], counts["GET", "document"]) == (2, 2, 4)

    run(registry, use, tmp_path)


def test_another_repository(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.access.bearer = True
    filled(registry, "team/other")

    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        pulls.counted()
        await pulls.pull("team/other")
        # A token of its own, and content of its own: access to one repository says nothing of another.
        assert pulls.counted() == COLD_WITH_TOKEN

    run(registry, use, tmp_path)


def test_a_tag_that_is_believed(registry: FakeRegistry, tmp_path: Path) -> None:
    async def use(pulls: Pulls) -> None:
        await pulls.pull()
        assert pulls.counted() == COLD
        await pulls.pull_often()
        assert pulls.counted() == {}
        # Nobody else believes it.
        await pulls.pull(auth=AUTH)
        assert pulls.counted() == {("HEAD", "v1"): 1}

    run(registry, use, tmp_path, Memory(tag_seconds=60))


def test_a_digest_is_asked_for_however_long_a_tag_is_believed(registry: FakeRegistry, tmp_path: Path) -> None:
    async def use(pulls: Pulls) -> None:
        reference = ImageReference(registry.address, PATH, digest=digest_of(INDEX))
        for _ in range(2):
            await pulls.client.resolve(reference, None)
        assert pulls.counted() == {("HEAD", "index"): 2}

    run(registry, use, tmp_path, Memory(tag_seconds=60))


def test_a_tag_is_believed_no_more_when_what_it_stood_for_is_gone(registry: FakeRegistry) -> None:
    moved = b'{"schemaVersion":2,"manifests":[],"annotations":{}}'

    async def use(pulls: Pulls) -> None:
        reference = ImageReference(registry.address, PATH, tag="v1")
        first = await pulls.client.resolve(reference, None)
        registry.put(PATH, "v1", INDEX_TYPE, moved)
        assert await pulls.client.resolve(reference, None) == first
        registry.faults.statuses["GET", "manifests"] = 404
        with pytest.raises(ContentMissingError):
            await pulls.client.fetch(reference, Descriptor(first.digest), None, kind="manifests")
        assert (await pulls.client.resolve(reference, None)).digest == digest_of(moved)

    run(registry, use, None, Memory(tag_seconds=60))


@pytest.mark.parametrize(("missing_seconds", "heads"), [(2, 1), (0, 3)])
def test_what_is_missing(registry: FakeRegistry, tmp_path: Path, missing_seconds: float, heads: int) -> None:
    async def use(pulls: Pulls) -> None:
        for _ in range(3):
            with pytest.raises(ContentMissingError):
                await pulls.pull("team/missing")
        assert pulls.counted() == {("HEAD", "v1"): heads}
        # Others may know better.
        with pytest.raises(ContentMissingError):
            await pulls.pull("team/missing", AUTH)
        assert pulls.counted() == {("HEAD", "v1"): 1}

    run(registry, use, tmp_path, Memory(missing_seconds=missing_seconds))


def test_a_single_manifest_costs_one_head(registry: FakeRegistry, tmp_path: Path) -> None:
    registry.put(PATH, "single", "application/vnd.oci.image.manifest.v1+json", b"{}")

    async def known() -> Node:
        return Node("linux", "amd64")

    async def use(pulls: Pulls) -> None:
        service = Service(pulls.client, known)
        request = PullRequest(f"{registry.address}/{PATH}:single", None, b"")
        outcomes = await asyncio.gather(*(service.choose(request) for _ in range(HUNDRED)))
        reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, PassThrough)}
        assert reasons == {Reason.NO_INDEX}
        assert pulls.counted() == {("HEAD", "single"): 1}

    run(registry, use, tmp_path)
