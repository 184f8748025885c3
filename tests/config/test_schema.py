"""Schema, example and reference page are made from the tables, and the schema is of one mind with the reader."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from config_data import configurations, near_configurations
from docs.generators.config import config_page
from imagefit.config import Config, parse_config
from imagefit.config.checking import complaints
from imagefit.config.keys import tables_of
from imagefit.config.schema import config_schema, packaged_schema

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/config.md").read_text()
SCHEMA = jsonschema.Draft202012Validator(config_schema())
# What the schema cannot say: the last of an order; that a whole number is none when it is written as a fraction.
UNSAYABLE = re.compile(r"does not end with 'position'|is -?[0-9.e+]+, not a whole number")


def test_the_schema_is_a_schema_and_the_package_ships_it() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    assert packaged_schema() == json.dumps(config_schema(), indent=2) + "\n", "run `make docs`"


def test_the_page_is_up_to_date() -> None:
    assert config_page() == PAGE, "run `make docs`"


def test_the_example_is_up_to_date() -> None:
    from imagefit.config.example import example

    assert (ROOT / "examples/config.toml").read_text() == example(), "run `make docs`"


def test_every_key_has_words_and_stands_in_the_page() -> None:
    for path, table, own in tables_of(Config):
        assert table.about
        assert f"`[{'.'.join(path)}]`" in PAGE or f"`[[{'.'.join(path)}]]`" in PAGE
        for key in own.values():
            assert key.about, (path, key.name)
            assert f"| `{key.name}` |" in PAGE or key.kind.table


@pytest.mark.parametrize("shown", re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), ids=lambda text: text.split()[0])
def test_what_the_page_shows_is_a_configuration(shown: str) -> None:
    assert parse_config(shown.encode(), "config.md") != Config()
    assert SCHEMA.is_valid(tomllib.loads(shown))


RIGHT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "policy": {"policy": {"mode": "off", "time-budget": 3, "trust": ["referrers", "index"]}},
    "order": {"ranking": {"order": ["tier", "cpu", "position"]}},
    "conditions": {"prefer": [{"annotation": "a", "value": "b", "tag": "c", "weight": -3}]},
    "rule": {"image": [{"runtime-handler": "", "platforms": ["wasi/wasm"], "prefer": []}]},
    "levels": {"log": {"levels": {"cri": "debug"}}},
}
WRONG: dict[str, dict[str, Any]] = {
    "unknown-table": {"polcy": {}},
    "unknown-key": {"policy": {"mdoe": "off"}},
    "unknown-key-of-a-condition": {"prefer": [{"tag": "x", "when": 1}]},
    "word": {"policy": {"mode": "on"}},
    "type": {"policy": {"time-budget": "3"}},
    "range": {"policy": {"time-budget": 0}},
    "path": {"server": {"socket": "x"}},
    "order-begins-otherwise": {"ranking": {"order": ["cpu", "tier", "position"]}},
    "order-names-twice": {"ranking": {"order": ["tier", "cpu", "cpu", "position"]}},
    "order-without-position": {"image": [{"match": "x", "ranking": ["tier", "cpu"]}]},
    "order-of-nothing": {"ranking": {"order": []}},
    "trust": {"policy": {"trust": ["referrers"]}},
    "trust-in-nothing": {"image": [{"match": "x", "trust": []}]},
    "trust-twice": {"policy": {"trust": ["index", "index"]}},
    "no-condition": {"require": [{"runtime-handler": "x"}]},
    "value-of-nothing": {"require": [{"tag": "x", "value": "y"}]},
    "value-of-two": {"prefer": [{"annotation": "x", "label": "y", "value": "z"}]},
    "no-weight": {"prefer": [{"tag": "x", "weight": 0}]},
    "weight-in-require": {"require": [{"tag": "x", "weight": 1}]},
    "no-pattern": {"image": [{"mode": "off"}]},
    "not-loopback": {"metrics": {"listen": "0.0.0.0:1"}},
    "unknown-part": {"log": {"levels": {"kernel": "debug"}}},
    "a-table-for-an-array": {"prefer": {"tag": "x"}},
    "inside-a-rule": {"image": [{"match": "x", "prefer": [{"tag": "x", "value": "y"}]}]},
}


@pytest.mark.parametrize("data", RIGHT.values(), ids=RIGHT.keys())
def test_schema_and_reader_take_what_is_right(data: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(data)
    assert [*complaints(data, Config)] == []


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_schema_and_reader_refuse_what_is_wrong(data: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(data)
    assert [*complaints(data, Config)]


@given(configurations)
def test_the_schema_takes_what_the_reader_takes(data: dict[str, Any]) -> None:
    assert SCHEMA.is_valid(data)


@given(near_configurations)
def test_the_schema_refuses_what_the_reader_refuses_where_it_can(data: dict[str, Any]) -> None:
    wrong = [complaint.message for complaint in complaints(data, Config)]
    if SCHEMA.is_valid(data):
        assert [message for message in wrong if not UNSAYABLE.search(message)] == []
    else:
        assert wrong
