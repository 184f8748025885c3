"""RE2 patterns: found anywhere, linear, bounded; the syntax of other libraries is refused."""

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.model.regexp import MAX_CHARACTERS, check_pattern, matches_any


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        pytest.param(["b"], "abc", id="anywhere"),
        pytest.param(["^a"], "abc", id="beginning"),
        pytest.param(["c$"], "abc", id="end"),
        pytest.param(["x", "^abc$"], "abc", id="one of several"),
        pytest.param([""], "", id="empty"),
        pytest.param([r"^\pL+$"], "\u00e9\u4e2d", id="letters of any script"),
        pytest.param(["(?i)avx"], "AVX2", id="any case"),
        pytest.param([r"el\d+\.x86_64$"], "5.14.0-427.el9.x86_64", id="kernel"),
    ],
)
def test_a_pattern_matches(patterns: list[str], text: str) -> None:
    assert matches_any(patterns, text)


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        pytest.param([], "abc", id="none"),
        pytest.param(["^b"], "abc", id="not at the beginning"),
        pytest.param(["b$"], "abc", id="not at the end"),
        pytest.param(["x", "y"], "abc", id="none of several"),
        pytest.param(["^b"], "a\nb", id="not at the beginning of a line"),
        pytest.param(["A"], "abc", id="other case"),
        pytest.param(["a.c"], "a\nc", id="a dot is no newline"),
    ],
)
def test_a_pattern_does_not_match(patterns: list[str], text: str) -> None:
    assert not matches_any(patterns, text)


def test_half_a_character_in_a_text_breaks_nothing() -> None:
    assert matches_any(["^a"], "a\ud800")


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(", id="open group"),
        pytest.param("a**", id="repetition of a repetition"),
        pytest.param("[b-a]", id="empty class"),
        pytest.param("a(?=b)", id="lookahead"),
        pytest.param("(?<!a)b", id="lookbehind"),
        pytest.param(r"(a)\1", id="reference to a group"),
        pytest.param("(?>a)", id="atomic group"),
        pytest.param("a++", id="possessive repetition"),
        pytest.param("a{1001}", id="too many repetitions"),
        pytest.param("((((a{100}){100}){100}){100}){100}", id="repetitions of repetitions"),
        pytest.param(r"\pL{1000}", id="too large a program"),
        pytest.param("a" * (MAX_CHARACTERS + 1), id="too long"),
    ],
)
def test_another_syntax_and_what_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidDocumentError, match="regular expression"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("a" * MAX_CHARACTERS, id="longest"),
        pytest.param("|".join(f"1{number:04x}" for number in range(170)), id="many words"),
        pytest.param("^(AVX512(F|BW)|AMX-?TILE)+$", id="groups"),
    ],
)
def test_what_is_in_the_limits_is_taken(pattern: str) -> None:
    check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(a?){50}a{50}$"])
def test_no_pattern_is_catastrophic(pattern: str) -> None:
    """It ends, which it would not in a thousand years with a library that goes back."""
    assert not matches_any([pattern], "a" * 100_000 + "b")
