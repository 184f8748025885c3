"""Values as TOML: what ``imagefit config show`` prints, each line with where it comes from.

Knows how TOML is written, in lines of 80 characters where that can be. Leaves to the caller what is written.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from imagefit.config.kinds import bare
from imagefit.config.lines import Path

_COLUMNS: Final = 80
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\"}
_LARGEST_SHORT: Final = 0xFFFF

Origin = Callable[[Path], str]
"""Says in printable characters where the value at a path comes from."""


def format_toml(data: Mapping[str, Any], origin: Origin) -> str:
    """Return a document, with the origin of every key and table as a comment.

    Args:
        data: tables, and arrays of tables, of texts, numbers, booleans and arrays of those, or of tables.
        origin: is called with the path of each line.
    """
    return "\n".join(_document(data, origin)).lstrip("\n") + "\n"


def format_keys(data: Mapping[str, Any], origin: Origin, above: Path = ()) -> Iterator[str]:
    """Yield the lines of one table's own keys; those that are tables are left out.

    Args:
        data: the table.
        origin: as for ``format_toml``.
        above: the table's own path.
    """
    for name, value in data.items():
        if not isinstance(value, dict):
            yield from _key(name, value, origin, (*above, name))


def format_value(value: Any) -> str:  # noqa: ANN401 - it may be anything that TOML knows
    """Return a value on one line, tables as inline tables."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    if isinstance(value, dict):
        inner = ", ".join(f"{_name(name)} = {format_value(one)}" for name, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return repr(value)


def _document(data: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _table((name,), value, origin)
        else:
            yield from ([] if value else ["", f"# no [[{name}]]"])
            for at, one in enumerate(value):
                yield from ("", *_line(f"[[{name}]]", origin((name, at))), *format_keys(one, origin, (name, at)))


def _table(path: Path, data: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    yield from ("", f"[{'.'.join(_name(str(step)) for step in path)}]", *format_keys(data, origin, path))
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _table((*path, name), value, origin)


def _key(name: str, value: Any, origin: Origin, path: Path) -> Iterator[str]:  # noqa: ANN401 - as above
    line = f"{_name(name)} = {format_value(value)}"
    has_tables = isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value)
    if not has_tables and (len(line) <= _COLUMNS or not isinstance(value, list | tuple)):
        yield from _line(line, origin(path))
        return
    yield from _line(f"{_name(name)} = [", origin(path))
    for at, one in enumerate(value):
        here = origin((*path, at))
        line = f"{format_value(one)},"
        yield from (f"  {part}" for part in ([line] if here == origin(path) else _line(line, here, _COLUMNS - 2)))
    yield "]"


def _line(line: str, origin: str, columns: int = _COLUMNS) -> tuple[str, ...]:
    whole = f"{line}  # {origin}"
    return (whole,) if len(whole) <= columns else (f"# {origin}", line)


def _name(name: str) -> str:
    return name if bare(name) else format_value(name)


def _character(character: str) -> str:
    if character.isprintable():
        return _ESCAPES.get(character, character)
    code = ord(character)
    return f"\\u{code:04x}" if code <= _LARGEST_SHORT else f"\\U{code:08x}"
