"""One decision over one index: says which metadata it still wants, takes what was fetched, decides.

Knows the order of the steps and how much is judged. Leaves which metadata belongs to which entry to ``gathering``, and
fetching to the caller: ``wanted`` returns a value, ``supply`` takes bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from imagefit.formats.carriers import is_artifact
from imagefit.formats.catalog import read
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.formats.profile import profile_of
from imagefit.model.decision import Decision, DocumentVerdict, Ranked, Verdict
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, ImageIndex
from imagefit.model.policy import Criterion, Policy
from imagefit.model.requirement import Alternative, Document, Problem, Profile, count_checks
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Documents, Traits
from imagefit.selection.gathering import MAX_FETCHES, Gathering
from imagefit.selection.match import evaluate, judge_document
from imagefit.selection.rank import (
    barred,
    decided_by,
    highest_preference,
    plain_choice,
    preference,
    rank,
    surely_barred,
)

MAX_CHECKS = 50_000
"""Most checks, of entries and of distinct documents, that are judged for one decision."""
_TOO_MANY_CHECKS = Problem(f"not judged: the metadata asks for more than {MAX_CHECKS} checks")
_TOO_MANY = Problem(f"not read: the index asks for more than {MAX_FETCHES} pieces of metadata")
_NOT_NEEDED = Problem("not read: a preferred entry fits already")
_NO_CANDIDATE = Problem("not read: the policy does not let the entry be chosen, whatever it says")
_NOT_FETCHED = Problem("not read: it was not fetched")
_ARTIFACT = Problem("an artifact, not an image")
_SELF = Problem("the index lists itself")


@dataclass(slots=True)
class _Entry:
    """An entry of the index on its way to a verdict.

    Attributes:
        own: the verdict on the entry without its metadata.
        skipped: why metadata that is not there has not been fetched.
        settled: the verdict with all metadata that there will be.
    """

    position: int
    descriptor: Descriptor
    profile: Profile
    own: Verdict
    skipped: Problem = field(default=_NOT_FETCHED)
    settled: Verdict | None = None

    @property
    def excluded(self) -> bool:
        """Whether the entry does not fit whatever its metadata says."""
        return self.own.truth is Truth.NO


class Selection:
    """One decision in the making. Not for use by several threads at the same time."""

    def __init__(
        self,
        index: ImageIndex,
        node: Node,
        policy: Policy,
        *,
        complete: bool = False,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        """Start with what the index itself says.

        Args:
            index: what to choose from.
            node: what to choose for.
            policy: how to choose.
            complete: want the metadata of every entry that may fit, not only what can still change the choice.
            pulse: called again and again during the work, which ends with whatever this raises.
        """
        self._index = index
        self._node = node.with_platforms(policy.platforms)
        self._policy = policy
        self._complete = complete
        self._pulse = pulse
        self._gathering = Gathering(index, referrers=policy.trust_referrers)
        self._documents: dict[Carried, Document] = {}
        self._judged: dict[int, DocumentVerdict] = {}
        self._traits = Documents(pulse)
        self._checks = 0
        self._entries = [self._start(position, entry) for position, entry in enumerate(index.entries)]

    def wanted(self) -> tuple[Locator, ...]:
        """Return what has to be fetched and supplied next, each piece once; empty when the decision can be made."""
        if artifacts := self._gathering.artifacts():
            return artifacts
        wanted: dict[Locator, None] = {}
        pending = [(entry, locators) for entry in self._entries if (locators := self._locators(entry))]
        best = self._best_settled_preference() if pending else None
        for entry, locators in pending:
            if reason := self._needless(entry, best):
                entry.skipped = reason
            elif not self._gathering.reserve(locators):
                entry.skipped = _TOO_MANY
            else:
                wanted.update(dict.fromkeys(locators))
        return tuple(wanted)

    def supply(self, locator: Locator, content: bytes | Problem) -> None:
        """Take what was fetched for one locator, or the reason why nothing came.

        Args:
            locator: one that ``wanted`` returned.
            content: bytes that have been checked against the locator's digest and size (of referrers: an image index,
                which nothing vouches for), or a problem.
        """
        self._gathering.supply(locator, content)

    def decide(self) -> Decision:
        """Judge and rank every entry with what has been supplied."""
        entries = [(entry.descriptor, self._verdict(entry)) for entry in self._entries]
        ranking = rank(entries, self._policy, also_runs=self._node.also_runs, documents=self._traits)
        candidates = [ranked for ranked in ranking if ranked.is_candidate]
        chosen = candidates[0] if candidates else None
        return Decision(
            self._index.digest,
            self._policy,
            ranking,
            chosen,
            self._decided_by(*candidates[:2]) if len(candidates) > 1 else None,
            chosen is not None and plain_choice(self._index.entries, self._node) == {chosen.position},
        )

    def _decided_by(self, chosen: Ranked, runner_up: Ranked) -> Criterion:
        """Return what told the two apart; metadata that was not needed for it is not why an entry lost."""
        is_skipped = self._entries[runner_up.position].skipped is _NOT_NEEDED
        return Criterion.PREFERENCE if is_skipped else decided_by(chosen, runner_up, self._policy.order)

    def _start(self, position: int, descriptor: Descriptor) -> _Entry:
        self._pulse()
        profile = profile_of(descriptor)
        self._checks += max(0, len(profile.checks) - 1)
        if self._checks > MAX_CHECKS:
            # The platform is still judged: what cannot run must not come in as unknown.
            profile = replace(profile, checks=profile.checks[:1], problems=(_TOO_MANY_CHECKS,))
        verdict = evaluate(profile, self._node)
        if is_artifact(descriptor) or (descriptor.artifact_type and descriptor.platform is None):
            verdict = Verdict(Truth.NO, (), (), (_ARTIFACT,))
        elif descriptor.digest == self._index.digest:
            verdict = Verdict(Truth.NO, (), (), (_SELF, *verdict.problems))
        return _Entry(position, descriptor, profile, verdict)

    def _locators(self, entry: _Entry) -> tuple[Locator, ...]:
        return () if entry.excluded or entry.settled else self._gathering.locators(entry.position)

    def _needless(self, entry: _Entry, best: int | None) -> Problem | None:
        """Return why an entry's metadata cannot change the choice, None where it can."""
        if self._complete:
            return None
        own = Traits(entry.descriptor, entry.own, self._traits)
        if surely_barred(self._policy, own, entry.own.truth):
            return _NO_CANDIDATE
        return _NOT_NEEDED if best is not None and highest_preference(self._policy, own) < best else None

    def _best_settled_preference(self) -> int | None:
        """Return the best preference of an entry that may surely be chosen, where preference comes before all else."""
        if self._complete or self._policy.order[1] is not Criterion.PREFERENCE:
            return None
        settled = [entry for entry in self._entries if not entry.excluded and not self._locators(entry)]
        traits = [self._traits_of(entry) for entry in settled if self._verdict(entry).truth is Truth.YES]
        return max(
            (preference(self._policy, one) for one in traits if not barred(self._policy, one, Truth.YES)), default=None
        )

    def _traits_of(self, entry: _Entry) -> Traits:
        return Traits(entry.descriptor, self._verdict(entry), self._traits)

    def _verdict(self, entry: _Entry) -> Verdict:
        verdict = entry.own if entry.excluded else entry.settled
        self._pulse()
        if verdict is None:
            pieces = self._gathering.pieces(entry.position)
            documents = tuple(self._document(piece, entry.skipped) for piece in pieces)
            verdict = evaluate(replace(entry.profile, documents=documents), self._node, self._judge)
            entry.settled = None if self._locators(entry) else verdict
        return verdict

    def _judge(self, document: Document, node: Node) -> DocumentVerdict:
        """Judge each distinct document once: one that is large may be shared by thousands of entries."""
        if not document.alternatives:
            return judge_document(document, node)
        known = self._judged.get(id(document))
        if known is None:
            self._pulse()
            self._checks += sum(count_checks(alternative.needs) for alternative in document.alternatives)
            if self._checks > MAX_CHECKS:
                document = Document(document.dialect, problems=(_TOO_MANY_CHECKS,))
            known = self._judged[id(document)] = judge_document(document, node)
        return known

    def _document(self, piece: Carried, skipped: Problem) -> Document:
        match piece:
            case Locator():
                return Document("", problems=(Problem(skipped.message, piece.place),))
            case Problem():
                return Document("", problems=(piece,))
            case _:
                # Each distinct piece is read once: large indexes repeat the same few sets.
                if piece not in self._documents:
                    self._documents[piece] = self._read(piece, skipped)
                return self._documents[piece]

    def _read(self, piece: Fragment | Profiles, skipped: Problem) -> Document:
        self._pulse()
        if isinstance(piece, Fragment):
            return read(piece)
        return _one_of([self._document(one, skipped) for one in piece.pieces])


def _one_of(documents: list[Document]) -> Document:
    """Return the document that holds where one of several does; one that asks for nothing holds."""
    return Document(
        "+".join(dict.fromkeys(document.dialect for document in documents if document.dialect)),
        tuple(one for document in documents for one in document.alternatives or _nothing_asked(document)),
        tuple(problem for document in documents for problem in document.problems),
        incomplete=not all(document.readable for document in documents),
    )


def _nothing_asked(document: Document) -> tuple[Alternative, ...]:
    return (Alternative(()),) if document.readable else ()
