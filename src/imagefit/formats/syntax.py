"""Bytes to plain values: JSON and YAML, read within limits and without surprises.

Knows size, depth and amount limits, and that a key stands once. Numbers stay the text that the author wrote (``1.10``
is not 1.1), and so does every plain YAML scalar but ``null``, ``true`` and ``false``. Leaves to the dialects what a
value means. Sources: RFC 8259; YAML 1.2 (core schema) over libyaml's events.
"""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.model.oci import MAX_DOCUMENT_BYTES


class Number(str):
    """A JSON number, as the author wrote it."""

    __slots__ = ()


Tree = None | bool | str | list["Tree"] | dict[str, "Tree"]
"""A document as plain values; numbers are text."""

MAX_PARTS: Final = 400_000
"""Most values and keys of a JSON document, counted by its punctuation."""
MAX_YAML_PARTS: Final = 100_000
"""Most values and keys of a YAML document, every use of an alias counted as if it were written out, long text as
several."""
MAX_KEY_CHARACTERS: Final = 1024
"""Longest key: keys are copied into places, labels and names of facts."""
MAX_DEPTH: Final = 64
"""Deepest nesting of lists and objects."""

# So small that none of the other limits can be met.
_MAX_PLAIN_BYTES: Final = MAX_KEY_CHARACTERS
_CHARACTERS_OF_A_PART: Final = 64
_PUNCTUATION: Final = (",", ":", "[", "{")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TAGS: Final = "tag:yaml.org,2002:"
# The types of YAML's core schema. Numbers are text here, whatever they are called.
_TEXT_TAGS: Final = frozenset({f"{_TAGS}str", f"{_TAGS}int", f"{_TAGS}float"})
_PLAIN_TAGS: Final = frozenset({f"{_TAGS}null", f"{_TAGS}bool"})
_COLLECTION_TAGS: Final = frozenset({f"{_TAGS}map", f"{_TAGS}seq"})
_MERGE: Final = "<<"
# libyaml compares every directive with all those before it: 100,000 of them take a minute.
_DIRECTIVE: Final = re.compile(r"(?:\A|[\r\n\x85\u2028\u2029])%")
_MAX_DIRECTIVES: Final = 16
_HALF_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_HALF_A_CHARACTER: Final = re.compile("[\ud800-\udfff]")


