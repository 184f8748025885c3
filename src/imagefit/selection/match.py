"""Fit: whether a node gives what a profile needs, check by check, each with what was seen.

Knows the three truths and how they combine, and that a check has one answer for one node. Leaves a single question to
``answer`` and the order of those that fit to ``rank``.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from imagefit.model.decision import (
    AlternativeVerdict,
    DocumentVerdict,
    Finding,
    GroupFinding,
    Judged,
    Verdict,
    leaves,
)
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Check, Document, Group, Need, Profile
from imagefit.model.truth import Truth, all_of, any_of, opposite
from imagefit.selection.answer import answer


class Findings(dict[Check, Finding]):
    """What was found of checks on one node, each answered once: thousands of sets repeat the same few."""

    def __init__(self, node: Node, spend: Callable[[int], None] = lambda _: None) -> None:
        """Know nothing yet.

        Args:
            node: what there is.
            spend: is told the weight of every check before it is answered; what it raises ends the judging.
        """
        super().__init__()
        self._node = node
        self._spend = spend

    def __missing__(self, check: Check) -> Finding:
        """Answer a check for the first time."""
        self._spend(check.weight)
        truth, seen = answer(check.question, self._node)
        finding = self[check] = Finding(check, opposite(truth) if check.negated else truth, seen)
        return finding


def evaluate(profile: Profile, node: Node) -> Verdict:
    """Judge one entry.

    Args:
        profile: what it needs.
        node: what there is.

    Returns:
        The verdict: no if a check or a document says no, else unknown if anything is not known, else yes.
    """
    findings = Findings(node)
    documents = (verdict_on(document, findings) for document in profile.documents)
    return with_documents(judge_own(profile, findings), documents)


def judge_own(profile: Profile, findings: Findings) -> Verdict:
    """Judge an entry by its own checks, whatever its documents say."""
    found = tuple([findings[check] for check in profile.checks])
    truth = all_of([one.truth for one in found])
    if profile.problems and truth is Truth.YES:
        truth = Truth.UNKNOWN
    return Verdict(truth, found, (), profile.problems, profile.claims)


def with_documents(own: Verdict, documents: Iterable[DocumentVerdict]) -> Verdict:
    """Return the verdict on an entry with the metadata that the index vouches for; each piece must hold, too."""
    judged = tuple(documents)
    if not judged:
        return own
    truth = all_of((own.truth, *[one.truth for one in judged]))
    return Verdict(truth, own.findings, own.documents + judged, own.own_problems, own.claims)


def joined(inside: Verdict, counting: Iterable[DocumentVerdict], aside: Iterable[DocumentVerdict]) -> Verdict:
    """Return a verdict with metadata from outside the index; it can only get worse.

    Args:
        inside: what the index, and what it vouches for, say of an entry.
        counting: metadata that must hold, too.
        aside: metadata that is only shown.
    """
    return replace(with_documents(inside, counting), aside=tuple(aside))


def judge(check: Check, node: Node) -> Finding:
    """Answer one check from the node's facts."""
    return Findings(node)[check]


def judge_document(document: Document, node: Node) -> DocumentVerdict:
    """Judge one piece of metadata, see ``verdict_on``."""
    return verdict_on(document, Findings(node))


def verdict_on(document: Document, findings: Findings) -> DocumentVerdict:
    """Judge one piece of metadata: one alternative that holds is enough, and the best of those decides.

    A document of which nothing could be read is unknown; one that names no alternative asks for nothing.

    Args:
        document: what is asked.
        findings: the checks that have been answered; more are added.
    """
    if not document.alternatives:
        return DocumentVerdict(document, Truth.YES if document.readable else Truth.UNKNOWN, (), None)
    alternatives = tuple([_judge_alternative(alternative, findings) for alternative in document.alternatives])
    truth = any_of([alternative.truth for alternative in alternatives])
    if document.incomplete and truth is Truth.NO:
        truth = Truth.UNKNOWN
    best = 0
    for number in range(1, len(alternatives)):
        if _merit(alternatives[number]) > _merit(alternatives[best]):
            best = number
    return DocumentVerdict(document, truth, alternatives, best)


def _judge_alternative(alternative: Alternative, findings: Findings) -> AlternativeVerdict:
    judged: list[Judged] = []
    depths: list[int] = []
    for need in alternative.needs:
        if isinstance(need, Check):
            one = findings[need]
            judged.append(one)
            if one.truth is Truth.YES:
                depths.append(need.depth)
        else:
            judged.append(_judge_group(need, findings))
            depths += _depths((judged[-1],))
    truth = all_of([one.truth for one in judged])
    return AlternativeVerdict(alternative, truth, tuple(judged), max(depths, default=0), len(depths))


def _judge_all(needs: Iterable[Need], findings: Findings) -> tuple[Judged, ...]:
    return tuple([findings[need] if isinstance(need, Check) else _judge_group(need, findings) for need in needs])


def _judge_group(group: Group, findings: Findings) -> GroupFinding:
    members = _judge_all(group.members, findings)
    if not group.any_of:
        return GroupFinding(group, all_of(member.truth for member in members), members, members)
    truth = any_of(member.truth for member in members)
    return GroupFinding(group, truth, members, _decisive(truth, members))


def _decisive(truth: Truth, members: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """Return what an "any of" rests on: where none holds, that is every member."""
    if truth is Truth.NO:
        return members
    candidates = [member for member in members if member.truth is truth]
    return (max(candidates, key=_holding_merit),)


def _merit(verdict: AlternativeVerdict) -> tuple[int, int, int, int]:
    """Return what makes an alternative decide: its truth, its score, the CPU level it implies, the checks that hold."""
    tier = (Truth.NO, Truth.UNKNOWN, Truth.YES).index(verdict.truth)
    return tier, verdict.alternative.score, verdict.depth, verdict.holding


def _holding_merit(member: Judged) -> tuple[int, int]:
    """Return the deepest CPU level that the checks which hold imply, and how many these are."""
    depths = _depths((member,))
    return max(depths, default=0), len(depths)


def _depths(judged: Iterable[Judged]) -> list[int]:
    """Return of each check that holds the CPU level that it implies."""
    return [one.check.depth for one in leaves(judged) if one.truth is Truth.YES]
