"""One decision: what is wanted, what is never wanted, and what becomes of what did not come."""

from typing import Any

import pytest

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
    manifest_of,
    node,
    prefers,
    supply_all,
    to_bytes,
    without_platform,
)
from imagefit.model.decision import Decision
from imagefit.model.oci import ImageIndex
from imagefit.model.policy import Criterion, Policy, Preference, Trait, Unknown
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.gathering import MAX_FETCHES
from imagefit.selection.session import Selection

_NODE = node(attributes={"kernel.version": {"full": "6.1.0-18-amd64"}})
_FITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=6"}]})
_FITS_TOO = to_bytes({"compatibilities": [{"oci.kernel.version": ">=5", "compatibility-score": 5}]})
_FAILS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=7"}]})
_PREFER = Policy(prefer=(prefers("gpu", "yes"),))


def _document(content: bytes) -> Json:
    return descriptor(content, DOCUMENT_MEDIA_TYPE)


def _blobs(*contents: bytes) -> dict[str, bytes]:
    return {digest(content): content for content in contents}


def _chosen(decision: Decision) -> int | None:
    return None if decision.chosen is None else decision.chosen.position


def _truths(decision: Decision) -> list[Truth]:
    return [ranked.verdict.truth for ranked in sorted(decision.ranking, key=lambda ranked: ranked.position)]


def _wanted(selection: Selection) -> list[str]:
    return [locator.digest for locator in selection.wanted()]


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        pytest.param(["linux/amd64"], 0, id="one"),
        pytest.param(["linux/arm64", "linux/amd64"], 1, id="the architecture"),
        pytest.param(["linux/amd64", "linux/amd64/v3"], 1, id="the higher variant"),
        pytest.param(["linux/amd64/v4", "linux/amd64/v2", "linux/amd64"], 1, id="the highest that runs"),
        pytest.param(["windows/amd64", "linux/amd64"], 1, id="the system"),
        pytest.param(["linux/amd64", "unknown/unknown"], 0, id="an attestation"),
        pytest.param(["linux/arm64", "unknown/unknown"], None, id="none fits"),
        pytest.param([], None, id="no entries"),
    ],
)
def test_an_index_without_metadata_needs_no_fetch(platforms: list[str], chosen: int | None) -> None:
    selection = Selection(index(*(entry(str(n), one) for n, one in enumerate(platforms))), _NODE, Policy())
    assert selection.wanted() == ()
    assert _chosen(selection.decide()) == chosen


def test_an_inline_set_is_judged_without_a_fetch() -> None:
    found = index(
        entry("a", compatibilities=[{"oci.kernel.version": ">=7"}]),
        entry("b", compat=[{"oci.kernel.version": ">=6"}]),
    )
    decision = decide(found, _NODE)
    assert _truths(decision) == [Truth.NO, Truth.YES]
    assert _chosen(decision) == 1


def test_an_entry_must_satisfy_both_keys() -> None:
    fits, fails = [{"oci.kernel.version": ">=6"}], [{"oci.kernel.version": ">=7"}]
    assert _truths(decide(index(entry("a", compatibilities=fits, compat=fails)), _NODE)) == [Truth.NO]
    assert _truths(decide(index(entry("a", compatibilities=fits, compat=fits)), _NODE)) == [Truth.YES]


def test_each_distinct_piece_is_wanted_once() -> None:
    found = index(*(entry(str(number), compat=_document(_FITS)) for number in range(20)))
    selection = Selection(found, _NODE, Policy())
    assert supply_all(selection, _blobs(_FITS)) == [digest(_FITS)]
    assert _truths(selection.decide()) == [Truth.YES] * 20


def test_what_is_wanted_is_wanted_until_it_is_supplied() -> None:
    selection = Selection(index(entry("a", compat=_document(_FITS))), _NODE, Policy())
    first = selection.wanted()
    assert selection.wanted() == first
    selection.supply(first[0], _FITS)
    assert selection.wanted() == ()