def load(content: bytes) -> Tree:
    """Read one document.

    Args:
        content: JSON, or YAML where it does not begin as a JSON object or list does.

    Raises:
        InvalidDocumentError: it is neither, a key stands twice, or it is beyond the limits; the message has the line.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InvalidDocumentError(f"{len(content)} bytes, more than {MAX_DOCUMENT_BYTES}")
    plain = _load_plain(content)
    if plain is not None:
        return plain
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocumentError(f"not UTF-8 at byte {error.start}") from error
    return _load_json(text) if text.lstrip()[:1] in {"{", "["} else _load_yaml(text)


def begins_with_a_name(tree: list[Tree]) -> bool:
    """Tell whether a list is one of names: its first element is text and no number."""
    return bool(tree) and isinstance(tree[0], str) and not isinstance(tree[0], Number)


def pointer(*keys: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of a place below a document."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def _load_plain(content: bytes) -> Tree:
    """Return a small list of objects of text: what most documents are, read at a tenth of the cost.

    Returns:
        What ``_load_json`` would return; None where that has to look more closely, for a fault or for another shape.
    """
    if len(content) > _MAX_PLAIN_BYTES or not content.startswith(b"[") or b"\\" in content:
        return None
    try:
        sets: list[Tree] = _PLAIN.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    # A member has four quotes: some are left over where a key stands twice.
    members = sum([len(one) for one in sets if isinstance(one, dict)])
    return sets if content.count(b'"') == 4 * members else None


def _load_json(text: str) -> Tree:
    if sum(map(text.count, _PUNCTUATION)) > MAX_PARTS:
        raise InvalidDocumentError(f"more than {MAX_PARTS} values")
    try:
        tree: Tree = _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidDocumentError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep") from error
    _check_depth(tree)
    if _HALF_ESCAPE.search(text):
        _check_characters(tree)
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    for key in found:
        _check_key(key)
    if len(found) != len(pairs):
        names = sorted(key for key, _ in pairs)
        twice = next(one for one, after in itertools.pairwise(names) if one == after)
        raise InvalidDocumentError(f"the key {twice[:80]!r} stands twice")
    return found


def _check_key(key: str) -> None:
    if len(key) > MAX_KEY_CHARACTERS:
        raise InvalidDocumentError(f"a key of {len(key)} characters, more than {MAX_KEY_CHARACTERS}")


def _no_constant(name: str) -> NoReturn:
    raise InvalidDocumentError(f"not JSON: {name}")


_PLAIN: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(list[dict[str, str]])
_JSON: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


def _check_depth(tree: Tree) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep")


def _children(tree: Tree) -> Iterator[Tree]:
    """Return the lists and objects right inside a value."""
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return (one for one in inside if isinstance(one, list | dict))


def _check_characters(tree: Tree) -> None:
    """Refuse escapes of half a character, which no text can be written with."""
    match tree:
        case list():
            for one in tree:
                _check_characters(one)
        case dict():
            for key, one in tree.items():
                _check_characters(key)
                _check_characters(one)
        case str() if _HALF_A_CHARACTER.search(tree):
            raise InvalidDocumentError("not JSON: an escape of half a character")
        case _:
            pass


class _Open(msgspec.Struct):
    """A list or mapping that has begun; ``height`` counts the levels in it so far, its own included."""

    tree: "list[Tree] | dict[str, Tree]"
    anchor: str | None
    parts_before: int
    height: int = 1
    key: str | None = None


class _Anchored(msgspec.Struct, frozen=True):
    """A value that aliases stand for."""

    tree: Tree
    parts: int
    height: int


class _Composer:
    """Values from libyaml's events, counted as they come."""

    def __init__(self) -> None:
        self.root: list[Tree] = []
        self._open: list[_Open] = []
        self._anchored: dict[str, _Anchored] = {}
        self._parts = 0

    def scalar(self, text: str, tag: str | None, anchor: str | None, *, plain: bool) -> None:
        if tag is not None and tag not in _TEXT_TAGS | _PLAIN_TAGS:
            raise InvalidDocumentError(f"the tag {tag[:80]!r} is not read")
        value = _plain(text) if tag in _PLAIN_TAGS or (plain and tag is None) else text
        # Long text counts as much as many words: an alias writes it out again.
        parts = 1 + len(text) // _CHARACTERS_OF_A_PART
        self._count(parts)
        if anchor is not None:
            self._anchored[anchor] = _Anchored(value, parts, 0)
        self._add(value, text)

    def begin(self, tree: "list[Tree] | dict[str, Tree]", tag: str | None, anchor: str | None) -> None:
        if tag is not None and tag not in _COLLECTION_TAGS:
            raise InvalidDocumentError(f"the tag {tag[:80]!r} is not read")
        self._open.append(_Open(tree, anchor, self._parts))
        self._rise(0)
        self._count(1)

    def end(self) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchored[done.anchor] = _Anchored(done.tree, self._parts - done.parts_before, done.height)
        self._rise(done.height)
        self._add(done.tree, None)

    def alias(self, anchor: str) -> None:
        if anchor not in self._anchored:
            raise InvalidDocumentError(f"the alias {anchor[:80]!r} stands for nothing before it")
        meant = self._anchored[anchor]
        self._count(meant.parts)
        self._rise(meant.height)
        self._add(meant.tree, meant.tree if isinstance(meant.tree, str) else None)

    def _rise(self, height: int) -> None:
        """Take notice of a value of some levels inside what is open."""
        if len(self._open) + height > MAX_DEPTH:
            raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep")
        if self._open:
            self._open[-1].height = max(self._open[-1].height, height + 1)

    def _count(self, parts: int) -> None:
        self._parts += parts
        if self._parts > MAX_YAML_PARTS:
            raise InvalidDocumentError(f"more than {MAX_YAML_PARTS} values, aliases written out")

    def _add(self, value: Tree, key: str | None) -> None:
        """Put a value where it belongs; ``key`` is its text where it may stand as a key."""
        parent = self._open[-1] if self._open else None
        match parent:
            case None if self.root:
                raise InvalidDocumentError("more than one YAML document")
            case None:
                self.root.append(value)
            case _Open(tree=list() as items):
                items.append(value)
            case _Open(key=None):
                if key is None:
                    raise InvalidDocumentError("a key is text")
                parent.key = key
            case _:
                self._add_member(parent, parent.key or "", value)

    def _add_member(self, parent: _Open, key: str, value: Tree) -> None:
        parent.key = None
        if key == _MERGE:
            raise InvalidDocumentError("merge keys are not read")
        _check_key(key)
        members = parent.tree
        if not isinstance(members, dict) or key in members:
            raise InvalidDocumentError(f"the key {key[:80]!r} stands twice")
        members[key] = value


def _load_yaml(text: str) -> Tree:
    # Imported here: YAML is rare, and the library takes memory that an idle daemon need not have.
    import yaml

    if sum(1 for _ in itertools.islice(_DIRECTIVE.finditer(text), _MAX_DIRECTIVES + 1)) > _MAX_DIRECTIVES:
        raise InvalidDocumentError(f"more than {_MAX_DIRECTIVES} YAML directives")
    composer = _Composer()
    line = 1
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else line
            _take(composer, event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise InvalidDocumentError(f"not YAML: {reason}{where}") from error
    except InvalidDocumentError as error:
        raise InvalidDocumentError(f"{error.message} in line {line}") from error
    if not composer.root:
        raise InvalidDocumentError("0 YAML documents where one is expected")
    return composer.root[0]


def _take(composer: _Composer, event: Any) -> None:  # noqa: ANN401 - the library's C events have no common type
    match type(event).__name__:
        case "ScalarEvent":
            composer.scalar(event.value, event.tag, event.anchor, plain=event.implicit[0])
        case "MappingStartEvent":
            composer.begin({}, event.tag, event.anchor)
        case "SequenceStartEvent":
            composer.begin([], event.tag, event.anchor)
        case "MappingEndEvent" | "SequenceEndEvent":
            composer.end()
        case "AliasEvent":
            composer.alias(event.anchor)
        case _:
            pass


def _plain(text: str) -> Tree:
    return None if text in _NULLS else _BOOLEANS.get(text, text)
