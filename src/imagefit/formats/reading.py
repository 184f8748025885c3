"""What all dialects read in the same way: text, objects, lists, scores, and sets of which a bad one costs only itself.

Knows how a fault gets its place and the limits of one document. Leaves to the dialects what stands where.
"""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.syntax import Tree, pointer
from imagefit.model.requirement import Alternative, Document, Problem, count_checks

MAX_SETS: Final = 10_000
"""Most sets of one document."""
MAX_CHECKS: Final = 10_000
"""Most checks that the sets of one document ask for together."""
MAX_FAULTS: Final = 1_000
"""Most faults of one set that are named."""
MAX_PROBLEMS: Final = 10_000
"""Most faults of one document, beyond which it is not read on."""

_SCORE: Final = re.compile(r"[+-]?[0-9]{1,9}")


class at:  # noqa: N801 - read as a word: with at("rules", 3)
    """Put the place of what is read inside before that of a fault found there."""

    __slots__ = ("_keys",)

    def __init__(self, *keys: str | int) -> None:
        """Name the place."""
        self._keys = keys

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Give a fault its place."""
        if isinstance(error, InvalidDocumentError):
            raise error.below(pointer(*self._keys)) from error


class _Keeping:
    """Keep a fault with its place and go on after it."""

    __slots__ = ("_faults", "_keys")

    def __init__(self, faults: "Faults", keys: tuple[str | int, ...]) -> None:
        self._faults, self._keys = faults, keys

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, InvalidDocumentError):
            return False
        self._faults.keep(error, *self._keys)
        return True


class Faults:
    """The faults of one set, gathered so that all of them are named at once."""

    def __init__(self) -> None:
        """Start without any."""
        self._found: list[InvalidDocumentError] = []

    def at(self, *keys: str | int) -> _Keeping:
        """Keep a fault that is found inside, with its place, and go on after it; at ``MAX_FAULTS`` raise them all."""
        return _Keeping(self, keys)

    def keep(self, error: InvalidDocumentError, *keys: str | int) -> None:
        """Keep a fault that was found at a place; at ``MAX_FAULTS`` raise them all."""
        found = error.below(pointer(*keys))
        self._found += (InvalidDocumentError(one.message, place=one.place) for one in (found, *found.others))
        if len(self._found) >= MAX_FAULTS:
            self.raise_all()

    def raise_all(self) -> None:
        """Raise one ``InvalidDocumentError`` for all faults, if there is any."""
        if self._found:
            first, *others = self._found
            raise InvalidDocumentError(first.message, place=first.place, others=tuple(others))


def check_keys(what: str, found: Iterable[str], known: Collection[str]) -> None:
    """Refuse keys that nothing would read: a misspelt one would silently ask for nothing.

    Args:
        what: has the keys, for the message, such as ``a rule``.
        found: the author's keys.
        known: those that are read or may be ignored.

    Raises:
        InvalidDocumentError: there are others; each fault at its key.
    """
    faults = Faults()
    for key in found:
        if key not in known:
            with faults.at(key):
                raise InvalidDocumentError(f"an unknown key; {what} has {', '.join(known)}")
    faults.raise_all()


def each_alternative(
    dialect: str, sets: Iterable[Tree], read: Callable[[Tree, str], Alternative], *keys: str
) -> Document:
    """Read the sets of a document, each by itself.

    Args:
        dialect: name for the document.
        sets: in the author's order.
        read: takes a set and its JSON pointer; raises ``InvalidDocumentError`` where it cannot be read.
        keys: the way from the document to the list of sets.

    Returns:
        The sets that can be read as alternatives, and a problem for each that cannot.

    Raises:
        InvalidDocumentError: there are more than ``MAX_SETS`` sets, ``MAX_CHECKS`` checks or ``MAX_PROBLEMS`` faults.
    """
    alternatives: list[Alternative] = []
    problems: list[Problem] = []
    checks = 0
    above = pointer(*keys)
    for number, one in enumerate(sets):
        if number >= MAX_SETS:
            raise InvalidDocumentError(f"more than {MAX_SETS} sets")
        place = f"{above}/{number}"
        try:
            alternatives.append(read(one, place))
        except InvalidDocumentError as error:
            problems.extend(problems_of(error.below(place)))
            if len(problems) > MAX_PROBLEMS:
                raise InvalidDocumentError(f"more than {MAX_PROBLEMS} faults") from error
            continue
        checks += count_checks(alternatives[-1].needs)
        if checks > MAX_CHECKS:
            raise InvalidDocumentError(f"the sets ask for more than {MAX_CHECKS} checks")
    return Document(dialect, tuple(alternatives), tuple(problems))


def problems_of(error: InvalidDocumentError) -> tuple[Problem, ...]:
    """Return the faults that an error stands for."""
    return tuple(Problem(one.message, one.place) for one in (error, *error.others))


def text_of(value: Tree) -> str:
    """Return a string, a number or a boolean as text. Raises ``InvalidDocumentError`` for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    raise InvalidDocumentError("expected a string, a number or a boolean")


def object_of(value: Tree) -> dict[str, Tree]:
    """Return an object, an empty one for null. Raises ``InvalidDocumentError`` for anything else."""
    match value:
        case dict():
            return value
        case None:
            return {}
        case _:
            raise InvalidDocumentError("expected an object")


def list_of(value: Tree) -> list[Tree]:
    """Return a list, an empty one for null. Raises ``InvalidDocumentError`` for anything else."""
    match value:
        case list():
            return value
        case None:
            return []
        case _:
            raise InvalidDocumentError("expected a list")


def words_of(value: Tree) -> tuple[str, ...]:
    """Return a string, or a list of strings, as strings. Raises ``InvalidDocumentError`` for anything else."""
    match value:
        case None:
            return ()
        case str():
            return (value,)
        case list() if all(isinstance(one, str) for one in value):
            return tuple(one for one in value if isinstance(one, str))
        case _:
            raise InvalidDocumentError("expected a string or a list of strings")


def score_of(value: Tree) -> int:
    """Return a whole number of at most nine digits. Raises ``InvalidDocumentError`` for anything else."""
    if not isinstance(value, str) or not _SCORE.fullmatch(value):
        raise InvalidDocumentError("expected a whole number of at most nine digits")
    return int(value)