def test_a_manifest_leads_to_its_config_in_a_second_round() -> None:
    config = to_bytes({"config": {"compatibilities": [{"oci.kernel.version": ">=6"}]}})
    manifest = manifest_of(config)
    selection = Selection(index(entry("a", compat=descriptor(manifest, MANIFEST_MEDIA_TYPE))), _NODE, Policy())
    assert supply_all(selection, _blobs(manifest, config)) == [digest(manifest), digest(config)]
    assert _truths(selection.decide()) == [Truth.YES]


@pytest.mark.parametrize("platform", ["linux/arm64", "windows/amd64", "linux/amd64/v4", "unknown/unknown"])
def test_the_metadata_of_an_entry_that_the_platform_excludes_is_never_wanted(platform: str) -> None:
    found = index(entry("a", platform, compat=_document(_FITS)))
    for complete in (False, True):
        assert Selection(found, _NODE, Policy(), complete=complete).wanted() == ()


def test_the_metadata_of_an_entry_that_a_feature_excludes_is_never_wanted() -> None:
    found = index(entry("a", features=["avx2"], compat=_document(_FITS)))
    assert Selection(found, node(flags={"cpu.cpuid": []}), Policy(), complete=True).wanted() == ()
    assert Selection(found, node(flags={"cpu.cpuid": ["AVX2"]}), Policy()).wanted() != ()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(Problem("the registry is down"), Truth.UNKNOWN, id="a problem instead"),
        pytest.param(b"", Truth.UNKNOWN, id="nothing"),
        pytest.param(b'{"a": {"b": "c"}}', Truth.UNKNOWN, id="another dialect"),
        pytest.param(b'{"compatibilities": [{"a": null}]}', Truth.UNKNOWN, id="only broken sets"),
        pytest.param(b'{"compatibilities": []}', Truth.YES, id="no sets"),
        pytest.param(_FAILS, Truth.NO, id="a set that fails"),
    ],
)
def test_a_bad_piece_costs_its_own_entry_only(content: bytes | Problem, expected: Truth) -> None:
    wanted = b"whatever was promised"
    found = index(entry("a", compat=_document(wanted)), entry("b"))
    decision = decide(found, _NODE, blobs={digest(wanted): content})
    assert _truths(decision) == [expected, Truth.YES]
    assert _chosen(decision) == (0 if expected is Truth.YES else 1)


def test_why_a_piece_did_not_come_is_kept() -> None:
    decision = decide(
        index(entry("a", compat=_document(_FITS))), _NODE, blobs={digest(_FITS): Problem("gone", "compat")}
    )
    assert [*decision.ranking[0].verdict.problems] == [Problem("gone", "compat")]


def test_what_was_not_supplied_is_not_known() -> None:
    decision = Selection(index(entry("a", compat=_document(_FITS)), entry("b")), _NODE, Policy()).decide()
    assert _truths(decision) == [Truth.UNKNOWN, Truth.YES]
    assert "not fetched" in str(next(decision.ranking[1].verdict.problems))


def test_a_manifest_whose_config_did_not_come_is_not_known() -> None:
    manifest = manifest_of(b"{}")
    found = index(entry("a", compat=descriptor(manifest, MANIFEST_MEDIA_TYPE)))
    assert _truths(decide(found, _NODE, blobs=_blobs(manifest))) == [Truth.UNKNOWN]


def test_an_index_that_lists_itself_never_chooses_itself() -> None:
    own = digest("index")
    parsed = index(entry("index", compat=_document(_FITS)), entry("b"))
    selection = Selection(ImageIndex(own, parsed.entries), _NODE, Policy(), complete=True)
    assert selection.wanted() == ()
    decision = selection.decide()
    assert _truths(decision) == [Truth.NO, Truth.YES]
    assert _chosen(decision) == 1


def test_a_less_preferred_entry_is_not_wanted_once_a_preferred_one_fits() -> None:
    found = index(entry("a", compat=_document(_FITS)), entry("b", annotations={"gpu": "yes"}))
    selection = Selection(found, _NODE, _PREFER)
    assert selection.wanted() == ()
    decision = selection.decide()
    assert _chosen(decision) == 1
    assert _truths(decision) == [Truth.UNKNOWN, Truth.YES]
    assert "preferred" in next(decision.ranking[1].verdict.problems).message


def test_every_entry_is_wanted_for_a_complete_answer() -> None:
    found = index(entry("a", compat=_document(_FITS)), entry("b", annotations={"gpu": "yes"}))
    assert _wanted(Selection(found, _NODE, _PREFER, complete=True)) == [digest(_FITS)]


