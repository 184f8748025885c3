"""What came out: findings, verdicts, ranking, decision. Values only; ``selection`` makes them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import overload

import msgspec

from imagefit.model.oci import Descriptor
from imagefit.model.policy import Criterion, Policy, Preference, Requirement
from imagefit.model.requirement import Alternative, Check, Document, Group, Problem
from imagefit.model.truth import Truth


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One check, whether it holds, and what was seen on the node."""

    check: Check
    truth: Truth
    seen: str


class GroupFinding(msgspec.Struct, frozen=True):
    """One group of needs and whether it holds.

    Attributes:
        members: what was found of each member, in their order.
        decisive: those that the truth rests on: of an "any of" that may hold the best one, otherwise all.
    """

    group: Group
    truth: Truth
    members: tuple["Judged", ...]
    decisive: tuple["Judged", ...]


Judged = Finding | GroupFinding


def leaves(findings: Iterable[Judged]) -> Iterator[Finding]:
    """Return the findings on single checks that a verdict rests on."""
    for one in findings:
        if isinstance(one, Finding):
            yield one
        else:
            yield from leaves(one.decisive)


class AlternativeVerdict(msgspec.Struct, frozen=True, gc=False):
    """One acceptable set, judged.

    Attributes:
        findings: in the order of its needs.
        depth: of the deepest CPU level that the checks which hold imply.
        holding: how many checks hold.
    """

    alternative: Alternative
    truth: Truth
    findings: tuple[Judged, ...]
    depth: int = 0
    holding: int = 0


class DocumentVerdict(msgspec.Struct, frozen=True, gc=False):
    """One piece of metadata, judged.

    Attributes:
        best: index into ``alternatives`` of the set that decides; None where there is none.
    """

    document: Document
    truth: Truth
    alternatives: tuple[AlternativeVerdict, ...]
    best: int | None

    @property
    def deciding(self) -> AlternativeVerdict | None:
        """The set that decides."""
        return None if self.best is None else self.alternatives[self.best]


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """All findings of one entry, and what it claims to be.

    What documents say stays in them: thousands of entries may share one that is large.

    Attributes:
        findings: on the entry's own checks.
        documents: its metadata, judged.
        own_problems: of the entry itself.
        claims: what it says that it is.
        aside: metadata from referrers that is shown and does not count: it could not be read, or another format
            decides.
    """

    truth: Truth
    findings: tuple[Finding, ...]
    documents: tuple[DocumentVerdict, ...]
    own_problems: tuple[Problem, ...]
    claims: Mapping[str, str] = msgspec.field(default_factory=dict)
    aside: tuple[DocumentVerdict, ...] = ()

    @property
    def problems(self) -> Iterator[Problem]:
        """All problems, those first that decide: a document of which something is left rests on that."""
        yield from self.own_problems
        documents = [verdict.document for verdict in self.documents]
        for document in sorted(documents, key=lambda document: bool(document.alternatives)):
            yield from document.problems
        for shown in self.aside:
            yield from shown.document.problems

    @property
    def depth(self) -> int:
        """The deepest CPU level that the checks which hold imply; 0 for none."""
        deepest = 0
        for finding in self.findings:
            if finding.truth is Truth.YES and finding.check.depth > deepest:
                deepest = finding.check.depth
        for one in self.documents:
            if (deciding := one.deciding) and deciding.depth > deepest:
                deepest = deciding.depth
        return deepest

    @property
    def holding(self) -> int:
        """How many checks hold."""
        own = sum([finding.truth is Truth.YES for finding in self.findings])
        return own + sum([deciding.holding for one in self.documents if (deciding := one.deciding)])

    @property
    def deciding(self) -> Iterator[Finding]:
        """The findings that the verdict rests on: the entry's own, then those of each document's deciding set."""
        yield from self.findings
        for document in self.documents:
            if document.deciding:
                yield from leaves(document.deciding.findings)


