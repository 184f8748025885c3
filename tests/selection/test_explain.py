"""A decision in words and as data: what it says, in which order, and how long it may get."""

import json

import msgspec
import pytest

from builders import decide, digest, entry, index, node, without_platform
from imagefit.model.decision import Criterion, Decision, Ranked, Verdict
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Policy, Preference, Unknown
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.explain import (
    MAX_REFUSAL_BYTES,
    as_data,
    phrase,
    platform_of,
    reason,
    refusal,
    short,
    why_chosen,
)

_NODE = node(
    flags={"cpu.cpuid": ["AVX2"], "kernel.loadedmodule": ["nouveau"], "kernel.enabledmodule": []},
    attributes={"kernel.version": {"full": "6.1.0"}},
)


def _first_reason(raw: dict[str, object]) -> str:
    return reason(decide(index(raw), _NODE).ranking[0].verdict)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(entry("x", "linux/arm64"), ["platform linux/arm64", "amd64/v3"], id="architecture"),
        pytest.param(entry("x", "windows/amd64"), ["platform windows/amd64", "linux"], id="system"),
        pytest.param(entry("x", features=["bmi2"]), ["platform.features bmi2", "lacks BMI2"], id="feature"),
        pytest.param(
            entry("x", compat=[{"oci.kernel.version": ">=6, <7", "oci.kernel.modules": "nvidia"}]),
            ["oci.kernel.modules nvidia"],
            id="the first check that failed",
        ),
        pytest.param(
            entry("x", compat=[{"oci.os.glibc": ">=2", "oci.kernel.version": ">=7"}]),
            ["oci.kernel.version >=7", "6.1.0"],
            id="a check that failed before one that is not known",
        ),
        pytest.param(
            entry("x", compat=[{"oci.kernel.modules.nouveau": False}]),
            ["oci.kernel.modules.nouveau", "has nouveau"],
            id="a check for absence",
        ),
        pytest.param(entry("x", compat=[{"oci.os.glibc": ">=2"}]), ["oci.os.glibc >=2", "not known"], id="not known"),
        pytest.param(entry("x", compat=7), ["platform.compat"], id="a problem"),
        pytest.param(entry("x", features=7), ["platform.features"], id="a problem of the entry"),
        pytest.param(without_platform("x"), ["no platform"], id="no platform"),
        pytest.param(entry("x"), ["platform holds"], id="it fits"),
        pytest.param(entry("x", features=["avx2"]), ["platform, platform.features hold"], id="it fits by more"),
    ],
)
def test_a_reason_names_what_the_verdict_rests_on(raw: dict[str, object], words: list[str]) -> None:
    text = _first_reason(raw)
    assert all(word in text for word in words)


def test_a_phrase_says_label_what_was_asked_and_what_was_seen() -> None:
    verdict = decide(index(entry("x", compat=[{"oci.kernel.version": ">=7"}])), _NODE).ranking[0].verdict
    assert phrase([*verdict.deciding][-1]) == "oci.kernel.version >=7: kernel.version full is 6.1.0"


@pytest.mark.parametrize(
    ("raws", "words"),
    [
        pytest.param([], "none of 0", id="nothing"),
        pytest.param([entry("a", "linux/arm64")], "none of 1", id="none"),
        pytest.param([entry("a")], "only entry", id="only one"),
        pytest.param([entry("a"), without_platform("b")], "surely", id="tier"),
        pytest.param([entry("a"), entry("b", annotations={"gpu": "yes"})], "preferences", id="preference"),
        pytest.param([entry("a"), entry("b", compat=[{"compatibility-score": 1}])], "scores", id="score"),
        pytest.param([entry("a"), entry("b", "linux/amd64/v2")], "CPU", id="closeness to the CPU"),
        pytest.param([entry("a"), entry("b", compat=[{"oci.kernel.version": ">1"}])], "names more", id="specificity"),
        pytest.param([entry("a"), entry("b")], "first", id="position"),
    ],
)
def test_why_an_entry_was_chosen_is_said_in_words(raws: list[dict[str, object]], words: str) -> None:
    decision = decide(index(*raws), _NODE, Policy(prefer=(Preference("gpu", "yes"),)))
    assert words in why_chosen(decision)


def test_every_criterion_has_its_own_words() -> None:
    decision = decide(index(entry("a")), _NODE)
    words = {
        why_chosen(Decision(decision.index_digest, decision.ranking, decision.chosen, criterion, is_plain=False))
        for criterion in Criterion
    }
    assert len(words) == len(Criterion)


def test_a_refusal_names_each_entry_with_the_first_check_that_failed_best_candidates_first() -> None:
    found = index(
        entry("arm", "linux/arm64"),
        entry("new", compat=[{"oci.kernel.version": ">=7"}]),
        entry("dim", compat=[{"oci.os.glibc": ">=2"}]),
    )
    text = refusal(decide(found, _NODE, Policy(unknown=Unknown.REJECT)), "r.io/app:1")
    assert "r.io/app:1" in text
    assert "(3 in the index)" in text
    places = [text.index(short(digest(name))) for name in ("dim", "new", "arm")]
    assert places == sorted(places)
    assert "oci.os.glibc >=2" in text
    assert "oci.kernel.version >=7" in text
    assert "linux/arm64" in text
    assert "more" not in text


