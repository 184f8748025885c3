"""A decision in words and as plain data, for a person, a log line, an error and JSON.

Knows how to render what ``match`` and ``rank`` found. Leaves to ``wording`` how one entry is put in words.
"""

from itertools import islice
from typing import Any

from imagefit.model.decision import Decision, DocumentVerdict, Finding, Judged, Ranked
from imagefit.model.policy import Criterion, Policy
from imagefit.selection.wording import (
    advantage,
    cut,
    phrase,
    platform_of,
    printable,
    reason,
    short,
)

__all__ = [
    "MAX_REFUSAL_BYTES",
    "MAX_SUMMARY_ENTRIES",
    "alternatives_as_data",
    "as_data",
    "phrase",
    "platform_of",
    "printable",
    "reason",
    "refusal",
    "short",
    "summary",
    "why_chosen",
]

MAX_REFUSAL_BYTES = 1024
"""A refusal stays below this, so that it reaches a pod's events uncut."""
MAX_SUMMARY_ENTRIES = 32
"""Most entries of a decision that its summary names."""
_MAX_RULE = 80
_MAX_NOTE = 300
_MAX_PROBLEMS = 100
_MAX_PREFERENCES = 100


def why_chosen(decision: Decision) -> str:
    """Return in words why the chosen entry won, or why there is none."""
    if decision.chosen is None:
        return f"none of {len(decision.ranking)} entries may be pulled on this node"
    if decision.decided_by is None:
        return "it is the only entry that may be pulled on this node"
    return advantage(decision.chosen, decision.ranking[1], decision.decided_by)


def refusal(decision: Decision, reference: str) -> str:
    """Return why nothing is pulled, best candidates first.

    Args:
        decision: one that chose nothing.
        reference: what was asked for.

    Returns:
        One line of less than ``MAX_REFUSAL_BYTES`` bytes, as ``kubectl describe pod`` shows it.
    """
    total = len(decision.ranking)
    rule = f"; rule {cut(decision.policy.rule, _MAX_RULE)}" if decision.policy.rule else ""
    fits = "may be pulled on" if decision.ranking.bars else "fits"
    text = f"imagefit: no build of {cut(reference)} {fits} this node ({total} in the index{rule})"
    for number, ranked in enumerate(decision.ranking):
        named = f"entry {ranked.position} ({platform_of(ranked)}, {short(ranked.descriptor.digest)})"
        part = f"; {named}: {reason(ranked)}"
        rest = f"; and {total - number} more"
        if len((text + part + rest).encode()) >= MAX_REFUSAL_BYTES:
            return text + rest
        text += part
    return text


def summary(decision: Decision) -> list[dict[str, Any]]:
    """Return a line per entry as JSON-ready data, best first, at most ``MAX_SUMMARY_ENTRIES``.

    Every entry has ``position`` (from 0, as in the index), ``digest``, ``platform``, ``verdict``, ``rank`` (1 is the
    best), ``barred`` (None, or by which part of the policy and its requirement) and ``reason``.
    """
    return [_line(ranked, number) for number, ranked in enumerate(decision.ranking[:MAX_SUMMARY_ENTRIES], start=1)]


def as_data(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON-ready data: ``index``, ``policy``, ``chosen``, ``why`` and ``entries`` in index order.

    ``notes`` say what was left out on the way.

    Every entry has what ``summary`` has, ``merits`` by criterion, the ``preferences`` that it meets, ``findings`` (its
    own and those of the deciding sets), ``documents`` with every set, and ``problems``. A document has the ``referrer``
    that it came from, where the index does not vouch for it, and whether it ``counts``.
    """
    chosen = decision.chosen
    entries = [_entry(ranked, number) for number, ranked in enumerate(decision.ranking, start=1)]
    return {
        "index": decision.index_digest,
        "policy": _policy(decision.policy),
        "chosen": None if chosen is None else _chosen(chosen),
        "why": why_chosen(decision),
        "decidedBy": decision.decided_by,
        "notes": [cut(note, _MAX_NOTE) for note in decision.notes],
        "entries": sorted(entries, key=lambda entry: entry["position"]),
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "mode": policy.mode,
        "rule": policy.rule,
        "order": list(policy.order),
        "trust": list(policy.trust),
        "notes": list(policy.notes),
    }


def _chosen(ranked: Ranked) -> dict[str, Any]:
    descriptor = ranked.descriptor
    return {
        "digest": descriptor.digest,
        "position": ranked.position,
        "platform": platform_of(ranked),
        "mediaType": descriptor.media_type,
        "size": descriptor.size,
    }


def _line(ranked: Ranked, number: int) -> dict[str, Any]:
    return {
        "position": ranked.position,
        "digest": ranked.descriptor.digest,
        "platform": platform_of(ranked),
        "verdict": ranked.verdict.truth,
        "rank": number,
        "barred": _barred(ranked),
        "reason": reason(ranked),
    }


def _entry(ranked: Ranked, number: int) -> dict[str, Any]:
    verdict = ranked.verdict
    return {
        **_line(ranked, number),
        "merits": {name: value for name, value in ranked.merits.items() if name is not Criterion.POSITION},
        "preferences": [{"preference": str(one), "weight": one.weight} for one in ranked.met[:_MAX_PREFERENCES]],
        "findings": [_finding(finding) for finding in verdict.deciding],
        "documents": [
            *(_document(document, counts=True) for document in verdict.documents),
            *(_document(document, counts=False) for document in verdict.aside),
        ],
        "problems": [
            {"place": problem.place, "message": problem.message} for problem in islice(verdict.problems, _MAX_PROBLEMS)
        ],
    }


def _barred(ranked: Ranked) -> dict[str, Any] | None:
    if ranked.barred is None:
        return None
    requirement = ranked.barred.requirement
    return {"by": ranked.barred.bar, "requirement": None if requirement is None else str(requirement)}


def _document(verdict: DocumentVerdict, *, counts: bool) -> dict[str, Any]:
    origin = verdict.document.origin
    return {
        "dialect": verdict.document.dialect,
        "referrer": None if origin is None else {"digest": origin.referrer, "subject": origin.subject},
        "counts": counts,
        "verdict": verdict.truth,
        "deciding": verdict.best,
        "sets": alternatives_as_data(verdict),
    }


def alternatives_as_data(verdict: DocumentVerdict) -> list[dict[str, Any]]:
    """Return the judged sets of a document as JSON-ready data, in the author's order."""
    return [
        {
            "place": one.alternative.place,
            "verdict": one.truth,
            "score": one.alternative.score,
            "tags": list(one.alternative.tags),
            "description": one.alternative.description,
            "findings": [_judged(finding) for finding in one.findings],
        }
        for one in verdict.alternatives
    ]


def _judged(judged: Judged) -> dict[str, Any]:
    if isinstance(judged, Finding):
        return _finding(judged)
    name = {"name": judged.group.name} if judged.group.name else {}
    members = [_judged(member) for member in judged.members]
    return {**name, "verdict": judged.truth, "anyOf" if judged.group.any_of else "allOf": members}


def _finding(finding: Finding) -> dict[str, Any]:
    check = finding.check
    return {"label": check.label, "asked": check.asked, "verdict": finding.truth, "seen": finding.seen}
