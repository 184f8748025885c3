"""The indexes that are chosen from are what the figures say that they are, and never the same twice."""

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from benchmarks.choice import CASES, choose
from benchmarks.indexes import CHECKS, KINDS, SHARED, UNMET, index, node
from imagefit.model.facts import Node
from imagefit.model.oci import MAX_DOCUMENT_BYTES
from imagefit.model.truth import Truth


@pytest.fixture(scope="module")
def where() -> Node:
    return node()


def sets(content: bytes) -> list[Any]:
    return [entry["platform"].get("compat") for entry in json.loads(content)["manifests"]]


@pytest.mark.parametrize(
    ("kind", "distinct"),
    [("bare", 1), ("equal sets", 1), ("shared sets", SHARED), ("distinct sets", 50), (UNMET, 50), ("NFD rules", 50)],
)
def test_entries_carry_as_many_distinct_sets(kind: str, distinct: int) -> None:
    carried = sets(index(kind, 50, "seed"))
    assert len(carried) == 50
    assert len(set(map(str, carried))) == distinct


def test_every_kind_is_measured() -> None:
    assert {kind for kind, _ in CASES} | {UNMET} == set(KINDS)


def test_of_unmet_sets_none_fits(where: Node) -> None:
    decision = choose(index(UNMET, 50, "seed"), where)
    assert decision.chosen is None
    assert {ranked.verdict.truth for ranked in decision.ranking} == {Truth.NO}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_another_seed_gives_another_index_and_the_same_one_the_same(kind: str) -> None:
    first, again, other = (index(kind, 20, seed) for seed in ("a", "a", "b"))
    assert first == again
    digests, others = ({one["digest"] for one in json.loads(content)["manifests"]} for content in (first, other))
    assert not digests & others
    if kind != "bare":
        assert not set(map(str, sets(first))) & set(map(str, sets(other)))


def test_a_set_asks_for_ten_checks(where: Node) -> None:
    for ranked in choose(index("distinct sets", 20, "seed"), where).ranking:
        (document,) = ranked.verdict.documents
        (alternative,) = document.document.alternatives
        assert len(alternative.needs) == CHECKS


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"bare", "equal sets", UNMET}))
def test_some_entries_fit_and_some_do_not_and_all_are_read(kind: str, where: Node) -> None:
    decisions = [choose(index(kind, 100, str(seed)), where) for seed in range(3)]
    ranked = list(itertools.chain.from_iterable(decision.ranking for decision in decisions))
    truths = Counter(one.verdict.truth for one in ranked)
    assert truths.keys() == {Truth.YES, Truth.NO}
    assert [problem for one in ranked for problem in one.verdict.problems] == []


def test_the_longest_index_is_one_that_is_read() -> None:
    entry = max(len(index("equal sets", 11, str(seed))) - len(index("equal sets", 1, str(seed))) for seed in range(300))
    assert entry * 1_000 < MAX_DOCUMENT_BYTES
