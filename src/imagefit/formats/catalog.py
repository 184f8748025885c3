"""Which dialect a piece of metadata is written in: one pure function over its shape.

Knows every dialect by its outer shape. Leaves to the dialect to read it.
"""

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Fragment
from imagefit.formats.dialects import flat_sets
from imagefit.model.requirement import Document, Problem


class _Outer(msgspec.Struct):
    compatibilities: msgspec.Raw = msgspec.Raw()


_OUTER_DECODER = msgspec.json.Decoder(_Outer)


def read(fragment: Fragment) -> Document:
    """Read a fragment in the dialect that its shape shows.

    Returns:
        The document; one that no dialect claims, or that cannot be read, has a problem and no alternative.
    """
    try:
        dialect = recognize(fragment.content)
        document = flat_sets.parse_flat_sets(fragment.content)
    except InvalidDocumentError as error:
        return Document("", problems=(Problem(error.message, fragment.place + error.place),))
    problems = tuple(Problem(problem.message, fragment.place + problem.place) for problem in document.problems)
    return Document(dialect, document.alternatives, problems)


def recognize(content: bytes) -> str:
    """Return the name of the dialect that claims this shape.

    Args:
        content: JSON of one fragment.

    Raises:
        InvalidDocumentError: it is not JSON, or no dialect has this shape.
    """
    shape = content.lstrip()[:1]
    if shape == b"{":
        try:
            shape = bytes(_OUTER_DECODER.decode(content).compatibilities).lstrip()[:1]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidDocumentError(f"not JSON: {error}") from error
    if shape == b"[":
        return flat_sets.DIALECT
    raise InvalidDocumentError("no dialect that imagefit reads has this shape; a list of sets is expected")
