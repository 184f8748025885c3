"""Every parser on documents that were right before something happened to them, and what is written reads back."""

import base64
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.contract import Target, check
from fuzz.protobuf import fields_of
from fuzz.table import TARGETS
from imagefit.cri import wire
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, parse_index
from imagefit.model.ranges import Version, parse_ranges
from imagefit.node.detectors.facts_d import FEATURE, parse_facts
from imagefit.node.detectors.features_d import parse_feature_file
from imagefit.registry.credentials import Challenge, Credentials, credentials_for, parse_challenges
from imagefit.registry.referrers import list_of
from imagefit.telemetry.decision_file import read
from imagefit.telemetry.decisions import Ring

settings.register_profile("core", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("core")

# A machine that runs tests is not quiet: alone, these take milliseconds.
_MOST_SECONDS: Final = 5.0


def _damaged(target: Target) -> st.SearchStrategy[bytes]:
    """Return inputs of the corpus of a target to which a few things have happened."""
    seeds = [file.read_bytes() for file in sorted(target.corpus.iterdir())]
    whole = st.sampled_from(seeds)
    words = st.sampled_from(target.tokens) if target.tokens else st.binary(max_size=4)
    changes = st.lists(st.tuples(_CHANGES, st.randoms(use_true_random=False), whole, words), min_size=1, max_size=3)
    return st.builds(_changed, whole, changes)


def _changed(content: bytes, changes: list[tuple[Any, Any, bytes, bytes]]) -> bytes:
    for change, chance, other, word in changes:
        content = change(content, chance, other, word)
    return content


def _cut(content: bytes, chance: Any, _: bytes, __: bytes) -> bytes:
    start = chance.randint(0, len(content))
    return content[:start] + content[start + chance.randint(1, 16) :]


def _insert(content: bytes, chance: Any, _: bytes, word: bytes) -> bytes:
    start = chance.randint(0, len(content))
    return content[:start] + word + content[start + chance.randint(0, len(word)) :]


def _splice(content: bytes, chance: Any, other: bytes, _: bytes) -> bytes:
    return content[: chance.randint(0, len(content))] + other[chance.randint(0, len(other)) :]


def _move_lines(content: bytes, chance: Any, other: bytes, _: bytes) -> bytes:
    lines = content.split(b"\n")
    lines.insert(chance.randint(0, len(lines)), chance.choice(other.split(b"\n")))
    lines.insert(chance.randint(0, len(lines)), lines[chance.randrange(len(lines))])
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def _change_json(content: bytes, chance: Any, other: bytes, word: bytes) -> bytes:
    """Put another value, or one of another document, in the place of a value of a document."""
    try:
        tree, giver = json.loads(content), json.loads(other)
    except (ValueError, RecursionError):
        return _insert(content, chance, other, word)
    donors = [one for _, _, one in _places(giver)] + [None, True, -1, 1e9, "", "\0", "0" * 400, [], {}, [{}], {"": 0}]
    places = _places(tree)
    if places:
        parent, key, _ = chance.choice(places)
        parent[key] = chance.choice(donors)
    return json.dumps(tree).encode()


def _places(tree: Any) -> list[tuple[Any, Any, Any]]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [place for key, value in inside for place in ((tree, key, value), *_places(value))]


_CHANGES: Final[st.SearchStrategy[Callable[..., bytes]]] = st.sampled_from(
    [_cut, _insert, _splice, _move_lines, _change_json, _change_json]
)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_damaged_document_is_a_value_or_a_named_error(name: str, data: st.DataObject) -> None:
    check(TARGETS[name], data.draw(_damaged(TARGETS[name])), _MOST_SECONDS)


_NUMBERS: Final = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
_ENDS: Final = st.none() | _NUMBERS
_Interval = tuple[tuple[int, ...] | None, bool, tuple[int, ...] | None, bool]


def _written(interval: _Interval) -> str:
    low, low_in, high, high_in = interval
    ends = [".".join(map(str, end)) if end else "" for end in (low, high)]
    return f"{'[' if low_in else '('}{ends[0]}, {ends[1]}{']' if high_in else ')'}"


def _padded(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return numbers + (0,) * (3 - len(numbers))


def _is_inside(interval: _Interval, version: tuple[int, ...]) -> bool:
    low, low_in, high, high_in = interval
    above = low is None or _padded(low) < version or (low_in and _padded(low) == version)
    return above and (high is None or version < _padded(high) or (high_in and version == _padded(high)))


@st.composite
def _intervals(draw: st.DrawFn) -> _Interval:
    """Return an interval that something may be inside of: others are refused."""
    low, high = draw(_ENDS), draw(_ENDS)
    if low is not None and high is not None and _padded(low) > _padded(high):
        low, high = high, low
    is_point = low is not None and high is not None and _padded(low) == _padded(high)
    return low, is_point or draw(st.booleans()), high, is_point or draw(st.booleans())


@given(st.lists(_intervals(), min_size=1, max_size=3), st.sampled_from([", ", " || "]))
def test_a_version_is_in_a_range_exactly_where_numbers_of_three_parts_say_so(
    intervals: list[_Interval], between: str
) -> None:
    ranges = parse_ranges(between.join(map(_written, intervals)))
    for version in itertools.product(range(4), repeat=3):
        expected = any(_is_inside(one, version) for one in intervals)
        assert ranges.holds(_version(version)) is expected


def _version(numbers: tuple[int, ...]) -> Version:
    while len(numbers) > 1 and not numbers[-1]:
        numbers = numbers[:-1]
    return Version(numbers)


_NAME: Final = st.text(st.characters(codec="utf-8", exclude_characters=":\0"), min_size=1, max_size=20)
_SECRET: Final = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(_NAME, _SECRET)
def test_credentials_read_back_from_the_header_that_shows_them(name: str, secret: str) -> None:
    shown = Credentials(name, secret).basic().removeprefix("Basic ")
    assert base64.b64decode(shown).decode() == f"{name}:{secret}"
    assert credentials_for(AuthConfig(auth=shown), "registry.example.org") == Credentials(name, secret)


_WORD: Final = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
_QUOTED: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_ASKED: Final = st.builds(Challenge, _WORD, st.dictionaries(_WORD, _QUOTED, max_size=3))


def _header(challenge: Challenge) -> str:
    """Return a challenge as RFC 9110 writes it, every value in quotes."""
    values = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in challenge.parameters.items()}
    return f"{challenge.scheme} " + ", ".join(f'{name}="{value}"' for name, value in values.items())


@given(st.lists(_ASKED, min_size=1, max_size=4))
def test_challenges_read_back_in_one_header_and_in_several(challenges: list[Challenge]) -> None:
    headers = [_header(one) for one in challenges]
    assert parse_challenges(headers) == tuple(challenges)
    assert parse_challenges([", ".join(headers)]) == tuple(challenges)


_DESCRIPTORS: Final = st.builds(
    Descriptor,
    st.integers(0, 1 << 64).map(lambda number: f"sha256:{number:064x}"),
    st.text(max_size=20),
    st.integers(0, 1 << 40),
    annotations=st.none() | st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3),
    artifact_type=st.text(max_size=20),
)


