"""Metadata that only refers to an image can make an entry worse, and never better than the index has it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from builders import (
    DOCUMENT_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Json,
    asks,
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
from imagefit.model.oci import ImageIndex
from imagefit.model.policy import Policy, Preference, Trait, Unknown
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.session import Selection

settings.register_profile("core", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("core")

_NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
_TYPES = {
    "oci": "application/vnd.oci.image-compatibility.v1",
    "nfd": "application/vnd.nfd.image-compatibility.v1alpha1",
    "compspec": "application/org.compspec",
}
_LAYER = "application/vnd.oci.image-compatibility.spec.v1+json"
_ORDER = (Truth.NO, Truth.UNKNOWN, Truth.YES)
_SETS = st.fixed_dictionaries(
    {"oci.kernel.version": st.sampled_from([">=5", ">=6", ">=7"])},
    optional={
        "tags": st.sampled_from(["mpi", "gpu"]),
        "compatibility-score": st.integers(-1, 2),
        "oci.os.glibc": st.just(">=2"),
    },
)
_SMALL = st.lists(_SETS, max_size=2).map(lambda sets: to_bytes({"compatibilities": sets})) | st.sampled_from(
    [b"7", b"", b'{"a": null}']
)
_DOCUMENTS = _SMALL | st.just(to_bytes({"compatibilities": [{"label": "x"}] * 6000}))


@st.composite
def _entries(draw: st.DrawFn) -> tuple[list[Json], dict[str, bytes | Problem]]:
    """Return entries, some with metadata that the index vouches for; and the blobs."""
    entries: list[Json] = []
    blobs: dict[str, bytes | Problem] = {}
    for number in range(draw(st.integers(1, 3))):
        keys: Json = {}
        sets = to_bytes({"compatibilities": draw(st.lists(_SETS, min_size=1, max_size=2))})
        if draw(st.booleans()):
            keys["compat"] = descriptor(sets, DOCUMENT_MEDIA_TYPE)
            blobs[digest(sets)] = sets
        platform = draw(st.sampled_from(["linux/amd64", "linux/amd64/v2", "linux/arm64"]))
        entries.append(entry(str(number), platform, draw(st.sampled_from([None, {"a": "1"}])), **keys))
    return entries, blobs


@st.composite
def _outside(
    draw: st.DrawFn, found: ImageIndex, documents: st.SearchStrategy[bytes] = _DOCUMENTS
) -> dict[str, bytes | Problem]:
    """Return what anybody may say who is not the index's author: lists, artifacts, documents, some of it nonsense."""
    blobs: dict[str, bytes | Problem] = {}
    for subject in (found.digest, *(one.digest for one in found.entries)):
        listed: list[Json] = []
        for _ in range(draw(st.integers(0, 2))):
            layers = draw(st.lists(documents, max_size=2))
            claimed = draw(st.sampled_from([subject, subject, subject, found.digest, digest("elsewhere")]))
            family = draw(st.sampled_from([*_TYPES]))
            manifest = to_bytes(
                {
                    "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
                    "layers": [descriptor(layer, _LAYER) for layer in layers],
                    "subject": {"digest": claimed, "size": 7},
                }
            )
            listed.append(
                descriptor(manifest, MANIFEST_MEDIA_TYPE, embed=draw(st.booleans()), artifactType=_TYPES[family])
            )
            for content in (manifest, *layers):
                blobs[digest(content)] = content if draw(st.integers(0, 5)) else Problem("held back")
        answers: list[Any] = [index_bytes(*listed)] * 4 + [b"7", Problem("held back")]
        blobs[subject] = draw(st.sampled_from(answers))
    return blobs


def _decided(
    found: ImageIndex, policy: Policy, blobs: dict[str, bytes | Problem], *, complete: bool, late: bool = False
) -> Decision:
    selection = Selection(found, _NODE, policy, complete=complete, is_late=lambda: late)
    supply_all(selection, blobs)
    return selection.decide()


def _truths(decision: Decision) -> list[Truth]:
    return [ranked.verdict.truth for ranked in sorted(decision.ranking, key=lambda ranked: ranked.position)]


_POLICIES = st.builds(
    Policy,
    unknown=st.sampled_from(Unknown),
    prefer=st.sampled_from(
        [(), (Preference(asks(Trait.ANNOTATION, "a")),), (Preference(asks(Trait.TAG, "gpu"), 2),)],
    ),
    trust_referrers=st.just(True),
    dialects=st.sampled_from([(), ("nfd", "oci"), ("oci",), ("compspec", "oci", "nfd")]),
)


@settings(max_examples=150)
@given(data=st.data(), policy=_POLICIES, complete=st.booleans(), late=st.booleans())
def test_what_refers_to_an_image_never_saves_an_entry_that_the_index_excludes(
    *, data: st.DataObject, policy: Policy, complete: bool, late: bool
) -> None:
    entries, blobs = data.draw(_entries())
    found = index(*entries)
    without = _decided(found, replace(policy, trust_referrers=False), blobs, complete=True)
    # The index's own blobs come as they are; whoever is outside cannot change what a digest stands for.
    answers = data.draw(_outside(found)) | blobs
    trusting = _decided(found, policy, answers, complete=complete, late=late)
    excluded = {one.position for one in without.ranking if one.verdict.truth is Truth.NO}
    assert not excluded & {one.position for one in trusting.ranking if one.is_candidate}
    assert all(
        _ORDER.index(after) <= _ORDER.index(before)
        for before, after in zip(_truths(without), _truths(trusting), strict=True)
    )


@given(st.data(), _POLICIES)
def test_what_does_not_come_from_outside_leaves_the_decision_as_the_index_has_it(
    data: st.DataObject, policy: Policy
) -> None:
    entries, blobs = data.draw(_entries())
    found = index(*entries)
    without = _decided(found, replace(policy, trust_referrers=False), blobs, complete=True)
    silent = _decided(found, policy, blobs, complete=True)
    assert _truths(silent) == _truths(without)
    assert [one.position for one in silent.ranking] == [one.position for one in without.ranking]


@given(st.data(), _POLICIES)
def test_referrers_that_are_not_fetched_could_not_have_changed_the_choice(data: st.DataObject, policy: Policy) -> None:
    entries, blobs = data.draw(_entries())
    found = index(*entries)
    answers = data.draw(_outside(found, _SMALL)) | blobs
    chosen = [_decided(found, policy, answers, complete=complete).chosen for complete in (True, False)]
    assert [one and one.position for one in chosen] == [chosen[0] and chosen[0].position] * 2
