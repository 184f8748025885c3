"""Metadata that only refers to an image: when it is wanted, what of it counts, and how it is marked."""

from typing import Any

import pytest
from msgspec.structs import replace

from builders import (
    DOCUMENT_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Json,
    asks,
    decide,
    descriptor,
    digest,
    entry,
    index,
    index_bytes,
    node,
    prefers,
    supply_all,
    to_bytes,
)
from imagefit.formats.contract import Locator
from imagefit.model.decision import Decision, Verdict
from imagefit.model.oci import ImageIndex
from imagefit.model.policy import Policy, Trait, Unknown
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.explain import as_data, refusal
from imagefit.selection.gathering import MAX_FETCHES
from imagefit.selection.session import MAX_OUTSIDE_CHECKS, Selection

TYPES = {
    "oci": "application/vnd.oci.image-compatibility.v1",
    "nfd": "application/vnd.nfd.image-compatibility.v1alpha1",
    "compspec": "application/org.compspec",
}
LAYER = "application/vnd.oci.image-compatibility.spec.v1+json"
NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
FITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=6", "tags": "fits"}]})
FITS_BETTER = to_bytes({"compatibilities": [{"oci.kernel.version": ">=6", "compatibility-score": 9}]})
MISFITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=7"}]})
UNSURE = to_bytes({"compatibilities": [{"oci.os.glibc": ">=2"}]})
BROKEN = b"[7]"
TRUSTING = Policy(trust_referrers=True)

Blobs = dict[str, bytes | Problem]


class Outside:
    """What refers to something; ``blobs`` serves lists, manifests and documents."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Json]] = {}
        self.content: Blobs = {}

    def attach(self, subject: str, *documents: bytes, family: str = "oci", **changed: Any) -> str:
        """Attach an artifact to a digest; returns the artifact's own digest."""
        manifest = to_bytes(
            {
                "schemaVersion": 2,
                "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
                "layers": [descriptor(document, LAYER) for document in documents],
                "subject": {"digest": subject, "size": 7},
                "artifactType": TYPES[family],
            }
        )
        self.content |= {digest(document): document for document in documents} | {digest(manifest): manifest}
        listed = descriptor(manifest, MANIFEST_MEDIA_TYPE, artifactType=TYPES[family]) | changed
        self.lists.setdefault(subject, []).append(listed)
        return digest(manifest)

    def blobs(self, found: ImageIndex) -> Blobs:
        subjects = (found.digest, *(one.digest for one in found.entries))
        return {subject: index_bytes(*self.lists.get(subject, ())) for subject in subjects} | self.content


def verdicts(decision: Decision) -> list[Verdict]:
    return [ranked.verdict for ranked in sorted(decision.ranking, key=lambda ranked: ranked.position)]


def judged(policy: Policy = TRUSTING, **artifacts: bytes) -> Verdict:
    """Return the verdict on one entry to which artifacts of some families are attached."""
    outside, found = Outside(), index(entry("a"))
    for family, document in artifacts.items():
        outside.attach(digest("a"), document, family=family)
    return verdicts(decide(found, NODE, policy, outside.blobs(found)))[0]


def document(content: bytes) -> Json:
    return descriptor(content, DOCUMENT_MEDIA_TYPE)


# --- when it is wanted


def kinds(selection: Selection, blobs: Blobs) -> list[list[tuple[str, str]]]:
    """Return kinds and digests of what is wanted, round by round."""
    rounds: list[list[tuple[str, str]]] = []
    while wanted := selection.wanted():
        rounds.append([(one.kind, one.digest) for one in wanted])
        for locator in wanted:
            selection.supply(locator, blobs.get(locator.digest, Problem("not there")))
    return rounds


def test_referrers_come_after_all_that_the_index_vouches_for_and_only_for_what_may_still_be_chosen() -> None:
    found = index(
        entry("fits", compat=document(FITS)),
        entry("misfits", compat=document(MISFITS)),
        entry("foreign", "linux/s390x"),
        entry("plain"),
    )
    outside = Outside()
    artifact = outside.attach(digest("plain"), FITS)
    blobs = outside.blobs(found) | {digest(FITS): FITS, digest(MISFITS): MISFITS}
    of_some = [("referrers", found.digest), ("referrers", digest("fits")), ("referrers", digest("plain"))]
    expected = [
        [("document", digest(FITS)), ("document", digest(MISFITS))],
        of_some,
        [("manifest", artifact)],
        [("document", digest(FITS))],
    ]
    for complete in (False, True):
        assert kinds(Selection(found, NODE, TRUSTING, complete=complete), blobs) == expected
    assert kinds(Selection(found, NODE, Policy()), blobs) == expected[:1]


