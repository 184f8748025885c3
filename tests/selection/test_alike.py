"""Entries that are alike are judged once, and come out as if each had been judged alone."""

from itertools import combinations
from typing import Any

import pytest

from builders import Json, asks, digest, entry, index, index_bytes, node, prefers
from imagefit.model.decision import Bar, Decision
from imagefit.model.oci import ImageIndex, parse_index
from imagefit.model.policy import Policy, Trait
from imagefit.selection.alike import alike_in
from imagefit.selection.session import Selection

SETS: list[Json] = [{"oci.kernel.version": ">=5"}]
NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
ARTIFACT = entry("artifact") | {"artifactType": "application/vnd.oci.image-compatibility.v1"}


def alike(*entries: Json, by_digest: bool = False) -> list[list[int]]:
    return [list(positions) for positions in alike_in(index(*entries), by_digest=by_digest)]


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([entry("a"), entry("b")], id="the same platform"),
        pytest.param([entry("a", compatibilities=SETS), entry("b", compatibilities=SETS)], id="the same sets"),
        pytest.param([entry("a") | {"platform": None}, entry("b") | {"platform": None}], id="no platform"),
        pytest.param([entry("a") | {"size": 1}, entry("b") | {"size": 2}], id="other sizes"),
    ],
)
def test_entries_that_say_the_same_of_themselves_are_alike(entries: list[Json]) -> None:
    assert alike(*entries) == [[0, 1]]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(entry("b", "linux/amd64/v3"), id="another platform"),
        pytest.param(entry("b", compatibilities=SETS), id="sets"),
        pytest.param(entry("b", annotations={"a": "b"}), id="annotations"),
        pytest.param(entry("b") | {"annotation": {"a": "b"}}, id="annotations under the other key"),
        pytest.param(entry("b") | {"artifactType": "application/x"}, id="an artifact type"),
        pytest.param(entry("b") | {"platform": None}, id="no platform"),
    ],
)
def test_entries_that_differ_in_what_they_say_are_not_alike(other: Json) -> None:
    assert alike(entry("a"), other) == [[0], [1]]


def test_what_is_alike_stands_in_the_order_of_its_first_entries() -> None:
    found = alike(entry("a"), entry("b", "linux/arm64"), entry("c"), entry("d", "linux/arm64"))
    assert found == [[0, 2], [1, 3]]


def test_where_metadata_may_be_about_a_digest_no_two_entries_are_alike() -> None:
    assert alike(entry("a"), entry("b"), by_digest=True) == [[0], [1]]
    assert alike(entry("a"), ARTIFACT, entry("b")) == [[0], [1], [2]]


def test_an_entry_that_is_the_index_itself_is_like_no_other() -> None:
    made = parse_index(index_bytes(entry("a"), entry("b")), digest("a"))
    assert [list(one) for one in alike_in(made, by_digest=False)] == [[0], [1]]


def apart(made: ImageIndex) -> ImageIndex:
    """Return the same index with a platform value for every entry, so that no two are alike."""
    read = [parse_index(index_bytes(), made.digest)]
    for one in made.entries:
        alone: Any = {"digest": one.digest, "size": one.size, "platform": {"os": "linux", "architecture": "amd64"}}
        alone["platform"] |= {"compatibilities": SETS} if bytes(one.platform.compatibilities) else {}  # type: ignore[union-attr]
        read.append(index(alone))
    return ImageIndex(made.digest, tuple(one for some in read for one in some.entries))


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(Policy(), id="defaults"),
        pytest.param(Policy(prefer=(prefers("gpu", "yes"),), require=(asks(Trait.PLATFORM, "linux/*"),)), id="asking"),
    ],
)
def test_a_decision_is_the_same_whether_entries_are_judged_together_or_alone(policy: Policy) -> None:
    bare, sets = entry("a")["platform"], entry("a", compatibilities=SETS)["platform"]
    made = index(*(entry(str(number)) | {"platform": sets if number % 3 else bare} for number in range(9)))
    single = apart(made)
    assert len(alike_in(made, by_digest=False)) == 2
    assert len(alike_in(single, by_digest=False)) == 9
    together, alone = (Selection(one, NODE, policy).decide() for one in (made, single))
    assert told(together) == told(alone)


def told(decision: Decision) -> list[Any]:
    chosen = decision.chosen and decision.chosen.position
    rows = [(one.position, one.verdict, one.merits, one.barred, one.met) for one in decision.ranking]
    return [chosen, decision.decided_by, decision.is_plain, *rows]


def test_entries_that_are_alike_share_their_verdict_and_keep_their_own_digests() -> None:
    ranking = Selection(index(entry("a"), entry("b"), entry("c")), NODE, Policy()).decide().ranking
    assert all(one.verdict is other.verdict for one, other in combinations(ranking, 2))
    assert [one.descriptor.digest for one in ranking] == [digest("a"), digest("b"), digest("c")]


def test_a_ranking_says_by_what_entries_are_barred_without_any_being_looked_at() -> None:
    found = index(entry("a"), entry("b"), entry("c", "linux/s390x"))
    forbidding = Policy(forbid=(asks(Trait.PLATFORM, "linux/amd64"),))
    assert Selection(found, NODE, forbidding).decide().ranking.bars == {Bar.FORBID}
    assert Selection(found, NODE, Policy()).decide().ranking.bars == frozenset()


def test_rankings_are_equal_where_they_say_the_same_of_the_same_entries() -> None:
    one, same = (Selection(index(entry("a"), entry("b")), NODE, Policy()).decide().ranking for _ in range(2))
    other = Selection(index(entry("b"), entry("a")), NODE, Policy()).decide().ranking
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != tuple(one), "what is made as it is looked at is no list"
