"""Proposal A: free annotations, which state what a build is and exclude nothing.

Knows the shape. Annotations of an index entry are its claims, which only the operator's preferences look at; a document
that consists of annotations asks for nothing, so it always holds. Source: proposal A of the OCI image-compatibility
working group.
"""

from typing import Final

from imagefit.formats.contract import Dialect
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Document

_NAME: Final = "annotations"
# What a document with one of these means to be, though it is broken, is something else.
_KEYS_ELSEWHERE: Final = frozenset(
    {
        *("architecture", "os", "os.features", "os.version", "variant"),
        *("compat", "compatibilities", "compatibility-score", "compatibilties", "features"),
        *("kind", "relations", "rules", "spec"),
    }
)
_LABELS_ELSEWHERE: Final = "oci."


def claims(tree: Tree) -> bool:
    """Tell whether a document is an object of scalars whose keys no other dialect knows."""
    return isinstance(tree, dict) and bool(tree) and all(map(_is_annotation, tree.items()))


def parse(_tree: Tree) -> Document:
    """Return the document that asks for nothing."""
    return Document(_NAME)


def _is_annotation(member: tuple[str, Tree]) -> bool:
    key, value = member
    return isinstance(value, str | bool) and key not in _KEYS_ELSEWHERE and not key.startswith(_LABELS_ELSEWHERE)


DIALECT: Final = Dialect(_NAME, claims, parse)
