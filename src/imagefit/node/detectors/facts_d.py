"""Facts that the operator states, from ``/etc/imagefit/facts.d/*.toml``.

Knows the files' tables and who may write them: they steer what root pulls, so a file that others can write is refused.
A file with a fault is left out whole, and named. The files add up in the order of their names, over what any detector
found. Leaves to images what the free facts mean.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, Partial

FEATURE: Final = "operator.fact"

_DIRECTORY: Final = "/etc/imagefit/facts.d"
_SUFFIX: Final = ".toml"
_FILE_MAX_BYTES: Final = 64 * 1024
_ALL_MAX_BYTES: Final = 512 * 1024
_FILES_MAX: Final = 256
_DEPTH_MAX: Final = 32
# tomllib's time for one dotted name grows with more than the square of its length: half a minute at the file's limit.
_LINE_MAX_BYTES: Final = 2048
# Each dot of a name costs three tables and more, some KiB.
_DOTS_MAX: Final = 10_000
_SHOWN_CHARACTERS: Final = 80
_TABLES: Final = ("facts", "flags", "attributes", "instances")

_Path = tuple[str, ...]


class FactsDDetector:
    """Free facts by name (``operator.fact``), and whatever is added to other features."""

    name = "facts-d"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Partial:
        """Read all files in the order of their names. Raises ``CannotLookError``."""
        names = [name for name in host.list_dir(_DIRECTORY) if name.endswith(_SUFFIX) and not name.startswith(".")]
        facts, warnings, left_bytes = Facts(), list[str](), _ALL_MAX_BYTES
        for name in names[:_FILES_MAX]:
            path = f"{_DIRECTORY}/{name}"
            try:
                content = host.read_trusted(path, min(_FILE_MAX_BYTES, left_bytes))
                facts = facts.merged(parse_facts(content))
                left_bytes -= len(content)
            except CannotLookError as error:
                warnings.append(str(error))
            except ValueError as error:
                warnings.append(f"{path}: {error}")
        if len(names) > _FILES_MAX:
            warnings.append(f"{_DIRECTORY}: of {len(names)} files only the first {_FILES_MAX} are read")
        return Partial(facts, tuple(warnings))


def parse_facts(content: bytes) -> Facts:
    """Read one file.

    Dots in a name may be written as TOML's own: ``[attributes.system.site]`` is ``[attributes."system.site"]``.

    Args:
        content: TOML with any of the tables ``[facts]`` (name = value), ``[flags]`` (feature = list of names),
            ``[attributes."<feature>"]`` (element = value) and ``[[instances."<feature>"]]`` (element = value). A value
            is a text, a number or a boolean.

    Raises:
        ValueError: it is no TOML, has a very long line or very many dots, another table, or a value of another type.
    """
    if any(len(line) > _LINE_MAX_BYTES for line in content.split(b"\n")):
        raise ValueError(f"a line is longer than {_LINE_MAX_BYTES} bytes")
    if content.count(b".") > _DOTS_MAX:
        raise ValueError(f"more than {_DOTS_MAX} dots")
    try:
        tables = tomllib.loads(content.decode(), parse_float=_float)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    for table in tables:
        if table not in _TABLES:
            raise ValueError(f"unknown table '{table}'; known are {', '.join(_TABLES)}")
    free = _free(tables.get("facts", {}))
    attributes = _attributes(tables.get("attributes", {}))
    return Facts(
        flags=_flags(tables.get("flags", {})),
        attributes={**attributes, FEATURE: {**attributes.get(FEATURE, {}), **free}} if free else attributes,
        instances=_instances(tables.get("instances", {})),
    )


def _float(text: str) -> str | float:
    """Return a number as it was written, since 4.10 is not 4.1; infinity and what is no number are none."""
    return float(text) if text.lstrip("+-") in {"inf", "nan"} else text


def _free(table: object) -> Attributes:
    return {_name(path[1:]): _text(path, value) for path, value in _leaves("facts", table)}


def _flags(table: object) -> Mapping[str, frozenset[str]]:
    return {_name(path[1:]): frozenset(_texts(path, value)) for path, value in _leaves("flags", table)}


def _attributes(table: object) -> Mapping[str, Attributes]:
    attributes: dict[str, dict[str, str]] = {}
    for path, value in _leaves("attributes", table):
        attributes.setdefault(_name(path[1:-1]), {})[path[-1]] = _text(path, value)
    return attributes


def _instances(table: object) -> Mapping[str, tuple[Attributes, ...]]:
    return {_name(path[1:]): tuple(_elements(path, value)) for path, value in _leaves("instances", table)}


def _leaves(name: str, table: object) -> Iterator[tuple[_Path, object]]:
    """Yield everything in a table and the tables in it that is no table, in the order of the file."""
    ahead: list[tuple[_Path, object]] = [((name,), table)]
    while ahead:
        path, value = ahead.pop()
        if len(path) > _DEPTH_MAX:
            raise ValueError(f"{name}: nested too deeply")
        if isinstance(value, dict):
            ahead.extend(((*path, key), inner) for key, inner in reversed(value.items()))
        else:
            yield path, value


def _name(path: _Path) -> str:
    name = ".".join(path)
    if not name.strip("."):
        raise ValueError("a value without a name, or a feature without an element")
    return name


def _texts(path: _Path, value: object) -> Iterator[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{_shown(path)} is no list of texts")
    return iter(value)


def _elements(path: _Path, value: object) -> Iterator[Attributes]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError(f"{_shown(path)} is no list of tables: write [[{_shown(path)}]]")
    return ({name: _text((*path, name), element) for name, element in one.items()} for one in value)


def _text(path: _Path, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case _:
            raise ValueError(f"{_shown(path)} is no text, number or boolean")


def _shown(path: _Path) -> str:
    return ".".join(path)[:_SHOWN_CHARACTERS]
