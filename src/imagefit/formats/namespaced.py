"""Groups of keys as documents write them, and documents that ask for all of some needs.

Knows that a group is written flat or below ``annotations`` or ``attributes``, and that keys of one PCI device must be
answered by one and the same. Leaves to ``group_keys`` what a key asks.
"""

from collections.abc import Mapping
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.group_keys import needs_of_key, pci_attribute, pci_device, pci_number
from imagefit.formats.reading import MAX_CHECKS, Faults, check_keys, object_of, text_of
from imagefit.formats.syntax import MAX_KEY_CHARACTERS, Tree
from imagefit.formats.vocabulary import bounded
from imagefit.model.requirement import Alternative, Document, Need, count_checks

METADATA: Final = ("annotations", "attributes")
"""Where a group's keys stand if something stands beside them; compspec writes the second."""

_BESIDE: Final = ("name", "schema", "version")


def needs_of_group(group: str, attributes: Mapping[str, Tree]) -> tuple[Need, ...]:
    """Return what the keys of one group ask, all of them together.

    Args:
        group: a reverse domain name, or ``nfd``.
        attributes: key → a string, a number or a boolean.

    Returns:
        The needs in the author's order; keys of one PCI device as one need, after the others.

    Raises:
        InvalidDocumentError: values cannot be read; every one is named.
    """
    if not group.strip():
        raise InvalidDocumentError("a group without a name")
    if len(group) > MAX_KEY_CHARACTERS:
        raise InvalidDocumentError(f"the name of a group has more than {MAX_KEY_CHARACTERS} characters")
    faults = Faults()
    needs: list[Need] = []
    device: dict[str, str] = {}
    for key, value in attributes.items():
        with faults.at(key):
            text = bounded(text_of(value))
            if attribute := pci_attribute(group, key):
                device[attribute] = pci_number(text)
            else:
                needs.extend(needs_of_key(group, key, text))
        _check_number(len(needs))
    faults.raise_all()
    return (*needs, *pci_device(device))


def needs_of_metadata(group: str, tree: Tree) -> tuple[Need, ...]:
    """Return what one group asks, written flat or with its keys below ``annotations`` or ``attributes``.

    Args:
        group: a reverse domain name, or ``nfd``.
        tree: ``{key: value}``, or ``{"version", "annotations": {key: value}}``, whose version says nothing of a node.

    Raises:
        InvalidDocumentError: it is neither, or values cannot be read; every one is named.
    """
    keys = object_of(tree)
    nested = [key for key in METADATA if isinstance(keys.get(key), dict)]
    if not nested:
        return needs_of_group(group, keys)
    check_keys("a group", keys, (*METADATA, *_BESIDE))
    faults = Faults()
    needs: list[Need] = []
    for key in nested:
        with faults.at(key):
            needs.extend(needs_of_group(group, object_of(keys[key])))
    faults.raise_all()
    return tuple(needs)


def needs_of_groups(groups: Mapping[str, Tree]) -> tuple[Need, ...]:
    """Return what several groups ask together. Raises ``InvalidDocumentError`` as ``needs_of_metadata``."""
    faults = Faults()
    needs: list[Need] = []
    for group, tree in groups.items():
        with faults.at(group):
            needs.extend(needs_of_metadata(group, tree))
        _check_number(len(needs))
    faults.raise_all()
    return tuple(needs)


def all_needed(dialect: str, needs: tuple[Need, ...], tags: tuple[str, ...] = ()) -> Document:
    """Return the document that asks for all of some needs.

    Raises:
        InvalidDocumentError: there are more than ``MAX_CHECKS`` checks.
    """
    _check_number(count_checks(needs))
    return Document(dialect, (Alternative(needs, tags=tags),))


def _check_number(checks: int) -> None:
    """Raise ``InvalidDocumentError`` for too many checks; asked as they come, it keeps a long document from costing."""
    if checks > MAX_CHECKS:
        raise InvalidDocumentError(f"the document asks for more than {MAX_CHECKS} checks")
