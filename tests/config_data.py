"""Configurations made up by hypothesis: right ones, and data that is nearly right."""

from typing import Any, Final

from hypothesis import strategies as st

from imagefit.config.keys import Key, Kind, keys_of
from imagefit.config.kinds import Table
from imagefit.config.settings import Config
from imagefit.config.writing import format_value

_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_PATH: Final = _TEXT.map("/{}".format)
_PATTERN: Final = st.sampled_from(["*", "a.b/*", "\t\u202e\U0001f600\\\"'", "v3", "x" * 256]) | _TEXT.filter(bool)
_CRITERIA: Final = ["preference", "score", "cpu", "specificity"]
_ORDER: Final = st.lists(st.sampled_from(_CRITERIA), unique=True).map(lambda some: ["tier", *some, "position"])
_BY_NAME: Final[dict[str, st.SearchStrategy[Any]]] = {
    "socket": _PATH,
    "root": _PATH,
    "cache": _PATH,
    "file": _PATH | st.just(""),
    "containerd-config": _PATH | st.just(""),
    "config-path": st.lists(_PATH.filter(lambda path: ":" not in path), max_size=3).map(":".join),
    "detectors": st.lists(_TEXT, max_size=2, unique=True),
    "order": _ORDER,
    "ranking": _ORDER,
    "trust": st.just(["index"]),
    "platforms": st.lists(st.sampled_from(["wasi/wasm", "linux/arm64"]), max_size=2),
    "pod-annotations": st.lists(st.sampled_from(["imagefit.dev/mode", "imagefit.dev/prefer-tag"]), max_size=2),
    "listen": st.sampled_from(["", "off", "127.0.0.1:9477", "[::1]:1", "unix:/run/x"]),
    **dict.fromkeys(("keep", "calls", "pulls"), st.integers(1, 100_000)),
    "weight": st.integers(1, 1_000_000) | st.integers(-1_000_000, -1),
    "time-budget": st.floats(0, 3600, exclude_min=True) | st.integers(1, 3600),
    "token-servers": st.lists(st.just("r.example=auth.example:8443"), max_size=2),
    "tag-seconds": st.floats(0, 60) | st.integers(0, 60),
    "missing-seconds": st.floats(0, 60) | st.integers(0, 60),
    "drain-seconds": st.floats(0, 3600, exclude_min=True) | st.integers(1, 3600),
    "value": _TEXT,
    "require-signature": st.just(False),  # else there must be keys
}


def _tables(table: type[Table]) -> st.SearchStrategy[dict[str, Any]]:
    keys = {key.name: _values(key) for key in keys_of(table).values()}
    return st.fixed_dictionaries({}, optional=keys).filter(lambda data: _is_whole(table, data))


def _values(key: Key) -> st.SearchStrategy[Any]:
    if key.kind.table is not None:
        inner = _tables(key.kind.table)
        return st.lists(inner, max_size=3) if key.kind.is_tables else inner
    if key.name in _BY_NAME:
        return _BY_NAME[key.name]
    if key.kind.item is not None:
        return st.lists(_item(key.kind.item), max_size=2, unique=True)
    if key.kind.words == "an absolute path":
        return _PATH
    if key.kind.choices:
        return st.sampled_from(key.kind.choices)
    return st.booleans() if key.kind.words == "true or false" else _PATTERN


def _item(kind: Kind) -> st.SearchStrategy[Any]:
    return st.sampled_from(kind.choices) if kind.choices else _PATH


def _is_whole(table: type[Table], data: dict[str, Any]) -> bool:
    """Tell whether a table says for what it is, where it must."""
    names = set(keys_of(table))
    if names == {"match", "keys"}:
        return names == data.keys()
    if "match" in names:
        return bool({"match", "namespace", "runtime-handler"} & data.keys())
    if "annotation" not in names:
        return True
    valued = {"annotation", "label"} & data.keys()
    given = {"annotation", "label", "tag", "feature", "variant", "platform"} & data.keys()
    return bool(given) and ("value" not in data or len(valued) == 1)


configurations: Final = _tables(Config)
"""Data of configurations in which nothing is wrong but, perhaps, that both sockets are one."""

_ANY: Final = st.recursive(
    st.booleans()
    | st.integers()
    | st.floats()
    | _TEXT
    | st.dates()
    | st.sampled_from(["tier", "position", "off", "index", "/x", 10**400, -(10**20)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def _nearly(table: type[Table]) -> st.SearchStrategy[Any]:
    keys = {key.name: _nearly_values(key) for key in keys_of(table).values()}
    return st.fixed_dictionaries({}, optional=keys) | st.dictionaries(
        _TEXT | st.sampled_from([*keys]), _ANY, max_size=3
    )


def _nearly_values(key: Key) -> st.SearchStrategy[Any]:
    right = _values(key) if key.kind.table is None else _nearly(key.kind.table)
    return (st.lists(right, max_size=2) if key.kind.is_tables else right) | _ANY


near_configurations: Final = _nearly(Config).filter(lambda data: isinstance(data, dict))
"""Data of files that have something to do with configurations; most are wrong somewhere."""


def as_toml(data: dict[str, Any]) -> str:
    """Return data as a file, every table inline."""
    return "".join(f"{format_value(name)} = {_value(value)}\n" for name, value in data.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{format_value(name)} = {_value(one)}' for name, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, str | bool | int):
        return format_value(value)
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)
