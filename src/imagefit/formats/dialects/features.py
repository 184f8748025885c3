"""Proposal E: a list of CPU features that are all mandatory, as ``platform.features`` or as a document.

Knows where the list stands. Leaves the list to ``cpu_features``. Source: proposal E of the OCI image-compatibility
working group; the field is reserved in the OCI image specification (``image-index.md``, "features").
"""

from typing import Final

from imagefit.formats.contract import Dialect
from imagefit.formats.cpu_features import checks_of_features
from imagefit.formats.syntax import Tree, begins_with_a_name, load
from imagefit.model.requirement import Alternative, Check, Document

_NAME: Final = "features"
_ABSENT: Final = frozenset({b"", b"null"})


def parse_features(content: bytes) -> tuple[Check, ...]:
    """Read ``platform.features``.

    Args:
        content: raw JSON of the field; empty where the entry has none.

    Returns:
        One check per feature, in the author's order.

    Raises:
        InvalidDocumentError: it is not a list of at most 256 names.
    """
    return () if content in _ABSENT else checks_of_features(load(content))


def claims(tree: Tree) -> bool:
    """Tell whether a document is a list that begins with a name; lists of sets begin with an object."""
    return isinstance(tree, list) and begins_with_a_name(tree)


def parse(tree: Tree) -> Document:
    """Read a list of names as one alternative. Raises ``InvalidDocumentError`` as ``parse_features``."""
    return Document(_NAME, (Alternative(checks_of_features(tree)),))


DIALECT: Final = Dialect(_NAME, claims, parse, has_lists=True)