def test_where_nothing_may_be_chosen_no_referrer_is_wanted() -> None:
    found = index(entry("a", compat=document(MISFITS)), entry("b", "linux/s390x"))
    assert kinds(Selection(found, NODE, TRUSTING), {digest(MISFITS): MISFITS}) == [[("document", digest(MISFITS))]]


@pytest.mark.parametrize(
    ("policy", "entries"),
    [
        pytest.param(replace(TRUSTING, unknown=Unknown.REJECT), {"compat": 7}, id="what-is-not-known"),
        pytest.param(replace(TRUSTING, require=(asks(Trait.VARIANT, "v3"),)), {}, id="what-lacks-a-requirement"),
        pytest.param(
            replace(TRUSTING, forbid=(asks(Trait.TAG, "fits"),)), {"compat": [{"tags": "fits"}]}, id="forbidden"
        ),
    ],
)
def test_of_what_the_policy_bars_no_referrer_is_wanted(policy: Policy, entries: Any) -> None:
    selection = Selection(index(entry("a", **entries)), NODE, policy)
    assert selection.wanted() == ()
    assert verdicts(selection.decide())[0].aside[0].document.problems[0].message.startswith("not read: the policy")


@pytest.mark.parametrize(("signed", "position"), [(False, None), (True, 1)], ids=["anybody's", "signed"])
def test_a_requirement_is_met_by_a_referrer_only_where_it_must_be_signed(*, signed: bool, position: int | None) -> None:
    """Anybody who may push can attach a tag: it must not make a candidate of what the operator has not let in."""
    policy = replace(TRUSTING, require=(asks(Trait.TAG, "fits"),), require_signature=signed)
    outside, found = Outside(), index(entry("a"), entry("b"))
    outside.attach(digest("b"), FITS)
    chosen = decide(found, NODE, policy, outside.blobs(found)).chosen
    assert (chosen and chosen.position) == position


PREFER = replace(TRUSTING, prefer=(prefers("gpu", "yes"),))


def test_what_is_less_preferred_than_one_that_fits_is_not_looked_at() -> None:
    found, outside = index(entry("a"), entry("b", annotations={"gpu": "yes"})), Outside()
    outside.attach(digest("a"), MISFITS)
    selection = Selection(found, NODE, PREFER)
    # All lists at once; after that the preferred one is sure.
    assert [len(one) for one in kinds(selection, outside.blobs(found))] == [3]
    first, second = verdicts(selection.decide())
    assert (first.truth, second.truth) == (Truth.YES, Truth.YES)
    assert "a preferred entry fits already" in str(next(first.problems))
    # With a referrer of its own the preferred one is not sure before that is read.
    outside.attach(digest("b"), FITS)
    assert [len(one) for one in kinds(Selection(found, NODE, PREFER), outside.blobs(found))] == [3, 2, 2]


def test_the_metadata_in_the_index_is_there_when_a_referrer_takes_the_preferred_entry_away() -> None:
    found = index(entry("a", compat=document(MISFITS)), entry("b", annotations={"gpu": "yes"}))
    outside = Outside()
    outside.attach(digest("b"), MISFITS)
    blobs = outside.blobs(found) | {digest(MISFITS): MISFITS}
    assert [one.truth for one in verdicts(decide(found, NODE, PREFER, blobs))] == [Truth.NO, Truth.NO]
    # Without referrers the preferred one cannot be taken away, and nothing is asked.
    assert Selection(found, NODE, replace(PREFER, trust_referrers=False)).wanted() == ()


# --- what of it counts


