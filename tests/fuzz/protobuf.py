"""The wire format of protocol buffers, read by hand: fields with their bytes, and nothing of what they mean.

Stands beside the library that the code uses, so that a rewrite is checked by another reader than the one that made it.
Source: protobuf.dev, "Encoding".
"""

from dataclasses import dataclass
from typing import Final

_VARINT, _FIXED64, _BYTES, _GROUP, _GROUP_END, _FIXED32 = range(6)
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_LARGEST_NUMBER: Final = (1 << 29) - 1


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        raw: all its bytes, the tag included.
        payload: of a field with a length, what is in it; else empty.
    """

    number: int
    kind: int
    raw: bytes
    payload: bytes

    def is_bytes(self, number: int) -> bool:
        """Tell whether it has this number and a length, as texts and messages do."""
        return (self.number, self.kind) == (number, _BYTES)


def is_message(content: bytes) -> bool:
    """Tell whether bytes are a message with every tag written as short as can be."""
    try:
        return all(
            _tag(one.number, one.kind) == one.raw[: len(_tag(one.number, one.kind))] for one in fields_of(content)
        )
    except ValueError:
        return False


def fields_of(content: bytes) -> list[Field]:
    """Return the fields of a message in their order. Raises ``ValueError`` for what is none."""
    found: list[Field] = []
    position = 0
    while position < len(content):
        found.append(_field(content, position))
        position += len(found[-1].raw)
    return found


def _field(content: bytes, start: int) -> Field:
    tag, at = _varint(content, start)
    number, kind = tag >> 3, tag & 7
    if not 0 < number <= _LARGEST_NUMBER:
        raise ValueError("no number of a field")
    payload = b""
    if kind == _VARINT:
        _, at = _varint(content, at)
    elif kind in _FIXED:
        at += _FIXED[kind]
    elif kind == _BYTES:
        size, at = _varint(content, at)
        payload, at = content[at : at + size], at + size
    elif kind == _GROUP:
        while (inner := _field_or_end(content, at, number)) is not None:
            at += len(inner.raw)
        at = _varint(content, at)[1]
    else:
        raise ValueError("no kind of a field")
    if at > len(content):
        raise ValueError("cut short")
    return Field(number, kind, content[start:at], payload)


def _field_or_end(content: bytes, at: int, number: int) -> Field | None:
    tag, _ = _varint(content, at)
    if tag & 7 == _GROUP_END:
        if tag >> 3 != number:
            raise ValueError("the end of another group")
        return None
    return _field(content, at)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise ValueError("cut short")
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
    raise ValueError("a number of more than ten bytes")


def _tag(number: int, kind: int) -> bytes:
    value, written = number << 3 | kind, bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
