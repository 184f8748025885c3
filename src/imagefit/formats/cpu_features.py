"""A list of CPU features that are all mandatory, wherever it stands.

Knows the list and its limit. Leaves the names to ``model.cpu_flags``, which knows Go's and the kernel's spellings.
Source: proposal E of the OCI image-compatibility working group.
"""

from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.reading import Faults, list_of
from imagefit.formats.syntax import Number, Tree
from imagefit.formats.vocabulary import LABEL_OF_FEATURES, checks_of_flags
from imagefit.model.requirement import Check

MAX_FEATURES: Final = 256
"""Most features of one list."""


def checks_of_features(tree: Tree) -> tuple[Check, ...]:
    """Return one check per feature, in the author's order; none for null.

    Raises:
        InvalidDocumentError: it is no list of at most 256 names; every one that is none is named.
    """
    features = list_of(tree)
    if len(features) > MAX_FEATURES:
        raise InvalidDocumentError(f"{len(features)} features, more than {MAX_FEATURES}")
    faults = Faults()
    for number, name in enumerate(features):
        with faults.at(number):
            if not is_name(name):
                raise InvalidDocumentError("expected the name of a feature")
    faults.raise_all()
    return checks_of_flags(LABEL_OF_FEATURES, (name for name in features if isinstance(name, str)))


def is_name(tree: Tree) -> bool:
    """Tell whether a value can be the name of a feature."""
    return isinstance(tree, str) and not isinstance(tree, Number) and bool(tree.strip())
