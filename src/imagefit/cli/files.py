"""Files that a person names on the command line: read whole, within the limit that every document has."""

import sys
from pathlib import Path

from imagefit.errors import ImagefitError
from imagefit.model.oci import MAX_DOCUMENT_BYTES

STANDARD_INPUT = "-"


def read_file(path: str | Path, error: type[ImagefitError]) -> bytes:
    """Return the bytes of a file, or of standard input for ``-``.

    Args:
        path: what was named.
        error: which error to raise.

    Raises:
        ImagefitError: it cannot be read or has more than ``MAX_DOCUMENT_BYTES`` bytes; of the class ``error``.
    """
    try:
        if str(path) == STANDARD_INPUT:
            if sys.stdin is None:
                raise error("there is no standard input")
            content = sys.stdin.buffer.read(MAX_DOCUMENT_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from problem
    if len(content) > MAX_DOCUMENT_BYTES:
        raise error(f"{path}: more than {MAX_DOCUMENT_BYTES} bytes")
    return content
