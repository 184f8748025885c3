"""Proposals H, I and J: a list of flat sets of labels, one of which has to hold.

Knows the list, the reserved keys and the types of values. Leaves to ``vocabulary`` what a label asks of a node.
Source: proposals H, I and J of the OCI image-compatibility working group (2024); where texts and examples differ, both
forms are read.
"""

import re
from typing import Any

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.formats.vocabulary import checks_of_label
from imagefit.model.requirement import Alternative, Check, Document, Problem

DIALECT = "flat-sets"
_SCORES = ("compatibility-score", "oci.compatibility-score")
_TAGS = "tags"
_DESCRIPTION = "description"
_SCORE = re.compile(r"[+-]?[0-9]{1,9}")
_MAX_SETS = 10_000
_MAX_CHECKS = 10_000


class _Wrapped(msgspec.Struct):
    compatibilities: tuple[msgspec.Raw, ...]


_SETS_DECODER = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_WRAPPED_DECODER = msgspec.json.Decoder(_Wrapped)
_SET_DECODER = msgspec.json.Decoder(dict[str, Any])


def parse_flat_sets(content: bytes) -> Document:
    """Read a list of sets, bare or below ``compatibilities``.

    Args:
        content: JSON of at most 4 MiB: ``[set, …]`` or ``{"compatibilities": [set, …], …}``.

    Returns:
        The sets that can be read as alternatives, in the author's order, and a problem for each that cannot.

    Raises:
        InvalidDocumentError: it is no list of sets.
    """
    wrapped = content.lstrip().startswith(b"{")
    try:
        sets = _WRAPPED_DECODER.decode(content).compatibilities if wrapped else _SETS_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(f"not a list of compatibility sets: {error}") from error
    if len(sets) > _MAX_SETS:
        raise InvalidDocumentError(f"{len(sets)} sets, more than {_MAX_SETS}")
    prefix = "/compatibilities" if wrapped else ""
    alternatives: list[Alternative] = []
    problems: list[Problem] = []
    for number, raw in enumerate(sets):
        place = f"{prefix}/{number}"
        try:
            alternatives.append(_parse_set(raw, place))
        except InvalidDocumentError as error:
            problems.append(Problem(error.message, place + error.place))
    if sum(len(alternative.checks) for alternative in alternatives) > _MAX_CHECKS:
        raise InvalidDocumentError(f"the sets ask for more than {_MAX_CHECKS} checks")
    return Document(DIALECT, tuple(alternatives), tuple(problems))


def _parse_set(raw: msgspec.Raw, place: str) -> Alternative:
    try:
        labels = _SET_DECODER.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(f"not a set of labels: {error}") from error
    reserved = {*_SCORES, _TAGS, _DESCRIPTION}
    checks = tuple(check for key, value in labels.items() if key not in reserved for check in _checks(key, value))
    return Alternative(checks, _score(labels), _tags(labels), _description(labels), place)


def _checks(label: str, value: object) -> tuple[Check, ...]:
    try:
        return checks_of_label(label, _text(value))
    except InvalidDocumentError as error:
        raise InvalidDocumentError(error.message, place=_pointer(label)) from error


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float():
            return str(value)
        case _:
            raise InvalidDocumentError("a label's value is a string, a number or a boolean")


def _score(labels: dict[str, Any]) -> int:
    key = next((key for key in _SCORES if key in labels), None)
    if key is None:
        return 0
    value = labels[key]
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _SCORE.fullmatch(text):
        raise InvalidDocumentError("not a whole number of at most nine digits", place=_pointer(key))
    return int(text)


def _tags(labels: dict[str, Any]) -> tuple[str, ...]:
    match labels.get(_TAGS, []):
        case str() as tag:
            return (tag,)
        case list() as tags if all(isinstance(tag, str) for tag in tags):
            return tuple(tags)
        case _:
            raise InvalidDocumentError("neither a string nor a list of strings", place=_pointer(_TAGS))


def _description(labels: dict[str, Any]) -> str:
    match labels.get(_DESCRIPTION, ""):
        case str() as description:
            return description
        case _:
            raise InvalidDocumentError("not a string", place=_pointer(_DESCRIPTION))


def _pointer(key: str) -> str:
    """Return the JSON pointer (RFC 6901) of a key of a set."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
