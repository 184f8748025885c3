"""What holds of every ranking, whatever the merits and whatever the order of criteria."""

import random
from collections.abc import Iterable
from itertools import combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import digest
from imagefit.model.decision import Rated, Verdict
from imagefit.model.oci import Descriptor
from imagefit.model.policy import ORDER, Criterion
from imagefit.model.truth import Truth
from imagefit.selection.rank import decided_by, ordered

settings.register_profile("core", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("core")

_VERDICT = Verdict(Truth.YES, (), (), ())
_MERIT = st.integers(-2, 2)
_ORDERS = st.lists(st.sampled_from(ORDER[1:-1]), unique=True).map(
    lambda middle: (Criterion.TIER, *middle, Criterion.POSITION)
)


def _rated(position: int, merits: list[int]) -> Rated:
    return Rated((position,), _VERDICT, tuple(merits))


_ENTRIES = st.lists(st.lists(_MERIT, min_size=len(ORDER) - 1, max_size=len(ORDER) - 1), max_size=7).map(
    lambda rows: [_rated(position, merits) for position, merits in enumerate(rows)]
)
_DESCRIPTORS = [Descriptor(digest=digest(str(position))) for position in range(7)]


def _in_order(entries: Iterable[Rated], order: tuple[Criterion, ...]) -> list[int]:
    return [one.position for one in ordered(entries, _DESCRIPTORS, order)]


def _before(one: Rated, other: Rated, order: tuple[Criterion, ...]) -> bool:
    return _in_order([one, other], order)[0] == one.positions[0]


@given(_ENTRIES, _ORDERS)
def test_of_two_entries_exactly_one_is_better_and_decided_by_says_why(
    entries: list[Rated], order: tuple[Criterion, ...]
) -> None:
    for one, other in combinations(entries, 2):
        assert _before(one, other, order) is not _before(other, one, order)
        better, worse = ordered([one, other], _DESCRIPTORS, order)
        criterion = decided_by(better, worse, order)
        assert better.merits[criterion] > worse.merits[criterion]
        assert decided_by(worse, better, order) is criterion


@given(_ENTRIES, _ORDERS)
def test_what_is_better_than_the_better_is_better(entries: list[Rated], order: tuple[Criterion, ...]) -> None:
    for one, other, third in permutations(entries[:5], 3):
        if _before(one, other, order) and _before(other, third, order):
            assert _before(one, third, order)


@given(_ENTRIES, _ORDERS)
def test_a_ranking_orders_every_two_entries_as_if_they_were_alone(
    entries: list[Rated], order: tuple[Criterion, ...]
) -> None:
    ranking = _in_order(entries, order)
    assert all(_before(entries[better], entries[worse], order) for better, worse in combinations(ranking, 2))


@given(_ENTRIES, _ORDERS, st.randoms(use_true_random=False))
def test_entries_in_another_sequence_at_the_same_positions_are_ranked_the_same(
    entries: list[Rated], order: tuple[Criterion, ...], chance: random.Random
) -> None:
    ranking = ordered(entries, _DESCRIPTORS, order)
    chance.shuffle(entries)
    assert ordered(entries, _DESCRIPTORS, order) == ranking
    assert sorted(one.position for one in ranking) == list(range(len(entries)))


@given(_ENTRIES, _ORDERS)
def test_entries_that_are_rated_together_stand_where_each_would_alone(
    entries: list[Rated], order: tuple[Criterion, ...]
) -> None:
    together: dict[tuple[int, ...], list[int]] = {}
    for one in entries:
        together.setdefault(one.merits, []).extend(one.positions)
    kinds = [Rated(positions, _VERDICT, merits) for merits, positions in together.items()]
    assert ordered(kinds, _DESCRIPTORS, order) == ordered(entries, _DESCRIPTORS, order)


@given(_ENTRIES, _ORDERS)
def test_criteria_that_are_left_out_do_not_count(entries: list[Rated], order: tuple[Criterion, ...]) -> None:
    counting = [name in order for name in ORDER[:-1]]
    levelled = [
        Rated(
            one.positions, _VERDICT, tuple(merit * counts for merit, counts in zip(one.merits, counting, strict=True))
        )
        for one in entries
    ]
    assert _in_order(levelled, order) == _in_order(entries, order)