@pytest.mark.parametrize(
    "settled",
    [
        pytest.param(entry("b"), id="an equal preference"),
        pytest.param(entry("b", "linux/arm64", {"gpu": "yes"}), id="a preferred entry that does not fit"),
        pytest.param(without_platform("b", {"gpu": "yes"}), id="a preferred entry that is not known"),
        pytest.param(
            entry("b", annotations={"gpu": "yes"}, compat=[{"oci.os.glibc": ">=2"}]), id="metadata that is not known"
        ),
    ],
)
def test_an_entry_is_wanted_where_it_can_still_change_the_choice(settled: dict[str, Any]) -> None:
    found = index(entry("a", compat=_document(_FITS)), settled)
    assert _wanted(Selection(found, _NODE, _PREFER)) == [digest(_FITS)]


def test_a_preferred_entry_is_wanted_although_another_fits() -> None:
    found = index(entry("a"), entry("b", annotations={"gpu": "yes"}, compat=_document(_FITS)))
    assert _chosen(decide(found, _NODE, _PREFER, _blobs(_FITS))) == 1
    assert _chosen(decide(found, _NODE, _PREFER, {})) == 0


def test_once_a_preferred_entry_turns_out_to_fit_the_others_are_no_longer_wanted() -> None:
    manifest = manifest_of(_FITS)
    found = index(
        entry("a", compat=descriptor(manifest, MANIFEST_MEDIA_TYPE)),
        entry("b", annotations={"gpu": "yes"}, compat=_document(_FITS_TOO)),
    )
    selection = Selection(found, _NODE, _PREFER)
    assert supply_all(selection, _blobs(manifest, _FITS, _FITS_TOO)) == [digest(manifest), digest(_FITS_TOO)]
    assert _chosen(selection.decide()) == 1


def test_the_score_of_fetched_metadata_ranks() -> None:
    found = index(entry("a", compat=_document(_FITS)), entry("b", compat=_document(_FITS_TOO)))
    decision = decide(found, _NODE, blobs=_blobs(_FITS, _FITS_TOO))
    assert _chosen(decision) == 1
    assert decision.decided_by is Criterion.SCORE


def test_at_most_512_pieces_are_wanted() -> None:
    contents = [to_bytes([{"number": number}]) for number in range(MAX_FETCHES + 3)]
    found = index(*(entry(str(number), compat=_document(one)) for number, one in enumerate(contents)), entry("last"))
    selection = Selection(found, _NODE, Policy())
    assert len(supply_all(selection, _blobs(*contents))) == MAX_FETCHES
    decision = selection.decide()
    assert _chosen(decision) == len(contents)
    skipped = [ranked for ranked in decision.ranking if "more than 512" in " ".join(map(str, ranked.verdict.problems))]
    assert [ranked.position for ranked in skipped] == [MAX_FETCHES, MAX_FETCHES + 1, MAX_FETCHES + 2]
    assert {ranked.verdict.truth for ranked in skipped} == {Truth.UNKNOWN}


def test_configs_count_as_pieces_too() -> None:
    manifests = [manifest_of(to_bytes({"number": number})) for number in range(300)]
    found = index(*(entry(str(n), compat=descriptor(one, MANIFEST_MEDIA_TYPE)) for n, one in enumerate(manifests)))
    blobs = _blobs(*manifests) | _blobs(*(to_bytes({"number": number}) for number in range(300)))
    assert len(supply_all(Selection(found, _NODE, Policy()), blobs)) <= MAX_FETCHES


@pytest.mark.parametrize(
    ("unknown", "chosen"), [(Unknown.LAST, 0), (Unknown.REJECT, None)], ids=["as the last resort", "never"]
)
def test_the_policy_says_whether_an_entry_that_is_not_known_may_be_chosen(unknown: Unknown, chosen: int | None) -> None:
    found = index(entry("a", features=["avx2"]), entry("b", "linux/arm64"))
    decision = decide(found, _NODE, Policy(unknown=unknown))
    assert _chosen(decision) == chosen
    assert decision.decided_by is None


