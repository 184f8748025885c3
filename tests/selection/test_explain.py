"""A decision in words and as data: what it says, in which order, and how long it may get."""

import json

import msgspec
import pytest

from builders import (
    DOCUMENT_MEDIA_TYPE,
    asks,
    decide,
    descriptor,
    digest,
    entry,
    index,
    node,
    prefers,
    ranking_of,
    without_platform,
)
from imagefit.model.decision import Bar, Barred, Decision, Ranked, Verdict
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Criterion, Mode, Policy, Preference, Trait, Unknown
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.explain import (
    MAX_REFUSAL_BYTES,
    MAX_SUMMARY_ENTRIES,
    as_data,
    phrase,
    platform_of,
    reason,
    refusal,
    short,
    summary,
    why_chosen,
)
from imagefit.selection.session import Selection
from imagefit.selection.wording import advantage

_NODE = node(
    flags={"cpu.cpuid": ["AVX2"], "kernel.loadedmodule": ["nouveau"], "kernel.enabledmodule": []},
    attributes={"kernel.version": {"full": "6.1.0"}},
)


def _first_reason(raw: dict[str, object]) -> str:
    return reason(decide(index(raw), _NODE).ranking[0])


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


_GPU = prefers("gpu", "yes", 5)


@pytest.mark.parametrize(
    ("raws", "words"),
    [
        pytest.param([], "none of 0 entries may be pulled on this node", id="nothing"),
        pytest.param([entry("a", "linux/arm64")], "none of 1 entries may be pulled on this node", id="none"),
        pytest.param([entry("a")], "it is the only entry that may be pulled on this node", id="only one"),
        pytest.param([entry("a"), without_platform("b")], "it surely fits, the next one only may", id="tier"),
        pytest.param(
            [entry("a"), entry("b", annotations={"gpu": "yes"})],
            "the operator prefers it (5 against 0: annotation gpu = yes +5)",
            id="preference",
        ),
        pytest.param(
            [entry("a", compat=[{"compatibility-score": 5}]), entry("b", compat=[{"compatibility-score": 10}])],
            "its author scores it higher (10 against 5)",
            id="score",
        ),
        pytest.param(
            [entry("a", "linux/amd64/v3"), entry("b", "linux/amd64/v2")],
            "it is built closer to this CPU (v3 against v2)",
            id="variants",
        ),
        pytest.param(
            [entry("a"), entry("b", features=["avx2"])],
            "it is built closer to this CPU (avx2 against v1)",
            id="a feature that implies a level",
        ),
        pytest.param(
            [entry("a", "linux/amd64/v2", features=["avx2"]), entry("b", "linux/amd64/v2")],
            "it is built closer to this CPU (avx2 against v2)",
            id="a feature above the variant",
        ),
        pytest.param(
            [entry("a"), entry("b", compat=[{"oci.kernel.version": ">1"}])],
            "it names more of what this node has (2 against 1 checks)",
            id="specificity",
        ),
        pytest.param([entry("a"), entry("b")], "it comes first in the index, all else being equal", id="position"),
    ],
)
def test_why_an_entry_was_chosen_is_said_in_words_with_the_values_that_told_it_from_the_next(
    raws: list[dict[str, object]], words: str
) -> None:
    assert why_chosen(decide(index(*raws), _NODE, Policy(prefer=(_GPU,)))) == words


def test_where_no_level_is_implied_the_platform_is_named() -> None:
    decision = decide(index(without_platform("a"), entry("b", "linux/386")), node("linux/amd64"))
    assert why_chosen(decision) == "it is built closer to this CPU (linux/386 against no platform)"


@pytest.mark.parametrize(
    ("winner", "runner_up", "words"),
    [
        pytest.param({"a": "1"}, {}, "(4 against 0: annotation a = 1 +4)", id="the winner has more"),
        pytest.param({}, {"b": "1"}, "(0 against -2: the next one annotation b = 1 -2)", id="the next has a bad one"),
        pytest.param(
            {"a": "1", "c": "1"},
            {"c": "1"},
            "(5 against 1: annotation a = 1 +4)",
            id="what both have is not told",
        ),
        pytest.param(
            {"c": "1", "d": "1", "a": "1", "e": "1"},
            {"b": "1"},
            "(8 against -2: annotation a = 1 +4, annotation d = 1 +2, annotation c = 1 +1,"
            " the next one annotation b = 1 -2, …)",
            id="the heaviest first, at most three",
        ),
    ],
)
def test_the_preferences_that_told_two_entries_apart_are_named(
    winner: dict[str, str], runner_up: dict[str, str], words: str
) -> None:
    weights = {"a": 4, "b": -2, "c": 1, "d": 2, "e": 1}
    policy = Policy(prefer=tuple(prefers(name, "1", weight) for name, weight in weights.items()))
    found = index(entry("x", annotations=runner_up), entry("y", annotations=winner))
    assert why_chosen(decide(found, _NODE, policy)).endswith(words)


