"""On which line a key stands: that on which its statement starts."""

import time
from typing import Any

import pytest
from hypothesis import given

from config_data import as_toml, configurations
from imagefit.config.lines import Path, key_lines, line_of

TEXT = '''\
# a comment
a = 1
b.c = "x"

[t]  # a table
d = [
  1,  # [ not the end
  2,  # ] nor this
]
"e f" = """
g = 3
[h]
"""
i = { j = 1, k = { l = 2 } }
[[u]]
m = 1

[[u]]
m = 2
[u.v]
n = [ { o = 1 },
      { o = 2 } ]  # the end, of this,
[[u.w]]
p = 1
[[u.w]]
p = \'\'\'
]\'\'\'
[x.y.z]
q = 1979-05-27T07:32:00Z
'''

PLACES = [
    (("a",), 2),
    (("b",), 3),
    (("b", "c"), 3),
    (("t",), 5),
    (("t", "d"), 6),
    (("t", "e f"), 10),
    (("t", "i"), 14),
    (("t", "i", "k", "l"), 14),
    (("u",), 15),
    (("u", 0), 15),
    (("u", 0, "m"), 16),
    (("u", 1), 18),
    (("u", 1, "m"), 19),
    (("u", 1, "v"), 20),
    (("u", 1, "v", "n"), 21),
    (("u", 1, "w", 0, "p"), 24),
    (("u", 1, "w", 1), 25),
    (("u", 1, "w", 1, "p"), 26),
    (("x",), 28),
    (("x", "y", "z", "q"), 29),
]


@pytest.mark.parametrize(("path", "line"), PLACES, ids=[".".join(map(str, path)) for path, _ in PLACES])
@pytest.mark.parametrize("text", [TEXT, TEXT.replace("\n", "\r\n")], ids=["unix", "dos"])
def test_a_key_stands_where_its_statement_starts(text: str, path: Path, line: int) -> None:
    assert key_lines(text)[path] == line


def test_what_is_inside_a_statement_stands_where_that_starts() -> None:
    assert line_of(("u", 1, "v", "n", 1, "o"), key_lines(TEXT)) == 21


def test_of_what_is_not_there_no_line_is_known() -> None:
    assert line_of(("nowhere",), key_lines(TEXT)) is None
    assert key_lines("") == {}


def test_of_what_is_no_toml_no_line_is_known() -> None:
    assert key_lines("a = 1\nb = [\n") == {("a",): 1}


@given(configurations)
def test_every_key_of_a_file_has_a_line(data: dict[str, Any]) -> None:
    for number, name in enumerate(data, 1):
        assert key_lines(as_toml(data))[name,] == number


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a = [\n" + '"]",\n' * 40_000 + "]\n", id="one-long-array"),
        pytest.param("a = [\n" + '"]" # \n,' * 30_000 + "]\n", id="every-line-may-be-the-last"),
        pytest.param("a = '''\n" + "]\n" * 100_000 + "'''\n", id="one-long-text"),
        pytest.param("".join(f"k{number} = 1\n" for number in range(20_000)), id="many-keys"),
        pytest.param("\n" * 262_144, id="many-empty-lines"),
        pytest.param("".join(f"[a{number}]\n" for number in range(20_000)), id="many-tables"),
    ],
)
def test_the_work_on_a_file_of_the_largest_size_is_bounded(text: str) -> None:
    started = time.process_time()
    lines = key_lines(text)
    assert time.process_time() - started < 10
    assert len(lines) in {0, 1, 20_000}
