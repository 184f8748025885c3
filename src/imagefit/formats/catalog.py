"""Which dialect a piece of metadata is written in: one pure function over its shape.

Knows every dialect there is; a new one is a new file and a new row. Leaves to the dialect to say which shape is its own
and to read it.
"""

from typing import Final

from msgspec.structs import replace

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect, Fragment
from imagefit.formats.dialects import (
    annotations,
    compatibility_spec,
    features,
    flat_sets,
    groups,
    namespaces,
    nfd,
    platform,
    relations,
)
from imagefit.formats.reading import problems_of
from imagefit.formats.syntax import Tree, load
from imagefit.model.requirement import Document, Problem

DIALECTS: Final[tuple[Dialect, ...]] = (
    flat_sets.DIALECT,
    nfd.DIALECT,
    annotations.DIALECT,
    relations.DIALECT,
    namespaces.DIALECT,
    compatibility_spec.DIALECT,
    features.DIALECT,
    groups.DIALECT,
    platform.DIALECT,
)
_OF_LISTS: Final = tuple(dialect for dialect in DIALECTS if dialect.has_lists)


def read(fragment: Fragment) -> Document:
    """Read a fragment in the dialect that its shape shows.

    Returns:
        The document; one that no dialect claims, or that cannot be read, has a problem and no alternative.
    """
    try:
        document = parse(fragment.content)
    except InvalidDocumentError as error:
        return Document("", problems=problems_of(error.below(fragment.place)))
    if document.dialect == annotations.DIALECT.name:
        # What carries needs must ask for something; a list that was forgotten around a set must not hold always.
        return Document(
            document.dialect, problems=(Problem("it states only what it is and asks for nothing", fragment.place),)
        )
    named = (fragment.name,) if fragment.name else ()
    if not named and not document.problems:
        return document
    return Document(
        document.dialect,
        tuple(replace(one, tags=(*named, *one.tags)) for one in document.alternatives)
        if named
        else document.alternatives,
        tuple(Problem(problem.message, fragment.place + problem.place) for problem in document.problems),
    )


def parse(content: bytes) -> Document:
    """Read a document in the dialect that its shape shows.

    Args:
        content: JSON or YAML of one document, at most 4 MiB.

    Returns:
        The document, problems in it with their JSON pointers.

    Raises:
        InvalidDocumentError: it is neither JSON nor YAML, no dialect claims it or two do, or nothing of it can be read.
    """
    tree = load(content)
    return recognize(tree).parse(tree)


def recognize(tree: Tree) -> Dialect:
    """Return the dialect that claims the shape of a document.

    Raises:
        InvalidDocumentError: no dialect claims it, or more than one.
    """
    claiming = [dialect for dialect in (_OF_LISTS if isinstance(tree, list) else DIALECTS) if dialect.claims(tree)]
    match claiming:
        case [dialect]:
            return dialect
        case []:
            names = ", ".join(dialect.name for dialect in DIALECTS)
            raise InvalidDocumentError(f"no dialect has this shape; imagefit reads {names}")
        case _:
            names = " and ".join(dialect.name for dialect in claiming)
            raise InvalidDocumentError(f"it has the shape of {names} at once")
