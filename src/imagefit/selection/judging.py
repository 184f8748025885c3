"""Metadata read and judged, each distinct piece once, within a limit.

Knows how much is judged at most, and that what did not come is a document of which nothing can be said. Leaves to
``session`` whose metadata it is and what becomes of the verdicts.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from imagefit.formats.catalog import read
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.model.decision import DocumentVerdict
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Document, Problem, count_checks
from imagefit.selection.match import judge_document

_TOO_LATE = Problem("not judged: the time is over")


class Limits(msgspec.Struct, frozen=True):
    """How much is judged.

    Attributes:
        checks: most checks, of which each distinct document's count once.
        too_many: what is said of documents beyond that.
        pulse: called again and again during the work, which ends with whatever this raises.
        is_late: tells whether the time is over; then nothing more is read or judged.
        too_late: what is said of documents after that.
    """

    checks: int
    too_many: Problem
    pulse: Callable[[], None] = lambda: None
    is_late: Callable[[], bool] = lambda: False
    too_late: Problem = _TOO_LATE


class Judging:
    """Documents of one decision. One that is large may be shared by thousands of entries."""

    def __init__(self, limits: Limits) -> None:
        """Start with none."""
        self._limits = limits
        self._checks = 0
        self._documents: dict[Carried, Document] = {}
        self._judged: dict[int, DocumentVerdict] = {}

    def spend(self, checks: int) -> bool:
        """Count checks; tell whether they are still within the limit."""
        self._checks += checks
        return self._checks <= self._limits.checks

    def document(self, piece: Carried, skipped: Problem) -> Document:
        """Return a piece of metadata, read; ``skipped`` says why it has not been fetched, if it has not."""
        match piece:
            case Locator():
                return Document("", problems=(Problem(skipped.message, piece.place),), origin=piece.origin)
            case Problem():
                return Document("", problems=(piece,))
            case _:
                # Each distinct piece is read once: large indexes repeat the same few sets.
                if piece not in self._documents:
                    self._documents[piece] = self._read(piece, skipped)
                return self._documents[piece]

    def judge(self, document: Document, node: Node) -> DocumentVerdict:
        """Judge a document that ``document`` returned."""
        if not document.alternatives:
            return judge_document(document, node)
        known = self._judged.get(id(document))
        if known is None:
            self._limits.pulse()
            if self._limits.is_late():
                document = _unjudged(document, self._limits.too_late)
            elif not self.spend(sum(count_checks(alternative.needs) for alternative in document.alternatives)):
                document = _unjudged(document, self._limits.too_many)
            known = self._judged[id(document)] = judge_document(document, node)
        return known

    def _read(self, piece: Fragment | Profiles, skipped: Problem) -> Document:
        self._limits.pulse()
        if isinstance(piece, Profiles):
            return _one_of([self.document(one, skipped) for one in piece.pieces])
        if self._limits.is_late():
            return Document("", problems=(self._limits.too_late,), origin=piece.origin)
        document = read(piece)
        return replace(document, origin=piece.origin) if piece.origin else document


def _unjudged(document: Document, why: Problem) -> Document:
    return Document(document.dialect, problems=(why,), origin=document.origin)


def _one_of(documents: list[Document]) -> Document:
    """Return the document that holds where one of several does; one that asks for nothing holds."""
    return Document(
        "+".join(dict.fromkeys(document.dialect for document in documents if document.dialect)),
        tuple(one for document in documents for one in document.alternatives or _nothing_asked(document)),
        tuple(problem for document in documents for problem in document.problems),
        incomplete=not all(document.readable for document in documents),
        origin=next((document.origin for document in documents if document.origin), None),
    )


def _nothing_asked(document: Document) -> tuple[Alternative, ...]:
    return (Alternative(()),) if document.readable else ()
