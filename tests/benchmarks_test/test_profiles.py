"""Shares are those of the functions and packages that they say, and whole."""

from functools import partial

import pytest

from benchmarks.choice import choose
from benchmarks.indexes import index, node
from benchmarks.profiles import ELSE, PACKAGES, STEPS, ProfileError, choice_shares, shares_in

IMPORTED = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   grpc._cython
import time:       200 |        300 | grpc
import time:       500 |        500 | imagefit.daemon
import time:       200 |        200 | json
"""


def test_every_step_of_a_choice_is_found() -> None:
    shares = choice_shares(partial(choose, index("distinct sets", 50, "seed"), node()))
    assert list(shares) == [*STEPS, ELSE]
    assert all(share > 0 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("imagefit.selection.rank", "sort"), "imagefit.selection.rank has no function sort"),
        (("imagefit.selection.judging", "Judge._document"), "has no function Judge._document"),
        (("imagefit.model.oci", "MAX_DOCUMENT_BYTES"), "has no function MAX_DOCUMENT_BYTES"),
        (("imagefit.selection.rank", "rank"), "'a step': imagefit.selection.rank.rank was not called"),
    ],
    ids=["no-function", "no-class", "something-else", "not-called"],
)
def test_a_step_that_is_not_where_it_was_is_named(place: tuple[str, str], said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        choice_shares(lambda: None, {"a step": place})


def test_imports_are_shared_out_to_their_packages() -> None:
    shares = shares_in(IMPORTED)
    assert list(shares) == [*PACKAGES, ELSE]
    assert shares == pytest.approx({"grpc": 0.3, "imagefit": 0.5, "asyncio": 0, "msgspec": 0, ELSE: 0.2})
