"""What refers to a manifest: by the API and by the fallback tag, how often it is asked, and what is not believed."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fakes.referrers import MEDIA_TYPE, listing
from fakes.registry import FakeRegistry
from harness.registry import Registry
from imagefit.errors import (
    ContentInvalidError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnreachableError,
)
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import digest_of, parse_index
from imagefit.model.reference import ImageReference
from imagefit.registry.asking import Asker
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost
from imagefit.registry.referrers import MAX_PAGES, MAX_REFERRERS, Referrers, fallback_tag, list_of
from imagefit.registry.transport import Transport

_T = TypeVar("_T")
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
NFD = "application/vnd.nfd.image-compatibility.v1alpha1"
OCI = "application/vnd.oci.image-compatibility.v1"
SBOM = "application/vnd.example.sbom"
PATH = "team/app"
EMPTY = b"{}"
SECRET = "planted-5ecret"  # noqa: S105 - planted to be looked for


def image_manifest(name: str) -> bytes:
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(EMPTY), "size": 2}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [], "annotations": {"name": name}}
    ).encode()


def artifact(subject: bytes, artifact_type: str, name: str = "") -> bytes:
    """Return the manifest of an artifact that refers to another manifest."""
    config = {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": artifact_type,
            "config": config,
            "layers": [config],
            "subject": {"mediaType": MANIFEST_TYPE, "digest": digest_of(subject), "size": len(subject)},
            "annotations": {"name": name},
        }
    ).encode()


def listed(manifest: bytes) -> dict[str, Any]:
    """Return an artifact as a list of referrers has it."""
    read = json.loads(manifest)
    return {
        "mediaType": MANIFEST_TYPE,
        "digest": digest_of(manifest),
        "size": len(manifest),
        "artifactType": read["artifactType"],
        "annotations": read["annotations"],
    }


SUBJECT = image_manifest("subject")
DIGEST = digest_of(SUBJECT)
API = f"/v2/{PATH}/referrers/{DIGEST}"
TAG = f"/v2/{PATH}/manifests/{fallback_tag(DIGEST)}"
ARTIFACTS = (artifact(SUBJECT, NFD), artifact(SUBJECT, SBOM), artifact(SUBJECT, OCI))


def host_at(address: str) -> RegistryHost:
    return RegistryHost("http", address)


def asked(address: str, use: Callable[[RegistryClient], Awaitable[_T]], *hosts: RegistryHost) -> _T:
    """Run ``use`` with a client of some hosts, or of the one at an address."""

    async def run() -> _T:
        client = RegistryClient(lambda _: hosts or (host_at(address),), None, "imagefit/test")
        try:
            return await use(client)
        finally:
            await client.close()

    return asyncio.run(run())


def digests(content: bytes) -> list[str]:
    return [entry.digest for entry in parse_index(content, DIGEST).entries]


def referrers(
    address: str,
    *types: str,
    digest: str = DIGEST,
    hosts: tuple[RegistryHost, ...] = (),
    auth: AuthConfig | None = None,
) -> list[str]:
    """Return the digests of what refers to a digest."""
    reference = ImageReference(address, PATH, tag="v1")
    return digests(asked(address, lambda client: client.referrers(reference, digest, auth, frozenset(types)), *hosts))


def put_by_api(registry: FakeRegistry, *artifacts: bytes) -> None:
    registry.referrers.exists = True
    for one in artifacts:
        registry.put(PATH, None, MANIFEST_TYPE, one)


def put_by_tag(registry: FakeRegistry, content: bytes, media_type: str = MEDIA_TYPE) -> None:
    registry.put(PATH, fallback_tag(DIGEST), media_type, content)


# --- one contract, on a real registry without the API and on the one in memory, without it and with it


class Contract:
    """A registry with an image, and what refers to it."""

    def __init__(self, address: str, *, has_api: bool) -> None:
        self.address = address
        self.has_api = has_api


@pytest.fixture(params=["real", "in-memory", "in-memory-with-api"])
def contract(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Contract]:
    others = image_manifest("alone")
    by_tag = listing(map(listed, ARTIFACTS))
    if request.param == "real":
        with Registry(tmp_path / "registry") as real:
            real.push_blob(PATH, EMPTY)
            for one in (SUBJECT, others, *ARTIFACTS):
                real.push_manifest(PATH, None, MANIFEST_TYPE, one)
            real.push_manifest(PATH, fallback_tag(DIGEST), MEDIA_TYPE, by_tag)
            yield Contract(real.address, has_api=False)
        return
    with FakeRegistry() as fake:
        for one in (SUBJECT, others, *ARTIFACTS):
            fake.put(PATH, None, MANIFEST_TYPE, one)
        fake.referrers.exists = request.param == "in-memory-with-api"
        if not fake.referrers.exists:
            put_by_tag(fake, by_tag)
        yield Contract(fake.address, has_api=fake.referrers.exists)


def test_what_refers_to_a_manifest_is_listed(contract: Contract) -> None:
    everything = [digest_of(one) for one in ARTIFACTS]
    assert referrers(contract.address) == everything
    assert referrers(contract.address, NFD) == everything[:1]
    assert referrers(contract.address, NFD, OCI) == [everything[0], everything[2]]
    assert referrers(contract.address, "application/vnd.example.other") == []


def test_where_nothing_refers_there_is_an_empty_list(contract: Contract) -> None:
    assert referrers(contract.address, digest=digest_of(image_manifest("alone"))) == []
    assert referrers(contract.address, digest=digest_of(b"nobody has this")) == []


# --- how often what is asked


def test_the_api_is_asked_once_and_for_the_only_type_of_interest(registry: FakeRegistry) -> None:
    put_by_api(registry, *ARTIFACTS)
    referrers(registry.address, NFD)
    referrers(registry.address, NFD, OCI)
    assert registry.requests == [("GET", API)] * 2
    assert [seen.query for seen in registry.seen] == [
        "artifactType=application/vnd.nfd.image-compatibility.v1alpha1",
        "",
    ]
    assert registry.seen[0].headers["accept"] == MEDIA_TYPE


def test_a_filter_that_the_registry_does_not_know_is_applied_all_the_same(registry: FakeRegistry) -> None:
    put_by_api(registry, *ARTIFACTS)
    registry.referrers.filters = False
    assert referrers(registry.address, SBOM) == [digest_of(ARTIFACTS[1])]


def test_all_pages_are_read(registry: FakeRegistry) -> None:
    put_by_api(registry, *ARTIFACTS)
    registry.referrers.page = 1
    assert referrers(registry.address) == [digest_of(one) for one in ARTIFACTS]
    assert [seen.query for seen in registry.seen] == ["", "from=1", "from=2"]


def test_a_mirror_is_told_the_registrys_name_on_every_page(registry: FakeRegistry) -> None:
    put_by_api(registry, *ARTIFACTS)
    registry.referrers.page = 2
    mirror = replace(host_at(registry.address), is_mirror=True)
    assert len(referrers("registry.example.org", hosts=(mirror,))) == len(ARTIFACTS)
    assert [seen.query for seen in registry.seen] == ["ns=registry.example.org", "from=2&ns=registry.example.org"]


NO_API: list[Any] = [
    pytest.param(404, id="as-the-specification-says"),
    pytest.param(400, id="bad-request"),
    pytest.param(405, id="method-not-allowed"),
    pytest.param(406, id="not-acceptable"),
    pytest.param(501, id="not-implemented"),
    pytest.param(None, id="a-page-for-people"),
]


@pytest.mark.parametrize("status", NO_API)
def test_without_the_api_the_fallback_tag_is_read(registry: FakeRegistry, status: int | None) -> None:
    put_by_tag(registry, listing(map(listed, ARTIFACTS)))
    if status is None:
        registry.referrers.exists = True
        registry.referrers.media_type, registry.referrers.body = "text/html", b"<html>"
    else:
        registry.faults.statuses["GET", "/referrers/"] = status
    assert referrers(registry.address, OCI) == [digest_of(ARTIFACTS[2])]
    assert registry.requests == [("GET", API), ("GET", TAG)]


@pytest.mark.parametrize(("status", "error"), [(500, RegistryUnreachableError), (403, RegistryDeniedError)])
def test_what_is_no_lack_of_an_api_is_no_reason_for_the_tag(
    registry: FakeRegistry, status: int, error: type[RegistryError]
) -> None:
    put_by_tag(registry, listing(map(listed, ARTIFACTS)))
    registry.faults.statuses["GET", "/referrers/"] = status
    with pytest.raises(error):
        referrers(registry.address)
    assert ("GET", TAG) not in registry.requests


@pytest.mark.parametrize(
    ("digest", "tag"),
    [
        pytest.param(f"sha256:{'a' * 64}", f"sha256-{'a' * 64}", id="sha256"),
        pytest.param(f"sha512:{'b' * 128}", f"sha512-{'b' * 64}", id="a-tag-is-no-longer-than-that"),
    ],
)
def test_the_tag_is_made_of_the_digest(digest: str, tag: str) -> None:
    assert fallback_tag(digest) == tag


async def with_clock(
    registry: FakeRegistry, use: Callable[[Callable[[str], Awaitable[bytes]], list[float]], Awaitable[None]]
) -> None:
    """Run ``use`` with what lists the referrers of a repository, and a clock that it may set."""
    transport, clock = Transport("imagefit/test"), [1000.0]
    lists = Referrers(Asker(lambda _: (host_at(registry.address),), transport), clock=lambda: clock[0], max_places=2)
    try:
        await use(lambda path: lists.listed(ImageReference(registry.address, path, tag="v1"), DIGEST, None), clock)
    finally:
        await transport.close()


def test_that_a_repository_has_no_api_is_remembered_for_ten_minutes(registry: FakeRegistry) -> None:
    async def use(listed_of: Callable[[str], Awaitable[bytes]], clock: list[float]) -> None:
        await listed_of(PATH)
        await listed_of(PATH)
        assert registry.requests == [("GET", API), ("GET", TAG), ("GET", TAG)]
        clock[0] += 599
        await listed_of(PATH)
        assert registry.requests[3:] == [("GET", TAG)]
        clock[0] += 2
        await listed_of(PATH)
        assert registry.requests[4:] == [("GET", API), ("GET", TAG)]

    asyncio.run(with_clock(registry, use))


def test_that_one_repository_has_no_api_says_nothing_of_another(registry: FakeRegistry) -> None:
    async def use(listed_of: Callable[[str], Awaitable[bytes]], _: list[float]) -> None:
        await listed_of("other/app")
        put_by_api(registry, *ARTIFACTS)
        assert len(digests(await listed_of(PATH))) == len(ARTIFACTS)

    asyncio.run(with_clock(registry, use))


def test_of_the_oldest_repository_nothing_is_remembered_for_ever(registry: FakeRegistry) -> None:
    async def use(listed_of: Callable[[str], Awaitable[bytes]], _: list[float]) -> None:
        for path in ("one", "two", "two", "three", "two", "one"):
            await listed_of(path)

    asyncio.run(with_clock(registry, use))
    paths = [path.split("/")[2] for _, path in registry.requests if "/referrers/" in path]
    assert paths == ["one", "two", "three", "one"]


def test_an_api_that_once_answered_is_asked_again_after_a_404(registry: FakeRegistry) -> None:
    """Some proxies answer 404 while what is behind them restarts."""

    async def use(listed_of: Callable[[str], Awaitable[bytes]], _: list[float]) -> None:
        put_by_api(registry, *ARTIFACTS)
        await listed_of(PATH)
        registry.referrers.exists = False
        assert digests(await listed_of(PATH)) == []
        registry.referrers.exists = True
        assert len(digests(await listed_of(PATH))) == len(ARTIFACTS)

    asyncio.run(with_clock(registry, use))


def test_of_many_who_ask_at_once_one_finds_out_whether_there_is_an_api(registry: FakeRegistry) -> None:
    others = [digest_of(str(number).encode()) for number in range(5)]

    async def use(client: RegistryClient) -> None:
        reference = ImageReference(registry.address, PATH, tag="v1")
        await asyncio.gather(*(client.referrers(reference, one, None) for one in others))

    asked(registry.address, use)
    paths = [path for _, path in registry.requests]
    assert sum("/referrers/" in path for path in paths) == 1
    assert sum("/manifests/" in path for path in paths) == len(others)


def test_who_asks_the_same_at_once_with_the_same_credentials_shares_the_answer(registry: FakeRegistry) -> None:
    put_by_api(registry, *ARTIFACTS)

    async def use(client: RegistryClient) -> list[bytes]:
        reference = ImageReference(registry.address, PATH, tag="v1")
        auths = (None, AuthConfig("user", SECRET))
        return await asyncio.gather(*(client.referrers(reference, DIGEST, auths[n % 2]) for n in range(20)))

    assert len(set(asked(registry.address, use))) == 1
    assert registry.requests == [("GET", API)] * 2


# --- whom it is asked of, and what is not believed


def test_a_host_that_is_not_trusted_with_tags_is_not_asked(registry: FakeRegistry, other: FakeRegistry) -> None:
    """Nothing of a list is checked by a digest, so a mirror that may only serve content could say anything."""
    put_by_api(registry, *ARTIFACTS)
    put_by_api(other, artifact(SUBJECT, NFD, "forged"))
    pull_only = replace(host_at(other.address), capabilities=frozenset({"pull"}), is_mirror=True)
    assert len(referrers(registry.address, hosts=(pull_only, host_at(registry.address)))) == len(ARTIFACTS)
    assert other.requests == []


def test_the_next_host_is_asked_where_the_first_has_nothing(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_by_api(other, *ARTIFACTS)
    hosts = (host_at(registry.address), host_at(other.address))
    assert len(referrers(registry.address, hosts=hosts)) == len(ARTIFACTS)
    assert [path for _, path in registry.requests] == [API, TAG]


def test_a_first_host_that_lists_nothing_is_believed(registry: FakeRegistry, other: FakeRegistry) -> None:
    put_by_api(registry)
    put_by_api(other, *ARTIFACTS)
    assert referrers(registry.address, hosts=(host_at(registry.address), host_at(other.address))) == []
    assert other.requests == []


LINKS: list[Any] = [
    pytest.param('<{api}?from=1>; rel="next"', True, id="path"),
    pytest.param("<{url}{api}?from=1>; rel=next", True, id="url"),
    pytest.param("<?from=1>; rel=next", True, id="query"),
    pytest.param('<{encoded}?from=1>; title="a"; rel="last Next"', True, id="encoded-digest-and-more-parameters"),
    pytest.param('<{api}?a=1>; rel="prev", <{api}?from=1>; rel="next"', True, id="the-second-of-two"),
    pytest.param('<http://elsewhere.example{api}?from=1>; rel="next"', False, id="another-host"),
    pytest.param('<http://127.0.0.1:1{api}?from=1>; rel="next"', False, id="another-port"),
    pytest.param('<http://127.0.0.1:port{api}?from=1>; rel="next"', False, id="no-port"),
    pytest.param('</v2/other/app/referrers/x?from=1>; rel="next"', False, id="another-repository"),
    pytest.param('<../../../../admin?from=1>; rel="next"', False, id="out-of-the-api"),
    pytest.param('<{api}?{many}>; rel="next"', False, id="too-many-parameters"),
    pytest.param('<//user:{secret}@elsewhere.example{api}?from=1>; rel="next"', False, id="with-a-secret"),
    pytest.param('<{api}?from=1>; rel="prev"', None, id="no-next"),
    pytest.param('<{api}?from=1; rel="next"', None, id="not-closed"),
    pytest.param("nothing", None, id="no-link"),
]


@pytest.mark.parametrize(("link", "is_followed"), LINKS)
def test_a_next_page_is_on_the_same_host_and_path(
    registry: FakeRegistry, link: str, *, is_followed: bool | None
) -> None:
    put_by_api(registry, *ARTIFACTS)
    many = "&".join(f"a{number}=1" for number in range(17))
    registry.referrers.link = link.format(
        api=API, url=registry.url, encoded=API.replace(":", "%3A"), many=many, secret=SECRET
    )
    if is_followed is None:
        assert len(referrers(registry.address)) == len(ARTIFACTS)
        assert registry.requests == [("GET", API)]
        return
    with pytest.raises(ContentInvalidError, match="pages" if is_followed else "elsewhere") as raised:
        referrers(registry.address)  # the fake says on every page that there is another
    assert SECRET not in str(raised.value)
    assert registry.requests == [("GET", API)] * (MAX_PAGES if is_followed else 1)


def many(count: int, padding: str = "") -> bytes:
    one = {"mediaType": MANIFEST_TYPE, "size": 7, "artifactType": SBOM, "annotations": {"a": padding}}
    return listing(one | {"digest": digest_of(str(number).encode())} for number in range(count))


BEYOND: list[Any] = [
    pytest.param(many(MAX_REFERRERS), None, id="as-many-as-may-be"),
    pytest.param(many(MAX_REFERRERS + 1), "more than 1000 referrers", id="one-more"),
    pytest.param(many(900, "x" * 5000), "more than 4194304 bytes", id="too-many-bytes"),
    pytest.param(b"[7]", "cannot be read", id="no-index"),
    pytest.param(b'{"manifests": [{"size": 7}]}', "cannot be read", id="no-digest"),
    pytest.param(b"[" * 100_000, "cannot be read", id="nested-too-deeply"),
    pytest.param(b'{"mediaType": "text/plain", "manifests": []}', "'text/plain'", id="says-that-it-is-something-else"),
    pytest.param(b"{}", None, id="no-list"),
    pytest.param(b'{"manifests": null}', None, id="null"),
]


@pytest.mark.parametrize(("body", "error"), BEYOND)
@pytest.mark.parametrize("by_tag", [False, True])
def test_a_list_beyond_the_limits_is_refused(
    registry: FakeRegistry, body: bytes, error: str | None, *, by_tag: bool
) -> None:
    if by_tag:
        put_by_tag(registry, body)
    else:
        registry.referrers.exists, registry.referrers.body = True, body
    if error is None:
        referrers(registry.address)
    else:
        with pytest.raises(ContentInvalidError, match=error):
            referrers(registry.address)


@pytest.mark.parametrize("spoiled", [[7], {"created": 2024}, "text"], ids=["list", "number", "text"])
def test_annotations_that_cannot_be_read_spoil_a_list_only_where_they_are_of_interest(
    registry: FakeRegistry, other: FakeRegistry, spoiled: Any
) -> None:
    good, bad = listed(ARTIFACTS[0]), listed(ARTIFACTS[1]) | {"annotations": spoiled}
    registry.referrers.exists, registry.referrers.filters = True, False
    registry.referrers.body = listing([good, bad])
    put_by_api(other, ARTIFACTS[1])
    hosts = (host_at(registry.address), host_at(other.address))
    assert referrers(registry.address, NFD, hosts=hosts) == [good["digest"]]
    assert other.requests == []
    assert referrers(registry.address, SBOM, hosts=hosts) == [bad["digest"]], "the next host says it in order"
    assert other.requests
    with pytest.raises(ContentInvalidError, match="annotations"):
        referrers(registry.address, SBOM)


def test_all_pages_together_are_within_the_limits(registry: FakeRegistry) -> None:
    registry.referrers.exists, registry.referrers.link = True, "<?from=1>; rel=next"
    registry.referrers.body = many(300)
    with pytest.raises(ContentInvalidError, match="more than 1000 referrers"):
        referrers(registry.address)
    assert len(registry.requests) == 4
    registry.referrers.body = many(1, "x" * 1_500_000)
    with pytest.raises(ContentInvalidError, match="bytes"):
        referrers(registry.address)
    assert len(registry.requests) == 4 + 3


def test_credentials_go_to_the_registry_and_into_no_error(registry: FakeRegistry) -> None:
    registry.access.username, registry.access.password = "user", SECRET
    put_by_api(registry, *ARTIFACTS)
    assert len(referrers(registry.address, auth=AuthConfig("user", SECRET))) == len(ARTIFACTS)
    registry.referrers.body = b"7"
    with pytest.raises(ContentInvalidError) as raised:
        referrers(registry.address, auth=AuthConfig("user", SECRET))
    assert SECRET not in f"{raised.value!r}{raised.value}"


def test_a_list_can_be_made_of_what_was_read() -> None:
    content = listing([*map(listed, ARTIFACTS), {"digest": DIGEST, "data": "e30="}])
    entries = parse_index(content, DIGEST).entries
    assert parse_index(list_of(entries), DIGEST).entries == entries
    assert parse_index(list_of(()), DIGEST).entries == ()
