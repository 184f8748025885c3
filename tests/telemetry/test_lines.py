"""Events: one line each, whatever their values hold, in either format."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.errors import ImagefitError
from imagefit.telemetry.lines import FORMATS, Format, end_of, line

HEAD = {"level": "info", "event": "e"}


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no text")


LOGFMT = [
    pytest.param("plain", "plain", id="plain"),
    pytest.param("", '""', id="empty"),
    pytest.param("two words", '"two words"', id="space"),
    pytest.param("a=b", '"a=b"', id="equals-sign"),
    pytest.param('say "x"', r'"say \"x\""', id="quote"),
    pytest.param("back \\ slash", r'"back \\ slash"', id="backslash"),
    pytest.param("a\nlevel=error event=forged", r'"a\nlevel=error event=forged"', id="line-end"),
    pytest.param("a\r\nb", r'"a\r\nb"', id="carriage-return"),
    pytest.param("a\tb", r'"a\tb"', id="tab"),
    pytest.param("\x1b[31mred\x00\x07", r'"\x1b[31mred\x00\x07"', id="control-characters"),
    pytest.param("\x85\x9b\u2028\u2029\u202e", r'"\x85\x9b\u2028\u2029\u202e"', id="line-ends-of-unicode"),
    pytest.param("\udcff", r'"\udcff"', id="surrogate"),
    pytest.param("größe", "größe", id="letters-of-unicode"),
    pytest.param(3, "3", id="number"),
    pytest.param(1.5, "1.5", id="fraction"),
    pytest.param(None, "None", id="none"),
    pytest.param(True, "True", id="truth"),
    pytest.param(Mute(), '"<Mute without a text: RuntimeError>"', id="without-a-text"),
    pytest.param(ImagefitError("it broke", advice="mend it"), '"it broke (mend it)"', id="error-with-advice"),
    pytest.param(["a", 1, None], r'"[\"a\",1,null]"', id="list"),
    pytest.param((), "[]", id="no-parts"),
]


@pytest.mark.parametrize(("value", "written"), LOGFMT)
def test_a_value_cannot_break_its_line_of_logfmt(value: object, written: str) -> None:
    assert line("logfmt", HEAD, {"a": value, "b": 1}) == f"level=info event=e a={written} b=1"


JSON = [
    pytest.param("plain", "plain", id="plain"),
    pytest.param('a\n"level":"error"', 'a\n"level":"error"', id="line-end-and-quotes"),
    pytest.param("\x1b\u2028\u202e", "\x1b\u2028\u202e", id="control-characters"),
    pytest.param("\udcff", "\udcff", id="surrogate"),
    pytest.param("größe 😀", "größe 😀", id="letters-of-unicode"),
    pytest.param(3, 3, id="number"),
    pytest.param(1.5, 1.5, id="fraction"),
    pytest.param(float("inf"), "inf", id="infinite"),
    pytest.param(float("nan"), "nan", id="not-a-number"),
    pytest.param(True, True, id="truth"),
    pytest.param(None, None, id="none"),
    pytest.param(Mute(), "<Mute without a text: RuntimeError>", id="without-a-text"),
    pytest.param({"a": [1, {"b": "c"}]}, {"a": [1, {"b": "c"}]}, id="nested"),
    pytest.param(RuntimeError("it broke"), "it broke", id="error"),
    pytest.param([[[[["deep"]]]]], [[[["['deep']"]]]], id="too-deep"),
    pytest.param(list(range(100)), list(range(64)), id="too-many"),
]


@pytest.mark.parametrize(("value", "read"), JSON)
def test_a_value_cannot_break_its_line_of_json(value: object, read: object) -> None:
    written = line("json", HEAD, {"a": value, "b": 1})
    assert written.isprintable()
    assert json.loads(written) == {"level": "info", "event": "e", "a": read, "b": 1}


def test_a_mapping_is_written_by_its_keys_in_logfmt() -> None:
    fields = {"ms": {"total": 12.5, "resolve": 3}, "chosen": {"entry": {"position": 2}}, "none": {}}
    assert line("logfmt", {}, fields) == "ms.total=12.5 ms.resolve=3 chosen.entry.position=2"


@pytest.mark.parametrize("form", FORMATS)
def test_a_field_cannot_pass_for_the_head(form: Format) -> None:
    written = line(form, HEAD, {"level": "error", "event": "forged"})
    assert ("level_" in written, "event_" in written) == (True, True)
    assert written.startswith("level=info event=e " if form == "logfmt" else '{"level":"info","event":"e",')


NAMES = [pytest.param("a b", id="space"), pytest.param("a=b", id="equals-sign"), pytest.param("a\nb", id="line-end")]


@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_a_mapping_cannot_break_the_line(name: str) -> None:
    assert line("logfmt", HEAD, {"m": {name: 1}}) == "level=info event=e m.a_b=1"


@pytest.mark.parametrize("form", FORMATS)
def test_long_values_are_cut(form: Format) -> None:
    written = line(form, HEAD, {"a": "x" * 10_000_000, "b": ["y" * 5000] * 1000, "c": {"d" * 5000: 1}})
    assert "x" * 2048 + "…" in written
    assert "x" * 2049 not in written
    assert len(written) < 20_000


@pytest.mark.parametrize("form", FORMATS)
def test_every_character_stays_on_the_line(form: Format) -> None:
    text = "".join(map(chr, [*range(0x3000), 0xD800, 0xDFFF, 0xE000, 0xFEFF, 0xFFFF, 0x10FFFF]))
    for start in range(0, len(text), 1000):
        written = line(form, HEAD, {"a": text[start : start + 1000]})
        assert written.splitlines() == [written]
        assert written.isprintable()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=3), VALUES, max_size=5))
def test_any_event_is_one_line_that_can_be_read(fields: dict[str, Any]) -> None:
    written = line("json", HEAD, fields)
    assert written.isprintable()
    assert set(json.loads(written)) == {*HEAD, *fields}
    pair = r'[^\s="]+=(?:[^\s="]+|"(?:[^"\\]|\\.)*")'
    assert re.fullmatch(f"{pair}(?: {pair})*", line("logfmt", HEAD, fields))


def test_a_trace_keeps_its_end() -> None:
    assert end_of("short") == "short"
    long = end_of("x" * 100_000 + "the cause")
    assert long.endswith("the cause")
    assert len(long) == 2048


def test_a_credential_at_the_cut_is_not_half_there() -> None:
    # What is cut first and cleared then would show the part of a key before its end.
    text = "x" * 2030 + " password=hunter2hunter2hunter2"
    assert "hunter" not in line("logfmt", HEAD, {"a": text})
    assert "hunter" not in end_of("password=" + "hunter" * 400 + " " + "x" * 100)