@pytest.mark.parametrize(
    ("worse", "words"),
    [
        pytest.param(without_platform("b", {"ok": "1"}), "it surely fits, the next one only may", id="not known"),
        pytest.param(entry("b"), "the policy bars the next one", id="barred"),
        pytest.param(without_platform("b"), "the policy bars the next one", id="not known and barred"),
        pytest.param(entry("b", "linux/arm64", {"ok": "1"}), "the next one does not fit", id="no"),
    ],
)
def test_an_entry_of_a_better_tier_says_what_is_wrong_with_the_next(worse: dict[str, object], words: str) -> None:
    policy = Policy(require=(asks(Trait.ANNOTATION, "ok"),))
    ranking = decide(index(worse, entry("a", annotations={"ok": "1"})), _NODE, policy).ranking
    assert [ranked.position for ranked in ranking] == [1, 0]
    assert advantage(ranking[0], ranking[1], Criterion.TIER) == words


def test_every_criterion_has_its_own_words() -> None:
    better, worse = decide(index(entry("a"), entry("b")), _NODE).ranking
    assert len({advantage(better, worse, criterion) for criterion in Criterion}) == len(Criterion)


@pytest.mark.parametrize(
    ("raw", "policy", "words"),
    [
        pytest.param(
            entry("x"), Policy(require=(asks(Trait.TAG, "gpu"),)), "the operator requires tag gpu", id="required"
        ),
        pytest.param(
            entry("x", compat=[{"tags": "debug"}]),
            Policy(forbid=(asks(Trait.TAG, "debug"),)),
            "the pod forbids tag debug",
            id="forbidden",
        ),
        pytest.param(
            entry("x", compat=[{"oci.os.glibc": ">=2"}]),
            Policy(unknown=Unknown.REJECT),
            "it is not known whether it fits (unknown = reject): oci.os.glibc >=2: system.libc is not known",
            id="not known",
        ),
        pytest.param(
            entry("x", compat=7),
            Policy(require=(asks(Trait.LABEL, "a", "1"),)),
            "the operator requires label a = 1, and it is not known whether it fits: platform.compat: ",
            id="required, and what might say so cannot be read",
        ),
        pytest.param(
            entry("x", "linux/arm64"),
            Policy(require=(asks(Trait.TAG, "gpu"),)),
            "platform linux/arm64: ",
            id="one that does not fit says so and nothing else",
        ),
    ],
)
def test_an_entry_that_the_policy_bars_says_by_what(raw: dict[str, object], policy: Policy, words: str) -> None:
    (ranked,) = decide(index(raw), _NODE, policy).ranking
    assert reason(ranked).startswith(words)
    assert (ranked.verdict.truth is Truth.NO) is (ranked.barred is None)


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
    text = refusal(Decision(digest("index"), Policy(), ranking_of(*ranking), None, None, is_plain=False), name)
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
    named = text.count("(linux/arm64, sha256:")
    assert named > 0
    assert text.endswith(f"; and {10_000 - named} more")


def test_a_refusal_names_the_rule_and_what_it_requires_of_entries_that_fit() -> None:
    policy = Policy(require=(asks(Trait.TAG, "gpu"),), rule="[[image]] 2 (r.io/*)")
    text = refusal(decide(index(entry("a"), entry("b", "linux/arm64")), _NODE, policy), "r.io/app:1")
    assert text.startswith(
        "imagefit: no build of r.io/app:1 may be pulled on this node (2 in the index; rule [[image]] 2 (r.io/*)); "
    )
    assert f"entry 0 (linux/amd64, {short(digest('a'))}): the operator requires tag gpu (it has no tags);" in text
    assert text.endswith("platform linux/arm64: the node is amd64/v3")


def test_a_refusal_names_no_rule_where_there_is_none_and_no_policy_where_nothing_fits() -> None:
    text = refusal(decide(index(entry("a", "linux/arm64")), _NODE), "r.io/app:1")
    assert text.startswith("imagefit: no build of r.io/app:1 fits this node (1 in the index); ")


@pytest.mark.parametrize("text", ["😀" * 5000, "\ud800" * 500, "a\nb\x1b[2J"], ids=["long", "half", "control"])
def test_rules_and_requirements_reach_the_refusal_only_short_and_clean(text: str) -> None:
    verdict = Verdict(Truth.UNKNOWN, (), (), (Problem(text, text),))
    bars = (Barred(bar, asks(Trait.LABEL, text, text)) for bar in Bar)
    ranking = tuple(
        Ranked(position, Descriptor(digest=digest(str(position))), verdict, dict.fromkeys(Criterion, 0), bar)
        for position, bar in enumerate(bars)
    )
    said = refusal(Decision(digest("index"), Policy(rule=text), ranking_of(*ranking), None, None, is_plain=False), text)
    assert len(said.encode()) < MAX_REFUSAL_BYTES
    assert said.isprintable()
    assert all(reason(one).isprintable() for one in ranking)


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
    assert set(data) == {"index", "policy", "chosen", "why", "decidedBy", "notes", "entries"}
    assert set(data["chosen"]) == {"digest", "position", "platform", "mediaType", "size"}
    documented = {"position", "digest", "platform", "verdict", "rank", "reason", "barred", "merits", "preferences"}
    assert all(set(one) == documented | {"findings", "documents", "problems"} for one in data["entries"])