COUNTS = [
    pytest.param(FITS, Truth.YES, id="one-that-holds"),
    pytest.param(MISFITS, Truth.NO, id="one-that-does-not"),
    pytest.param(UNSURE, Truth.UNKNOWN, id="one-of-which-it-is-not-known"),
    pytest.param(BROKEN, Truth.YES, id="one-that-cannot-be-read"),
    pytest.param(b"[]", Truth.YES, id="one-that-asks-for-nothing"),
    pytest.param(b'{"compatibilities": [{"a": null}]}', Truth.YES, id="only-broken-sets"),
    pytest.param(b'{"compatibilities": [{"a": null}, {"oci.kernel.version": ">=7"}]}', Truth.NO, id="a-broken-set"),
]


@pytest.mark.parametrize(("content", "expected"), COUNTS)
def test_what_can_be_read_counts(content: bytes, expected: Truth) -> None:
    verdict = judged(oci=content)
    assert verdict.truth is expected
    assert len(verdict.documents) + len(verdict.aside) == 1
    assert bool(verdict.aside) == (content == BROKEN or (b"null" in content and expected is Truth.YES))


NOT_THERE = ["list", "manifest", "document"]


@pytest.mark.parametrize("missing", NOT_THERE)
@pytest.mark.parametrize("subject", ["a", "index"])
def test_what_did_not_come_is_a_problem_and_changes_nothing(missing: str, subject: str) -> None:
    """Who can keep an answer back must not take images away."""
    found, outside = index(entry("a")), Outside()
    of_what = digest("a") if subject == "a" else found.digest
    artifact = outside.attach(of_what, MISFITS)
    blobs = outside.blobs(found)
    del blobs[{"list": of_what, "manifest": artifact, "document": digest(MISFITS)}[missing]]
    decision = decide(found, NODE, replace(TRUSTING, unknown=Unknown.REJECT), blobs)
    verdict = verdicts(decision)[0]
    assert decision.chosen is not None
    assert verdict.documents == ()
    assert [str(problem) for problem in verdict.problems] == ["not there"] or "not there" in str([*verdict.problems])


PROFILES = [
    pytest.param((MISFITS, FITS), (), Truth.YES, id="one-holds"),
    pytest.param((MISFITS, MISFITS + b" "), (), Truth.NO, id="none-holds"),
    pytest.param((MISFITS, FITS), (FITS,), Truth.YES, id="the-one-that-might-hold-did-not-come"),
    pytest.param((FITS, MISFITS), (MISFITS,), Truth.YES, id="the-other-did-not-come"),
]


@pytest.mark.parametrize(("documents", "missing", "expected"), PROFILES)
def test_of_several_profiles_those_that_came_count_if_they_decide(
    documents: tuple[bytes, ...], missing: tuple[bytes, ...], expected: Truth
) -> None:
    found, outside = index(entry("a")), Outside()
    outside.attach(digest("a"), *documents)
    blobs = {key: value for key, value in outside.blobs(found).items() if value not in missing}
    assert verdicts(decide(found, NODE, TRUSTING, blobs))[0].truth is expected


def test_what_refers_to_the_index_and_what_refers_to_the_entry_must_both_hold() -> None:
    for of_index, of_entry, expected in ((FITS, MISFITS, Truth.NO), (MISFITS, FITS, Truth.NO), (FITS, FITS, Truth.YES)):
        found, outside = index(entry("a")), Outside()
        outside.attach(found.digest, of_index)
        outside.attach(digest("a"), of_entry)
        assert verdicts(decide(found, NODE, TRUSTING, outside.blobs(found)))[0].truth is expected


def test_the_score_of_a_referrer_ranks() -> None:
    found, outside = index(entry("a"), entry("b")), Outside()
    outside.attach(digest("b"), FITS_BETTER)
    chosen = decide(found, NODE, TRUSTING, outside.blobs(found)).chosen
    assert chosen is not None
    assert chosen.position == 1


