"""Bytes to plain values: JSON and YAML, read within limits and without surprises.

Knows size, depth and amount limits, and that a key stands once. Numbers stay the text that the author wrote (``1.10``
is not 1.1), and so does every plain YAML scalar but ``null``, ``true`` and ``false``. Leaves to the dialects what a
value means. Sources: RFC 8259; YAML 1.2 (core schema) over libyaml's events.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
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
"""Most values and keys of a YAML document, every use of an alias counted as if it were written out."""
MAX_DEPTH: Final = 64
"""Deepest nesting of lists and objects."""

_PUNCTUATION: Final = (b",", b":", b"[", b"{")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_PLAIN_TAGS: Final = "tag:yaml.org,2002:"
_MERGE: Final = "<<"


def load(content: bytes) -> Tree:
    """Read one document.

    Args:
        content: JSON, or YAML where it does not begin as a JSON object or list does.

    Raises:
        InvalidDocumentError: it is neither, a key stands twice, or it is beyond the limits; the message has the line.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InvalidDocumentError(f"{len(content)} bytes, more than {MAX_DOCUMENT_BYTES}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocumentError(f"not UTF-8 at byte {error.start}") from error
    return _load_json(content, text) if text.lstrip()[:1] in {"{", "[", '"'} else _load_yaml(text)


def pointer(*keys: str | int) -> str:
    """Return the JSON pointer (RFC 6901) of a place below a document."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def _load_json(content: bytes, text: str) -> Tree:
    if sum(map(content.count, _PUNCTUATION)) > MAX_PARTS:
        raise InvalidDocumentError(f"more than {MAX_PARTS} values")
    try:
        tree: Tree = _JSON.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidDocumentError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep") from error
    _check_depth(tree)
    if b"\\u" in content:
        _check_escapes(content)
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = sorted(key for key, _ in pairs)
        twice = next(one for one, after in itertools.pairwise(names) if one == after)
        raise InvalidDocumentError(f"the key {twice[:80]!r} stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidDocumentError(f"not JSON: {name}")


_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_no_constant)


def _check_depth(tree: Tree) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH + 1):
        level = [child for one in level for child in _children(one)]
        if not level:
            return
    raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep")


def _children(tree: Tree) -> Iterator[Tree]:
    match tree:
        case list():
            yield from (one for one in tree if isinstance(one, list | dict))
        case dict():
            yield from (one for one in tree.values() if isinstance(one, list | dict))
        case _:
            pass


def _check_escapes(content: bytes) -> None:
    """Refuse escapes of half a character, which no text can be written with."""
    try:
        msgspec.json.decode(content, strict=False)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InvalidDocumentError(f"not JSON: {error}") from error


@dataclass(slots=True)
class _Open:
    """A list or mapping that has begun."""

    tree: "list[Tree] | dict[str, Tree]"
    anchor: str | None
    parts_before: int
    key: str | None = None


class _Composer:
    """Values from libyaml's events, counted as they come."""

    def __init__(self) -> None:
        self.root: list[Tree] = []
        self._open: list[_Open] = []
        self._anchored: dict[str, tuple[Tree, int]] = {}
        self._parts = 0

    def scalar(self, text: str, tag: str | None, anchor: str | None, *, plain: bool) -> None:
        if tag is not None and not tag.startswith(_PLAIN_TAGS):
            raise InvalidDocumentError(f"the tag {tag[:80]!r} is not read")
        value = _plain(text) if plain and tag is None else text
        self._count(1)
        if anchor is not None:
            self._anchored[anchor] = (value, 1)
        self._add(value, text)

    def begin(self, tree: "list[Tree] | dict[str, Tree]", anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise InvalidDocumentError(f"nested more than {MAX_DEPTH} deep")
        self._open.append(_Open(tree, anchor, self._parts))
        self._count(1)

    def end(self) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchored[done.anchor] = (done.tree, self._parts - done.parts_before)
        self._add(done.tree, None)

    def alias(self, anchor: str) -> None:
        if anchor not in self._anchored:
            raise InvalidDocumentError(f"the alias {anchor[:80]!r} stands for nothing before it")
        tree, parts = self._anchored[anchor]
        self._count(parts)
        self._add(tree, tree if isinstance(tree, str) else None)

    def _count(self, parts: int) -> None:
        self._parts += parts
        if self._parts > MAX_YAML_PARTS:
            raise InvalidDocumentError(f"more than {MAX_YAML_PARTS} values, aliases written out")

    def _add(self, value: Tree, key: str | None) -> None:
        """Put a value where it belongs; ``key`` is its text where it may stand as a key."""
        parent = self._open[-1] if self._open else None
        match parent:
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
        members = parent.tree
        if not isinstance(members, dict) or key in members:
            raise InvalidDocumentError(f"the key {key[:80]!r} stands twice")
        members[key] = value


def _load_yaml(text: str) -> Tree:
    # Imported here: YAML is rare, and the library takes memory that an idle daemon need not have.
    import yaml

    composer = _Composer()
    line = 1
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else line
            _take(composer, event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
        raise InvalidDocumentError(f"not YAML: {getattr(error, 'problem', None) or error}{where}") from error
    except InvalidDocumentError as error:
        raise InvalidDocumentError(f"{error.message} in line {line}") from error
    if len(composer.root) != 1:
        raise InvalidDocumentError(f"{len(composer.root)} YAML documents where one is expected")
    return composer.root[0]


def _take(composer: _Composer, event: Any) -> None:  # noqa: ANN401 - the library's C events have no common type
    match type(event).__name__:
        case "ScalarEvent":
            composer.scalar(event.value, event.tag, event.anchor, plain=event.implicit[0])
        case "MappingStartEvent":
            composer.begin({}, event.anchor)
        case "SequenceStartEvent":
            composer.begin([], event.anchor)
        case "MappingEndEvent" | "SequenceEndEvent":
            composer.end()
        case "AliasEvent":
            composer.alias(event.anchor)
        case _:
            pass


def _plain(text: str) -> Tree:
    return None if text in _NULLS else _BOOLEANS.get(text, text)
