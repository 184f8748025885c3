"""What came out: findings, verdicts, ranking, decision. Values only; ``selection`` makes them."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from imagefit.model.oci import Descriptor
from imagefit.model.policy import Criterion, Policy, Preference, Requirement
from imagefit.model.reference import ImageReference
from imagefit.model.requirement import Alternative, Check, Document, Group, Problem
from imagefit.model.truth import Truth


class Finding(msgspec.Struct, frozen=True):
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


class AlternativeVerdict(msgspec.Struct, frozen=True):
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


class DocumentVerdict(msgspec.Struct, frozen=True):
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


class Verdict(msgspec.Struct, frozen=True):
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
        own = (finding.check.depth for finding in self.findings if finding.truth is Truth.YES)
        return max((*own, *(one.deciding.depth for one in self.documents if one.deciding)), default=0)

    @property
    def holding(self) -> int:
        """How many checks hold."""
        own = sum(finding.truth is Truth.YES for finding in self.findings)
        return own + sum(one.deciding.holding for one in self.documents if one.deciding)

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
    ranking: tuple[Ranked, ...]
    chosen: Ranked | None
    decided_by: Criterion | None
    is_plain: bool
    notes: tuple[str, ...] = ()


class Reason(StrEnum):
    """Why a pull goes as it goes, where no error is the reason; an error gives its code."""

    CHOSEN = "chosen"
    NO_MATCH = "no-match"
    OBSERVE = "observe"
    OFF = "off"
    PLAIN = "plain"
    NO_INDEX = "no-index"
    NO_NAME = "no-name"


class PassThrough(msgspec.Struct, frozen=True):
    """Have containerd do exactly what was asked.

    Attributes:
        reference: what was asked for; None where it is no image name.
        reason: why nothing is rewritten, a ``Reason`` or an error's code.
        why: the same as a sentence.
    """

    reference: ImageReference | None
    reason: str
    why: str


class Refuse(msgspec.Struct, frozen=True):
    """Fail the pull before anything is fetched.

    Attributes:
        message: what the pod's events show, less than 1 KiB.
        reason: ``Reason.NO_MATCH`` or an error's code.
        transient: a later try may end differently although neither image nor node changes.
    """

    message: str
    reason: str
    transient: bool = False


class Rewrite(msgspec.Struct, frozen=True):
    """Have containerd pull one entry of an index instead of the index.

    Attributes:
        reference: what was asked for, a tag or the digest of the index.
        index_digest: what it stands for.
        chosen_digest: the entry's.
    """

    reference: ImageReference
    index_digest: str
    chosen_digest: str

    @property
    def chosen_name(self) -> str:
        """The name that containerd pulls."""
        return str(self.reference.at(self.chosen_digest))

    @property
    def record_names(self) -> tuple[str, ...]:
        """The names that a plain pull would have left: of the tag, if one was asked for, and of the index."""
        return tuple(dict.fromkeys((str(self.reference), str(self.reference.at(self.index_digest)))))


Outcome = PassThrough | Refuse | Rewrite
"""What becomes of one PullImage request."""
