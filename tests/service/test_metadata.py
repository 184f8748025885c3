"""The metadata of one decision: from where it comes, how much of it, until when, and who vouches for it."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from builders import MANIFEST_MEDIA_TYPE, descriptor, digest, entry, index_bytes, node, to_bytes
from fakes.registry import FakeRegistry
from imagefit.cri.wire import PullRequest
from imagefit.errors import RegistryUnreachableError
from imagefit.formats.carriers import artifact_at, referrers_of
from imagefit.formats.contract import Locator
from imagefit.model.credentials import AuthConfig
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, parse_index
from imagefit.model.outcome import Outcome, Refuse, Rewrite
from imagefit.model.policy import Policies, Policy
from imagefit.model.reference import ImageReference
from imagefit.model.requirement import Origin, Problem
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost
from imagefit.service import Service
from imagefit.service.metadata import MAX_METADATA_BYTES, MAX_NOTES, MAX_OUTSIDE_BYTES, Metadata, Vouch
from imagefit.service.report import Record

REFERENCE = ImageReference("registry.example.org", "team/app", tag="v1")
AUTH = AuthConfig("user", "planted")
TRUSTING = Policy(trust_referrers=True)
SIGNED = replace(TRUSTING, require_signature=True)
NFD = "application/vnd.nfd.image-compatibility.v1alpha1"
OLD_NFD = "application/vnd.k8s.nfd.image-compatibility.v1"
OCI = "application/vnd.oci.image-compatibility.v1"
LAYER = "application/vnd.oci.image-compatibility.spec.v1+json"
CREATED = "org.opencontainers.image.created"
NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
LISTED = referrers_of(digest("subject"))


def listed(name: str, created: str = "") -> dict[str, Any]:
    return descriptor(
        name.encode(), MANIFEST_MEDIA_TYPE, artifactType=OCI, annotations={CREATED: created} if created else {}
    )


class Source:
    """Answers everything with the same; knows what it was asked."""

    def __init__(self, answer: bytes = b"", failing: Exception | None = None) -> None:
        self.answer = answer
        self.failing = failing
        self.asked: list[tuple[Any, ...]] = []

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: str
    ) -> bytes:
        self.asked.append((kind, descriptor.digest, auth))
        if self.failing:
            raise self.failing
        return self.answer

    async def referrers(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: frozenset[str]
    ) -> bytes:
        self.asked.append(("referrers", digest, auth, artifact_types))
        if self.failing:
            raise self.failing
        return self.answer


async def fetched_of(
    source: Source, policy: Policy, *locators: Locator, vouch: Vouch | None = None, seconds: float = 5
) -> tuple[list[bytes | Problem], tuple[str, ...]]:
    until = asyncio.get_running_loop().time() + seconds
    metadata = Metadata(source, REFERENCE, AUTH, policy, until, vouch)
    return [await metadata.fetch(locator) for locator in locators], metadata.notes


def fetched(
    source: Source, policy: Policy, *locators: Locator, vouch: Vouch | None = None
) -> tuple[list[bytes | Problem], tuple[str, ...]]:
    return asyncio.run(fetched_of(source, policy, *locators, vouch=vouch))


KINDS: list[Any] = [
    pytest.param("manifest", "manifests", id="manifest"),
    pytest.param("config", "blobs", id="config"),
    pytest.param("document", "blobs", id="document"),
]


@pytest.mark.parametrize(("kind", "asked"), KINDS)
def test_a_piece_is_asked_for_where_it_is(kind: Any, asked: str) -> None:
    source = Source(b"content")
    assert fetched(source, Policy(), Locator(digest("a"), 7, kind, "place")) == ([b"content"], ())
    assert source.asked == [(asked, digest("a"), AUTH)]


@pytest.mark.parametrize(
    ("dialects", "types"),
    [
        pytest.param(("oci",), {OCI}, id="one"),
        pytest.param(("nfd",), {NFD, OLD_NFD}, id="one-with-two-names"),
        pytest.param(("nfd", "compspec"), {NFD, OLD_NFD, "application/org.compspec"}, id="two"),
    ],
)
def test_referrers_are_asked_for_by_the_types_that_are_looked_for(dialects: tuple[str, ...], types: set[str]) -> None:
    source = Source(index_bytes(listed("a")))
    content, notes = fetched(source, replace(TRUSTING, dialects=dialects), LISTED)
    assert (content, notes) == ([source.answer], ())
    assert source.asked == [("referrers", digest("subject"), AUTH, types)]
    fetched(source, TRUSTING, LISTED)
    assert types < source.asked[1][3]


@pytest.mark.parametrize("locator", [LISTED, artifact_at(3, Descriptor(digest("a"), MANIFEST_MEDIA_TYPE, 7))])
def test_what_does_not_come_is_a_problem(locator: Locator) -> None:
    (problem,), _ = fetched(Source(failing=RegistryUnreachableError("away")), TRUSTING, locator)
    assert problem == Problem("not read: away", locator.place)

    class Hanging(Source):
        async def referrers(self, *_: Any) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

        async def fetch(self, *_: Any, kind: str) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    (problem,), _ = asyncio.run(fetched_of(Hanging(), TRUSTING, locator, seconds=0.01))
    assert problem == Problem("not read: it did not come in time", locator.place)


def test_what_comes_from_outside_uses_up_nothing_of_what_is_for_the_index() -> None:
    mebibytes = 4
    source = Source(b"x" * (mebibytes * 1024 * 1024))
    origin = Origin(digest("referrer"), "oci", digest("subject"))
    inside = Locator(digest("a"), 0, "document", "in the index")
    outside = replace(inside, origin=origin)
    pieces = [LISTED, *[outside] * 3, *[inside] * 10]
    content, _ = fetched(source, TRUSTING, *pieces)
    came = [isinstance(one, bytes) for one in content]
    may_come = [MAX_OUTSIDE_BYTES // len(source.answer), MAX_METADATA_BYTES // len(source.answer)]
    assert came == [True] * may_come[0] + [False] * (4 - may_come[0]) + [True] * may_come[1] + [False] * (
        10 - may_come[1]
    )
    assert content[-1] == Problem("not read: over 32 MiB of metadata", "in the index")


# --- signatures


def voucher(*signed: str, notes: tuple[str, ...] = ()) -> tuple[Vouch, list[tuple[Any, ...]]]:
    """Return what vouches for some artifacts by their names, and what it is asked."""
    asked: list[tuple[Any, ...]] = []

    async def vouch(
        reference: ImageReference, subject: str, found: tuple[Descriptor, ...], auth: AuthConfig | None
    ) -> tuple[tuple[Descriptor, ...], tuple[str, ...]]:
        asked.append((reference, subject, [one.digest for one in found], auth))
        return tuple(one for one in found if one.digest in {digest(name) for name in signed}), notes

    return vouch, asked


def test_only_what_is_vouched_for_is_left_of_a_list() -> None:
    source = Source(
        index_bytes(listed("old", "2024-01-01"), listed("forged", "2026-01-01"), listed("new", "2025-01-01"))
    )
    vouch, asked = voucher("old", "new", notes=("referrer forged is left out: nobody signed it",))
    (content,), notes = fetched(source, SIGNED, LISTED, vouch=vouch)
    assert isinstance(content, bytes)
    entries = parse_index(content, digest(content)).entries
    # The newest first, so that a limit on how many are looked at leaves out the oldest.
    assert asked == [(REFERENCE, digest("subject"), [digest("forged"), digest("new"), digest("old")], AUTH)]
    assert [(one.digest, one.artifact_type, one.annotations) for one in entries] == [
        (digest("new"), OCI, {CREATED: "2025-01-01"}),
        (digest("old"), OCI, {CREATED: "2024-01-01"}),
    ]
    assert notes == ("referrer forged is left out: nobody signed it",)


def test_without_the_wish_for_signatures_nobody_is_asked_to_vouch() -> None:
    vouch, asked = voucher()
    source = Source(index_bytes(listed("a")))
    assert fetched(source, TRUSTING, LISTED, vouch=vouch) == ([source.answer], ())
    assert asked == []


def test_where_nothing_refers_there_is_nothing_to_vouch_for() -> None:
    vouch, asked = voucher()
    (content,), notes = fetched(Source(index_bytes()), SIGNED, LISTED, vouch=vouch)
    assert isinstance(content, bytes)
    assert parse_index(content, digest(content)).entries == ()
    assert (asked, notes) == ([], ())


def test_where_nobody_can_vouch_nothing_is_believed() -> None:
    (content,), (note,) = fetched(Source(index_bytes(listed("a"))), SIGNED, LISTED)
    assert isinstance(content, bytes)
    assert parse_index(content, digest(content)).entries == ()
    assert "signatures are required" in note


def test_a_list_that_cannot_be_read_is_a_problem_before_anybody_vouches() -> None:
    vouch, asked = voucher()
    (problem,), _ = fetched(Source(b"7"), SIGNED, LISTED, vouch=vouch)
    assert isinstance(problem, Problem)
    assert asked == []


def test_notes_are_each_there_once_and_bounded() -> None:
    many = tuple(f"note {number}\n{'x' * 1000}" for number in range(100))
    vouch, _ = voucher(notes=many)
    _, notes = fetched(Source(index_bytes(listed("a"))), SIGNED, LISTED, LISTED, vouch=vouch)
    assert len(notes) == MAX_NOTES
    assert len(set(notes)) == MAX_NOTES
    assert all(len(note) <= 300 and note.isprintable() for note in notes)


# --- the whole way: a pull, a registry on the wire, an artifact that somebody attached


MISFITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=7"}]})
ENTRIES = [entry("better", "linux/amd64/v3"), entry("good", "linux/amd64/v2"), entry("foreign", "linux/arm64")]
INDEX = index_bytes(*ENTRIES)


def attach(registry: FakeRegistry, subject: str) -> bytes:
    """Attach an artifact to a digest, and return its manifest."""
    manifest = to_bytes(
        {
            "artifactType": OCI,
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(MISFITS, LAYER)],
            "subject": {"mediaType": MANIFEST_MEDIA_TYPE, "digest": subject, "size": 7},
        }
    )
    registry.put("app", None, MANIFEST_MEDIA_TYPE, manifest)
    registry.put("app", None, LAYER, MISFITS)
    return manifest


def pulled(registry: FakeRegistry, policy: Policy, vouch: Vouch | None = None) -> tuple[Outcome, Record]:
    """Return what becomes of a pull of ``app:v1``, and the record of it."""
    registry.put("app", "v1", "application/vnd.oci.image.index.v1+json", INDEX)
    records: list[Record] = []

    async def known() -> Node:
        return NODE

    async def chosen() -> Outcome:
        client = RegistryClient(lambda _: (RegistryHost("http", registry.address),), None, "imagefit/test")
        try:
            service = Service(client, known, Policies(policy), records.append, vouch)
            return await service.choose(PullRequest(f"{registry.address}/app:v1", None, b""))
        finally:
            await client.close()

    return asyncio.run(chosen()), records[0]


def chosen_digest(outcome: Outcome) -> str:
    assert isinstance(outcome, Rewrite)
    return outcome.chosen_digest


def test_an_artifact_that_somebody_attached_excludes_an_entry_where_the_operator_trusts_it() -> None:
    with FakeRegistry() as registry:
        registry.referrers.exists = True
        attach(registry, digest("better"))
        assert chosen_digest(pulled(registry, Policy())[0]) == digest("better")
        assert not any("referrers" in path for _, path in registry.requests)
        registry.seen.clear()
        assert chosen_digest(pulled(registry, TRUSTING)[0]) == digest("good")
        paths = [path.split("/v2/app/")[1].partition("/")[0] for _, path in registry.requests]
        # HEAD and GET of the index; lists for the index and for the two that run here; one artifact, one document.
        assert paths == ["manifests", "manifests", "referrers", "referrers", "referrers", "manifests", "blobs"]


def test_an_artifact_attached_to_the_index_is_about_every_entry() -> None:
    with FakeRegistry() as registry:
        registry.referrers.exists = True
        attach(registry, digest(INDEX))
        outcome, record = pulled(registry, TRUSTING)
    assert isinstance(outcome, Refuse)
    assert "from a referrer, not vouched for by the index" in outcome.message
    assert "from a referrer" in record["entries"][0]["reason"]


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_who_blocks_the_list_takes_no_image_away(status: int) -> None:
    with FakeRegistry() as registry:
        registry.referrers.exists = True
        attach(registry, digest("better"))
        registry.faults.statuses["GET", "/referrers/"] = status
        policy = replace(TRUSTING, budget_seconds=1.0)
        assert chosen_digest(pulled(registry, policy)[0]) == digest("better")


def test_what_nobody_signed_is_as_if_it_were_not_there_and_is_told() -> None:
    with FakeRegistry() as registry:
        registry.referrers.exists = True
        manifest = attach(registry, digest("better"))
        unsigned, _ = voucher(notes=("referrer x is left out: nobody signed it",))
        outcome, record = pulled(registry, SIGNED, unsigned)
        assert chosen_digest(outcome) == digest("better")
        assert record["notes"] == ["referrer x is left out: nobody signed it"]
        signed, _ = voucher(manifest.decode())
        outcome, record = pulled(registry, SIGNED, signed)
        assert chosen_digest(outcome) == digest("good")
        assert record["notes"] == []
