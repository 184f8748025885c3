"""A decision is used again where nothing that it came of has changed, and nowhere else."""

import pytest

from builders import decide, entry, index, node
from imagefit.model.decision import Decision
from imagefit.model.policy import Policy, Unknown
from imagefit.model.reference import parse_reference
from imagefit.service.recent import MAX_CHECKS, MAX_CHECKS_TOGETHER, MAX_ENTRIES, Recent

APP = parse_reference("registry.example/team/app:1")
NODE = node()
POLICY = Policy()


def decision(name: str = "a", policy: Policy = POLICY) -> Decision:
    return decide(index(entry(name)), NODE, policy)


@pytest.fixture
def recent() -> Recent:
    return Recent()


def test_the_same_index_node_and_policy_have_the_same_decision(recent: Recent) -> None:
    made = decision()
    assert recent.find(APP, made.index_digest, POLICY, NODE) is None
    recent.keep(APP, made, NODE)
    assert recent.find(APP, made.index_digest, POLICY, NODE) is made
    assert recent.find(APP, made.index_digest, Policy(), NODE) is made, "a policy that was read anew and is the same"
    other_tag = parse_reference("registry.example/team/app:2")
    assert recent.find(other_tag, made.index_digest, POLICY, NODE) is made


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("registry.example/team/other:1", id="repository"),
        pytest.param("other.example/team/app:1", id="registry"),
    ],
)
def test_what_is_known_of_one_repository_is_not_told_of_another(recent: Recent, name: str) -> None:
    made = decision()
    recent.keep(APP, made, NODE)
    assert recent.find(parse_reference(name), made.index_digest, POLICY, NODE) is None


def test_another_index_policy_or_node_is_decided_anew(recent: Recent) -> None:
    made = decision()
    recent.keep(APP, made, NODE)
    assert recent.find(APP, decision("b").index_digest, POLICY, NODE) is None
    assert recent.find(APP, made.index_digest, Policy(unknown=Unknown.REJECT), NODE) is None
    assert recent.find(APP, made.index_digest, POLICY, node()) is None, "facts that were detected anew"


def test_the_latest_decision_on_an_index_stands(recent: Recent) -> None:
    strict = Policy(unknown=Unknown.REJECT)
    first, second = decision(), decision(policy=strict)
    recent.keep(APP, first, NODE)
    recent.keep(APP, second, NODE)
    assert recent.find(APP, first.index_digest, POLICY, NODE) is None
    assert recent.find(APP, first.index_digest, strict, NODE) is second


def test_facts_that_were_detected_anew_make_all_that_is_known_be_forgotten(recent: Recent) -> None:
    """Else each decision would keep the facts alive that it was made by."""
    made, again = decision(), node()
    recent.keep(APP, made, NODE)
    assert recent.find(APP, made.index_digest, POLICY, again) is None
    assert recent.find(APP, made.index_digest, POLICY, NODE) is None


def of(entries: int, checks: int = 0, name: str = "") -> Decision:
    """Return a decision on an index of which the first entry has one set of so many checks."""
    sets = [{f"label-{name}-{number}": "1" for number in range(checks)}]
    first = entry(f"{name}-first", compatibilities=sets) if checks else entry(f"{name}-first")
    return decide(index(first, *(entry(f"{name}-{number}") for number in range(entries - 1))), NODE, POLICY)


@pytest.mark.parametrize(
    ("made", "is_kept"),
    [
        pytest.param(of(MAX_ENTRIES), True, id="as-many-entries-as-are-kept"),
        pytest.param(of(MAX_ENTRIES + 1), False, id="one-entry-more"),
        pytest.param(of(1, MAX_CHECKS - 3), True, id="as-many-checks-as-are-kept"),
        pytest.param(of(1, MAX_CHECKS - 2), False, id="one-check-more"),
    ],
)
def test_the_decision_on_a_large_index_is_not_kept(recent: Recent, made: Decision, *, is_kept: bool) -> None:
    recent.keep(APP, made, NODE)
    assert (recent.find(APP, made.index_digest, POLICY, NODE) is made) is is_kept


def test_beyond_the_limit_those_go_that_were_longest_of_no_use(recent: Recent) -> None:
    most = MAX_CHECKS_TOGETHER // MAX_CHECKS
    made = [of(1, MAX_CHECKS - 3, str(number)) for number in range(most + 1)]
    for one in made[:most]:
        recent.keep(APP, one, NODE)
    assert recent.find(APP, made[0].index_digest, POLICY, NODE) is made[0]
    recent.keep(APP, made[most], NODE)
    kept = [recent.find(APP, one.index_digest, POLICY, NODE) is one for one in made]
    assert kept == [True, False, *[True] * (most - 1)]
