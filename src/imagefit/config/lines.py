"""On which line of a file a key stands.

Knows how TOML divides into statements: the fewest lines that parse. The TOML library, which tells no places, stays the
only parser. Work is bounded; of what would take more the line is not known.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

Path = tuple[str | int, ...]
"""Keys, and indexes in arrays of tables, from the top of the file."""

_MAX_DEPTH: Final = 8
_MAX_TRIED_CHARACTERS: Final = 2 * 1024 * 1024
_CLOSERS: Final = ("]", "}", '"""', "'''")


def key_lines(text: str) -> Mapping[Path, int]:
    """Return the line, from 1, on which the statement of each table and key starts.

    Args:
        text: a file that parses as a whole.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, is_header, data in _statements(text.split("\n")):
        if is_header:
            table = _header(data, counts)
            for end in range(1, len(table) + 1):
                lines.setdefault(table[:end], number)
        else:
            for path in _paths(data, table):
                lines.setdefault(path, number)
    return lines


def line_of(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of what stands at a path, or else of what holds it."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _statements(lines: list[str]) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Yield where each statement starts, from 1, whether it is a table's header, and what it says on its own."""
    at = tried = 0
    while at < len(lines):
        start = lines[at].lstrip()
        if not start or start.startswith("#"):
            at += 1
            continue
        for end in range(at + 1, len(lines) + 1):
            if end > at + 1 and not _may_end(lines[end - 1]):
                continue
            statement = "\n".join([*lines[at:end], ""])
            try:
                data = tomllib.loads(statement)
                break
            except (ValueError, RecursionError):  # RecursionError: it parsed as a whole, from less deep in the stack
                tried += len(statement)
            if tried > _MAX_TRIED_CHARACTERS:
                return
        else:
            return
        yield at + 1, start.startswith("["), data
        at = end


def _may_end(line: str) -> bool:
    """Tell whether a statement of several lines may end on this one."""
    return any(closer in line for closer in _CLOSERS) and ("#" in line or not line.rstrip().endswith(","))


def _header(data: dict[str, Any], counts: dict[Path, int]) -> Path:
    """Return the path of the table that a header starts; ``counts`` has the last index of each array of tables."""
    path: Path = ()
    while data:
        (name, inner), *_ = data.items()
        path = (*path, name)
        if isinstance(inner, list):
            counts[path] = counts.get(path, -1) + 1
            return (*path, counts[path])
        if inner and path in counts:
            path = (*path, counts[path])
        data = inner
    return path


def _paths(data: dict[str, Any], above: Path) -> Iterator[Path]:
    for name, value in data.items():
        path = (*above, name)
        yield path
        if isinstance(value, dict) and len(path) < _MAX_DEPTH:
            yield from _paths(value, path)
