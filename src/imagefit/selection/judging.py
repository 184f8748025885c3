"""Metadata read and judged, each distinct piece once, within a limit.

Knows how much is judged at most, and that what did not come is a document of which nothing can be said. Leaves to
``session`` whose metadata it is and what becomes of the verdicts.
"""

from collections.abc import Callable
from typing import assert_never

import msgspec
from msgspec.structs import replace

from imagefit.formats.catalog import read
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.model.decision import DocumentVerdict, Verdict
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Document, Problem, Profile, count_checks
from imagefit.selection.match import Findings, judge_own, verdict_on

_REPEATED = 10
_TOO_LATE = Problem("not judged: the time is over")


class _LimitError(Exception):
    """More checks than may be judged."""


class Limits(msgspec.Struct, frozen=True):
    """How much is judged.

    Attributes:
        checks: most checks, each distinct one counted once; documents hold ten times as many at most, however often
            they repeat themselves.
        too_many: what is said of documents that ask for more.
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
    """Entries and documents of one decision, on one node. Thousands of entries may share a document that is large."""

    def __init__(self, node: Node, limits: Limits) -> None:
        """Start with none."""
        self._node = node
        self._limits = limits
        self._checks = self._read_checks = 0
        self._findings = Findings(node, self._spend)
        # Each distinct piece is read and judged once: large indexes repeat the same few.
        self._documents: dict[Fragment | Profiles, Document] = {}
        self._verdicts: dict[Fragment | Profiles, DocumentVerdict] = {}

    def own(self, profile: Profile) -> Verdict:
        """Judge an entry without its metadata.

        Its platform is judged in any case: what cannot run must not come in as unknown.
        """
        try:
            return judge_own(profile, self._findings)
        except _LimitError:
            platform_only = replace(profile, checks=profile.checks[:1], problems=(self._limits.too_many,))
            return judge_own(platform_only, Findings(self._node))

    def verdict(self, piece: Carried, skipped: Problem) -> DocumentVerdict:
        """Judge a piece of metadata; ``skipped`` says why it has not been fetched, if it has not."""
        if not isinstance(piece, Fragment) and not isinstance(piece, Profiles):
            return verdict_on(self._document(piece, skipped), self._findings)
        known = self._verdicts.get(piece)
        if known is None:
            known = self._verdicts[piece] = self._verdict_on(self._document(piece, skipped))
        return known

    def _document(self, piece: Carried, skipped: Problem) -> Document:
        match piece:
            case Fragment() | Profiles():
                known = self._documents.get(piece)
                if known is None:
                    known = self._documents[piece] = self._read(piece, skipped)
                return known
            case Locator():
                return Document("", problems=(Problem(skipped.message, piece.place),), origin=piece.origin)
            case Problem():
                return Document("", problems=(piece,))
            case _:
                assert_never(piece)

    def _verdict_on(self, document: Document) -> DocumentVerdict:
        self._limits.pulse()
        if self._limits.is_late():
            return verdict_on(_unjudged(document, self._limits.too_late), self._findings)
        try:
            return verdict_on(document, self._findings)
        except _LimitError:
            return verdict_on(_unjudged(document, self._limits.too_many), self._findings)

    def _spend(self, checks: int) -> None:
        if self._checks + checks > self._limits.checks:
            raise _LimitError
        self._checks += checks

    def _read(self, piece: Fragment | Profiles, skipped: Problem) -> Document:
        self._limits.pulse()
        if isinstance(piece, Profiles):
            return _one_of([self._document(one, skipped) for one in piece.pieces])
        if self._limits.is_late():
            return Document("", problems=(self._limits.too_late,), origin=piece.origin)
        document = read(piece)
        self._read_checks += sum([count_checks(one.needs) for one in document.alternatives])
        if self._read_checks > _REPEATED * self._limits.checks:
            document = _unjudged(document, self._limits.too_many)
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
