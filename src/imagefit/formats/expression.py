"""One NFD expression, ``{op, value, type}``, read and found to be well-formed.

Knows how many values an operator takes and of which kind, and how much matching one document may ask for. Leaves to the
dialect where expressions stand and to ``model.operators`` what they mean. Source: NFD
``api/nfd/v1alpha1/types.go`` (``MatchExpression``) and ``docs/usage/customization-guide.md``.
"""

import re
from collections.abc import Mapping
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.reading import at, check_keys, list_of, text_of
from imagefit.formats.syntax import Tree
from imagefit.model.operators import BOUNDS, number_of
from imagefit.model.regexp import check_pattern
from imagefit.model.requirement import Expression, Op

_KEYS: Final = ("op", "value", "type")
_OPS: Final = {op.value: op for op in Op}
_OF_VALUES: Final = frozenset({Op.IN, Op.NOT_IN, Op.IN_REGEXP})
_VERSION: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18}){0,2}")
_SHOWN_CHARACTERS: Final = 200
_SHOWN_VALUES: Final = 100
_UNITS: Final = 128
# A name is looked for among all names of a feature, of which a kernel's options are ten thousand.
_UNITS_OF_A_NAME: Final = 16
_CHARACTERS_OF_A_UNIT: Final = 256


class Allowance:
    """How much matching one document may still ask for: some hundred patterns on values, or eight on names."""

    def __init__(self) -> None:
        """Start with all of it."""
        self._left = _UNITS

    def spend(self, characters: int, *, on_names: bool) -> None:
        """Take what a pattern of that length costs. Raises ``InvalidDocumentError`` where too little is left."""
        units = 1 + characters // _CHARACTERS_OF_A_UNIT
        self._left -= units * _UNITS_OF_A_NAME if on_names else units
        if self._left < 0:
            raise InvalidDocumentError("too many regular expressions in one document")


def read_expression(tree: Tree, allowance: Allowance, *, on_names: bool = False) -> Expression:
    """Read one expression.

    Args:
        tree: ``{op, value, type}``; without ``op`` it is NFD's ``""``, which every element passes.
        allowance: of the document.
        on_names: it is about the names of elements, not about the value of one.

    Raises:
        InvalidDocumentError: the operator is not known, has another number of values, or a value of another kind.
    """
    if not isinstance(tree, dict):
        raise InvalidDocumentError("expected an expression such as {op: Exists}")
    check_keys("an expression", tree, _KEYS)
    op = _op(tree.get("op"))
    versions = _is_version(tree.get("type")) and op in BOUNDS
    with at("value"):
        values = _values(tree.get("value"))
        _check_number_of_values(op, len(values))
        if op in BOUNDS:
            _check_bounds(values, versions=versions)
        if op is Op.IN_REGEXP:
            _check_patterns(values, allowance, on_names=on_names)
        elif op in BOUNDS and on_names:
            allowance.spend(0, on_names=True)
    return Expression(op, values, versions)


def shown(expression: Expression) -> str:
    """Return an expression as people write it, such as ``In Intel, AMD`` or ``Ge 5``."""
    values = ", ".join(value[:_SHOWN_CHARACTERS] for value in expression.values[:_SHOWN_VALUES])
    words = (expression.op or "any", values, "as version" * expression.versions)
    text = " ".join(word for word in words if word)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _op(tree: Tree) -> Op:
    with at("op"):
        name = "" if tree is None else text_of(tree)
        if name not in _OPS:
            raise InvalidDocumentError(f"{name[:80]!r} is not an operator; there are {', '.join(filter(None, _OPS))}")
        return _OPS[name]


def _is_version(tree: Tree) -> bool:
    with at("type"):
        name = "" if tree is None else text_of(tree)
        if name not in {"", "version"}:
            raise InvalidDocumentError(f"{name[:80]!r} is not a type; there is 'version'")
        return bool(name)


def _values(tree: Tree) -> tuple[str, ...]:
    found: list[str] = []
    for number, value in enumerate(list_of(tree)):
        with at(number):
            found.append(text_of(value))
    return tuple(found)


def _check_number_of_values(op: Op, number: int) -> None:
    wanted = BOUNDS.get(op, 0)
    if op in _OF_VALUES:
        if not number:
            raise InvalidDocumentError(f"{op} takes at least one value")
    elif number != wanted:
        raise InvalidDocumentError(f"{op or 'no operator'} takes {_COUNTS[wanted]}, here are {number}")


_COUNTS: Final[Mapping[int, str]] = {0: "no value", 1: "one value", 2: "two values"}


def _check_bounds(values: tuple[str, ...], *, versions: bool) -> None:
    for number, value in enumerate(values):
        with at(number):
            if versions and not _VERSION.fullmatch(value):
                raise InvalidDocumentError(f"{value[:80]!r} is not a version such as 1, 1.2 or 1.2.3")
            if not versions and number_of(value, versions=False) is None:
                raise InvalidDocumentError(f"{value[:80]!r} is not a whole number")
    first, last = (number_of(value, versions=versions) or () for value in (values[0], values[-1]))
    if len(values) > 1 and first >= last:
        raise InvalidDocumentError("the first value must be less than the second")


def _check_patterns(values: tuple[str, ...], allowance: Allowance, *, on_names: bool) -> None:
    for number, value in enumerate(values):
        with at(number):
            allowance.spend(len(value), on_names=on_names)
            check_pattern(value)
