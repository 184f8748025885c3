"""One entry, one finding, one criterion in words.

Knows how text of an author, an operator or a pod is shown: cut to length and without control characters. Never judges
again: every reason comes from a finding, a problem or a merit. Leaves the decision as a whole to ``explain``.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, assert_never

from imagefit.model.decision import Bar, Barred, Finding, Ranked, Verdict, leaves
from imagefit.model.policy import Criterion, Preference, Trait
from imagefit.model.requirement import Origin, RunsOn
from imagefit.model.truth import Truth

OUTSIDE: Final = "from a referrer, not vouched for by the index"
"""What is said of metadata that only refers to the image."""
_MAX_WORDS = 120
_MAX_NAMED = 40
_MAX_COUNTED = 99
_MAX_WISHES = 3
_DIGEST_CHARACTERS = len("sha256:") + 12


def printable(text: str) -> str:
    """Return text with every control character, line ends too, shown as a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)


def cut(text: str, characters: int = _MAX_WORDS) -> str:
    """Return text from an author, an operator or a pod cut to length and without control characters."""
    clean = printable(text[: characters + 1])
    return clean if len(clean) <= characters else clean[: characters - 1] + "…"


def platform_of(ranked: Ranked) -> str:
    """Return an entry's platform as people write it, such as ``linux/amd64/v3``."""
    platform = ranked.descriptor.platform
    return cut(str(platform)) if platform else "no platform"


def short(digest: str) -> str:
    """Return a digest cut to what tells entries apart."""
    return digest[:_DIGEST_CHARACTERS]


def phrase(finding: Finding) -> str:
    """Return one finding in words: the label, what was asked, what the node has."""
    return f"{cut(finding.check.label)} {cut(finding.check.asked)}: {cut(finding.seen)}"


def preferred(one: Preference) -> str:
    """Return one preference in words, such as ``tag gpu +5``."""
    return f"{cut(str(one))} {one.weight:+}"


def reason(ranked: Ranked) -> str:
    """Return in words why an entry stands where it does, never empty.

    Returns:
        Of an entry that the policy bars, by what. Of one that does not fit, or of which that is not known, the first
        check that failed or is not known. Of one that fits, its author's tag or the checks that hold.
    """
    return _because(ranked.verdict) if ranked.barred is None else _barred(ranked.barred, ranked.verdict)


def _barred(barred: Barred, verdict: Verdict) -> str:
    match barred.bar:
        case Bar.REQUIRE:
            words = f"the operator requires {cut(str(barred.requirement))}{_its_tags(barred, verdict)}"
            # What could not be read might have met the requirement.
            doubt = ", and it is not known whether it fits" if verdict.truth is Truth.UNKNOWN else ""
        case Bar.FORBID:
            words, doubt = f"the pod forbids {cut(str(barred.requirement))}", ""
        case Bar.UNKNOWN:
            words, doubt = "it is not known whether it fits", " (unknown = reject)"
        case _:
            assert_never(barred.bar)
    return f"{words}{doubt}: {_because(verdict)}" if doubt else words


def _its_tags(barred: Barred, verdict: Verdict) -> str:
    """Return the tags that an entry has, where one is missing."""
    conditions = barred.requirement.conditions if barred.requirement else ()
    if all(one.trait is not Trait.TAG for one in conditions):
        return ""
    sets = (one for document in verdict.documents for one in document.alternatives)
    tags = dict.fromkeys(cut(tag) for one in sets for tag in one.alternative.tags[:_MAX_NAMED])
    return cut(f" (its tags: {', '.join(islice(tags, _MAX_NAMED))})") if tags else " (it has no tags)"


def _because(verdict: Verdict) -> str:
    if verdict.truth is not Truth.YES:
        alike = (pair for pair in _deciding(verdict) if pair[0].truth is verdict.truth)
        for finding, origin in alike:
            others = sum(1 for _ in islice(alike, _MAX_COUNTED))
            more = f" (and {others} more check{'s' * (others > 1)})" if others else ""
            return phrase(finding) + (f" ({OUTSIDE})" if origin else "") + more
        return next((cut(str(problem)) for problem in verdict.problems), "what it asks for can never hold")
    deciding = (document.deciding for document in verdict.documents)
    tags = [tag[:_MAX_WORDS] for one in deciding if one for tag in one.alternative.tags[:_MAX_NAMED]]
    labels = dict.fromkeys(finding.check.label[:_MAX_WORDS] for finding in islice(verdict.deciding, _MAX_NAMED))
    named = f"{', '.join(tags)}: " if tags else ""
    return cut(named + ", ".join(labels) + " hold" + "s" * (len(labels) == 1))


def _deciding(verdict: Verdict) -> Iterator[tuple[Finding, Origin | None]]:
    """Return the findings that a verdict rests on, each with the referrer that asks for it."""
    yield from ((finding, None) for finding in verdict.findings)
    for document in verdict.documents:
        if document.deciding:
            yield from ((finding, document.document.origin) for finding in leaves(document.deciding.findings))


def advantage(better: Ranked, worse: Ranked, criterion: Criterion) -> str:
    """Return in words what one entry has over the next by the criterion that tells them apart."""
    counts = f"{better.merits[criterion]} against {worse.merits[criterion]}"
    match criterion:
        case Criterion.TIER:
            return _surer(worse)
        case Criterion.PREFERENCE:
            return f"the operator prefers it ({counts}: {_wishes(better.met, worse.met)})"
        case Criterion.SCORE:
            return f"its author scores it higher ({counts})"
        case Criterion.CPU:
            return f"it is built closer to this CPU ({_level(better)} against {_level(worse)})"
        case Criterion.SPECIFICITY:
            return f"it names more of what this node has ({counts} checks)"
        case Criterion.POSITION:
            return "it comes first in the index, all else being equal"
        case _:
            assert_never(criterion)


def _surer(worse: Ranked) -> str:
    if worse.verdict.truth is Truth.NO:
        return "the next one does not fit"
    return "it surely fits, the next one only may" if worse.is_candidate else "the policy bars the next one"


def _wishes(better: Iterable[Preference], worse: Iterable[Preference]) -> str:
    """Return the preferences that tell two entries apart: those that only one of them meets, the heaviest first."""
    mine, theirs = tuple(better), tuple(worse)
    known, others = frozenset(mine), frozenset(theirs)
    gained = [preferred(one) for one in _heaviest(mine) if one not in others]
    lost = [f"the next one {preferred(one)}" for one in _heaviest(theirs) if one not in known]
    some = [*gained[:_MAX_WISHES], *lost[:_MAX_WISHES]]
    return ", ".join(some) + ", …" * (len(some) < len(gained) + len(lost))


def _heaviest(some: Iterable[Preference]) -> list[Preference]:
    return sorted(some, key=lambda one: -abs(one.weight))


def _level(ranked: Ranked) -> str:
    """Return what an entry's closeness to the CPU comes from: a variant, or the feature or target that asks most."""
    depth = ranked.merits[Criterion.CPU]
    holding = (one.check for one in ranked.verdict.deciding if one.truth is Truth.YES)
    deepest = next((check for check in holding if depth > 0 and check.depth == depth), None)
    match deepest:
        case None:
            return platform_of(ranked)
        case _ if isinstance(deepest.question, RunsOn):
            return cut(deepest.question.variant)
        case _:
            return cut(deepest.asked)