@given(st.lists(_DESCRIPTORS, max_size=4))
def test_a_list_of_referrers_reads_back_as_an_index(referrers: list[Descriptor]) -> None:
    entries = parse_index(list_of(referrers), "x").entries
    assert [(one.digest, one.media_type, one.size, one.artifact_type, one.stated) for one in entries] == [
        (one.digest, one.media_type, one.size, one.artifact_type, one.stated) for one in referrers
    ]


_TOML_TEXT: Final = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=12)


@given(st.dictionaries(_WORD, _TOML_TEXT | st.integers(-99, 99) | st.booleans(), max_size=4))
def test_facts_of_an_operator_read_back(facts: dict[str, str | int | bool]) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in facts.items()]
    found = parse_facts("\n".join(["[facts]", *lines]).encode()).attributes.get(FEATURE, {})
    assert found == {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}


_NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
_FEATURES: Final = st.dictionaries(_WORD, _WORD, max_size=4)


@given(_FEATURES, _FEATURES, st.timedeltas(timedelta(days=-9), timedelta(days=9)))
def test_lines_of_a_feature_file_hold_until_they_expire(
    lasting: dict[str, str], passing: dict[str, str], left: timedelta
) -> None:
    left -= timedelta(microseconds=left.microseconds)
    expiry = f"# +expiry-time={_NOW + left:%Y-%m-%dT%H:%M:%SZ}"
    lines = [f"{name}={value}" for name, value in lasting.items()]
    text = "\n".join([*lines, expiry, *(f"{name}={value}" for name, value in passing.items())])
    expected = lasting | (passing if left >= timedelta() else {})
    assert parse_feature_file(text, _NOW) == (expected, expected, ())


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_RECORDS: Final = st.fixed_dictionaries(
    {key: st.text(max_size=20) for key in ("time", "image", "result", "reason")}, optional={"chosen": _JSON}
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_RECORDS, min_size=1, max_size=5))
def test_decisions_read_back_from_their_file(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    file = tmp_path / "decisions"
    file.unlink(missing_ok=True)
    ring = Ring(file, keep=10)
    for record in records:
        ring.add(record)
    ring.close()
    assert ring.lost == 0
    assert read(file).records == tuple(records)


@given(st.text(max_size=30), st.binary(max_size=30))
def test_a_record_is_asked_for_and_made_by_the_name_and_the_target_that_were_read(name: str, rest: bytes) -> None:
    # Field 15 of a descriptor is one that no version of ours knows.
    target = b"\x12\x03a:b\x18\x07" + b"\x7a" + bytes([len(rest)]) + rest
    create = wire.create_request(name, target)
    image = fields_of(fields_of(create)[0].payload)
    assert [one.payload.decode() for one in image if one.number == 1] == ([name] if name else [])
    assert [one.payload for one in image if one.is_bytes(3)] == [target]
    record = wire.read_get_response(create)
    assert (record.name, record.digest, record.target) == (name, "a:b", target)
    assert record.is_managed
