"""Proposal E: ``platform.features``, a list of CPU features that are all mandatory.

Knows the list and that other platforms may spell features as Go's ``x/sys/cpu`` or the kernel does. Leaves the names to
``model.cpu_flags``. Source: proposal E of the OCI image-compatibility working group; the field is reserved
in the OCI image specification (``image-index.md``, "features").
"""

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.formats.vocabulary import LABEL_OF_FEATURES, checks_of_flags
from imagefit.model.requirement import Check

_MAX_FEATURES = 256
_DECODER = msgspec.json.Decoder(tuple[str, ...] | None)


def parse_features(content: bytes) -> tuple[Check, ...]:
    """Read ``platform.features``.

    Args:
        content: raw JSON of the field; empty where the entry has none.

    Returns:
        One check per feature, in the author's order.

    Raises:
        InvalidDocumentError: it is not a list of at most 256 strings.
    """
    if not content:
        return ()
    try:
        features = _DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidDocumentError(f"not a list of feature names: {error}") from error
    if features and len(features) > _MAX_FEATURES:
        raise InvalidDocumentError(f"{len(features)} features, more than {_MAX_FEATURES}")
    return checks_of_flags(LABEL_OF_FEATURES, features or ())
