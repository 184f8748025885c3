"""What is written as TOML loads to what it was written from."""

import re
import tomllib
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from config_data import as_toml, configurations, near_configurations
from imagefit.config import Config, FaultyConfigurationError, parse_config
from imagefit.config.checking import complaints
from imagefit.config.example import example
from imagefit.config.writing import format_toml, format_value
from imagefit.errors import InvalidConfigurationError

NAMES = st.text(st.characters(exclude_categories=["Cs"]))


def parse(text: str, data: dict[str, Any]) -> Config:
    return parse_config(text.encode(), "c.toml", lambda: data.get("node", {}).get("detectors", []))


@given(configurations)
def test_a_right_configuration_is_read_and_what_show_writes_of_it_loads_to_the_same(data: dict[str, Any]) -> None:
    assert [*complaints(data, Config)] == []
    try:
        config = parse(as_toml(data), data)
    except FaultyConfigurationError as error:
        assume("server.socket and containerd.socket" not in str(error))
        raise
    shown = format_toml(msgspec.to_builtins(config), lambda path: f"place of {path!a}")
    assert parse(shown, data) == config


def outcome(content: bytes) -> Config | InvalidConfigurationError:
    try:
        return parse_config(content, "c.toml", set)
    except InvalidConfigurationError as error:
        return error


@given(near_configurations)
def test_whatever_is_read_gives_a_configuration_or_an_error_of_ours(data: dict[str, Any]) -> None:
    text = as_toml(data)
    assume(len(text) < 100_000)
    found = outcome(text.encode())
    if isinstance(found, InvalidConfigurationError):
        assert found.message.startswith("c.toml")
        assert (found.message + found.advice).isprintable()


@given(st.binary() | st.text(alphabet='[]{}=".#\na1-').map(str.encode))
def test_whatever_bytes_are_read_give_a_configuration_or_an_error_of_ours(content: bytes) -> None:
    found = outcome(content)
    assert isinstance(found, Config) or found.message.isprintable()


@given(
    st.recursive(NAMES | st.booleans() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))
)
def test_a_value_is_written_on_one_line_in_printable_characters_and_parses(value: Any) -> None:
    written = format_value(value)
    assert written.isprintable()
    assert tomllib.loads(f"x = {written}") == {"x": value}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(60.0, "60", id="whole-number-of-seconds"),
        pytest.param(0.25, "0.25", id="fraction"),
        pytest.param(True, "true", id="boolean"),
        pytest.param('a"\\\n\u202e\U000e0001', '"a\\"\\\\\\u000a\\u202e\\U000e0001"', id="escapes"),
        pytest.param({"a b": [1, "x"]}, '{ "a b" = [1, "x"] }', id="inline-table"),
        pytest.param({}, "{}", id="empty-table"),
        pytest.param((), "[]", id="empty-list"),
    ],
)
def test_values_look_as_people_write_them(value: Any, written: str) -> None:
    assert format_value(value) == written


def test_the_place_stands_behind_a_line_or_where_that_is_too_long_before_it() -> None:
    data = {"a": {"short": 1, "long": "x" * 60}, "b": [], "c": [{"d": [{"e": "f"}]}]}
    text = format_toml(data, lambda path: f"from {'/'.join(map(str, path))} in a file")
    assert text.splitlines() == [
        "[a]",
        "short = 1  # from a/short in a file",
        "# from a/long in a file",
        f'long = "{"x" * 60}"',
        "",
        "# no [[b]]",
        "",
        "[[c]]  # from c/0 in a file",
        "d = [  # from c/0/d in a file",
        '  { e = "f" },  # from c/0/d/0 in a file',
        "]",
    ]


def test_the_example_is_the_default_and_fits_80_columns() -> None:
    assert parse_config(example().encode(), "example") == Config()
    assert max(map(len, example().splitlines())) <= 80


def test_every_line_that_the_example_has_to_uncomment_is_a_configuration() -> None:
    config = parse_config(re.sub(r"^#(?=\S)", "", example(), flags=re.MULTILINE).encode(), "example")
    assert len(config.image) == 3
    assert len(config.prefer) == 3
    assert len(config.require) == 1
    assert len(config.log.levels.by_part) == 6
