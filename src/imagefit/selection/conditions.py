"""Conditions: whether an entry has what an operator's preference or requirement, or a pod's, asks of it.

Knows where each trait of an entry shows: in its annotations, its platform, or what was found of its own checks and of
the sets that hold. Leaves what becomes of the answer to ``rank``.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final, assert_never

import msgspec

from imagefit.model.cpu_flags import flag_names
from imagefit.model.decision import DocumentVerdict, Finding, GroupFinding, Judged, Verdict
from imagefit.model.glob import Glob
from imagefit.model.microarchitecture import normalize
from imagefit.model.oci import Descriptor
from imagefit.model.policy import Condition, Requirement, Trait
from imagefit.model.requirement import HasFlag, MatchesTerm, Op, Question
from imagefit.model.truth import Truth

_FROM_METADATA: Final = frozenset({Trait.LABEL, Trait.TAG, Trait.FEATURE})
_NAMES_ELEMENT: Final = frozenset({Op.EXISTS, Op.ANY})
_SPELLINGS: Final = 1024
_MAX_CHARACTERS: Final = 4096


def meets(requirement: Requirement, descriptor: Descriptor, verdict: Verdict) -> bool:
    """Tell whether an entry meets all conditions of a requirement.

    Args:
        requirement: its runtime handler is not looked at.
        descriptor: the entry.
        verdict: how it was judged.
    """
    return Traits(descriptor, verdict).meets(requirement)


class _Holding(msgspec.Struct, frozen=True):
    """What holds of one document, or of an entry's own checks.

    Attributes:
        labels: the author's words and what is asked of them.
        tags: of the sets that hold.
        features: in lower-case, in each of their spellings.
    """

    labels: frozenset[tuple[str, str]]
    tags: frozenset[str]
    features: frozenset[str]

    def has(self, condition: Condition) -> bool:
        """Tell whether a condition on metadata is met."""
        match condition.trait:
            case Trait.LABEL:
                return any(
                    _matches(condition.name, label) and _matches(condition.value, asked) for label, asked in self.labels
                )
            case Trait.TAG:
                return any(_matches(condition.name, tag) for tag in self.tags)
            case _:
                return any(_matches(glob, one) for glob in _spellings(condition.name) for one in self.features)


class Documents:
    """What holds of documents, found out once of each: thousands of entries may share one that is large."""

    def __init__(self, pulse: Callable[[], None] = lambda: None) -> None:
        """Start with none; ``pulse`` is called again and again, and what it raises ends the work."""
        self.pulse: Final = pulse
        # By identity, of documents that are kept alive here: to compare large ones would cost what this saves.
        self._holding: dict[int, tuple[DocumentVerdict, _Holding]] = {}
        self._answers: dict[tuple[int, Condition], bool] = {}

    def have(self, condition: Condition, documents: Iterable[DocumentVerdict]) -> bool:
        """Tell whether one of the documents meets a condition on metadata."""
        return any(self._has(condition, document) for document in documents if document.alternatives)

    def _has(self, condition: Condition, document: DocumentVerdict) -> bool:
        key = (id(document), condition)
        if key not in self._answers:
            self.pulse()
            self._answers[key] = self._of(document).has(condition)
        return self._answers[key]

    def _of(self, document: DocumentVerdict) -> _Holding:
        if id(document) not in self._holding:
            self._holding[id(document)] = document, _holding_of_document(document)
        return self._holding[id(document)][1]


class Traits:
    """One entry as conditions see it."""

    __slots__ = ("_descriptor", "_documents", "_own", "verdict")

    def __init__(self, descriptor: Descriptor, verdict: Verdict, documents: Documents | None = None) -> None:
        """Look at an entry.

        Args:
            descriptor: the entry.
            verdict: how it was judged.
            documents: what is already known of documents that it shares with others.
        """
        self._descriptor = descriptor
        self.verdict = verdict
        self._documents = documents or Documents()
        self._own: _Holding | None = None

    def meets(self, requirement: Requirement, *, inside: bool = False) -> bool:
        """Tell whether the entry meets all conditions of a requirement.

        Args:
            requirement: its runtime handler is not looked at.
            inside: by what the index vouches for alone.
        """
        self._documents.pulse()
        return all(self._has(one, inside=inside) for one in requirement.conditions)

    def may_meet(self, requirement: Requirement) -> bool:
        """Tell whether it meets them, or might with metadata that has not been read yet."""
        self._documents.pulse()
        return all(one.trait in _FROM_METADATA or self._has(one) for one in requirement.conditions)

    def _has(self, condition: Condition, *, inside: bool = False) -> bool:
        platform = self._descriptor.platform
        match condition.trait:
            case Trait.ANNOTATION:
                return self._claims(condition)
            case Trait.VARIANT:
                return platform is not None and _lower(condition.name).matches(
                    normalize(platform.architecture, platform.variant)[1]
                )
            case Trait.PLATFORM:
                return platform is not None and condition.name.matches(str(platform))
            case Trait.LABEL | Trait.TAG | Trait.FEATURE:
                documents = self.verdict.documents
                vouched = [one for one in documents if one.document.origin is None] if inside else documents
                return self._own_holding().has(condition) or self._documents.have(condition, vouched)
            case _:
                assert_never(condition.trait)

    def _claims(self, condition: Condition) -> bool:
        name, claims = condition.name, self.verdict.claims
        if name.is_exact:
            return name.text in claims and _matches(condition.value, claims[name.text])
        return any(_matches(name, claim) and _matches(condition.value, value) for claim, value in claims.items())

    def _own_holding(self) -> _Holding:
        if self._own is None:
            platform = self._descriptor.platform
            stated = (platform.os_features if platform else None) or ()
            self._own = _holding(self.verdict.findings, features=stated)
        return self._own


def _holding_of_document(verdict: DocumentVerdict) -> _Holding:
    """Return what holds of the sets that hold, or may hold where nothing better is known; of a misfit nothing does."""
    if verdict.truth is Truth.NO:
        return _holding(())
    sets = [one for one in verdict.alternatives if one.truth is verdict.truth]
    return _holding(
        (finding for one in sets for finding in one.findings),
        tags=(tag for one in sets for tag in one.alternative.tags),
    )


def _holding(findings: Iterable[Judged], tags: Iterable[str] = (), features: Iterable[str] = ()) -> _Holding:
    checks = [one.check for one in _held(findings)]
    asked_for = (name for check in checks if not check.negated for name in _flags(check.question, check.asked))
    return _Holding(
        frozenset((check.label, check.asked) for check in checks),
        frozenset(tags),
        frozenset(name.lower() for some in (asked_for, features) for name in some),
    )


def _held(findings: Iterable[Judged]) -> Iterator[Finding]:
    """Return the findings that hold; of an "any of" those of all members that are as true as the group itself."""
    for one in findings:
        match one:
            case Finding():
                if one.truth is Truth.YES:
                    yield one
            case GroupFinding(group=group, truth=truth, members=members):
                yield from _held(member for member in members if not group.any_of or member.truth is truth)
            case _:
                assert_never(one)


def _flags(question: Question, asked: str) -> tuple[str, ...]:
    """Return the flags that a question asks for, as Node Feature Discovery spells them and as the author does."""
    match question:
        case HasFlag(names=names):
            return (*names, asked) if set(flag_names(asked)) & set(names) else names
        case MatchesTerm(elements=elements):
            return tuple(name for name, expression in elements or () if expression.op in _NAMES_ELEMENT)
        case _:
            return ()


def _matches(pattern: Glob, text: str) -> bool:
    """Tell whether a pattern matches what an author wrote; a text that is longer than any that is meant never does.

    Matching holds the interpreter for as long as the text and the pattern take together: megabytes would stop every
    call of the node.
    """
    return len(text) <= _MAX_CHARACTERS and pattern.matches(text)


def _lower(glob: Glob) -> Glob:
    return Glob(glob.text.lower())


@lru_cache(_SPELLINGS)
def _spellings(name: Glob) -> frozenset[Glob]:
    """Return the patterns that a feature may match, in lower-case: one without wildcards in all of its spellings."""
    return frozenset({_lower(name), *(Glob(one.lower()) for one in flag_names(name.text) if name.is_exact)})
