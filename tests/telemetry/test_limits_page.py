"""The page of limits says what the code says."""

from docs.generators.limits import SECTIONS, limits_page, number
from docs.generators.places import REFERENCE
from imagefit.config import Config


def test_the_page_is_up_to_date() -> None:
    assert (REFERENCE / "limits.md").read_text() == limits_page(), "run `make docs`"


def test_every_limit_is_one() -> None:
    assert all(number(limit) > 0 for _, limits in SECTIONS for limit in limits)


def test_what_can_be_set_has_the_default_that_the_page_says() -> None:
    calls, pulls, *_ = SECTIONS[0][1]
    assert (number(calls), number(pulls)) == (Config().limits.calls, Config().limits.pulls)
