"""Proposal D and compspec: a ``CompatibilitySpec``, a list of named groups of keys that must all hold.

Knows the document around the groups. Its schemas, which say which keys there are and which contains which, are on the
open web and never fetched: they do not change what a key asks. Leaves what a key asks to ``group_keys``. A key that
cannot be read costs the whole document, since all are needed. Sources: proposal D of the OCI image-compatibility
working group; compspec's examples, which write ``attributes`` for ``annotations``.
"""

from collections.abc import Mapping
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect
from imagefit.formats.namespaced import METADATA, all_needed, needs_of_metadata
from imagefit.formats.reading import Faults, at, list_of, object_of, text_of, words_of
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Document, Need

_NAME: Final = "compatibility-spec"
_KIND: Final = "CompatibilitySpec"
_GROUPS: Final = "compatibilities"


def claims(tree: Tree) -> bool:
    """Tell whether a document says that it is one or, without a kind, is a list of groups with keys."""
    if not isinstance(tree, dict):
        return False
    if "kind" in tree:
        return tree["kind"] == _KIND
    groups = tree.get(_GROUPS)
    return isinstance(groups, list) and bool(groups) and "spec" not in tree and all(map(_is_group, groups))


def parse(tree: Tree) -> Document:
    """Read groups as one alternative; the document's own name becomes its tag.

    Args:
        tree: ``{"kind", "metadata": {"name"}, "compatibilities": [{"name", "version", "annotations": {key: value}}]}``.

    Raises:
        InvalidDocumentError: something of it cannot be read; everything that cannot is named.
    """
    document = object_of(tree)
    faults = Faults()
    tags: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    with faults.at("metadata"):
        tags = _tags(object_of(document.get("metadata")))
    with faults.at(_GROUPS):
        needs = _needs(document.get(_GROUPS))
    faults.raise_all()
    return all_needed(_NAME, needs, tags)


def _is_group(one: Tree) -> bool:
    return isinstance(one, dict) and any(isinstance(one.get(key), dict) for key in METADATA)


def _tags(metadata: Mapping[str, Tree]) -> tuple[str, ...]:
    with at("name"):
        return words_of(metadata.get("name"))


def _needs(tree: Tree) -> tuple[Need, ...]:
    if not isinstance(tree, list):
        raise InvalidDocumentError("expected a list of groups")
    faults = Faults()
    needs: list[Need] = []
    for number, one in enumerate(list_of(tree)):
        with faults.at(number):
            needs.extend(_group(one))
    faults.raise_all()
    return tuple(needs)


def _group(tree: Tree) -> tuple[Need, ...]:
    group = object_of(tree)
    with at("name"):
        name = text_of(group.get("name"))
    if not _is_group(group):
        raise InvalidDocumentError(f"expected {' or '.join(METADATA)}")
    return needs_of_metadata(name, group)


DIALECT: Final = Dialect(_NAME, claims, parse)
