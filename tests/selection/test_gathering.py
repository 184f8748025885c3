"""Which metadata belongs to which entry: artifacts in the index, referrers, profiles; and what is fetched for it."""

import json
from typing import Any

import pytest

from builders import (
    MANIFEST_MEDIA_TYPE,
    Json,
    decide,
    descriptor,
    digest,
    entry,
    index,
    index_bytes,
    node,
    supply_all,
    to_bytes,
)
from imagefit.model.decision import Decision
from imagefit.model.policy import Policy
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.gathering import MAX_FETCHES
from imagefit.selection.session import Selection

OCI = "application/vnd.oci.image-compatibility.v1"
NFD = "application/vnd.nfd.image-compatibility.v1alpha1"
LAYER = "application/vnd.oci.image-compatibility.spec.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
FITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=6"}]})
MISFITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=7"}]})
BLOBS = {digest(content): content for content in (FITS, MISFITS)}
TRUSTING = Policy(trust_referrers=True)


def artifact(*documents: bytes, subject: str | None = None, names: tuple[str, ...] = (), layer: str = LAYER) -> bytes:
    """Return the manifest of an artifact with one layer per document."""
    layers = [descriptor(document, layer) for document in documents]
    for one, name in zip(layers, names, strict=False):
        one["annotations"] = {"name": name}
    found: Json = {"schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE, "layers": layers}
    found["config"] = descriptor(b"{}", EMPTY)
    if subject is not None:
        found["subject"] = {"mediaType": MANIFEST_MEDIA_TYPE, "digest": subject, "size": 7}
    return to_bytes(found)


def listed(manifest: bytes, artifact_type: str = OCI, **changed: object) -> Json:
    """Return an artifact as an index, or a registry's answer, lists it."""
    return descriptor(manifest, MANIFEST_MEDIA_TYPE, artifactType=artifact_type) | changed


def truths(decision: Decision) -> list[str]:
    return [ranked.verdict.truth for ranked in sorted(decision.ranking, key=lambda ranked: ranked.position)]


def with_blobs(*manifests: bytes) -> dict[str, bytes | Problem]:
    return {**BLOBS, **{digest(one): one for one in manifests}}


def test_an_artifact_in_the_index_belongs_to_the_entry_that_it_names_as_its_subject() -> None:
    manifest = artifact(MISFITS, subject=digest("a"))
    found = index(entry("a"), entry("b"), listed(manifest))
    assert truths(decide(found, NODE, blobs=with_blobs(manifest))) == ["no", "yes", "no"]


def test_an_artifact_in_the_index_without_a_subject_belongs_to_the_entry_before_it() -> None:
    manifest = artifact(MISFITS)
    found = index(entry("a"), entry("b"), listed(manifest), listed(manifest, NFD), entry("c"))
    assert truths(decide(found, NODE, blobs=with_blobs(manifest))) == ["yes", "no", "no", "no", "yes"]


def test_an_artifact_whose_subject_is_not_in_the_index_says_nothing() -> None:
    manifest = artifact(MISFITS, subject=digest("elsewhere"))
    assert truths(decide(index(entry("a"), listed(manifest)), NODE, blobs=with_blobs(manifest))) == ["yes", "no"]


def test_an_artifact_before_all_entries_without_a_subject_says_nothing() -> None:
    manifest = artifact(MISFITS)
    assert truths(decide(index(listed(manifest), entry("a")), NODE, blobs=with_blobs(manifest))) == ["no", "yes"]


def test_an_artifact_is_never_chosen_and_says_why() -> None:
    manifest = artifact(FITS, subject=digest("a"))
    decision = decide(index(entry("a"), listed(manifest, platform={"os": "linux", "architecture": "amd64"})), NODE)
    assert truths(decision)[1] == "no"
    assert "not an image" in str(next(decision.ranking[1].verdict.problems))


@pytest.mark.parametrize(
    ("artifact_type", "platform", "expected"),
    [
        pytest.param("", None, "unknown", id="nothing tells that it is none"),
        pytest.param("application/vnd.example.sbom", None, "no", id="an artifact that runs nowhere"),
        pytest.param("application/vnd.example.vm", {"os": "linux", "architecture": "amd64"}, "yes", id="one that runs"),
    ],
)
def test_what_is_no_metadata_is_judged_as_an_entry(artifact_type: str, platform: Json | None, expected: str) -> None:
    manifest = artifact(MISFITS, subject=digest("a"))
    found = index(entry("a"), listed(manifest, artifact_type, platform=platform))
    assert truths(decide(found, NODE, blobs=with_blobs(manifest))) == ["yes", expected]


@pytest.mark.parametrize("damaged", [False, True])
def test_the_manifest_of_an_artifact_may_stand_in_its_data(*, damaged: bool) -> None:
    manifest = artifact(MISFITS, subject=digest("a"))
    embedded = descriptor(manifest, MANIFEST_MEDIA_TYPE, embed=True, artifactType=OCI)
    found = index(entry("a"), embedded | ({"size": 1} if damaged else {}))
    selection = Selection(found, NODE, Policy())
    assert supply_all(selection, BLOBS) == ([] if damaged else [digest(MISFITS)])
    assert truths(selection.decide()) == ["unknown" if damaged else "no", "no"]


def test_an_artifact_that_did_not_come_may_be_about_any_entry() -> None:
    manifest = artifact(FITS, subject=digest("a"))
    found = index(entry("a"), entry("b"), listed(manifest))
    for decision in (decide(found, NODE), Selection(found, NODE, Policy()).decide()):
        assert truths(decision) == ["unknown", "unknown", "no"]
        assert "artifact of the index" in str(next(decision.ranking[0].verdict.problems))
    unreadable: dict[str, bytes | Problem] = {digest(manifest): b"7"}
    assert truths(decide(found, NODE, blobs=unreadable)) == ["unknown", "unknown", "no"]


def test_of_very_many_artifacts_of_one_entry_it_is_said_that_not_all_are_read() -> None:
    manifests = [artifact(FITS, subject=digest("a"), names=(str(number),)) for number in range(40)]
    decision = decide(index(entry("a"), *map(listed, manifests)), NODE, blobs=with_blobs(*manifests))
    assert decision.ranking[0].verdict.truth is Truth.UNKNOWN
    assert "more than 16 pieces" in " ".join(map(str, decision.ranking[0].verdict.problems))


def test_the_artifacts_of_an_index_are_wanted_first_and_once() -> None:
    manifest = artifact(FITS, subject=digest("a"))
    selection = Selection(index(entry("a"), listed(manifest)), NODE, Policy())
    assert supply_all(selection, with_blobs(manifest)) == [digest(manifest), digest(FITS)]


def test_more_artifacts_than_may_be_fetched_leave_all_entries_unknown() -> None:
    manifests = [artifact(FITS, subject=digest(str(number))) for number in range(MAX_FETCHES // 2 + 1)]
    found = index(entry("a"), *(listed(one) for one in manifests), entry("b"))
    assert truths(decide(found, NODE, blobs=with_blobs(*manifests)))[:: len(manifests) + 1] == ["unknown", "unknown"]


PROFILES = [
    pytest.param((FITS, MISFITS), Truth.YES, ("new", "old"), "new", id="the first holds"),
    pytest.param((MISFITS, FITS), Truth.YES, ("new", "old"), "old", id="the second holds"),
    pytest.param((MISFITS, MISFITS), Truth.NO, ("new",), "new", id="none holds"),
    pytest.param((FITS, b"[7]"), Truth.YES, (), None, id="one cannot be read"),
    pytest.param((MISFITS, b"[7]"), Truth.UNKNOWN, (), None, id="the other cannot be read"),
    pytest.param((b"[7]", b"[8]"), Truth.UNKNOWN, (), None, id="none can be read"),
    pytest.param((MISFITS, b"[]"), Truth.YES, (), None, id="one asks for nothing"),
]


@pytest.mark.parametrize(("documents", "expected", "names", "tag"), PROFILES)
def test_of_several_profiles_one_that_holds_is_enough(
    documents: tuple[bytes, ...], expected: Truth, names: tuple[str, ...], tag: str | None
) -> None:
    manifest = artifact(*documents, subject=digest("a"), names=names)
    blobs = with_blobs(manifest) | {digest(one): one for one in documents}
    verdict = decide(index(entry("a"), listed(manifest)), NODE, blobs=blobs).ranking[0].verdict
    assert verdict.truth is expected
    (document,) = verdict.documents
    assert tag is None or (document.deciding is not None and document.deciding.alternative.tags == (tag,))


def test_a_profile_that_did_not_come_does_not_keep_another_from_holding() -> None:
    manifest = artifact(b"[]", FITS, subject=digest("a"))
    verdict = decide(index(entry("a"), listed(manifest)), NODE, blobs=with_blobs(manifest)).ranking[0].verdict
    assert verdict.truth is Truth.YES
    assert "not there" in str(next(verdict.problems))


def referrers(*manifests: bytes, **changed: Any) -> bytes:
    return index_bytes(*(listed(one, **changed) for one in manifests))


def test_referrers_are_asked_for_only_where_the_operator_trusts_them() -> None:
    found = index(entry("a"))
    assert Selection(found, NODE, Policy()).wanted() == ()
    wanted = Selection(found, NODE, TRUSTING).wanted()
    assert [(one.kind, one.digest) for one in wanted] == [("referrers", found.digest), ("referrers", digest("a"))]


@pytest.mark.parametrize("subject", ["entry", "index"])
def test_a_referrer_of_an_entry_or_of_the_index_speaks_for_it(subject: str) -> None:
    found = index(entry("a"))
    of_what = digest("a") if subject == "entry" else found.digest
    manifest = artifact(MISFITS, subject=of_what)
    blobs = with_blobs(manifest) | {found.digest: index_bytes(), digest("a"): index_bytes()}
    assert truths(decide(found, NODE, TRUSTING, blobs)) == ["yes"]
    assert truths(decide(found, NODE, TRUSTING, blobs | {of_what: referrers(manifest)})) == ["no"]


def test_a_referrer_that_refers_to_something_else_is_a_problem_and_says_nothing() -> None:
    found = index(entry("a"))
    for manifest in (artifact(MISFITS, subject=digest("b")), artifact(MISFITS)):
        blobs = with_blobs(manifest) | {found.digest: index_bytes(), digest("a"): referrers(manifest)}
        verdict = decide(found, NODE, TRUSTING, blobs).ranking[0].verdict
        assert verdict.truth is Truth.YES
        assert "does not refer to" in str(next(verdict.problems))


_CREATED = "org.opencontainers.image.created"
NEWEST = [
    pytest.param({_CREATED: "2024-01-01T00:00:00Z"}, {_CREATED: "2025-01-01T00:00:00Z"}, "no", id="later"),
    pytest.param({_CREATED: "2025-01-01T00:00:00Z"}, {_CREATED: "2024-01-01T00:00:00Z"}, "yes", id="earlier"),
    pytest.param({}, {_CREATED: "2024-01-01T00:00:00Z"}, "no", id="no timestamp is oldest"),
    pytest.param({_CREATED: "yesterday"}, {f"oci.{_CREATED.removeprefix('org.')}": "2024-01-01"}, "no", id="spellings"),
    pytest.param({}, {}, "yes", id="the first of two without"),
    pytest.param(
        {_CREATED: "2024-01-01T01:00:00+02:00"}, {_CREATED: "2024-01-01T00:00:00Z"}, "no", id="zones are compared"
    ),
]


@pytest.mark.parametrize(("first", "second", "expected"), NEWEST)
def test_the_newest_referrer_of_a_type_counts(first: Json, second: Json, expected: str) -> None:
    found = index(entry("a"))
    manifests = [artifact(FITS, subject=digest("a")), artifact(MISFITS, subject=digest("a"))]
    listing = [listed(one, annotations=notes) for one, notes in zip(manifests, (first, second), strict=True)]
    blobs = with_blobs(*manifests) | {found.digest: index_bytes(), digest("a"): index_bytes(*listing)}
    assert truths(decide(found, NODE, TRUSTING, blobs)) == [expected]


def test_both_names_of_nfds_artifact_type_are_one_and_other_types_are_another() -> None:
    found = index(entry("a"))
    old, new = artifact(MISFITS, subject=digest("a")), artifact(FITS, subject=digest("a"))
    dated = {"annotations": {_CREATED: "2025-01-01T00:00:00Z"}}
    nfd = [listed(old, "application/vnd.k8s.nfd.image-compatibility.v1"), listed(new, NFD, **dated)]
    for listing, expected in ((nfd, "yes"), ([listed(old, OCI), listed(new, NFD)], "no")):
        blobs = with_blobs(old, new) | {found.digest: index_bytes(), digest("a"): index_bytes(*listing)}
        assert truths(decide(found, NODE, TRUSTING, blobs)) == [expected]


def test_referrers_of_other_types_say_nothing() -> None:
    found = index(entry("a"))
    listing = index_bytes(listed(artifact(MISFITS, subject=digest("a")), "application/vnd.example.sbom"))
    assert truths(decide(found, NODE, TRUSTING, {found.digest: index_bytes(), digest("a"): listing})) == ["yes"]


def test_what_is_no_list_of_referrers_is_a_problem_and_says_nothing() -> None:
    found = index(entry("a"))
    blobs: dict[str, bytes | Problem] = {found.digest: b"7", digest("a"): index_bytes()}
    decision = decide(found, NODE, TRUSTING, blobs)
    assert truths(decision) == ["yes"]
    assert "referrers of" in str(next(decision.ranking[0].verdict.problems))


def test_a_profile_that_did_not_come_might_have_held() -> None:
    manifest = artifact(MISFITS, FITS, subject=digest("a"))
    blobs = with_blobs(manifest)
    found = index(entry("a"), listed(manifest))
    assert decide(found, NODE, blobs=blobs).ranking[0].verdict.truth is Truth.YES
    del blobs[digest(FITS)]
    assert decide(found, NODE, blobs=blobs).ranking[0].verdict.truth is Truth.UNKNOWN


def test_a_layer_that_is_no_metadata_is_passed_over() -> None:
    manifest = json.loads(artifact(MISFITS, subject=digest("a")))
    manifest["layers"].append(descriptor(b"# readme", "text/markdown"))
    content = to_bytes(manifest)
    decision = decide(index(entry("a"), listed(content)), NODE, blobs=with_blobs(content))
    assert decision.ranking[0].verdict.truth is Truth.NO


def test_metadata_that_only_states_something_is_a_problem() -> None:
    forgotten = to_bytes({"kernel.version": ">=99"})
    manifest = artifact(forgotten, subject=digest("a"))
    decision = decide(
        index(entry("a"), listed(manifest)), NODE, blobs={**with_blobs(manifest), digest(forgotten): forgotten}
    )
    assert decision.ranking[0].verdict.truth is Truth.UNKNOWN
    assert "asks for nothing" in str(next(decision.ranking[0].verdict.problems))


LAYERS = [
    pytest.param("application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml", Truth.NO, id="NFD"),
    pytest.param("application/vnd.k8s.nfd.image-compatibility.spec.v1+yaml", Truth.NO, id="NFD, before"),
    pytest.param("application/vnd.oci.image-compatibility.nfd.v1alpha1+json", Truth.NO, id="G"),
    pytest.param("application/vnd.oci.image.layer.v1.tar", Truth.UNKNOWN, id="no metadata"),
]


@pytest.mark.parametrize(("layer", "expected"), LAYERS)
def test_the_media_type_of_a_layer_says_that_it_is_metadata(layer: str, expected: Truth) -> None:
    manifest = artifact(MISFITS, subject=digest("a"), layer=layer)
    decision = decide(index(entry("a"), listed(manifest)), NODE, blobs=with_blobs(manifest))
    assert decision.ranking[0].verdict.truth is expected


def test_an_artifact_of_too_many_layers_is_a_problem() -> None:
    manifest = artifact(*[FITS] * 65, subject=digest("a"))
    verdict = decide(index(entry("a"), listed(manifest)), NODE, blobs=with_blobs(manifest)).ranking[0].verdict
    assert "65 layers" in str(next(verdict.problems))