class Bar(StrEnum):
    """By which part of the policy an entry that fits, or may fit, is no candidate all the same."""

    UNKNOWN = "unknown"
    REQUIRE = "require"
    FORBID = "forbid"


class Barred(msgspec.Struct, frozen=True):
    """Why an entry is no candidate although it fits or may fit.

    Attributes:
        bar: the part of the policy.
        requirement: which one is not met, or of ``FORBID``, is; None for ``UNKNOWN``.
    """

    bar: Bar
    requirement: Requirement | None = None


class Ranked(msgspec.Struct, frozen=True):
    """One entry in rank order.

    Attributes:
        position: in the index, from 0.
        descriptor: the entry.
        verdict: how it was judged.
        merits: one number per criterion, higher is better.
        barred: why the policy does not let it be chosen; None where it does, and for entries that do not fit.
        met: the preferences that it meets, in the policy's order.
    """

    position: int
    descriptor: Descriptor
    verdict: Verdict
    merits: dict[Criterion, int]
    barred: Barred | None = None
    met: tuple[Preference, ...] = ()

    @property
    def is_candidate(self) -> bool:
        """Whether it fits, or may fit, and the policy lets it be chosen."""
        return self.barred is None and self.verdict.truth is not Truth.NO


class Rated(msgspec.Struct, frozen=True, gc=False):
    """Entries that are alike, rated: what they have in common.

    Attributes:
        positions: in the index, in ascending order; at least one.
        verdict: see ``Ranked``.
        merits: in the order of ``Criterion``, but for the position.
        barred: see ``Ranked``.
        met: see ``Ranked``.
    """

    positions: Sequence[int]
    verdict: Verdict
    merits: tuple[int, ...]
    barred: Barred | None = None
    met: tuple[Preference, ...] = ()


class Ranking(Sequence[Ranked]):
    """Every entry of an index, best first; each is made when it is looked at, since there may be thousands.

    Attributes:
        bars: by which parts of the policy entries are barred.
    """

    def __init__(
        self,
        entries: Sequence[Descriptor],
        places: Sequence[tuple[int, Rated]],
        bars: frozenset[Bar] = frozenset(),
    ) -> None:
        """Keep an order.

        Args:
            entries: of the index, in its order.
            places: position and rating of every entry, best first.
            bars: by which parts of the policy entries are barred.
        """
        self._entries = entries
        self._places = places
        self.bars = bars

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Ranked: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Ranked, ...]: ...
    def __getitem__(self, at: int | slice) -> Ranked | tuple[Ranked, ...]:
        """Return the entry of a rank, from 0, or those of several ranks."""
        return tuple(map(self._made, self._places[at])) if isinstance(at, slice) else self._made(self._places[at])

    def __eq__(self, other: object) -> bool:
        """Tell whether the same entries stand in the same order for the same reasons."""
        return isinstance(other, Ranking) and self[:] == other[:]

    def __hash__(self) -> int:
        """Return the same for equal rankings."""
        return hash(tuple(position for position, _ in self._places))

    def _made(self, place: tuple[int, Rated]) -> Ranked:
        position, rated = place
        merits = dict(zip(Criterion, (*rated.merits, -position), strict=True))
        return Ranked(position, self._entries[position], rated.verdict, merits, rated.barred, rated.met)


class Decision(msgspec.Struct, frozen=True):
    """What to pull, and everything that led to it.

    Attributes:
        index_digest: of the index that was judged.
        policy: by which it was made.
        ranking: every entry, best first; those that do not fit are at the end.
        chosen: the entry to pull, or None where none may be pulled.
        decided_by: the criterion that put the chosen entry before the next; None without a next.
        is_plain: containerd on its own would pull exactly the chosen entry and no other, so nothing needs rewriting.
        notes: what was left out on the way, for a person to know.
    """

    index_digest: str
    policy: Policy
    ranking: Ranking
    chosen: Ranked | None
    decided_by: Criterion | None
    is_plain: bool
    notes: tuple[str, ...] = ()
