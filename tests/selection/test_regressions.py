"""Rules that earlier code broke, each with its smallest example."""

import pytest

from builders import entry, index, node, rank, without_platform
from imagefit.errors import InvalidDocumentError
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Policy
from imagefit.model.ranges import parse_ranges, parse_version
from imagefit.model.requirement import (
    Alternative,
    Check,
    Document,
    Expression,
    Group,
    MatchesTerm,
    Op,
    Profile,
    count_checks,
)
from imagefit.model.truth import Truth
from imagefit.selection.explain import as_data, phrase, reason, refusal
from imagefit.selection.match import evaluate
from imagefit.selection.rank import plain_choice
from imagefit.selection.session import Selection

HOSTILE = "li\nnux/am\x1b[2Jd64/\u202e"


def test_a_platform_with_control_characters_never_breaks_a_line() -> None:
    decision = Selection(index(entry("a", HOSTILE)), node(), Policy()).decide()
    assert refusal(decision, "x").isprintable()
    assert as_data(decision)["entries"][0]["platform"].isprintable()


@pytest.mark.parametrize("text", ["1" * 19, "9" * 100_000, "1." + "2" * 19, "\u0663"])
def test_a_version_that_is_too_long_or_not_ascii_is_no_version(text: str) -> None:
    assert parse_version(text) is None


@pytest.mark.parametrize("text", ["5.15.x", ">=5.15.x", "\u0663", "[5.x, 6)"])
def test_a_wildcard_is_refused_rather_than_misread(text: str) -> None:
    with pytest.raises(InvalidDocumentError):
        parse_ranges(text)


def test_an_interval_whose_ends_differ_in_their_build_is_not_empty() -> None:
    version = parse_version("5.14.0-500.el9")
    assert version is not None
    assert parse_ranges("(5.14.0-427, 5.14.0]").holds(version)


def test_an_arm64_variant_written_as_a_number_is_one_that_containerd_considers() -> None:
    entries = index(entry("a", "linux/arm64"), entry("b", "linux/arm64/8")).entries
    assert plain_choice(entries, node("linux/arm64/v8")) == {0, 1}


def test_the_reason_is_the_problem_that_decides() -> None:
    broken = index(entry("a", compatibilities=[{"x": None}, {}], compat=7))
    (ranked,) = Selection(broken, node(), Policy()).decide().ranking
    assert "compat" in reason(ranked)
    assert "neither a list of sets nor a descriptor" in reason(ranked)


def test_an_absence_is_asked_for_in_the_words_of_the_author() -> None:
    seen = node(flags={"kernel.loadedmodule": {"nouveau"}, "kernel.enabledmodule": ()})
    entries = index(entry("a", compatibilities=[{"oci.kernel.modules.nouveau": False}]))
    finding = [*Selection(entries, seen, Policy()).decide().ranking[0].verdict.deciding][-1]
    assert phrase(finding) == "oci.kernel.modules.nouveau false: kernel.loadedmodule has nouveau"


def test_the_tag_of_the_deciding_set_is_named() -> None:
    decision = Selection(index(entry("a", compatibilities=[{"tags": ["fast", "new"]}])), node(), Policy()).decide()
    assert reason(decision.ranking[0]) == "fast, new: platform holds"


def test_naming_a_feature_twice_gains_nothing() -> None:
    flags = {"cpu.cpuid": {"AVX2"}}
    entries = [entry(str(n), compatibilities=[{"oci.cpu.features": v}]) for n, v in enumerate(("avx2", "avx2,AVX2,"))]
    chosen = Selection(index(*entries), node(flags=flags), Policy()).decide().chosen
    assert chosen is not None
    assert chosen.position == 0


def test_entries_without_a_platform_come_after_every_other_last_resort() -> None:
    decision = Selection(index(without_platform("a"), entry("b", "linux/386")), node(), Policy()).decide()
    assert [ranked.position for ranked in decision.ranking] == [1, 0]


def test_a_document_that_can_never_hold_has_a_reason_though_no_check_failed() -> None:
    never = Document("d", (Alternative((Group(any_of=True, members=()),)),))
    verdict = evaluate(Profile(documents=(never,)), node())
    assert verdict.truth is Truth.NO
    (ranked,) = rank([(Descriptor(digest="x"), verdict)], Policy())
    assert reason(ranked) == "what it asks for can never hold"


def test_a_look_through_all_names_of_a_feature_counts_as_many_checks() -> None:
    named = Check("f", "x", MatchesTerm("f", None, Expression(Op.IN_REGEXP, ("x",))))
    plain = Check("f", "x", MatchesTerm("cpu.cpuid", (("x", Expression(Op.EXISTS)),)))
    assert count_checks([plain, Group(any_of=True, members=(plain, plain))]) == 3
    assert count_checks([named]) > 100
