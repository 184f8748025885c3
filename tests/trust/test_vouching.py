"""An artifact counts if a key that is trusted for its repository signed it; else it is left out, with the reason."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.signatures import NFD, SignedRepository
from harness.signing import Signer, envelope_bundle, message_bundle, p256, payload_of, statement_of, text
from imagefit.errors import RegistryUnreachableError
from imagefit.formats.carriers import newest_first
from imagefit.model.credentials import AuthConfig
from imagefit.model.glob import Glob
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.trust.keyring import Keyring
from imagefit.trust.rules import KeyRule, KeyRules
from imagefit.trust.search import MAX_SIGNATURES
from imagefit.trust.source import MAX_PIECE_BYTES
from imagefit.trust.vouching import MAX_ARTIFACTS, Voucher

IMAGE, OTHER_IMAGE = digest_of(b"image"), digest_of(b"other image")
REFERENCE = ImageReference("registry.example.org", "hpc/app", tag="1")
AUTH = AuthConfig("u", "planted")
COMPSPEC = "application/org.compspec"
SIGNER, STRANGER = p256(), p256()

Outcome = tuple[tuple[Descriptor, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """A repository, and somebody who trusts one key."""

    repository: SignedRepository
    voucher: Voucher

    def vouch(self, *artifacts: Descriptor, reference: ImageReference = REFERENCE, subject: str = IMAGE) -> Outcome:
        self.repository.asked.clear()
        return asyncio.run(self.voucher.vouch(reference, subject, artifacts, AUTH))

    def refused(self, *artifacts: Descriptor, **asked: Any) -> str:
        """Return the reason why the first of these artifacts is left out."""
        vouched, notes = self.vouch(*artifacts, **asked)
        assert vouched == ()
        said, _, reason = notes[0].partition(" is left out: ")
        assert said == f"referrer {newest_first(artifacts)[0].digest[:100]}"
        return reason


@pytest.fixture
def case(tmp_path: Path) -> Case:
    file = tmp_path / "k.pub"
    file.write_bytes(SIGNER.pem)
    repository = SignedRepository()
    return Case(repository, Voucher(repository, Keyring(KeyRules(files=(file,)))))


def sign_under_tag(repository: SignedRepository, digest: str, signer: Signer) -> None:
    repository.sign(digest, signer)


def sign_manifest(repository: SignedRepository, digest: str, signer: Signer) -> None:
    repository.attach(digest, message_bundle(signer, repository._content[digest]))


Sign = Callable[[SignedRepository, str, Signer], object]
WAYS = pytest.mark.parametrize(
    "sign", [sign_under_tag, SignedRepository.state, sign_manifest], ids=["tag", "envelope", "message"]
)


@WAYS
def test_an_artifact_that_a_trusted_key_signed_is_vouched_for(case: Case, sign: Sign) -> None:
    artifact = case.repository.artifact(IMAGE)
    sign(case.repository, artifact.digest, SIGNER)
    assert case.vouch(artifact) == ((artifact,), ())


@WAYS
def test_an_artifact_that_somebody_else_signed_is_not(case: Case, sign: Sign) -> None:
    artifact = case.repository.artifact(IMAGE)
    sign(case.repository, artifact.digest, STRANGER)
    assert case.refused(artifact) == (
        "its signature does not vouch for it: no key that is trusted made it, or what it signs was changed"
    )


@WAYS
def test_a_signature_of_another_artifact_does_not_vouch(case: Case, sign: Sign) -> None:
    artifact, other = case.repository.artifact(IMAGE), case.repository.artifact(IMAGE, COMPSPEC)
    sign(case.repository, other.digest, SIGNER)
    assert case.refused(artifact) == "it is not signed"
    assert case.vouch(artifact, other)[0] == (other,)


def test_a_signature_that_is_presented_for_another_artifact_does_not_vouch(case: Case) -> None:
    artifact, other = case.repository.artifact(IMAGE), case.repository.artifact(IMAGE, COMPSPEC)
    payload = payload_of(other.digest)
    case.repository.tag(artifact.digest, [(payload, text(SIGNER.sign(payload)))])
    case.repository.attach(artifact.digest, envelope_bundle(SIGNER, statement_of(other.digest)))
    assert case.refused(artifact) == (
        f"none of its 2 signatures vouches for it: it is of '{other.digest}'; its statement is about something else"
    )


def test_one_good_signature_among_bad_ones_is_enough(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, STRANGER, SIGNER)
    assert case.vouch(artifact)[0] == (artifact,)
    case.repository.sign(artifact.digest, STRANGER)
    case.repository.state(artifact.digest, STRANGER)
    case.repository.state(artifact.digest, SIGNER)
    assert case.vouch(artifact)[0] == (artifact,)


def test_each_artifact_is_judged_by_itself(case: Case) -> None:
    good, bad = case.repository.artifact(IMAGE), case.repository.artifact(IMAGE, COMPSPEC)
    case.repository.state(good.digest, SIGNER)
    vouched, notes = case.vouch(bad, good)
    assert vouched == (good,)
    assert notes == (f"referrer {bad.digest} is left out: it is not signed",)


def test_what_holds_no_metadata_costs_no_request_and_no_note(case: Case) -> None:
    bundle = case.repository.state(IMAGE, SIGNER)
    assert case.vouch(bundle) == case.vouch() == ((), ())
    assert case.repository.asked == []


def test_a_signed_artifact_of_another_image_is_left_out(case: Case) -> None:
    artifact = case.repository.artifact(OTHER_IMAGE)
    case.repository.sign(artifact.digest, SIGNER)
    assert case.vouch(artifact, subject=OTHER_IMAGE)[0] == (artifact,)
    assert case.refused(artifact) == f"it does not refer to {IMAGE}"


def test_type_and_age_are_those_that_were_signed(case: Case) -> None:
    older = case.repository.artifact(IMAGE, created="2024-01-01T00:00:00Z")
    newer = case.repository.artifact(IMAGE, created="2025-01-01T00:00:00Z")
    for artifact in (older, newer):
        case.repository.sign(artifact.digest, SIGNER)
    made_newer = msgspec.structs.replace(
        older, artifact_type=COMPSPEC, annotations={"org.opencontainers.image.created": "2030-01-01T00:00:00Z"}
    )
    assert case.vouch(made_newer, newer) == ((newer, older), ())


def test_a_signed_artifact_of_another_kind_is_no_metadata(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE, "application/spdx+json")
    case.repository.sign(artifact.digest, SIGNER)
    listed = msgspec.structs.replace(artifact, artifact_type=NFD)
    assert case.refused(listed) == "it holds no metadata but says that it is a 'application/spdx+json'"


def test_the_keys_of_a_repository_are_trusted_there_and_nowhere_else(tmp_path: Path) -> None:
    own, general = tmp_path / "own", tmp_path / "general.pub"
    own.mkdir()
    (own / "team.pub").write_bytes(STRANGER.pem)
    general.write_bytes(SIGNER.pem)
    rules = KeyRules((KeyRule(Glob("registry.example.org/hpc/*"), own),), (general,))
    repository = SignedRepository()
    case = Case(repository, Voucher(repository, Keyring(rules)))
    by_signer, by_stranger = repository.artifact(IMAGE), repository.artifact(IMAGE, COMPSPEC)
    repository.sign(by_signer.digest, SIGNER)
    repository.sign(by_stranger.digest, STRANGER)
    assert case.vouch(by_signer, by_stranger)[0] == (by_stranger,)
    elsewhere = ImageReference("registry.example.org", "web/app", tag="1")
    assert case.vouch(by_signer, by_stranger, reference=elsewhere)[0] == (by_signer,)


def test_without_a_key_for_the_repository_nothing_is_asked(case: Case, tmp_path: Path) -> None:
    artifact = case.repository.artifact(IMAGE)
    (tmp_path / "k.pub").unlink()
    assert case.refused(artifact) == "no key is trusted for registry.example.org/hpc/app"
    assert case.repository.asked == []


def test_the_tag_is_looked_at_first_and_a_good_signature_ends_the_search(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, SIGNER, STRANGER)
    case.repository.state(artifact.digest, SIGNER)
    case.vouch(artifact)
    kinds = [asked.partition(" ")[0] for asked in case.repository.asked]
    assert kinds == ["manifests", "resolve", "manifests", "blobs"]
    assert case.repository.asked[1] == f"resolve {artifact.digest.replace(':', '-')}.sig"
    assert case.repository.credentials == {AUTH}


def test_of_a_digest_that_no_tag_can_be_made_of_only_bundles_are_looked_for(case: Case) -> None:
    plain = case.repository.artifact(IMAGE)
    content = case.repository._content[plain.digest]
    longer = digest_of(content, "sha512")
    case.repository._content[longer] = content
    artifact = msgspec.structs.replace(plain, digest=longer)
    assert case.refused(artifact) == "it is not signed"
    assert not [asked for asked in case.repository.asked if asked.startswith("resolve")]
    case.repository.state(longer, SIGNER)
    assert case.vouch(artifact)[0] == (artifact,)


UNREACHABLE = RegistryUnreachableError("registry.example.org: connection refused")


def test_a_signature_that_cannot_be_had_does_not_vouch_and_says_so(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, SIGNER)
    case.repository.failing["resolve"] = UNREACHABLE
    assert case.refused(artifact) == f"its signatures could not be had: {UNREACHABLE.message}"
    case.repository.state(artifact.digest, SIGNER)
    assert case.vouch(artifact)[0] == (artifact,)
    case.repository.failing["referrers"] = UNREACHABLE
    assert case.refused(artifact) == f"its signatures could not be had: {UNREACHABLE.message}"
    del case.repository.failing["resolve"]
    assert case.vouch(artifact)[0] == (artifact,)


def test_an_artifact_that_cannot_be_had_is_left_out(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.failing[artifact.digest] = UNREACHABLE
    assert case.refused(artifact) == f"it could not be had: {UNREACHABLE.message}"


def test_a_payload_that_is_missing_does_not_vouch(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, SIGNER)
    payload = digest_of(payload_of(artifact.digest))
    del case.repository._content[payload]
    assert case.refused(artifact) == f"its signatures could not be had: no {payload}"


def test_a_tag_that_holds_no_manifest_does_not_vouch(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, SIGNER)
    tag = next(iter(case.repository._tags))
    garbage = case.repository.blob(b"garbage")
    found = case.repository._tags[tag]
    case.repository._tags[tag] = type(found)("text/plain", garbage.digest, garbage.size)
    assert case.refused(artifact).startswith("nothing vouches for it: what holds it is not an image")


MANY = MAX_SIGNATURES + 4


def test_only_so_many_signatures_are_tried(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    case.repository.sign(artifact.digest, *[STRANGER] * (MAX_SIGNATURES - 1), SIGNER)
    assert case.vouch(artifact)[0] == (artifact,)
    case.repository.sign(artifact.digest, *[STRANGER] * MAX_SIGNATURES, SIGNER)
    assert case.refused(artifact).endswith(f"no more than {MAX_SIGNATURES} are tried")
    case.repository.sign(artifact.digest, *[STRANGER] * (MAX_SIGNATURES - 1))
    for _ in range(MANY):
        case.repository.state(artifact.digest, STRANGER)
    assert case.refused(artifact).startswith(f"none of its {MAX_SIGNATURES} signatures")


def test_only_so_many_artifacts_are_looked_at_the_newest(case: Case) -> None:
    artifacts = [
        case.repository.artifact(IMAGE, created=f"2025-01-01T00:00:{second:02}Z") for second in range(MAX_ARTIFACTS + 2)
    ]
    for artifact in artifacts:
        case.repository.sign(artifact.digest, SIGNER)
    vouched, notes = case.vouch(*artifacts)
    assert vouched == tuple(reversed(artifacts[2:]))
    assert notes == (f"2 older referrers are left out: no more than {MAX_ARTIFACTS} are looked at",)


def test_what_is_too_large_is_not_fetched(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    payload = payload_of(artifact.digest, name="x" * MAX_PIECE_BYTES)
    case.repository.tag(artifact.digest, [(payload, text(SIGNER.sign(payload)))])
    assert case.refused(artifact) == (
        f"its signature does not vouch for it: a piece of it has {len(payload)} bytes, not 1 to {MAX_PIECE_BYTES}"
    )
    assert f"blobs {digest_of(payload)}" not in case.repository.asked
    for size in (0, -1, MAX_PIECE_BYTES + 1):
        assert "a piece of it has" in case.refused(msgspec.structs.replace(artifact, size=size))
        assert case.repository.asked == []


def test_all_in_all_only_so_much_is_fetched(case: Case) -> None:
    artifacts = [case.repository.artifact(IMAGE, created=f"2025-01-01T00:00:{second:02}Z") for second in range(3)]
    for artifact in artifacts:
        padded = [payload_of(artifact.digest, name=f"{number}" * 200_000) for number in range(8)]
        case.repository.tag(artifact.digest, [(payload, text(STRANGER.sign(payload))) for payload in padded])
    _, notes = case.vouch(*artifacts)
    assert len(notes) == len(artifacts)
    assert len([asked for asked in case.repository.asked if asked.startswith("blobs")]) < 3 * 8
    for artifact in artifacts:
        case.repository.sign(artifact.digest, SIGNER)
    assert len(case.vouch(*artifacts)[0]) == len(artifacts)


@pytest.mark.parametrize(
    "digest", ["", "sha256:x", "../../x", "sha256:" + "a" * 10_000], ids=["empty", "short", "path", "long"]
)
def test_what_has_no_digest_is_not_asked_for(case: Case, digest: str) -> None:
    assert case.refused(Descriptor(digest, size=1, artifact_type=NFD)).startswith("a piece of it has no digest")
    assert case.repository.asked == []


@pytest.mark.parametrize(
    "content", [b"garbage", b"{}", b'{"config":{"digest":"x"}}'], ids=["no-json", "empty", "no-digest"]
)
def test_an_artifact_that_cannot_be_read_is_left_out(case: Case, content: bytes) -> None:
    kept = case.repository.blob(content)
    assert "not a" in case.refused(msgspec.structs.replace(kept, artifact_type=NFD))


def test_an_artifact_that_refers_to_nothing_is_left_out(case: Case) -> None:
    config = b'{"digest":"%s"}' % IMAGE.encode()
    kept = case.repository.blob(b'{"artifactType":"%s","config":%s}' % (NFD.encode(), config))
    assert case.refused(msgspec.structs.replace(kept, artifact_type=NFD)) == f"it does not refer to {IMAGE}"


@pytest.mark.parametrize(
    ("prepare", "result"),
    [
        pytest.param(lambda case, digest: case.repository.sign(digest, SIGNER), "valid", id="valid"),
        pytest.param(lambda case, digest: case.repository.sign(digest, STRANGER), "invalid", id="invalid"),
        pytest.param(lambda case, digest: None, "missing", id="missing"),
        pytest.param(
            lambda case, digest: case.repository.failing.update(resolve=UNREACHABLE), "unavailable", id="unavailable"
        ),
    ],
)
def test_every_look_is_counted_by_what_came_of_it(
    case: Case, prepare: Callable[[Case, str], object], result: str, counted: Callable[[str], float]
) -> None:
    artifact = case.repository.artifact(IMAGE)
    prepare(case, artifact.digest)
    before = counted(result)
    case.vouch(artifact)
    assert counted(result) == before + 1


def test_no_more_than_four_artifacts_are_looked_at_at_once(tmp_path: Path) -> None:
    most, now = 0, 0

    class Slow(SignedRepository):
        async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Any:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1
            return await SignedRepository.resolve(self, reference, auth)

    (tmp_path / "k.pub").write_bytes(SIGNER.pem)
    repository = Slow()
    case = Case(repository, Voucher(repository, Keyring(KeyRules(files=(tmp_path / "k.pub",)))))
    artifacts = [repository.artifact(IMAGE, created=f"2025-01-01T00:00:{second:02}Z") for second in range(12)]
    case.vouch(*artifacts)
    assert most == 4


def test_no_secret_is_in_what_is_said(case: Case) -> None:
    artifact = case.repository.artifact(IMAGE)
    assert "planted" not in str(case.vouch(artifact))