DIALECTS: list[Any] = [
    pytest.param((), {"oci": FITS, "nfd": FITS}, Truth.YES, 2, id="all-hold"),
    pytest.param((), {"oci": FITS, "nfd": MISFITS}, Truth.NO, 2, id="without-an-order-all-must-hold"),
    pytest.param(("nfd", "oci"), {"oci": FITS, "nfd": MISFITS}, Truth.NO, 1, id="the-first-decides"),
    pytest.param(("oci", "nfd"), {"oci": FITS, "nfd": MISFITS}, Truth.YES, 1, id="the-other-way-round"),
    pytest.param(("oci", "nfd"), {"nfd": MISFITS}, Truth.NO, 1, id="the-first-that-is-there"),
    pytest.param(("oci", "nfd"), {"oci": BROKEN, "nfd": MISFITS}, Truth.NO, 1, id="the-first-that-can-be-read"),
    pytest.param(("oci", "nfd"), {"oci": UNSURE, "nfd": FITS}, Truth.UNKNOWN, 1, id="not-known-is-an-answer"),
    pytest.param(("oci",), {"nfd": MISFITS}, Truth.YES, 0, id="one-that-is-not-named-is-not-looked-for"),
    pytest.param(("oci", "nfd"), {"oci": BROKEN}, Truth.YES, 0, id="none-can-be-read"),
]


@pytest.mark.parametrize(("order", "artifacts", "expected", "counting"), DIALECTS)
def test_the_operators_order_of_dialects_decides(
    order: tuple[str, ...], artifacts: dict[str, bytes], expected: Truth, counting: int
) -> None:
    verdict = judged(replace(TRUSTING, dialects=order), **artifacts)
    assert verdict.truth is expected
    assert len(verdict.documents) == counting
    looked_for = [family for family in artifacts if not order or family in order]
    assert len(verdict.documents) + len(verdict.aside) == len(looked_for)


def test_what_does_not_decide_is_judged_and_shown() -> None:
    verdict = judged(replace(TRUSTING, dialects=("oci", "nfd")), oci=FITS, nfd=MISFITS)
    (aside,) = verdict.aside
    assert aside.truth is Truth.NO
    assert aside.document.origin is not None
    assert aside.document.origin.family == "nfd"


def test_an_artifact_of_a_dialect_that_is_not_looked_for_is_not_fetched() -> None:
    found, outside = index(entry("a")), Outside()
    outside.attach(digest("a"), MISFITS, family="compspec")
    rounds = kinds(Selection(found, NODE, replace(TRUSTING, dialects=("oci",))), outside.blobs(found))
    assert rounds == [[("referrers", found.digest), ("referrers", digest("a"))]]


def test_metadata_embedded_in_a_list_is_from_outside_too() -> None:
    found, outside = index(entry("a")), Outside()
    manifest = outside.attach(digest("a"), MISFITS)
    listed = outside.lists[digest("a")][0]
    listed |= descriptor(outside.content[manifest], MANIFEST_MEDIA_TYPE, embed=True)  # type: ignore[arg-type]
    verdict = verdicts(decide(found, NODE, TRUSTING, outside.blobs(found)))[0]
    assert verdict.truth is Truth.NO
    assert verdict.documents[0].document.origin is not None


# --- it takes nothing from what the index says


def test_the_same_artifact_in_the_index_and_outside_is_read_for_what_it_is_at_each_place() -> None:
    """An artifact of another entry stays one, though a list claims it for this one."""
    outside = Outside()
    artifact = outside.attach(digest("a"), MISFITS)
    in_index = outside.lists[digest("a")][0]
    outside.lists = {digest("b"): [in_index]}
    found = index(entry("a"), entry("b"), in_index)
    first, second, _ = verdicts(decide(found, NODE, TRUSTING, outside.blobs(found)))
    assert (first.truth, second.truth) == (Truth.NO, Truth.YES)
    assert f"the artifact {artifact} does not refer to" in str(next(second.problems))


def many_sets(count: int, name: str) -> bytes:
    return to_bytes({"compatibilities": [{f"label-{name}-{number}": "1" for number in range(count)}]})