def test_the_data_tells_by_which_policy_it_was_made() -> None:
    order = (Criterion.TIER, Criterion.SCORE, Criterion.POSITION)
    policy = Policy(mode=Mode.OBSERVE, order=order, rule="[[image]] 1 (x)", notes=("a is not allowed",))
    assert as_data(decide(index(entry("a")), _NODE, policy))["policy"] == {
        "mode": "observe",
        "rule": "[[image]] 1 (x)",
        "order": ["tier", "score", "position"],
        "trust": ["index"],
        "notes": ["a is not allowed"],
    }
    trusting = decide(index(entry("a")), _NODE, Policy(trust_referrers=True))
    assert as_data(trusting)["policy"]["trust"] == ["index", "referrers"]


def test_the_data_tells_what_the_policy_made_of_an_entry() -> None:
    wish = Preference(asks(Trait.ANNOTATION, "gpu", "y*"), -3)
    policy = Policy(prefer=(wish, _GPU), require=(asks(Trait.VARIANT, "v3"),), unknown=Unknown.REJECT)
    found = index(entry("a", annotations={"gpu": "yes"}), entry("b", "linux/amd64/v3"), without_platform("c"))
    first, second, third = as_data(decide(found, _NODE, policy))["entries"]
    assert first["preferences"] == [
        {"preference": "annotation gpu = y*", "weight": -3},
        {"preference": "annotation gpu = yes", "weight": 5},
    ]
    assert first["merits"] == {"tier": 1, "preference": 2, "score": 0, "cpu": 1, "specificity": 1}
    assert first["barred"] == third["barred"] == {"by": "require", "requirement": "variant v3"}
    assert (second["preferences"], second["barred"], second["merits"]["tier"]) == ([], None, 3)


def test_the_data_of_an_entry_barred_for_not_being_known_names_no_requirement() -> None:
    (one,) = as_data(decide(index(without_platform("c")), _NODE, Policy(unknown=Unknown.REJECT)))["entries"]
    assert one["barred"] == {"by": "unknown", "requirement": None}


def test_a_summary_has_a_line_per_entry_best_first() -> None:
    decision = _example()
    lines = summary(decision)
    assert [one["position"] for one in lines] == [1, 2, 0]
    assert [one["rank"] for one in lines] == [1, 2, 3]
    assert set(lines[0]) == {"position", "digest", "platform", "verdict", "rank", "barred", "reason"}
    entries = {one["position"]: one for one in as_data(decision)["entries"]}
    assert all(one.items() <= entries[one["position"]].items() for one in lines)


def test_a_summary_names_at_most_32_entries_in_short_lines() -> None:
    entries = [entry(str(number), "linux/" + "a" * 999, compat=[{"b" * 99: "c"}]) for number in range(40)]
    lines = summary(decide(index(*entries), _NODE))
    assert len(lines) == MAX_SUMMARY_ENTRIES == 32
    assert max(len(one["platform"]) + len(one["reason"]) for one in lines) < 1000


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


def test_a_verdict_that_rests_on_several_checks_says_how_many_more() -> None:
    """An author mends them all at once, not one after the other."""
    asked = {"oci.kernel.version": ">=7", "oci.cpu.features": "avx512f,"}
    one, several = ({"oci.kernel.version": ">=7"}, asked)
    decision = decide(index(entry("one", compat=[one]), entry("several", compat=[several])), _NODE)
    words = {ranked.position: reason(ranked) for ranked in decision.ranking}
    assert words[0].endswith("6.1.0")
    assert words[1].endswith("(and 1 more check)")


def test_what_lacks_a_required_tag_says_which_tags_it_has() -> None:
    policy = Policy(require=(asks(Trait.TAG, "gpu"),))
    sets = [{"oci.kernel.version": ">=5", "tags": ["fast", "small"]}]
    decision = decide(index(entry("a", compat=sets)), _NODE, policy)
    assert reason(decision.ranking[0]) == "the operator requires tag gpu (its tags: fast, small)"


def test_metadata_that_was_not_needed_is_not_why_an_entry_lost() -> None:
    """The daemon reads as little as it can; its words must be those of one that reads all."""
    entries = (
        entry("liked", annotations={"fav": "yes"}),
        entry("other", compatibilities=descriptor(b"{}", DOCUMENT_MEDIA_TYPE)),
    )
    policy = Policy(prefer=(prefers("fav", "yes", 5),))
    lazy = Selection(index(*entries), _NODE, policy)
    assert not lazy.wanted()
    assert lazy.decide().decided_by is Criterion.PREFERENCE
