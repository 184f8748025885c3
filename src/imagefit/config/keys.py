"""What the tables say of themselves: every key with its type, default and words.

Knows how msgspec keeps that. Leaves what to do with it to the reader, the reference page, the example and ``show``.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from imagefit.config.kinds import KIND, RESTART, Table, is_table

_PLAIN: Final[Mapping[Any, str]] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class Kind(msgspec.Struct, frozen=True):
    """The type of a value, taken apart.

    Attributes:
        annotation: what msgspec converts to.
        words: what it is, with its article.
        table: of the value, or of each element of a list; None where it is none.
        item: of a list; None for what is no list.
        choices: the values of an enumeration; empty for others.
    """

    annotation: Any
    words: str
    table: type[Table] | None = None
    item: "Kind | None" = None
    choices: tuple[str, ...] = ()

    @property
    def is_tables(self) -> bool:
        """Whether it is a list of tables."""
        return self.item is not None and self.table is not None


class Key(msgspec.Struct, frozen=True):
    """One key of a table.

    Attributes:
        name: as it is written.
        kind: of its value.
        default: as TOML has it; None where there is none.
        about: what it means, in Markdown.
        needs_restart: whether a change takes effect only after a restart.
    """

    name: str
    kind: Kind
    default: Any
    about: str
    needs_restart: bool


@lru_cache(64)
def keys_of(table: type[Table]) -> Mapping[str, Key]:
    """Return the keys of a table by their names, in their order."""
    return {field.encode_name: _key(field) for field in msgspec.structs.fields(table)}


def tables_of(
    root: type[Table], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Key, Mapping[str, Key]]]:
    """Yield every table at the top of the file or in another: its path, the key that holds it, and its own keys."""
    for key in keys_of(root).values():
        if key.kind.table is not None:
            yield (*path, key.name), key, keys_of(key.kind.table)
            if not key.kind.is_tables:
                yield from tables_of(key.kind.table, (*path, key.name))


def _key(field: msgspec.structs.FieldInfo) -> Key:
    metas = [one for one in get_args(field.type)[1:] if isinstance(one, msgspec.Meta)]
    about = next((meta.description for meta in metas if meta.description), "")
    default = None if field.default is msgspec.UNSET else msgspec.to_builtins(field.default)
    needs_restart = any((meta.extra or {}).get(RESTART) for meta in metas)
    return Key(field.encode_name, _kind(field.type), default, about, needs_restart)


def _kind(annotation: Any) -> Kind:  # noqa: ANN401 - typing has no type for annotations
    extra: dict[str, Any] = {}
    bare = annotation
    while get_origin(bare) is Annotated:
        bare, *metas = get_args(bare)
        for meta in metas:
            extra |= meta.extra or {}
    if get_origin(bare) in {Union, UnionType}:
        return _kind(next(one for one in get_args(bare) if one is not msgspec.UnsetType))
    item = _kind(get_args(bare)[0]) if get_origin(bare) is tuple else None
    choices = _choices(bare)
    words = extra.get(KIND) or _words(bare, item, choices)
    table = bare if is_table(bare) else item.table if item else None
    return Kind(annotation, words, table, item, choices)


def _choices(bare: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    if get_origin(bare) is Literal:
        return get_args(bare)
    return tuple(one.value for one in bare) if isinstance(bare, type) and issubclass(bare, Enum) else ()


def _words(bare: Any, item: Kind | None, choices: tuple[str, ...]) -> str:  # noqa: ANN401 - as above
    if is_table(bare):
        return "a table"
    if item is not None:
        return "an array of tables" if item.table else "a list"
    if choices:
        *others, last = (f"'{one}'" for one in choices)
        return f"{', '.join(others)} or {last}" if others else last
    return _PLAIN[bare]