def test_referrers_have_a_limit_of_checks_of_their_own() -> None:
    found, outside = index(*(entry(name) for name in "abc")), Outside()
    for name in "abc":
        outside.attach(digest(name), many_sets(MAX_OUTSIDE_CHECKS // 2, name))
    first, second, third = verdicts(decide(found, NODE, TRUSTING, outside.blobs(found)))
    assert (first.truth, second.truth, third.truth) == (Truth.UNKNOWN, Truth.UNKNOWN, Truth.YES)
    assert f"more than {MAX_OUTSIDE_CHECKS} checks" in str([*third.problems])


def test_referrers_have_a_limit_of_fetches_of_their_own() -> None:
    count = MAX_FETCHES + 3
    contents = [to_bytes([{"number": str(number)}]) for number in range(count)]
    found = index(*(entry(str(n), compat=document(content)) for n, content in enumerate(contents)))
    blobs: Blobs = {digest(content): content for content in contents}
    blobs |= {found.digest: index_bytes(), **{one.digest: index_bytes() for one in found.entries}}
    fetched = supply_all(Selection(found, NODE, TRUSTING), blobs)
    assert len([one for one in fetched if one in {digest(content) for content in contents}]) == MAX_FETCHES
    assert len(fetched) == 2 * MAX_FETCHES


@pytest.mark.parametrize("late_from", ["before-it-is-read", "before-it-is-judged"])
def test_what_comes_too_late_is_a_problem_and_changes_nothing(late_from: str) -> None:
    found, outside = index(entry("a")), Outside()
    outside.attach(digest("a"), MISFITS)
    looks: list[None] = []

    def is_late() -> bool:
        looks.append(None)
        return late_from == "before-it-is-read" or len(looks) > 1

    selection = Selection(found, NODE, TRUSTING, is_late=is_late)
    supply_all(selection, outside.blobs(found))
    verdict = verdicts(selection.decide())[0]
    assert verdict.truth is Truth.YES
    assert "no time is left" in str([*verdict.problems])


def test_time_that_is_over_for_referrers_is_not_over_for_the_index() -> None:
    found = index(entry("a", compat=document(MISFITS)))
    selection = Selection(found, NODE, TRUSTING, is_late=lambda: True)
    supply_all(selection, {digest(MISFITS): MISFITS})
    assert verdicts(selection.decide())[0].truth is Truth.NO


# --- how it is marked


def test_that_a_referrer_decides_is_said() -> None:
    found, outside = index(entry("a")), Outside()
    artifact = outside.attach(digest("a"), MISFITS)
    decision = decide(found, NODE, TRUSTING, outside.blobs(found))
    marked = "oci.kernel.version >=7: kernel.version full is 6.1.0 (from a referrer, not vouched for by the index)"
    assert marked in refusal(decision, "app:1")
    (data,) = as_data(decision)["entries"]
    assert data["reason"] == marked
    (shown,) = data["documents"]
    assert shown["referrer"] == {"digest": artifact, "subject": digest("a")}
    assert shown["counts"] is True


def test_what_the_index_says_is_not_marked() -> None:
    (data,) = as_data(decide(index(entry("a", compat=[{"oci.kernel.version": ">=7"}])), NODE))["entries"]
    assert "referrer" not in data["reason"]
    assert [(one["referrer"], one["counts"]) for one in data["documents"]] == [(None, True)]


def test_what_does_not_count_is_shown_as_such() -> None:
    found, outside = index(entry("a")), Outside()
    outside.attach(digest("a"), FITS, family="oci")
    outside.attach(digest("a"), MISFITS, family="nfd")
    decision = decide(found, NODE, replace(TRUSTING, dialects=("oci", "nfd")), outside.blobs(found))
    (data,) = as_data(decision)["entries"]
    assert [(one["verdict"], one["counts"]) for one in data["documents"]] == [("yes", True), ("no", False)]
    assert data["verdict"] == "yes"


def test_notes_are_data_too() -> None:
    decision = replace(decide(index(entry("a")), NODE), notes=("nobody signed it\n" + "x" * 500,))
    (note,) = as_data(decision)["notes"]
    assert note.startswith("nobody signed it?")
    assert len(note) == 300


def test_a_locator_tells_whether_the_index_vouches_for_what_it_leads_to() -> None:
    found, outside = index(entry("a", compat=document(FITS))), Outside()
    outside.attach(digest("a"), FITS_BETTER)
    selection, seen = Selection(found, NODE, TRUSTING), list[Locator]()
    blobs = outside.blobs(found) | {digest(FITS): FITS}
    while wanted := selection.wanted():
        seen += wanted
        for locator in wanted:
            selection.supply(locator, blobs[locator.digest])
    assert [(one.kind, one.is_outside) for one in seen] == [
        ("document", False),
        ("referrers", True),
        ("referrers", True),
        ("manifest", True),
        ("document", True),
    ]
