"""Versions and ranges of versions: what is inside, what is outside, and what is no range."""

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.model.ranges import Version, is_exact, is_range, parse_ranges, parse_version


def _is_in(version: str, ranges: str) -> bool:
    found = parse_version(version)
    assert found is not None
    return parse_ranges(ranges).holds(found)


@pytest.mark.parametrize(
    ("ranges", "version"),
    [
        pytest.param(">=2.31, <=2.37", "2.31", id="comparators, low end"),
        pytest.param(">=2.31, <=2.37", "2.37", id="comparators, high end"),
        pytest.param(">=2.31,<=2.37", "2.35", id="comparators without space"),
        pytest.param(">= 2.31 , <= 2.37", "2.35", id="comparators with many spaces"),
        pytest.param(">2.31", "2.31.1", id="greater"),
        pytest.param("<2.31", "2.30.9", id="less"),
        pytest.param("=2.31", "2.31", id="equal"),
        pytest.param("==2.31", "2.31.0", id="equal, twice"),
        pytest.param("2.31", "2.31", id="plain version"),
        pytest.param("2.31", "2.31.0", id="trailing zeros do not count"),
        pytest.param("v2.31", "2.31", id="leading v"),
        pytest.param("4.19,", "4.19", id="trailing comma"),
        pytest.param(">=4.19,", "6.1", id="trailing comma after a comparator"),
        pytest.param("[4.19, 5.16)", "4.19", id="interval, low end"),
        pytest.param("[4.19, 5.16)", "5.15.99", id="interval, below the open end"),
        pytest.param("(4.19, 5.16]", "5.16", id="interval, high end"),
        pytest.param("(4.19, 5.16]", "4.19.1", id="interval, above the open end"),
        pytest.param("[4.19,)", "99", id="open-ended above"),
        pytest.param("(,5.16)", "0", id="open-ended below"),
        pytest.param("[5,5]", "5", id="interval of one version"),
        pytest.param("[1,2), [3,4]", "1.5", id="first of two intervals"),
        pytest.param("[1,2), [3,4]", "4", id="second of two intervals"),
        pytest.param("[1,2),", "1", id="interval with a trailing comma"),
        pytest.param("[1,2), ", "1", id="interval with a trailing comma and a space"),
        pytest.param(" [1,2) ", "1", id="interval between spaces"),
        pytest.param("<2 || >=3", "1", id="first alternative"),
        pytest.param("<2 || >=3", "3", id="second alternative"),
        pytest.param("[1,2) || >=5, <6", "5.5", id="interval or comparators"),
        pytest.param("<1 || [2,3), [4,5)", "4", id="comparator or intervals"),
        pytest.param(">=5.14", "5.14.0-427.el9.x86_64", id="kernel of a distribution"),
        pytest.param("<=5.14", "5.14.0-427.el9.x86_64", id="a build counts only where it is asked for"),
        pytest.param("5.14.0", "5.14.0-427.el9.x86_64", id="plain version and a build"),
        pytest.param(">=5.14.0-400", "5.14.0-427.el9.x86_64", id="build above"),
        pytest.param(">=5.14.0-427", "5.14.0-427.el9.x86_64", id="build equal"),
        pytest.param(">=5.14.0-427.el9.x86_64", "5.14.0-427.el9.x86_64", id="asked as a node reports it"),
        pytest.param("<5.14.0-427", "5.14.0-362.8.1.el9_3.x86_64", id="build below"),
        pytest.param(">=5.14.0-427", "5.15.0-1.el9", id="release before build"),
        pytest.param(">=6.1", "6.1.0-18-amd64", id="Debian"),
        pytest.param(">=5.15.0-100", "5.15.0-105-generic", id="Ubuntu, by build"),
        pytest.param(">=2.9", "2.10", id="numbers, not text"),
    ],
)
def test_a_version_is_inside(ranges: str, version: str) -> None:
    assert _is_in(version, ranges)