def test_a_refusal_of_an_empty_index_says_so() -> None:
    assert "(0 in the index)" in refusal(decide(index(), _NODE), "x")


@pytest.mark.parametrize(
    ("label", "value", "name"),
    [
        pytest.param("label", "x", "app:1", id="plain"),
        pytest.param("l" * 5000, "v" * 5000, "n" * 5000, id="long"),
        pytest.param("😀" * 5000, "€" * 5000, "é" * 5000, id="long characters"),
        pytest.param("a\nb", "\x1b[31m\r\x00", "x\ny\x7f", id="control characters"),
        pytest.param("\u202eevil", "\u2028\u2029", "\u200b", id="direction and line marks"),
        pytest.param("\ud800", "\udfff", "\ud800", id="half characters"),
    ],
)
def test_a_refusal_is_one_printable_line_of_less_than_1024_bytes(label: str, value: str, name: str) -> None:
    verdict = Verdict(Truth.NO, (), (), (Problem(f"{value} is wrong", label),))
    ranking = tuple(
        Ranked(position, Descriptor(digest=digest(str(position))), verdict, dict.fromkeys(Criterion, 0))
        for position in range(100)
    )
    text = refusal(Decision(digest("index"), ranking, None, None, is_plain=False), name)
    assert len(text.encode()) < MAX_REFUSAL_BYTES
    assert text.isprintable()
    assert text.endswith(" more")


@pytest.mark.parametrize("kind", ["😀" * 300, "a\nb", "\x1b[2J"])
def test_labels_and_values_of_an_author_reach_the_refusal_only_clean(kind: str) -> None:
    found = index(*(entry(str(number), compat=[{f"oci.os.{kind}": kind}]) for number in range(20)))
    known = node(attributes={"local.feature": {f"oci.os.{kind}": f"other{kind}"}, "local.label": {}})
    text = refusal(decide(found, known), kind)
    assert len(text.encode()) < MAX_REFUSAL_BYTES
    assert text.isprintable()


def test_a_refusal_of_10_000_entries_stays_short_and_counts_the_rest() -> None:
    found = index(*(entry(str(number), "linux/arm64") for number in range(10_000)))
    text = refusal(decide(found, _NODE), "app:1")
    assert len(text.encode()) < MAX_REFUSAL_BYTES
    named = text.count("linux/arm64 sha256:")
    assert named > 0
    assert text.endswith(f"; and {10_000 - named} more")


def test_an_entry_is_shown_by_its_platform_and_a_short_digest() -> None:
    ranking = decide(index(entry("a", "linux/amd64/v3"), without_platform("b")), _NODE).ranking
    assert [platform_of(ranked) for ranked in ranking] == ["linux/amd64/v3", "no platform"]
    assert short(digest("a")) == digest("a")[:19]


def _example() -> Decision:
    sets = [{"oci.kernel.version": ">=7"}, {"oci.kernel.version": ">=6", "tags": "new", "description": "for 6"}]
    found = index(entry("arm", "linux/arm64"), entry("fit", compat=sets, features=["avx2"]), entry("odd", compat=[7]))
    return decide(found, _NODE)


def test_the_data_has_the_documented_keys() -> None:
    data = as_data(_example())
    assert set(data) == {"index", "chosen", "why", "decidedBy", "entries"}
    assert set(data["chosen"]) == {"digest", "position", "platform", "mediaType", "size"}
    documented = {"position", "digest", "platform", "verdict", "rank", "reason", "findings", "documents", "problems"}
    assert all(documented <= set(one) for one in data["entries"])


def test_the_data_lists_entries_in_the_order_of_the_index_with_their_rank() -> None:
    entries = as_data(_example())["entries"]
    assert [one["position"] for one in entries] == [0, 1, 2]
    assert [one["rank"] for one in entries] == [3, 1, 2]
    assert [one["verdict"] for one in entries] == ["no", "yes", "unknown"]


def test_the_data_shows_every_set_and_every_problem() -> None:
    _, fit, odd = as_data(_example())["entries"]
    (document,) = fit["documents"]
    assert (document["dialect"], document["verdict"], document["deciding"]) == ("flat-sets", "yes", 1)
    assert [one["verdict"] for one in document["sets"]] == ["no", "yes"]
    assert (document["sets"][1]["tags"], document["sets"][1]["description"]) == (["new"], "for 6")
    assert [one["place"] for one in odd["problems"]] == ["platform.compat/0"]
    assert [one["label"] for one in fit["findings"]] == ["platform", "platform.features", "oci.kernel.version"]


def test_the_data_is_json_and_needs_no_help_to_be_encoded() -> None:
    for decision in (_example(), decide(index(), _NODE)):
        data = as_data(decision)
        assert json.loads(msgspec.json.encode(data)) == json.loads(json.dumps(data))


def test_without_a_choice_the_data_says_so() -> None:
    data = as_data(decide(index(entry("a", "linux/arm64")), _NODE))
    assert (data["chosen"], data["decidedBy"]) == (None, None)
    assert data["why"].startswith("none of 1")
