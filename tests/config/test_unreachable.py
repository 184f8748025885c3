"""Rules that no pull can reach: which ones are warned of, why, and which are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.config import Config, parse_config
from imagefit.config.unreachable import unreachable_rules
from imagefit.model.policy import Pull


def config(*rules: str) -> Config:
    return parse_config("".join(f"[[image]]\n{rule}\n" for rule in rules).encode(), "test.toml")


def warnings(*rules: str) -> list[str]:
    return [str(one) for one in unreachable_rules(config(*rules))]


def test_a_match_that_no_name_can_meet_is_told_with_what_was_meant() -> None:
    assert warnings('match = "a/*"') == [
        "[[image]] 1 (a/*) matches no image: names are always full (did you mean 'docker.io/a/*'?)"
    ]
    (one,) = warnings('match = "a b/*"')
    assert one.endswith("(expected host/path:tag or host/path@digest, with * for what may be anything)")


def test_a_host_with_capitals_is_told() -> None:
    (one,) = warnings('match = "R.example.org/a:V1"')
    assert "is only for pulls that write the host with these capitals" in one
    assert one.endswith("(did you mean 'r.example.org/a:V1'?)")


def test_a_short_name_that_is_a_host_with_a_port_is_told() -> None:
    (one,) = warnings('match = "nginx:*"')
    assert "is for a registry host called nginx" in one
    assert "did you mean 'docker.io/library/nginx:*'? for that host write 'nginx:*/*'" in one


MATCHES = ["*", "localhost:*", "r.example.org:*", "[::1]:*", "*:1.*", "nginx:*/*", "r.example.org/*", "docker.io/a/*"]


@pytest.mark.parametrize("pattern", MATCHES)
def test_a_match_for_some_image_is_not_told(pattern: str) -> None:
    assert not warnings(f'match = "{pattern}"')


BEHIND = [
    pytest.param('match = "a.b/*"', 'match = "a.b/*"', id="the-same"),
    pytest.param('match = "a.b/?:*"', 'match = "a.b/?:*"', id="the-same-with-both-wildcards"),
    pytest.param('match = "*"', 'match = "a.b/*"', id="everything"),
    pytest.param('match = "*"', 'namespace = "x"', id="everything-before-a-namespace"),
    pytest.param('namespace = "*"', 'match = "a.b/*"', id="every-namespace"),
    pytest.param('match = "a.b/*"', 'match = "a.b/team/*"', id="a-wider-pattern"),
    pytest.param('match = "a.b/*"', 'match = "a.b/c:1"', id="a-name"),
    pytest.param('match = "a.b/c:?"', 'match = "a.b/c:1"', id="any-character"),
    pytest.param('match = "a.b/c:?"', 'match = "a.b/c:?"', id="any-character-twice"),
    pytest.param('match = "a.b/*"', 'match = "a.b/*"\nnamespace = "x"', id="narrowed-by-namespace"),
    pytest.param('runtime-handler = ""', 'match = "a.b/*"\nruntime-handler = ""', id="no-handler"),
]
REACHED = [
    pytest.param('match = "a.b/team/*"', 'match = "a.b/*"', id="the-narrower-first"),
    pytest.param('match = "a.b/c:1"', 'match = "a.b/c:?"', id="a-name-first"),
    pytest.param('match = "a.b/?:1"', 'match = "a.b/*:1"', id="any-character-is-not-any-characters"),
    pytest.param('match = "a.b/*"\nnamespace = "x"', 'match = "a.b/*"', id="a-namespace-first"),
    pytest.param('match = "a.b/*"\nnamespace = "x"', 'match = "a.b/*"\nnamespace = "y"', id="another-namespace"),
    pytest.param('namespace = ""', 'namespace = "*"', id="no-namespace"),
    pytest.param('runtime-handler = "wasm*"', 'match = "a.b/*"', id="a-handler-first"),
    pytest.param('match = "a.b/*"', 'match = "a.c/*"', id="another-host"),
]


@pytest.mark.parametrize(("first", "second"), BEHIND)
def test_a_rule_behind_one_that_takes_all_that_it_takes_is_told(first: str, second: str) -> None:
    (one,) = unreachable_rules(config(first, second))
    assert one.number == 2
    assert one.why == f"is never reached: {config(first).policies.rules[0].policy.rule} takes all that it takes"
    assert one.advice == "put it before that one, or remove it"


@pytest.mark.parametrize(("first", "second"), REACHED)
def test_a_rule_that_takes_more_is_not_told(first: str, second: str) -> None:
    assert not warnings(first, second)


def test_a_rule_is_told_once_and_by_its_number() -> None:
    found = unreachable_rules(config('match = "*"', 'match = "a/*"', 'namespace = "x"'))
    assert [(one.number, one.rule) for one in found] == [(2, "[[image]] 2 (a/*)"), (3, "[[image]] 3 (namespace x)")]


def test_without_rules_nothing_is_told() -> None:
    assert not unreachable_rules(Config())


_PATTERN = st.text(st.sampled_from("*?ab"), min_size=1, max_size=5)
_TEXT = st.text(st.sampled_from("ab"), max_size=5)


@given(st.lists(st.tuples(_PATTERN, _PATTERN), min_size=1, max_size=5), _TEXT, _TEXT)
def test_no_pull_gets_a_rule_that_is_told_to_be_behind_another(
    rules: list[tuple[str, str]], namespace: str, handler: str
) -> None:
    whole = config(*(f'namespace = "{one}"\nruntime-handler = "{other}"' for one, other in rules))
    chosen = whole.policies.of(Pull("a.b/c:1", namespace, handler)).rule
    assert chosen not in {one.rule for one in unreachable_rules(whole)}


TRUSTED = '[trust.referrers]\nkeys = ["/k.pub"]\n'


def test_keys_without_a_signature_that_is_asked_for_are_told() -> None:
    """The likeliest mistake, and the one that lets in what nobody signed."""
    (one,) = map(str, unreachable_rules(parse_config(TRUSTED.encode(), "test.toml")))
    assert one.startswith("[trust.referrers] names keys, and no signature is asked for")
    assert not unreachable_rules(parse_config(b"[trust.referrers]\ndialects = ['nfd']\n", "test.toml"))
