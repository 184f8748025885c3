"""Fit: whether a node gives what a profile needs, check by check, each with what was seen.

Knows the three truths and how they combine. Leaves a single question to ``answer`` and the order of those that fit to
``rank``.
"""

from collections.abc import Callable, Iterable
from typing import assert_never

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

JudgeDocument = Callable[[Document, Node], DocumentVerdict]


def evaluate(profile: Profile, node: Node, judge_one: JudgeDocument | None = None) -> Verdict:
    """Judge one entry.

    Args:
        profile: what it needs.
        node: what there is.
        judge_one: how to judge a document, for callers that remember those they have judged.

    Returns:
        The verdict: no if a check or a document says no, else unknown if anything is not known, else yes.
    """
    findings = tuple(judge(check, node) for check in profile.checks)
    documents = tuple((judge_one or judge_document)(document, node) for document in profile.documents)
    truths = [finding.truth for finding in findings] + [document.truth for document in documents]
    if profile.problems:
        truths.append(Truth.UNKNOWN)
    return Verdict(all_of(truths), findings, documents, profile.problems, profile.claims)


def joined(inside: Verdict, counting: Iterable[DocumentVerdict], aside: Iterable[DocumentVerdict]) -> Verdict:
    """Return a verdict with metadata from outside the index; it can only get worse.

    Args:
        inside: what the index, and what it vouches for, say of an entry.
        counting: metadata that must hold, too.
        aside: metadata that is only shown.
    """
    added = tuple(counting)
    truth = all_of((inside.truth, *(one.truth for one in added)))
    return replace(inside, truth=truth, documents=inside.documents + added, aside=tuple(aside))


def judge_document(document: Document, node: Node) -> DocumentVerdict:
    """Judge one piece of metadata: one alternative that holds is enough, and the best of those decides.

    A document of which nothing could be read is unknown; one that names no alternative asks for nothing.
    """
    alternatives = tuple(_judge_alternative(alternative, node) for alternative in document.alternatives)
    if not alternatives:
        return DocumentVerdict(document, Truth.YES if document.readable else Truth.UNKNOWN, (), None)
    rest = (Truth.UNKNOWN,) if document.incomplete else ()
    truth = any_of((*(alternative.truth for alternative in alternatives), *rest))
    best = max(range(len(alternatives)), key=lambda number: (*_merit(alternatives[number]), -number))
    return DocumentVerdict(document, truth, alternatives, best)


def judge(check: Check, node: Node) -> Finding:
    """Answer one check from the node's facts."""
    truth, seen = answer(check.question, node)
    return Finding(check, opposite(truth) if check.negated else truth, seen)


def _judge_alternative(alternative: Alternative, node: Node) -> AlternativeVerdict:
    findings = _judge_all(alternative.needs, node)
    truth = all_of(finding.truth for finding in findings)
    return AlternativeVerdict(alternative, truth, findings, *_holding_merit(findings))


def _judge_all(needs: Iterable[Need], node: Node) -> tuple[Judged, ...]:
    return tuple(_judge_need(need, node) for need in needs)


def _judge_need(need: Need, node: Node) -> Judged:
    match need:
        case Check():
            return judge(need, node)
        case Group(any_of=False):
            members = _judge_all(need.members, node)
            return GroupFinding(need, all_of(member.truth for member in members), members, members)
        case Group():
            members = _judge_all(need.members, node)
            truth = any_of(member.truth for member in members)
            return GroupFinding(need, truth, members, _decisive(truth, members))
        case _:
            assert_never(need)


def _decisive(truth: Truth, members: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """Return what an "any of" rests on: where none holds, that is every member."""
    if truth is Truth.NO:
        return members
    candidates = [member for member in members if member.truth is truth]
    return (max(candidates, key=lambda member: _holding_merit((member,))),)


def _merit(verdict: AlternativeVerdict) -> tuple[int, int, int, int]:
    """Return what makes an alternative decide: its truth, its score, the CPU level it implies, the checks that hold."""
    tier = (Truth.NO, Truth.UNKNOWN, Truth.YES).index(verdict.truth)
    return tier, verdict.alternative.score, verdict.depth, verdict.holding


def _holding_merit(findings: Iterable[Judged]) -> tuple[int, int]:
    """Return the deepest CPU level that the checks which hold imply, and how many these are."""
    depths = [finding.check.depth for finding in leaves(findings) if finding.truth is Truth.YES]
    return max(depths, default=0), len(depths)
