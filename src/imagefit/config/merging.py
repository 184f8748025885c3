"""Several files made one: tables merge key by key, arrays of tables add up, and of anything else the later file stands.

Knows which file each value comes from, and on which of its lines. Leaves to ``checking`` whether a value is right.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from imagefit.config.keys import keys_of
from imagefit.config.kinds import Table
from imagefit.config.lines import Path, key_lines, line_of
from imagefit.config.sources import Source

DEFAULT: Final = "default"
"""Where a value comes from that no file gives."""


class Placed:
    """A file whose lines can be asked for; they are looked for once."""

    def __init__(self, source: Source) -> None:
        """Take the file."""
        self.source = source

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        return key_lines(self.source.text)

    def line(self, path: Path) -> int | None:
        """Return the line of what stands at a path of this file; None where it is not known."""
        return line_of(path, self._lines)

    def value(self, path: Path) -> object:
        """Return what stands at a path of this file. Raises ``KeyError`` where nothing does."""
        value: Any = self.source.data
        for step in path:
            value = value[step]
        return value

    def place(self, path: Path) -> str:
        """Return ``file:line`` of what stands at a path of this file."""
        line = self.line(path)
        return self.source.file if line is None else f"{self.source.file}:{line}"


class Clash(msgspec.Struct, frozen=True):
    """Two files that give one name to different things.

    Attributes:
        path: of the name, the same in both.
    """

    path: Path
    later: Placed
    earlier: Placed


class Merged(msgspec.Struct, frozen=True):
    """All files as one.

    Attributes:
        data: as TOML gives it.
        origins: path in ``data`` → the file that it comes from, and the path there; tables have that of the first
            file. What is below such a path is below it in the file, too.
    """

    data: dict[str, Any] = msgspec.field(default_factory=dict)
    origins: dict[Path, tuple[Placed, Path]] = msgspec.field(default_factory=dict)
    clashes: list[Clash] = msgspec.field(default_factory=list)

    def has(self, path: Path) -> bool:
        """Tell whether some file gives what stands at a path of ``data``."""
        try:
            self.value(path)
        except (KeyError, IndexError):
            return False
        return True

    def value(self, path: Path) -> Any:  # noqa: ANN401 - it may be anything that TOML knows
        """Return what stands at a path of ``data``. Raises ``KeyError`` or ``IndexError`` where nothing does."""
        value: Any = self.data
        for step in path:
            value = value[step]
        return value

    def origin(self, path: Path) -> str:
        """Return ``file:line`` of what stands at a path of ``data``, or ``DEFAULT``."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                placed, there = self.origins[path[:end]]
                return placed.place((*there, *path[end:])) if self.has(path) else DEFAULT
        return DEFAULT


def merged(files: Iterable[Placed], table: type[Table]) -> Merged:
    """Return all files as one.

    Args:
        files: in the order in which they are read.
        table: what the top of each file should be; what it does not have is left out.
    """
    result = Merged()
    for placed in files:
        _merge(result, result.data, placed, placed.source.data, (), table)
    return result


def _merge(
    result: Merged, into: dict[str, Any], placed: Placed, data: Mapping[str, Any], above: Path, table: type[Table]
) -> None:
    for name, key in keys_of(table).items():
        if name not in data:
            continue
        path, value = (*above, name), data[name]
        if key.kind.table is not None and name in into and type(into[name]) is not type(value):
            result.clashes.append(Clash(path, placed, result.origins[path][0]))
        elif key.kind.is_tables and isinstance(value, list):
            present = into.setdefault(name, [])
            result.origins.setdefault(path, (placed, path))
            for at, one in enumerate(value):
                result.origins[*path, len(present)] = (placed, (*path, at))
                present.append(one)
        elif key.kind.table is not None and isinstance(value, dict):
            result.origins.setdefault(path, (placed, path))
            _merge(result, into.setdefault(name, {}), placed, value, path, key.kind.table)
        else:
            result.origins[path] = (placed, path)
            into[name] = value
