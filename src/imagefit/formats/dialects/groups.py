"""Proposal F: an object of groups of keys below ``compatibilities``, all of which must hold.

Knows the shape: flat sets stand there as a list. Leaves how a group is written to ``namespaced`` and what a key asks to
``group_keys``. A key that cannot be read costs the whole document, since all are needed. Source: proposal F of the OCI
image-compatibility working group; compspec's schema writes groups with a version and ``annotations`` there.
"""

from typing import Final

from imagefit.formats.contract import Dialect
from imagefit.formats.namespaced import all_needed, needs_of_groups
from imagefit.formats.reading import at, object_of
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Document

_NAME: Final = "groups"
_GROUPS: Final = "compatibilities"
_ELSEWHERE: Final = frozenset({"kind", "spec"})


def claims(tree: Tree) -> bool:
    """Tell whether a document has an object of groups."""
    return isinstance(tree, dict) and isinstance(tree.get(_GROUPS), dict) and not _ELSEWHERE & tree.keys()


def parse(tree: Tree) -> Document:
    """Read groups as one alternative.

    Args:
        tree: ``{"compatibilities": {group: {key: value}}}``.

    Raises:
        InvalidDocumentError: something of it cannot be read; everything that cannot is named.
    """
    with at(_GROUPS):
        return all_needed(_NAME, needs_of_groups(object_of(object_of(tree).get(_GROUPS))))


DIALECT: Final = Dialect(_NAME, claims, parse)
