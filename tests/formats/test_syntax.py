"""Bytes to plain values: what JSON and YAML give alike, and what neither may hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagefit.errors import InvalidDocumentError
from imagefit.formats.syntax import MAX_DEPTH, MAX_PARTS, MAX_YAML_PARTS, Number, Tree, load, pointer
from imagefit.model.oci import MAX_DOCUMENT_BYTES

_BOM = b"\xef\xbb\xbf"


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("content", "tree"),
    [
        pytest.param(b'{"a": [1, "b", true, null]}', {"a": ["1", "b", True, None]}, id="JSON"),
        pytest.param(b"a: [1, b, true, null]", {"a": ["1", "b", True, None]}, id="YAML"),
        pytest.param(b' \n\t{"a": {}}', {"a": {}}, id="JSON after space"),
        pytest.param(b"# words\n---\na: {}\n...\n", {"a": {}}, id="YAML after a comment"),
        pytest.param(_BOM + b'{"a": "\\u0041"}', {"a": "A"}, id="JSON after a byte order mark"),
        pytest.param(_BOM + b"a: b", {"a": "b"}, id="YAML after a byte order mark"),
        pytest.param(b'"version": v1\n"a": b', {"version": "v1", "a": "b"}, id="YAML that begins with a quote"),
        pytest.param(b'"a"', "a", id="text"),
        pytest.param(b"7", "7", id="number"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"--- ", None, id="empty YAML document"),
        pytest.param(b"%YAML 1.2\n---\na: b", {"a": "b"}, id="YAML directive"),
    ],
)
def test_json_and_yaml_are_read(content: bytes, tree: Tree) -> None:
    assert load(content) == tree


@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(b"1.10", "1.10", id="fraction"),
        pytest.param(b"-0", "-0", id="negative"),
        pytest.param(b"1e999", "1e999", id="exponent"),
        pytest.param(b"9" * 5000, "9" * 5000, id="many digits"),
    ],
)
def test_a_number_is_the_text_that_its_author_wrote(number: bytes, text: str) -> None:
    found = load(b"[" + number + b"]")
    assert isinstance(found, list)
    assert found == [text]
    assert isinstance(found[0], Number)
    assert load(b"- " + number) == [text]
    assert load(b'["\\u0041", ' + number + b"]") == ["A", text]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        pytest.param(b"~", None, id="tilde"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"Null", None, id="null"),
        pytest.param(b"TRUE", True, id="true"),
        pytest.param(b"false", False, id="false"),
        pytest.param(b"yes", "yes", id="yes is a word"),
        pytest.param(b"0x1F", "0x1F", id="hexadecimal"),
        pytest.param(b"010", "010", id="leading zero"),
        pytest.param(b".nan", ".nan", id="no number"),
        pytest.param(b"2024-01-01", "2024-01-01", id="date"),
        pytest.param(b"'true'", "true", id="single quotes"),
        pytest.param(b'"null"', "null", id="double quotes"),
        pytest.param(b'"\\x41\\u00e9\\t"', "A\u00e9\t", id="escapes"),
        pytest.param(b"|\n  true\n", "true\n", id="literal block"),
        pytest.param(b">\n  a\n  b\n", "a b\n", id="folded block"),
        pytest.param(b"!!str true", "true", id="text by its tag"),
        pytest.param(b"!!int 5", "5", id="number by its tag"),
        pytest.param(b"!!float 1.10", "1.10", id="fraction by its tag"),
        pytest.param(b"!!bool 'true'", True, id="boolean by its tag"),
        pytest.param(b"!!null ''", None, id="null by its tag"),
        pytest.param(b"!!map {b: c}", {"b": "c"}, id="mapping by its tag"),
        pytest.param(b"!!seq [b]", ["b"], id="list by its tag"),
    ],
)
def test_yaml_has_the_types_of_its_core_schema_but_for_numbers(scalar: bytes, value: Tree) -> None:
    assert load(b"a: " + scalar) == {"a": value}


def test_a_key_of_yaml_is_its_text() -> None:
    assert load(b"true: a\n1: b\n? c\n: d") == {"true": "a", "1": "b", "c": "d"}


@pytest.mark.parametrize(
    ("content", "tree"),
    [
        pytest.param(b"a: &x b\nc: *x", {"a": "b", "c": "b"}, id="text"),
        pytest.param(b"a: &x [b]\nc: *x", {"a": ["b"], "c": ["b"]}, id="list"),
        pytest.param(b"a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}, id="mapping"),
        pytest.param(b"a: &x true\nc: *x", {"a": True, "c": True}, id="boolean"),
        pytest.param(b"a: &x b\n*x : c", {"a": "b", "b": "c"}, id="key"),
        pytest.param(b"a: &x b\nc: &x d\ne: *x", {"a": "b", "c": "d", "e": "d"}, id="the latest of a name"),
    ],
)
def test_an_alias_stands_for_what_its_anchor_marks(content: bytes, tree: Tree) -> None:
    assert load(content) == tree


def test_a_pair_of_escapes_is_one_character() -> None:
    assert load(b'["\\ud83d\\ude00"]') == ["\U0001f600"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "0 YAML documents", id="empty"),
        pytest.param(b"a: b\n---\nc: d", "more than one YAML document", id="several documents"),
        pytest.param(b'{"a": 1} {}', "not JSON: Extra data in line 1, column 10", id="words after JSON"),
        pytest.param(b'{"a": 1,\n}', "in line 2", id="trailing comma"),
        pytest.param(b"[NaN]", "not JSON: NaN", id="NaN"),
        pytest.param(b"[-Infinity]", "not JSON: -Infinity", id="infinity"),
        pytest.param(b'["a\nb"]', "control character", id="newline in JSON text"),
        pytest.param(b'{"a": 1, "b": 2, "a": 3}', "'a' stands twice", id="key twice in JSON"),
        pytest.param(b'{"a": 1, "\\u0061": 2}', "'a' stands twice", id="key twice by an escape"),
        pytest.param(b"a: 1\nb: 2\na: 3", "'a' stands twice in line 3", id="key twice in YAML"),
        pytest.param(b"a: 1\n'a': 3", "'a' stands twice", id="key twice by quotes"),
        pytest.param(b"a: &x a\n*x : 3", "'a' stands twice", id="key twice by an alias"),
        pytest.param(b"\xff", "not UTF-8 at byte 0", id="no UTF-8"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', "not UTF-8 at byte 7", id="half a character in UTF-8"),
        pytest.param(b'["\\ud83d"]', "half a character", id="half a character in JSON"),
        pytest.param(b'["\\ude00\\ud83d"]', "half a character", id="halves in the wrong order"),
        pytest.param(b'{"\\uD800": 1}', "half a character", id="half a character in a key"),
        pytest.param(b'{"a": [{"b": "\\udfff"}]}', "half a character", id="half a character deep inside"),
        pytest.param(b'a: "\\ud800"', "invalid Unicode character escape", id="half a character in YAML"),
        pytest.param(b'"\\ud83d\\ude00"', "invalid Unicode character escape", id="halves in YAML"),
        pytest.param(b"a: \x00", "control characters are not allowed", id="NUL"),
        pytest.param(b"a: [", "not YAML: ", id="cut off"),
        pytest.param(b"a: b: c", "in line 1, column 5", id="no YAML"),
        pytest.param(b"\tb: c", "cannot start any token", id="tab"),
        pytest.param(b"a: *x", "'x' stands for nothing before it in line 1", id="alias of nothing"),
        pytest.param(b"a: &x [*x]", "'x' stands for nothing before it", id="alias inside its own anchor"),
        pytest.param(b"<<: {a: b}", "merge keys are not read", id="merge key"),
        pytest.param(b"? [a]\n: b", "a key is text", id="list as a key"),
        pytest.param(b"a: &x [b]\n*x : c", "a key is text in line 2", id="list as a key by an alias"),
        pytest.param(b"a: &x true\n*x : c", "a key is text", id="boolean as a key by an alias"),
        pytest.param(b"a: !!python/object:x y", "python/object:x' is not read", id="tag of another language"),
        pytest.param(b"a: !!binary aa==", "binary' is not read", id="tag of another type"),
        pytest.param(b"a: !mine b", "'!mine' is not read", id="tag of a private type"),
        pytest.param(b"a: !!set {b}", "set' is not read", id="tag of another collection"),
        pytest.param(b"!mine [a]", "'!mine' is not read", id="tag of a private collection"),
    ],
)
def test_what_is_neither_or_has_two_meanings_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        load(content)
    assert message in caught.value.message.replace("Invalid", "invalid")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(_nested(MAX_DEPTH), id="JSON"),
        pytest.param(b"a: " + _nested(MAX_DEPTH - 1), id="YAML"),
        pytest.param(b"- " * MAX_DEPTH + b"a", id="YAML in blocks"),
        pytest.param(b"- &x " + _nested(MAX_DEPTH - 2) + b"\n- [*x]", id="alias"),
        pytest.param(b"[" + b"1," * (MAX_PARTS - 2) + b"1]", id="values in JSON"),
        pytest.param(b"- [" + b"1," * (MAX_YAML_PARTS - 3) + b"1]", id="values in YAML"),
        pytest.param(b'"' + b"a" * (MAX_DOCUMENT_BYTES - 2) + b'"', id="bytes"),
        pytest.param(b"%TAG !a! tag:a\n" + b"---\na: b", id="directives"),
    ],
)
def test_at_its_limits_a_document_is_read(content: bytes) -> None:
    assert load(content) is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(_nested(MAX_DEPTH + 1), "64 deep", id="JSON"),
        pytest.param(_nested(100_000), "64 deep", id="JSON beyond what can be decoded"),
        pytest.param(b"a: " + _nested(MAX_DEPTH), "64 deep in line 1", id="YAML"),
        pytest.param(b"- " * (MAX_DEPTH + 1) + b"a", "64 deep in line 1", id="YAML in blocks"),
        pytest.param(b"- &x " + _nested(MAX_DEPTH - 1) + b"\n- [*x]", "64 deep in line 2", id="alias"),
        pytest.param(b"[" + b"1," * (MAX_PARTS) + b"1]", "400000 values", id="values in JSON"),
        pytest.param(b"- [" + b"1," * (MAX_YAML_PARTS - 2) + b"1]", "100000 values", id="values in YAML"),
        pytest.param(b"- &x [1,1,1]\n- [" + b"*x," * 25_000 + b"]", "aliases written out in line 2", id="aliases"),
        pytest.param(b"a" * (MAX_DOCUMENT_BYTES + 1), "more than 4194304", id="bytes"),
        pytest.param(b"%TAG !a! tag:a\n" * 17 + b"---\na: b", "16 YAML directives", id="directives"),
        pytest.param(b"%a\r" * 17 + b"---\na: b", "16 YAML directives", id="directives by other line ends"),
    ],
)
def test_beyond_its_limits_a_document_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        load(content)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        pytest.param((), "", id="whole document"),
        pytest.param(("a", 0, "b"), "/a/0/b", id="keys and numbers"),
        pytest.param(("a/b", "~1"), "/a~1b/~01", id="characters of its own"),
        pytest.param(("",), "/", id="empty key"),
    ],
)
def test_a_place_is_a_json_pointer(keys: tuple[str | int, ...], text: str) -> None:
    assert pointer(*keys) == text


@pytest.mark.parametrize("form", ['{"%s": 1}', "%s: 1", "? %s\n: 1"])
def test_a_key_has_at_most_1024_characters(form: str) -> None:
    assert load((form % ("x" * 1023)).encode()) == {"x" * 1023: "1"}
    with pytest.raises(InvalidDocumentError, match=r"a key of 1025 characters|not YAML"):
        load((form % ("x" * 1025)).encode())


def test_long_text_counts_as_many_values_each_time_an_alias_writes_it_out() -> None:
    text = b"a: &a " + b"x" * 64_000 + b"\nb: ["
    assert load(text + b"*a, " * 90 + b"c]")
    with pytest.raises(InvalidDocumentError, match="aliases written out"):
        load(text + b"*a, " * 110 + b"c]")


_VALUES = ('"1"', '"2"', '"\\u0041"', "1", "true", "null", '["x"]', '"\x01"')
_MEMBER = st.builds('"{}": {}'.format, st.sampled_from("ab"), st.sampled_from(_VALUES))
_MEMBERS = st.lists(st.lists(_MEMBER, max_size=3), max_size=3)
_BROKEN = st.sampled_from(["", ",", "]", '"', "\x0b"])


def _read(content: bytes) -> Tree | str:
    try:
        return load(content)
    except InvalidDocumentError as error:
        return error.message


@given(_MEMBERS, _BROKEN)
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_a_small_list_of_sets_is_read_as_any_other_document(members: list[list[str]], broken: str) -> None:
    """What is long takes the slow way: spaces make it long and change nothing else."""
    content = ("[" + ", ".join("{" + ", ".join(some) + "}" for some in members) + broken + "]").encode()
    assert _read(content) == _read(content + b" " * 2000)


def test_a_key_that_stands_twice_is_refused_in_a_small_list_of_sets() -> None:
    assert load(b'[{"a": "1", "b": "1"}]') == [{"a": "1", "b": "1"}]
    with pytest.raises(InvalidDocumentError, match="the key 'a' stands twice"):
        load(b'[{"a": "1", "a": "1"}]')
