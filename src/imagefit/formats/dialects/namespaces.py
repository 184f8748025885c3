"""Proposal C: groups of keys below reverse domain names, all of which must hold.

Knows the shape. Leaves how a group is written to ``namespaced`` and what a key asks to ``group_keys``. A key that
cannot be read costs the whole document, since all are needed. Source: proposal C of the OCI image-compatibility
working group, in both of its forms: keys directly below their group, and below ``annotations`` beside a version.
"""

import re
from typing import Final

from imagefit.formats.contract import Dialect
from imagefit.formats.namespaced import all_needed, needs_of_groups
from imagefit.formats.reading import object_of
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Document

_NAME: Final = "namespaces"
_GROUP: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9_-]+)+")


def claims(tree: Tree) -> bool:
    """Tell whether a document is an object whose keys are all domain names, with an object below each."""
    if not isinstance(tree, dict) or not tree:
        return False
    return all(isinstance(group, dict) and _GROUP.fullmatch(name) is not None for name, group in tree.items())


def parse(tree: Tree) -> Document:
    """Read groups as one alternative.

    Args:
        tree: ``{group: {key: value}}`` or ``{group: {"version", "annotations": {key: value}}}``.

    Raises:
        InvalidDocumentError: something of it cannot be read; everything that cannot is named.
    """
    return all_needed(_NAME, needs_of_groups(object_of(tree)))


DIALECT: Final = Dialect(_NAME, claims, parse)
