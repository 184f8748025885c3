"""What is wrong with the data of one file, all of it.

Knows how every fault is told. Leaves to ``settings`` what is right, and to ``reading`` on which line it stands.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from imagefit.config.keys import Kind, keys_of, tables_of
from imagefit.config.kinds import Table, bare
from imagefit.config.lines import Path

_SHOWN_CHARACTERS: Final = 60
_SHOWN_DIGITS: Final = 18


class Complaint(msgspec.Struct, frozen=True):
    """What is wrong at one path of the data.

    Attributes:
        message: one sentence, which names the key.
        advice: what the operator can do about it; may be empty.
    """

    path: Path
    message: str
    advice: str = ""


def complaints(data: object, table: type[Table]) -> Iterator[Complaint]:
    """Yield everything that is wrong, in the order of the data.

    Args:
        data: what TOML gives of one file.
        table: what it should be.
    """
    return _table((), data, table, table)


def key_name(path: Path) -> str:
    """Return a path as people write it, without the numbers of tables in arrays, in printable characters."""
    return ".".join(_word(step) for step in path if isinstance(step, str))


def _table(path: Path, data: object, table: type[Table], root: type[Table]) -> Iterator[Complaint]:
    if not isinstance(data, dict):
        yield _wrong(path, data, "a table")
        return
    keys = keys_of(table)
    found = False
    for name, value in data.items():
        here = (*path, name)
        one = _value(here, value, keys[name].kind, root) if name in keys else [_unknown(here, keys, root)]
        for complaint in one:
            found = True
            yield complaint
    if not found:  # each key is right, so the table can be looked at as a whole
        for wrong in msgspec.convert(data, table).contradictions():
            where = (*path, wrong.key) if wrong.key else path
            yield Complaint(where, f"{key_name(where)} {wrong.message}", wrong.advice)


def _value(path: Path, value: object, kind: Kind, root: type[Table]) -> Iterator[Complaint]:
    if kind.item is not None:
        yield from _list(path, value, kind, kind.item, root)
    elif kind.table is not None:
        yield from _table(path, value, kind.table, root)
    elif not _fits(value, kind):
        yield _wrong(path, value, kind.words, _nearest(value, kind.choices))


def _list(path: Path, value: object, kind: Kind, item: Kind, root: type[Table]) -> Iterator[Complaint]:
    if not isinstance(value, list):
        advice = f"write [[{key_name(path)}]]" if kind.is_tables and isinstance(value, dict) else ""
        yield _wrong(path, value, kind.words, advice)
        return
    found = False
    for at, one in enumerate(value):
        here = (*path, at)
        if item.table is not None:
            inner = _table(here, one, item.table, root)
        elif _fits(one, item):
            continue
        else:
            inner = iter([_wrong(here, one, item.words, _nearest(one, item.choices))])
        for complaint in inner:
            found = True
            yield complaint
    if not found and not _fits(value, kind):
        yield _wrong(path, value, kind.words)


def _fits(value: object, kind: Kind) -> bool:
    try:
        msgspec.convert(value, kind.annotation)
    except msgspec.ValidationError:
        return False
    return True


def _wrong(path: Path, value: object, words: str, advice: str = "") -> Complaint:
    verb = "has" if isinstance(path[-1], int) and not isinstance(value, dict) else "is"
    return Complaint(path, f"{key_name(path)} {verb} {shown(value)}, not {words}", advice)


def _unknown(path: Path, keys: Iterable[str], root: type[Table]) -> Complaint:
    name, known = str(path[-1]), list(keys)
    message = f"unknown key '{key_name(path)}'"
    homes = [f"[{'.'.join(at)}]" for at, key, own in tables_of(root) if name in own and not key.kind.is_tables]
    if homes:
        return Complaint(path, message, f"it belongs under {' or '.join(homes)}")
    return Complaint(path, message, _nearest(name, known) or f"known are: {', '.join(sorted(known))}")


def _nearest(value: object, known: Iterable[str]) -> str:
    """Return a question after the nearest known word; empty where none is near."""
    if not isinstance(value, str):
        return ""
    import difflib  # only for faults

    near = difflib.get_close_matches(value[:_SHOWN_CHARACTERS].lower().replace("_", "-"), list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def shown(value: object) -> str:
    """Return a value in words: short, in printable characters, without what a table or an array holds."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…")
        case int():
            return str(value) if abs(value) < 10**_SHOWN_DIGITS else "a number of many digits"
        case float():
            return f"{value:g}"
        case dict():
            return "a table"
        case list():
            return f"an array of {len(value)}" if value else "an empty array"
        case _:  # the rest of what TOML knows
            return f"the date or time {value}"


def _word(name: str) -> str:
    if len(name) > _SHOWN_CHARACTERS:
        name = f"{name[:_SHOWN_CHARACTERS]}…"
    return name if bare(name) else repr(name)