@pytest.mark.parametrize(
    ("ranges", "version"),
    [
        pytest.param(">=2.31, <=2.37", "2.30.99", id="below comparators"),
        pytest.param(">=2.31, <=2.37", "2.37.1", id="above comparators"),
        pytest.param(">2.31", "2.31.0", id="greater excludes equal"),
        pytest.param("<2.31", "2.31", id="less excludes equal"),
        pytest.param("=2.31", "2.31.1", id="equal"),
        pytest.param("2.31", "2.32", id="plain version"),
        pytest.param("2", "2.1", id="a plain version is no prefix"),
        pytest.param("[4.19, 5.16)", "5.16", id="open high end"),
        pytest.param("[4.19, 5.16)", "5.16.0-1-amd64", id="open high end with a build"),
        pytest.param("(4.19, 5.16]", "4.19", id="open low end"),
        pytest.param("[4.19,)", "4.18", id="open-ended above"),
        pytest.param("(,5.16)", "5.16", id="open-ended below"),
        pytest.param("[1,2), [3,4]", "2", id="between two intervals"),
        pytest.param("[1,2), [3,4]", "4.0.1", id="above two intervals"),
        pytest.param("<2 || >=3", "2.5", id="between two alternatives"),
        pytest.param(">=5.14.0-428", "5.14.0-427.el9.x86_64", id="build below"),
        pytest.param(">5.14.0-427", "5.14.0-427.el9.x86_64", id="build equal"),
        pytest.param(">=5.14.0-1", "5.14.0", id="no build is below every build"),
        pytest.param(">=2.10", "2.9", id="numbers, not text"),
    ],
)
def test_a_version_is_outside(ranges: str, version: str) -> None:
    assert not _is_in(version, ranges)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" , ", id="only commas"),
        pytest.param("|| >1", id="empty first alternative"),
        pytest.param(">1 ||", id="empty last alternative"),
        pytest.param(">", id="comparator without a version"),
        pytest.param(">>1", id="no comparator"),
        pytest.param("!=1", id="not equal is no comparator"),
        pytest.param("~1.2", id="tilde is no comparator"),
        pytest.param("1 2", id="two versions without a comma"),
        pytest.param("one", id="word"),
        pytest.param("-1", id="negative"),
        pytest.param("[1,2", id="interval that does not end"),
        pytest.param("[1]", id="interval of one end"),
        pytest.param("[1,2,3]", id="interval of three ends"),
        pytest.param("[1,2) [3,4]", id="intervals without a comma"),
        pytest.param("[1,2), >5", id="comparator after an interval"),
        pytest.param("[a,b]", id="interval of words"),
        pytest.param("[[1,2]]", id="nested"),
        pytest.param("(3, 2)", id="ends the wrong way round"),
        pytest.param("[3, 2.9]", id="closed ends the wrong way round"),
        pytest.param("(2, 2)", id="nothing between equal open ends"),
        pytest.param("[2, 2)", id="nothing before an equal open end"),
        pytest.param("(2, 2.0]", id="nothing after an equal open end"),
        pytest.param("9" * 100_000, id="plain number of 10^5 digits"),
        pytest.param(">=" + "9" * 100_000, id="number of 10^5 digits"),
        pytest.param("[1," + "9" * 100_000 + "]", id="interval to a number of 10^5 digits"),
        pytest.param(">=" + "1." * 50_000 + "1", id="version of 50,000 numbers"),
        pytest.param("[" * 100_000, id="100,000 brackets"),
        pytest.param("[1,1] " * 20_000, id="20,000 intervals without commas"),
    ],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_ranges(text)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("6.1.0", Version((6, 1)), id="trailing zeros go"),
        pytest.param("0", Version((0,)), id="one zero stays"),
        pytest.param("v1.2", Version((1, 2)), id="leading v"),
        pytest.param(" 1.2\n", Version((1, 2)), id="space around"),
        pytest.param("5.14.0-427.el9.x86_64", Version((5, 14), (427,)), id="build"),
        pytest.param("5.14.0-427.13.1.el9_4.x86_64", Version((5, 14), (427, 13, 1)), id="dotted build"),
        pytest.param("6.1.0-18-amd64", Version((6, 1), (18,)), id="Debian"),
        pytest.param("2.36+dfsg1", Version((2, 36)), id="words after a plus"),
        pytest.param("2.35-0ubuntu3.8", Version((2, 35), (0,)), id="numbers and words after a dash"),
        pytest.param("1.2.", Version((1, 2)), id="trailing dot"),
    ],
)
def test_a_version_is_its_leading_numbers(text: str, expected: Version) -> None:
    assert parse_version(text) == expected


@pytest.mark.parametrize("text", ["", " ", "el9", ".1", "-1", "vv1", "unknown"])
def test_what_starts_with_no_number_is_no_version(text: str) -> None:
    assert parse_version(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("4", True, id="number"),
        pytest.param("4.0", True, id="dotted"),
        pytest.param("v4", False, id="leading v"),
        pytest.param("4-1", False, id="build"),
        pytest.param("4.", False, id="trailing dot"),
        pytest.param("", False, id="empty"),
        pytest.param("true", False, id="word"),
    ],
)
def test_only_a_number_or_a_dotted_version_is_exact(text: str, expected: object) -> None:
    assert is_exact(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(">=1", True, id="comparator"),
        pytest.param(" <1", True, id="comparator after a space"),
        pytest.param("=1", True, id="equal"),
        pytest.param("[1,2]", True, id="closed interval"),
        pytest.param("(1,2)", True, id="open interval"),
        pytest.param("1 || 2", True, id="alternatives"),
        pytest.param("1", False, id="plain value"),
        pytest.param("a,b", False, id="list"),
        pytest.param("a|b", False, id="one bar"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_range_shows_by_how_it_is_written(text: str, expected: object) -> None:
    assert is_range(text) is expected
