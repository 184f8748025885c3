"""Patterns of names: what they stand for, and that brackets are ordinary characters."""

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagefit.model.glob import ANYTHING, Glob

settings.register_profile("core", derandomize=True, deadline=None, max_examples=300, database=None)
settings.load_profile("core")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("a", "a", id="a text"),
        pytest.param("*", "", id="any text, the empty one"),
        pytest.param("*", "r.io/a/b:1", id="any text, slashes too"),
        pytest.param("r.io/*", "r.io/a/b:1", id="a beginning"),
        pytest.param("*:1", "r.io/a/b:1", id="an end"),
        pytest.param("r.io/*:1", "r.io/a/b:1", id="both ends"),
        pytest.param("*/team-*/*", "r.io/x/team-a/app:1", id="parts in between"),
        pytest.param("a*a", "aa", id="nothing between the ends"),
        pytest.param("a*b*a", "abba", id="the last part at its latest place"),
        pytest.param("*ab*ab", "abab", id="a part again at the end"),
        pytest.param("**", "x", id="two stars"),
        pytest.param("a**b", "ab", id="two stars for nothing"),
        pytest.param("v?", "v3", id="one character"),
        pytest.param("v?", "v*", id="one character, whichever"),
        pytest.param("?*?", "ab", id="at least two"),
        pytest.param("*?b*", "aab", id="one character before a part"),
        pytest.param("[::1]:5000/*", "[::1]:5000/app", id="brackets"),
        pytest.param("a.c", "a.c", id="a dot"),
        pytest.param("(a|b)+$^\\", "(a|b)+$^\\", id="signs of regular expressions"),
        pytest.param("a*c?", "a\nb\nc\n", id="over lines"),
    ],
)
def test_a_pattern_stands_for(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param("", "a", id="nothing"),
        pytest.param("a", "", id="not nothing"),
        pytest.param("a", "A", id="case counts"),
        pytest.param("a", "ab", id="only a beginning"),
        pytest.param("b", "ab", id="only an end"),
        pytest.param("a", "a\n", id="a line end is a character"),
        pytest.param("r.io/*", "r.iox/a", id="another beginning"),
        pytest.param("*:1", "r.io/a:11", id="another end"),
        pytest.param("aba*ba", "aba", id="both ends cannot be the same"),
        pytest.param("*b*b*", "abc", id="a part that is there once"),
        pytest.param("*b*a*", "ab", id="parts in another order"),
        pytest.param("v?", "v", id="no character"),
        pytest.param("v?", "v10", id="two characters"),
        pytest.param("[ab]", "a", id="no set of characters"),
        pytest.param("a.c", "abc", id="a dot is a dot"),
        pytest.param("?*?", "a", id="fewer than two"),
    ],
)
def test_a_pattern_does_not_stand_for(pattern: str, text: str) -> None:
    assert not Glob(pattern).matches(text)


_LETTERS = st.text(alphabet="ab.\n", max_size=8)


@given(st.text(alphabet="ab.*?\n", max_size=8), _LETTERS)
def test_a_pattern_without_brackets_means_what_it_means_to_a_shell(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text) is fnmatch.fnmatchcase(text, pattern)


@given(st.lists(_LETTERS, min_size=1, max_size=4), st.lists(_LETTERS, min_size=3, max_size=3))
def test_a_pattern_stands_for_its_parts_with_anything_between(parts: list[str], between: list[str]) -> None:
    text = parts[0] + "".join(gap + part for gap, part in zip(between, parts[1:], strict=False))
    assert Glob("*".join(parts)).matches(text)


@pytest.mark.parametrize(("pattern", "expected"), [("a[b].c", True), ("", True), ("a*", False), ("?", False)])
def test_a_pattern_without_wildcards_is_exact(pattern: str, expected: object) -> None:
    assert Glob(pattern).is_exact is expected


def test_a_pattern_is_shown_as_it_is_written() -> None:
    assert str(Glob("a*[?]")) == "a*[?]"
    assert str(ANYTHING) == "*"