def test_an_entry_that_is_not_known_comes_after_every_one_that_fits() -> None:
    decision = decide(index(without_platform("a"), entry("b", features=["avx2"]), entry("c")), _NODE)
    assert _truths(decision) == [Truth.UNKNOWN, Truth.UNKNOWN, Truth.YES]
    assert (_chosen(decision), decision.decided_by) == (2, Criterion.TIER)


def test_a_decision_names_the_index_and_ranks_every_entry() -> None:
    found = index(entry("a"), entry("b", "linux/arm64"), entry("c"))
    decision = decide(found, _NODE)
    assert decision.index_digest == found.digest
    assert [ranked.position for ranked in decision.ranking] == [0, 2, 1]
    assert decision.decided_by is Criterion.POSITION


@pytest.mark.parametrize(
    ("platforms", "expected"),
    [
        pytest.param(["linux/amd64", "linux/arm64"], True, id="one for each architecture"),
        pytest.param(["linux/amd64", "linux/amd64/v4"], True, id="a variant that containerd does not take"),
        pytest.param(["linux/amd64", "linux/amd64/v3"], False, id="a better one"),
        pytest.param(["linux/amd64", "linux/amd64"], False, id="containerd might take two"),
        pytest.param(["linux/arm64"], False, id="none"),
    ],
)
def test_a_choice_is_plain_where_containerd_would_take_exactly_that_entry(
    platforms: list[str], expected: object
) -> None:
    decision = decide(index(*(entry(str(n), one) for n, one in enumerate(platforms))), _NODE)
    assert decision.is_plain is expected


_MPI = Preference(asks(Trait.TAG, "mpi"), 3)
_GPU = prefers("gpu", "yes", 2)
_SCORE_FIRST = (Criterion.TIER, Criterion.SCORE, Criterion.PREFERENCE, Criterion.CPU, Criterion.POSITION)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        pytest.param(Policy(prefer=(_GPU,)), False, id="what is pending has no preference to gain"),
        pytest.param(Policy(prefer=(_GPU, _MPI)), True, id="it may gain more than what is settled has"),
        pytest.param(Policy(prefer=(_GPU, Preference(_MPI.wish, 2))), True, id="it may gain as much"),
        pytest.param(Policy(prefer=(_GPU, Preference(_MPI.wish, 1))), False, id="it may gain less"),
        pytest.param(Policy(prefer=(_GPU, Preference(_MPI.wish, -9))), False, id="it may lose"),
        pytest.param(Policy(prefer=(Preference(_GPU.wish, -1),)), True, id="what is settled is disliked"),
        pytest.param(Policy(prefer=(_GPU,), order=_SCORE_FIRST), True, id="another criterion comes first"),
        pytest.param(
            Policy(prefer=(_GPU,), order=(Criterion.TIER, Criterion.CPU, Criterion.POSITION)),
            True,
            id="preferences do not count",
        ),
        pytest.param(Policy(prefer=(_GPU,), forbid=(_GPU.wish,)), True, id="what is settled is forbidden"),
        pytest.param(
            Policy(prefer=(_GPU,), require=(asks(Trait.TAG, "mpi"),)), True, id="what is settled lacks a requirement"
        ),
        pytest.param(Policy(require=(asks(Trait.VARIANT, "v3"),)), False, id="what is pending can never be one"),
        pytest.param(Policy(forbid=(asks(Trait.LABEL, "platform"),)), False, id="what is pending is surely forbidden"),
    ],
)
def test_metadata_is_wanted_where_by_the_policy_it_can_still_change_the_choice(policy: Policy, wanted: object) -> None:
    found = index(entry("a", compat=_document(_FITS)), entry("b", annotations={"gpu": "yes"}))
    assert (Selection(found, _NODE, policy).wanted() != ()) is wanted
    assert Selection(found, _NODE, policy, complete=True).wanted() != ()


def test_metadata_of_an_entry_that_will_never_be_known_is_not_wanted_where_that_is_rejected() -> None:
    found = index(entry("a", features=["avx2"], compat=_document(_FITS)))
    assert Selection(found, _NODE, Policy()).wanted() != ()
    selection = Selection(found, _NODE, Policy(unknown=Unknown.REJECT))
    assert selection.wanted() == ()
    assert "the policy" in next(selection.decide().ranking[0].verdict.problems).message


