"""One event as one line, in logfmt or JSON, whatever its values hold.

Knows how values are written, escaped, cut and cleared of credentials. Leaves to ``logs`` where lines go and which
events are written at all.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from imagefit.telemetry.redaction import redacted

Format = Literal["logfmt", "json"]
FORMATS: Final[tuple[Format, ...]] = ("logfmt", "json")
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]

MAX_VALUE_CHARACTERS: Final = 2048
_MAX_PARTS_CHARACTERS: Final = 8192
_MAX_PARTS: Final = 64
_MAX_KEY_CHARACTERS: Final = 128
_MAX_DEPTH: Final = 4
_CUT: Final = "…"


def line(form: Format, head: Mapping[str, str], fields: Mapping[str, object]) -> str:
    """Return an event as one line, without a line end.

    Args:
        form: logfmt (``name=value``, a mapping in it as ``name.key=value``) or one JSON object.
        head: what every event has; a field of the same name gets ``_`` behind its own.
        fields: what this event has. Numbers stay numbers in JSON.
    """
    values: dict[str, Plain] = {f"{name}_" if name in head else name: _plain(value) for name, value in fields.items()}
    if form == "json":
        whole = {name: value if _is_small(value) else _cut(_json(value)) for name, value in values.items()}
        return _json({**head, **whole})
    return " ".join(f"{name}={_quoted(value)}" for name, value in _flat({**head, **values}))


def end_of(text: str) -> str:
    """Return as much of a trace as an event holds: where the error was raised stands at its end."""
    # Cleared before it is cut: half a credential would not be known as one.
    clear = redacted(text[-8 * MAX_VALUE_CHARACTERS :])
    return clear if len(clear) <= MAX_VALUE_CHARACTERS else _CUT + clear[1 - MAX_VALUE_CHARACTERS :]


def _plain(value: object, depth: int = 0) -> Plain:
    """Return a value as JSON has it; whatever JSON does not have as its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        return {_key(name): _plain(one, depth + 1) for name, one in list(value.items())[:_MAX_PARTS]}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value[:_MAX_PARTS]]
    return _cut(redacted(_text(value)))


def _key(name: object) -> str:
    """Return the name of a part of a value; in logfmt it stands where nothing is quoted."""
    text = redacted(_text(name))[:_MAX_KEY_CHARACTERS]
    return "".join("_" if one in "'\" =" or not one.isprintable() else one for one in text)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - an event must not be lost by one of its values
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _flat(values: Mapping[str, Plain]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat({f"{name}.{key}": one for key, one in value.items()})
        elif isinstance(value, list):
            yield name, _cut(_json(value))
        else:
            yield name, str(value)


def _quoted(text: str) -> str:
    if text and text.isprintable() and not set(' "=') & set(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else repr(one)[1:-1] for one in escaped) + '"'


def _json(value: Plain | Mapping[str, Plain]) -> str:
    # Escaped beyond what JSON asks for: line ends and marks of Unicode would break the line on a terminal.
    import json  # most lines hold nothing that needs it

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _is_small(value: Plain) -> bool:
    return not isinstance(value, list | dict) or len(_json(value)) <= _MAX_PARTS_CHARACTERS


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + _CUT
