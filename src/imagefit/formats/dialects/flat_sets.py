"""Proposals H, I and J: a list of flat sets of labels, one of which has to hold.

Knows the list, the reserved keys and the types of values. Leaves to ``vocabulary`` what a label asks of a node.
Source: proposals H, I and J of the OCI image-compatibility working group (2024); where texts and examples differ, both
forms are read.
"""

from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect
from imagefit.formats.reading import MAX_CHECKS, Faults, each_alternative, list_of, score_of, text_of, words_of
from imagefit.formats.syntax import Tree, begins_with_a_name
from imagefit.formats.vocabulary import checks_of_label
from imagefit.model.requirement import Alternative, Check, Document

_NAME: Final = "flat-sets"
_SETS: Final = "compatibilities"
# Where a set has both, the first counts.
_SCORES: Final = ("compatibility-score", "oci.compatibility-score")
_TAGS: Final = "tags"
_DESCRIPTION: Final = "description"
_RESERVED: Final = frozenset({_TAGS, _DESCRIPTION, *_SCORES})
# Other lists of sets stand at the same place; these tell their sets from flat ones.
_NESTED: Final = {"rules": list, "annotations": dict, "attributes": dict}


def claims(tree: Tree) -> bool:
    """Tell whether a document is a list of flat sets, bare or below ``compatibilities``."""
    if isinstance(tree, dict):
        sets = tree.get(_SETS)
        return isinstance(sets, list) and not {"kind", "spec"} & tree.keys() and not any(map(_is_nested, sets))
    return isinstance(tree, list) and not any(map(_is_nested, tree)) and not begins_with_a_name(tree)


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


def _is_nested(one: Tree) -> bool:
    if not isinstance(one, dict) or _NESTED.keys().isdisjoint(one):
        return False
    return any(isinstance(one.get(key), shape) for key, shape in _NESTED.items())


def _read_set(labels: Tree, place: str) -> Alternative:
    if not isinstance(labels, dict):
        raise InvalidDocumentError("not a set of labels")
    faults = Faults()
    checks: list[Check] = []
    scores: dict[str, int] = {}
    description = ""
    tags: tuple[str, ...] = ()
    for label, value in labels.items():
        try:
            if label not in _RESERVED:
                checks += checks_of_label(label, value if isinstance(value, str) else text_of(value))
            elif label == _TAGS:
                tags = words_of(value)
            elif label == _DESCRIPTION:
                description = text_of(value)
            else:
                scores[label] = score_of(value)
        except InvalidDocumentError as error:
            faults.keep(error, label)
        if len(checks) > MAX_CHECKS:
            raise InvalidDocumentError(f"the set asks for more than {MAX_CHECKS} checks")
    faults.raise_all()
    score = next((scores[label] for label in _SCORES if label in scores), 0) if scores else 0
    return Alternative(tuple(checks), score, tags, description, place)


DIALECT: Final = Dialect(_NAME, claims, parse, has_lists=True)
