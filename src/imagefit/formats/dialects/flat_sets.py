"""Proposals H, I and J: a list of flat sets of labels, one of which has to hold.

Knows the list, the reserved keys and the types of values. Leaves to ``vocabulary`` what a label asks of a node.
Source: proposals H, I and J of the OCI image-compatibility working group (2024); where texts and examples differ, both
forms are read.
"""

from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect
from imagefit.formats.reading import at, each_alternative, list_of, score_of, text_of, words_of
from imagefit.formats.syntax import Number, Tree, pointer
from imagefit.formats.vocabulary import checks_of_label
from imagefit.model.requirement import Alternative, Check, Document

_NAME: Final = "flat-sets"
_SETS: Final = "compatibilities"
_SCORES: Final = ("compatibility-score", "oci.compatibility-score")
_TAGS: Final = "tags"
_DESCRIPTION: Final = "description"
_RESERVED: Final = frozenset({*_SCORES, _TAGS, _DESCRIPTION})
# Other lists of sets stand at the same place; these tell their sets from flat ones.
_NESTED: Final = (("rules", list), ("annotations", dict), ("attributes", dict))


def claims(tree: Tree) -> bool:
    """Tell whether a document is a list of flat sets, bare or below ``compatibilities``."""
    if isinstance(tree, dict):
        sets = tree.get(_SETS)
        return isinstance(sets, list) and not {"kind", "spec"} & tree.keys() and not any(map(_is_nested, sets))
    return isinstance(tree, list) and not any(map(_is_nested, tree)) and not _is_list_of_names(tree)


def parse(tree: Tree) -> Document:
    """Read a list of sets.

    Args:
        tree: ``[set, …]`` or ``{"compatibilities": [set, …], …}``.

    Returns:
        The sets that can be read as alternatives, in the author's order, and a problem for each that cannot.

    Raises:
        InvalidDocumentError: it is no list of sets, or beyond the limits.
    """
    if isinstance(tree, dict):
        return each_alternative(_NAME, list_of(tree.get(_SETS)), _read_set, _SETS)
    return each_alternative(_NAME, list_of(tree), _read_set)


def _is_list_of_names(tree: list[Tree]) -> bool:
    return bool(tree) and isinstance(tree[0], str) and not isinstance(tree[0], Number)


def _is_nested(one: Tree) -> bool:
    return isinstance(one, dict) and any(isinstance(one.get(key), shape) for key, shape in _NESTED)


def _read_set(labels: Tree, place: str) -> Alternative:
    if not isinstance(labels, dict):
        raise InvalidDocumentError("not a set of labels")
    checks = tuple(check for key, value in labels.items() if key not in _RESERVED for check in _checks(key, value))
    return Alternative(checks, _score(labels), _tags(labels), _description(labels), place)


def _checks(label: str, value: Tree) -> tuple[Check, ...]:
    try:
        return checks_of_label(label, text_of(value))
    except InvalidDocumentError as error:
        raise InvalidDocumentError(error.message, place=pointer(label)) from error


def _score(labels: dict[str, Tree]) -> int:
    key = next((key for key in _SCORES if key in labels), None)
    if key is None:
        return 0
    with at(key):
        return score_of(labels[key])


def _tags(labels: dict[str, Tree]) -> tuple[str, ...]:
    with at(_TAGS):
        return words_of(labels.get(_TAGS))


def _description(labels: dict[str, Tree]) -> str:
    with at(_DESCRIPTION):
        return text_of(labels.get(_DESCRIPTION, ""))


DIALECT: Final = Dialect(_NAME, claims, parse)