_TAGGED = to_bytes({"compatibilities": [{"oci.kernel.version": ">=6", "tags": "mpi"}]})


def test_a_tag_that_only_metadata_knows_is_preferred_over_an_annotation_of_less_weight() -> None:
    found = index(entry("a", annotations={"gpu": "yes"}), entry("b", compat=_document(_TAGGED)))
    policy = Policy(prefer=(_GPU, _MPI))
    decision = decide(found, _NODE, policy, _blobs(_TAGGED))
    assert (_chosen(decision), decision.decided_by) == (1, Criterion.PREFERENCE)
    assert decision.ranking[0].met == (_MPI,)
    assert decision.policy is policy


@pytest.mark.parametrize(
    ("policy", "chosen", "is_plain"),
    [
        pytest.param(Policy(), 1, False, id="nothing asked"),
        pytest.param(Policy(require=(asks(Trait.VARIANT, "v1"),)), 0, True, id="required"),
        pytest.param(Policy(forbid=(asks(Trait.VARIANT, "v3"),)), 0, True, id="forbidden"),
        pytest.param(Policy(require=(asks(Trait.VARIANT, "v4"),)), None, False, id="nothing meets what is required"),
        pytest.param(Policy(require=(asks(Trait.VARIANT, "v3"),)), 1, False, id="only a better one does"),
        pytest.param(
            Policy(order=(Criterion.TIER, Criterion.POSITION)), 0, True, id="closeness to the CPU does not count"
        ),
    ],
)
def test_a_choice_is_plain_whatever_the_policy_barred_where_containerd_would_take_it_too(
    policy: Policy, chosen: int | None, is_plain: object
) -> None:
    decision = decide(index(entry("a"), entry("b", "linux/amd64/v3")), _NODE, policy)
    assert (_chosen(decision), decision.is_plain) == (chosen, is_plain)


def test_where_not_known_is_rejected_the_last_one_left_may_be_the_plain_choice() -> None:
    found = index(entry("a", "linux/amd64/v3", features=["avx2"]), entry("b"))
    decision = decide(found, _NODE, Policy(unknown=Unknown.REJECT))
    assert (_chosen(decision), decision.decided_by, decision.is_plain) == (1, None, True)


@pytest.mark.parametrize(
    ("platforms", "truths", "chosen"),
    [
        pytest.param((), [Truth.NO, Truth.YES, Truth.NO], 1, id="none named"),
        pytest.param(("wasi/wasm",), [Truth.YES, Truth.YES, Truth.NO], 1, id="another: the node's own is closer"),
        pytest.param(("WASI/Wasm",), [Truth.YES, Truth.YES, Truth.NO], 1, id="in capitals"),
        pytest.param(("linux/aarch64",), [Truth.NO, Truth.YES, Truth.YES], 1, id="another architecture"),
        pytest.param(("linux/amd64",), [Truth.NO, Truth.YES, Truth.NO], 1, id="the node's own"),
    ],
)
def test_a_policy_names_what_its_runtime_handler_runs_besides(
    platforms: tuple[str, ...], truths: list[Truth], chosen: int
) -> None:
    found = index(entry("a", "wasi/wasm"), entry("b"), entry("c", "linux/arm64/v8.2"))
    decision = decide(found, _NODE, Policy(platforms=platforms))
    assert (_truths(decision), _chosen(decision)) == (truths, chosen)


def test_what_a_runtime_handler_runs_besides_may_be_preferred_and_is_no_plain_choice() -> None:
    wasm = Policy(platforms=("wasi/wasm",), prefer=(Preference(asks(Trait.PLATFORM, "wasi/wasm")),))
    decision = decide(index(entry("a", "wasi/wasm"), entry("b")), _NODE, wasm)
    assert (_chosen(decision), decision.is_plain) == (0, False)
    assert decide(index(entry("a", "wasi/wasm")), _NODE, wasm).is_plain is False


def test_a_runtime_handler_gives_no_variant_above_the_nodes_own() -> None:
    found = index(entry("a", "linux/amd64/v4"))
    assert _chosen(decide(found, _NODE, Policy(platforms=("linux/amd64",)))) is None
