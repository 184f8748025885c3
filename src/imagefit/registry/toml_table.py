"""One table of a TOML file of containerd's: values of the right type, or an error that names file and key.

Knows types, and no keys; and what of TOML costs too much to be read. Errors hold no values: some of them are secrets.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.host import Header

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")

# tomllib's time and memory for one dotted name grow with the square of its parts: 20,000 of them take minutes.
_MAX_DOTS_OF_A_LINE: Final = 1000
_MAX_DOTS: Final = 10_000


def load_toml(content: bytes) -> dict[str, Any]:
    """Read a file, at most ``sources.MAX_FILE_BYTES``.

    Raises:
        ValueError: it is no TOML, or has more dots than any name or list of hosts needs.
    """
    if content.count(b".") > _MAX_DOTS or any(line.count(b".") > _MAX_DOTS_OF_A_LINE for line in content.split(b"\n")):
        raise ValueError("too many dots")
    try:
        return tomllib.loads(content.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class Table:
    """One table.

    Args:
        file: that holds it; errors name it.
        place: the table's own name in the file; empty for the top.
        values: what stands there.

    Raises:
        InvalidConfigurationError: from the start and from every method, what stands there is of another type.
    """

    def __init__(self, file: Path, place: str, values: object) -> None:
        """Take the values if they are a table."""
        self._file = file
        self._place = place
        if not isinstance(values, dict):
            raise self.wrong("", "is not a table")
        self.values: dict[str, object] = values

    def wrong(self, key: str, what: str) -> InvalidConfigurationError:
        """Return the error of a key, or of the table itself where the key is empty."""
        place = ".".join(part for part in (self._place, key) if part)
        return InvalidConfigurationError(f"{self._file}: {place} {what}")

    def has(self, key: str) -> bool:
        """Tell whether a key is written."""
        return key in self.values

    def text(self, key: str) -> str:
        """Return a text; empty where it is not written."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(key, "is not a string")
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is not written."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "is not true or false")
        return value

    def items(self, key: str) -> list[object]:
        """Return the elements of a list, or a text as the only one; none where it is not written."""
        value = self.values.get(key, [])
        if not isinstance(value, str | list):
            raise self.wrong(key, "is neither a string nor a list")
        return [value] if isinstance(value, str) else value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts; empty where it is not written."""
        value = self.values.get(key, [])
        if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise self.wrong(key, "is not a list of strings")
        return value

    def below(self, key: str) -> "Table":
        """Return a table in this one; empty where it is not written."""
        place = f'"{key}"' if self._place and not key.isidentifier() else key
        return Table(self._file, f"{self._place}.{place}" if self._place else place, self.values.get(key, {}))

    def tables(self, key: str) -> Iterator[tuple[str, "Table"]]:
        """Yield the tables in a table in this one, by their names, in their order."""
        parent = self.below(key)
        for name in parent.values:
            yield name, parent.below(name)

    def headers(self, key: str) -> tuple[Header, ...]:
        """Return the headers in a table in this one; one that is written as a list is sent several times."""
        found: list[Header] = []
        parent = self.below(key)
        for name, given in parent.values.items():
            for value in given if isinstance(given, list) else [given]:
                if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value) and _HEADER_NAME.fullmatch(name)):
                    raise parent.wrong(name, "is not a header")
                found.append((name, value))
        return tuple(found)
