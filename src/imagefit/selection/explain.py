"""A decision in words and as plain data, for a person, a log line, an error and JSON.

Knows how to render what ``match`` and ``rank`` found. Never judges again: every reason comes from a finding or a
problem.
"""

from itertools import islice
from typing import Any

from imagefit.model.decision import Criterion, Decision, DocumentVerdict, Finding, Judged, Ranked, Verdict
from imagefit.model.truth import Truth

MAX_REFUSAL_BYTES = 1024
"""A refusal stays below this, so that it reaches a pod's events uncut."""
_MAX_WORDS = 120
_MAX_NAMED = 40
_MAX_PROBLEMS = 100
_DIGEST_CHARACTERS = len("sha256:") + 12

_BECAUSE = {
    Criterion.TIER: "it surely fits, the next one only may",
    Criterion.PREFERENCE: "it matches more of the operator's preferences",
    Criterion.SCORE: "its author scores it higher",
    Criterion.CPU: "it is built closer to this CPU",
    Criterion.SPECIFICITY: "it names more of what this node has",
    Criterion.POSITION: "it comes first in the index, all else being equal",
}


def printable(text: str) -> str:
    """Return text with every control character, line ends too, shown as a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)


def platform_of(ranked: Ranked) -> str:
    """Return an entry's platform as people write it, such as ``linux/amd64/v3``."""
    platform = ranked.descriptor.platform
    return _cut(str(platform)) if platform else "no platform"


def short(digest: str) -> str:
    """Return a digest cut to what tells entries apart."""
    return digest[:_DIGEST_CHARACTERS]


def phrase(finding: Finding) -> str:
    """Return one finding in words: the label, what was asked, what the node has."""
    return f"{_cut(finding.check.label)} {_cut(finding.check.asked)}: {_cut(finding.seen)}"


def reason(verdict: Verdict) -> str:
    """Return in words what a verdict rests on: the first check that failed, else the first that is not known.

    Returns:
        For an entry that fits, its author's tag or the checks that hold; never empty.
    """
    for truth in (Truth.NO, Truth.UNKNOWN):
        first = next((finding for finding in verdict.deciding if finding.truth is truth), None)
        if verdict.truth is truth and first is not None:
            return phrase(first)
    if verdict.truth is not Truth.YES:
        return next((_cut(str(problem)) for problem in verdict.problems), "what it asks for can never hold")
    deciding = (document.deciding for document in verdict.documents)
    tags = [tag[:_MAX_WORDS] for one in deciding if one for tag in one.alternative.tags[:_MAX_NAMED]]
    labels = dict.fromkeys(finding.check.label[:_MAX_WORDS] for finding in islice(verdict.deciding, _MAX_NAMED))
    named = f"{', '.join(tags)}: " if tags else ""
    return _cut(named + ", ".join(labels) + " hold" + "s" * (len(labels) == 1))


def why_chosen(decision: Decision) -> str:
    """Return in words why the chosen entry won, or why there is none."""
    if decision.chosen is None:
        return f"none of {len(decision.ranking)} entries may be pulled on this node"
    if decision.decided_by is None:
        return "it is the only entry that may be pulled on this node"
    return _BECAUSE[decision.decided_by]


def refusal(decision: Decision, reference: str) -> str:
    """Return why nothing is pulled, best candidates first.

    Args:
        decision: one that chose nothing.
        reference: what was asked for.

    Returns:
        One line of less than ``MAX_REFUSAL_BYTES`` bytes, as ``kubectl describe pod`` shows it.
    """
    total = len(decision.ranking)
    text = f"imagefit: no build of {_cut(reference)} fits this node ({total} in the index)"
    for number, ranked in enumerate(decision.ranking):
        part = f"; {platform_of(ranked)} {short(ranked.descriptor.digest)}: {reason(ranked.verdict)}"
        rest = f"; and {total - number} more"
        if len((text + part + rest).encode()) >= MAX_REFUSAL_BYTES:
            return text + rest
        text += part
    return text


def as_data(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON-ready data: ``index``, ``chosen``, ``why`` and ``entries`` in the order of the index.

    Every entry has ``position``, ``digest``, ``platform``, ``verdict``, ``rank`` (1 is the best), ``reason``,
    ``findings`` (its own and those of the deciding sets), ``documents`` with every set, and ``problems``.
    """
    chosen = decision.chosen
    entries = [_entry(ranked, number) for number, ranked in enumerate(decision.ranking, start=1)]
    return {
        "index": decision.index_digest,
        "chosen": None if chosen is None else _chosen(chosen),
        "why": why_chosen(decision),
        "decidedBy": decision.decided_by,
        "entries": sorted(entries, key=lambda entry: entry["position"]),
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


def _entry(ranked: Ranked, number: int) -> dict[str, Any]:
    verdict = ranked.verdict
    return {
        "position": ranked.position,
        "digest": ranked.descriptor.digest,
        "platform": platform_of(ranked),
        "verdict": verdict.truth,
        "rank": number,
        "reason": reason(verdict),
        "merits": {name: value for name, value in ranked.merits.items() if name is not Criterion.POSITION},
        "findings": [_finding(finding) for finding in verdict.deciding],
        "documents": [_document(document) for document in verdict.documents],
        "problems": [
            {"place": problem.place, "message": problem.message} for problem in islice(verdict.problems, _MAX_PROBLEMS)
        ],
    }


def _document(verdict: DocumentVerdict) -> dict[str, Any]:
    return {
        "dialect": verdict.document.dialect,
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


def _cut(text: str) -> str:
    """Return text from an image author cut to length and without control characters."""
    clean = printable(text[: _MAX_WORDS + 1])
    return clean if len(clean) <= _MAX_WORDS else clean[: _MAX_WORDS - 1] + "…"
