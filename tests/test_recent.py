"""A decision is used again where nothing that it came of has changed, and nowhere else."""

import pytest

from builders import decide, entry, index, node
from imagefit.model.decision import Decision
from imagefit.model.policy import Policy, Unknown
from imagefit.model.reference import parse_reference
from imagefit.recent import MAX_BYTES, MAX_INDEX_BYTES, Recent

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
    recent.keep(APP, made, NODE, 100)
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
    recent.keep(APP, made, NODE, 100)
    assert recent.find(parse_reference(name), made.index_digest, POLICY, NODE) is None


def test_another_index_policy_or_node_is_decided_anew(recent: Recent) -> None:
    made = decision()
    recent.keep(APP, made, NODE, 100)
    assert recent.find(APP, decision("b").index_digest, POLICY, NODE) is None
    assert recent.find(APP, made.index_digest, Policy(unknown=Unknown.REJECT), NODE) is None
    assert recent.find(APP, made.index_digest, POLICY, node()) is None, "facts that were detected anew"


def test_the_latest_decision_on_an_index_stands(recent: Recent) -> None:
    strict = Policy(unknown=Unknown.REJECT)
    first, second = decision(), decision(policy=strict)
    recent.keep(APP, first, NODE, 100)
    recent.keep(APP, second, NODE, 100)
    assert recent.find(APP, first.index_digest, POLICY, NODE) is None
    assert recent.find(APP, first.index_digest, strict, NODE) is second


def test_the_decision_on_a_large_index_is_not_kept(recent: Recent) -> None:
    made = decision()
    recent.keep(APP, made, NODE, MAX_INDEX_BYTES + 1)
    assert recent.find(APP, made.index_digest, POLICY, NODE) is None
    recent.keep(APP, made, NODE, MAX_INDEX_BYTES)
    assert recent.find(APP, made.index_digest, POLICY, NODE) is made


def test_beyond_the_limit_those_go_that_were_longest_of_no_use(recent: Recent) -> None:
    most = MAX_BYTES // MAX_INDEX_BYTES
    made = [decision(str(number)) for number in range(most + 1)]
    for one in made[:most]:
        recent.keep(APP, one, NODE, MAX_INDEX_BYTES)
    assert recent.find(APP, made[0].index_digest, POLICY, NODE) is made[0]
    recent.keep(APP, made[most], NODE, MAX_INDEX_BYTES)
    kept = [recent.find(APP, one.index_digest, POLICY, NODE) is one for one in made]
    assert kept == [True, False, *[True] * (most - 1)]
