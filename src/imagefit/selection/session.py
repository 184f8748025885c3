"""One decision over one index: says which metadata it still wants, takes what was fetched, decides.

Knows the order of the steps and how much is judged. Leaves which metadata belongs to which entry to ``gathering``, and
fetching to the caller: ``wanted`` returns a value, ``supply`` takes bytes.

What only refers to the image comes after everything that the index vouches for has been fetched and judged, and has
limits of its own: it can make an entry worse, and never save one that the index itself excludes.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from imagefit.formats.carriers import FAMILIES, is_artifact
from imagefit.formats.contract import Locator
from imagefit.formats.profile import profile_of
from imagefit.model.decision import Decision, DocumentVerdict, Ranked, Verdict
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, ImageIndex
from imagefit.model.policy import Criterion, Policy
from imagefit.model.requirement import Problem, Profile
from imagefit.model.truth import Truth
from imagefit.selection.conditions import Documents, Traits
from imagefit.selection.gathering import MAX_FETCHES, Gathering, locators_in
from imagefit.selection.judging import Judging, Limits
from imagefit.selection.match import evaluate, joined
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
MAX_OUTSIDE_CHECKS = 10_000
"""Most checks of distinct documents from referrers that are judged besides."""
_TOO_MANY_CHECKS = Problem(f"not judged: the metadata asks for more than {MAX_CHECKS} checks")
_TOO_MANY_OUTSIDE = Problem(f"not judged: the referrers ask for more than {MAX_OUTSIDE_CHECKS} checks")
_TOO_LATE = Problem("not judged: no time is left for referrers")
_TOO_MANY = Problem(f"not read: the index asks for more than {MAX_FETCHES} pieces of metadata")
_NOT_NEEDED = Problem("not read: a preferred entry fits already")
_NO_CANDIDATE = Problem("not read: the policy does not let the entry be chosen, whatever it says")
_NOT_FETCHED = Problem("not read: it was not fetched")
_ARTIFACT = Problem("an artifact, not an image")
_SELF = Problem("the index lists itself")


class _Entry(msgspec.Struct):
    """An entry of the index on its way to a verdict.

    Attributes:
        own: the verdict on the entry without its metadata.
        skipped: why metadata that is not there has not been fetched.
        skipped_outside: the same of referrers.
        inside: the verdict with all that the index vouches for.
        settled: the verdict with all metadata that there will be.
    """

    position: int
    descriptor: Descriptor
    profile: Profile
    own: Verdict
    skipped: Problem = msgspec.field(default=_NOT_FETCHED)
    skipped_outside: Problem = msgspec.field(default=_NOT_FETCHED)
    inside: Verdict | None = None
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
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start with what the index itself says.

        Args:
            index: what to choose from.
            node: what to choose for.
            policy: how to choose.
            complete: want the metadata of every entry that may fit, not only what can still change the choice.
            pulse: called again and again during the work, which ends with whatever this raises.
            is_late: tells whether the time that metadata from referrers may take is over.
        """
        self._index = index
        self._node = node.with_platforms(policy.platforms)
        self._policy = policy
        self._complete = complete
        self._pulse = pulse
        families = policy.dialects or FAMILIES
        self._gathering = Gathering(index, families=families if policy.trust_referrers else ())
        self._metadata = Judging(Limits(MAX_CHECKS, _TOO_MANY_CHECKS, pulse))
        self._referrers = Judging(Limits(MAX_OUTSIDE_CHECKS, _TOO_MANY_OUTSIDE, pulse, is_late, _TOO_LATE))
        self._traits = Documents(pulse)
        self._entries = [self._start(position, entry) for position, entry in enumerate(index.entries)]

    def wanted(self) -> tuple[Locator, ...]:
        """Return what has to be fetched and supplied next, each piece once; empty when the decision can be made."""
        if artifacts := self._gathering.artifacts():
            return artifacts
        return self._wanted_inside() or self._wanted_outside()

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

    def _wanted_inside(self) -> tuple[Locator, ...]:
        pending = [(entry, locators) for entry in self._entries if (locators := self._locators(entry))]
        # An entry that may still fall to a referrer is not settled: what the index says of the others has to be there.
        best = self._best_settled_preference() if pending else None
        return self._worthwhile(pending, best, outside=False)

    def _wanted_outside(self) -> tuple[Locator, ...]:
        pending = [(entry, locators) for entry in self._entries if (locators := self._outside_locators(entry))]
        best = self._best_settled_preference() if pending else None
        return self._worthwhile(pending, best, outside=True)

    def _worthwhile(
        self, pending: list[tuple[_Entry, tuple[Locator, ...]]], best: int | None, *, outside: bool
    ) -> tuple[Locator, ...]:
        """Return what can still change the choice and is within the limit, and note why the rest is left out."""
        wanted: dict[Locator, None] = {}
        for entry, locators in pending:
            reason = self._needless(entry, self._inside(entry) if outside else entry.own, best)
            if reason is None and not self._gathering.reserve(locators):
                reason = _TOO_MANY
            if reason is None:
                wanted.update(dict.fromkeys(locators))
            elif outside:
                entry.skipped_outside = reason
            else:
                entry.skipped = reason
        return tuple(wanted)

    def _decided_by(self, chosen: Ranked, runner_up: Ranked) -> Criterion:
        """Return what told the two apart; metadata that was not needed for it is not why an entry lost."""
        is_skipped = self._entries[runner_up.position].skipped is _NOT_NEEDED
        return Criterion.PREFERENCE if is_skipped else decided_by(chosen, runner_up, self._policy.order)

    def _start(self, position: int, descriptor: Descriptor) -> _Entry:
        self._pulse()
        profile = profile_of(descriptor)
        if not self._metadata.spend(max(0, len(profile.checks) - 1)):
            # The platform is still judged: what cannot run must not come in as unknown.
            profile = replace(profile, checks=profile.checks[:1], problems=(_TOO_MANY_CHECKS,))
        verdict = evaluate(profile, self._node)
        if is_artifact(descriptor) or (descriptor.artifact_type and descriptor.platform is None):
            verdict = Verdict(Truth.NO, (), (), (_ARTIFACT,))
        elif descriptor.digest == self._index.digest:
            verdict = Verdict(Truth.NO, (), (), (_SELF, *verdict.problems))
        return _Entry(position, descriptor, profile, verdict)

    def _locators(self, entry: _Entry) -> tuple[Locator, ...]:
        if entry.excluded or entry.inside:
            return ()
        return tuple(locators_in(self._gathering.pieces(entry.position)))

    def _outside_locators(self, entry: _Entry) -> tuple[Locator, ...]:
        """Return what of an entry's referrers has still to be fetched; of one that the index excludes, nothing."""
        if not self._policy.trust_referrers or entry.settled or self._inside(entry).truth is Truth.NO:
            return ()
        return tuple(locators_in(self._gathering.outside(entry.position)))

    def _needless(self, entry: _Entry, known: Verdict, best: int | None) -> Problem | None:
        """Return why more metadata of an entry than is ``known`` cannot change the choice, None where it can."""
        if self._complete:
            return None
        traits = Traits(entry.descriptor, known, self._traits)
        if surely_barred(self._policy, traits, known.truth):
            return _NO_CANDIDATE
        return _NOT_NEEDED if best is not None and highest_preference(self._policy, traits) < best else None

    def _best_settled_preference(self) -> int | None:
        """Return the best preference of an entry that may surely be chosen, where preference comes before all else."""
        if self._complete or self._policy.order[1] is not Criterion.PREFERENCE:
            return None
        settled = [
            entry
            for entry in self._entries
            if not entry.excluded and not self._locators(entry) and not self._outside_locators(entry)
        ]
        traits = [self._traits_of(entry) for entry in settled if self._verdict(entry).truth is Truth.YES]
        return max(
            (preference(self._policy, one) for one in traits if not barred(self._policy, one, Truth.YES)), default=None
        )

    def _traits_of(self, entry: _Entry) -> Traits:
        return Traits(entry.descriptor, self._verdict(entry), self._traits)

    def _verdict(self, entry: _Entry) -> Verdict:
        if entry.settled is not None:
            return entry.settled
        verdict = self._inside(entry)
        if self._policy.trust_referrers and verdict.truth is not Truth.NO:
            verdict = joined(verdict, *self._outside(entry))
        if not self._locators(entry) and not self._outside_locators(entry):
            entry.settled = verdict
        return verdict

    def _inside(self, entry: _Entry) -> Verdict:
        """Judge an entry by what the index vouches for."""
        verdict = entry.own if entry.excluded else entry.inside
        self._pulse()
        if verdict is None:
            pieces = self._gathering.pieces(entry.position)
            documents = tuple(self._metadata.document(piece, entry.skipped) for piece in pieces)
            verdict = evaluate(replace(entry.profile, documents=documents), self._node, self._metadata.judge)
            entry.inside = None if self._locators(entry) else verdict
        return verdict

    def _outside(self, entry: _Entry) -> tuple[list[DocumentVerdict], list[DocumentVerdict]]:
        """Return the judged referrers of an entry: those that count, and those that are only shown."""
        pieces = self._gathering.outside(entry.position)
        documents = [self._referrers.document(piece, entry.skipped_outside) for piece in pieces]
        judged = [(one, self._referrers.judge(one, self._node)) for one in documents]
        speaking = {one.origin.family for one, verdict in judged if one.origin and _speaks(verdict)}
        deciding = next(({family} for family in self._policy.dialects if family in speaking), speaking)
        counting: list[DocumentVerdict] = []
        aside: list[DocumentVerdict] = []
        for one, verdict in judged:
            counts = one.origin is not None and one.origin.family in deciding and _speaks(verdict)
            (counting if counts else aside).append(verdict)
        return counting, aside


def _speaks(verdict: DocumentVerdict) -> bool:
    """Tell whether a document from outside the index says something.

    What did not come or cannot be read says nothing: who can keep it back, or spoil it, must not take entries away.
    """
    document = verdict.document
    return document.readable and not (document.incomplete and verdict.truth is Truth.UNKNOWN)
