"""One decision over one index: says which metadata it still wants, takes what was fetched, decides.

Knows the order of the steps and how much is judged. Leaves which metadata belongs to which entry to ``gathering``, and
fetching to the caller: ``wanted`` returns a value, ``supply`` takes bytes.

What only refers to the image comes after everything that the index vouches for has been fetched and judged, and has
limits of its own: it can make an entry worse, and never save one that the index itself excludes.
"""

from collections.abc import Callable, Hashable, Sequence

import msgspec

from imagefit.formats.carriers import FAMILIES, is_artifact
from imagefit.formats.contract import Locator
from imagefit.formats.profile import profile_of
from imagefit.model.decision import Decision, DocumentVerdict, Ranked, Verdict
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, ImageIndex
from imagefit.model.policy import Criterion, Policy
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection.alike import alike_in
from imagefit.selection.conditions import Documents, Traits
from imagefit.selection.gathering import MAX_FETCHES, Gathering, locators_in
from imagefit.selection.judging import Judging, Limits
from imagefit.selection.match import joined, with_documents
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


class _Alike(msgspec.Struct, eq=False):
    """Entries that are alike, on their way to a verdict.

    Attributes:
        number: among all that are alike, in the order of their first entries.
        positions: of the entries in the index, in ascending order.
        descriptor: of the first of them.
        own: the verdict on the entries without their metadata.
        skipped: why metadata that is not there has not been fetched.
        skipped_outside: the same of referrers.
        inside: the verdict with all that the index vouches for.
        settled: the verdict with all metadata that there will be.
    """

    number: int
    positions: Sequence[int]
    descriptor: Descriptor
    own: Verdict
    skipped: Problem = _NOT_FETCHED
    skipped_outside: Problem = _NOT_FETCHED
    inside: Verdict | None = None
    settled: Verdict | None = None

    @property
    def excluded(self) -> bool:
        """Whether the entries do not fit whatever their metadata says."""
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
        self._metadata = Judging(self._node, Limits(MAX_CHECKS, _TOO_MANY_CHECKS, pulse))
        self._referrers = Judging(self._node, Limits(MAX_OUTSIDE_CHECKS, _TOO_MANY_OUTSIDE, pulse, is_late, _TOO_LATE))
        self._traits = Documents(pulse)
        self._owns: dict[Hashable, Verdict] = {}
        positions = alike_in(index, by_digest=policy.trust_referrers)
        self._alike = [self._start(number, some) for number, some in enumerate(positions)]
        self._gathering = Gathering(
            index.digest,
            [alike.descriptor for alike in self._alike],
            families=families if policy.trust_referrers else (),
        )

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
        judged = [(alike.positions, self._verdict(alike)) for alike in self._alike]
        ranking = rank(
            self._index.entries, judged, self._policy, also_runs=self._node.also_runs, documents=self._traits
        )
        candidates = [ranked for ranked in ranking[:2] if ranked.is_candidate]
        chosen = candidates[0] if candidates else None
        return Decision(
            self._index.digest,
            self._policy,
            ranking,
            chosen,
            self._decided_by(*candidates) if len(candidates) > 1 else None,
            chosen is not None and self._is_plain(chosen),
        )

    def _is_plain(self, chosen: Ranked) -> bool:
        """Tell whether containerd on its own would pull this entry and no other."""
        plain = plain_choice([alike.descriptor for alike in self._alike], self._node)
        return [position for number in plain for position in self._alike[number].positions] == [chosen.position]

    def _wanted_inside(self) -> tuple[Locator, ...]:
        leading_on = [self._alike[number] for number in self._gathering.leading_on]
        pending = [(alike, locators) for alike in leading_on if (locators := self._locators(alike))]
        # An entry that may still fall to a referrer is not settled: what the index says of the others has to be there.
        best = self._best_settled_preference() if pending else None
        return self._worthwhile(pending, best, outside=False)

    def _wanted_outside(self) -> tuple[Locator, ...]:
        if not self._policy.trust_referrers:
            return ()
        pending = [(alike, locators) for alike in self._alike if (locators := self._outside_locators(alike))]
        best = self._best_settled_preference() if pending else None
        return self._worthwhile(pending, best, outside=True)

    def _worthwhile(
        self, pending: list[tuple[_Alike, tuple[Locator, ...]]], best: int | None, *, outside: bool
    ) -> tuple[Locator, ...]:
        """Return what can still change the choice and is within the limit, and note why the rest is left out."""
        wanted: dict[Locator, None] = {}
        for alike, locators in pending:
            reason = self._needless(alike, self._inside(alike) if outside else alike.own, best)
            if reason is None and not self._gathering.reserve(locators):
                reason = _TOO_MANY
            if reason is None:
                wanted.update(dict.fromkeys(locators))
            elif outside:
                alike.skipped_outside = reason
            else:
                alike.skipped = reason
        return tuple(wanted)

    def _decided_by(self, chosen: Ranked, runner_up: Ranked) -> Criterion:
        """Return what told the two apart; metadata that was not needed for it is not why an entry lost."""
        skipped = (alike for alike in self._alike if alike.skipped is _NOT_NEEDED)
        is_skipped = any(runner_up.position in alike.positions for alike in skipped)
        return Criterion.PREFERENCE if is_skipped else decided_by(chosen, runner_up, self._policy.order)

    def _start(self, number: int, positions: Sequence[int]) -> _Alike:
        self._pulse()
        descriptor = self._index.entries[positions[0]]
        return _Alike(number, positions, descriptor, self._own(descriptor))

    def _own(self, descriptor: Descriptor) -> Verdict:
        """Judge an entry without its metadata; those whose platforms need the same of the node are judged once."""
        if descriptor.says_more or descriptor.digest == self._index.digest or descriptor.platform is None:
            return self._judged_alone(descriptor)
        needs = descriptor.platform.needs
        own = self._owns.get(needs)
        if own is None:
            own = self._owns[needs] = self._judged_alone(descriptor)
        return own

    def _judged_alone(self, descriptor: Descriptor) -> Verdict:
        if is_artifact(descriptor) or (descriptor.artifact_type and descriptor.platform is None):
            return Verdict(Truth.NO, (), (), (_ARTIFACT,))
        verdict = self._metadata.own(profile_of(descriptor))
        if descriptor.digest == self._index.digest:
            return Verdict(Truth.NO, (), (), (_SELF, *verdict.problems))
        return verdict

    def _locators(self, alike: _Alike) -> tuple[Locator, ...]:
        return () if alike.excluded or alike.inside else self._gathering.missing(alike.number)

    def _outside_locators(self, alike: _Alike) -> tuple[Locator, ...]:
        """Return what of an entry's referrers has still to be fetched; of one that the index excludes, nothing."""
        if not self._policy.trust_referrers or alike.settled or self._inside(alike).truth is Truth.NO:
            return ()
        return tuple(locators_in(self._gathering.outside(alike.number)))

    def _needless(self, alike: _Alike, known: Verdict, best: int | None) -> Problem | None:
        """Return why more metadata of an entry than is ``known`` cannot change the choice, None where it can."""
        if self._complete:
            return None
        traits = Traits(alike.descriptor, known, self._traits)
        if surely_barred(self._policy, traits, known.truth):
            return _NO_CANDIDATE
        return _NOT_NEEDED if best is not None and highest_preference(self._policy, traits) < best else None

    def _best_settled_preference(self) -> int | None:
        """Return the best preference of an entry that may surely be chosen, where preference comes before all else."""
        if self._complete or self._policy.order[1] is not Criterion.PREFERENCE:
            return None
        settled = [
            alike
            for alike in self._alike
            if not alike.excluded and not self._locators(alike) and not self._outside_locators(alike)
        ]
        traits = [self._traits_of(alike) for alike in settled if self._verdict(alike).truth is Truth.YES]
        return max(
            (preference(self._policy, one) for one in traits if not barred(self._policy, one, Truth.YES)), default=None
        )

    def _traits_of(self, alike: _Alike) -> Traits:
        return Traits(alike.descriptor, self._verdict(alike), self._traits)

    def _verdict(self, alike: _Alike) -> Verdict:
        if alike.settled is not None:
            return alike.settled
        verdict = self._inside(alike)
        if self._policy.trust_referrers and verdict.truth is not Truth.NO:
            verdict = joined(verdict, *self._outside(alike))
        if not self._locators(alike) and not self._outside_locators(alike):
            alike.settled = verdict
        return verdict

    def _inside(self, alike: _Alike) -> Verdict:
        """Judge an entry by what the index vouches for."""
        self._pulse()
        verdict = alike.own if alike.excluded else alike.inside
        if verdict is None:
            pieces = self._gathering.pieces(alike.number)
            documents = [self._metadata.verdict(piece, alike.skipped) for piece in pieces]
            verdict = with_documents(alike.own, documents)
            alike.inside = None if self._locators(alike) else verdict
        return verdict

    def _outside(self, alike: _Alike) -> tuple[list[DocumentVerdict], list[DocumentVerdict]]:
        """Return the judged referrers of an entry: those that count, and those that are only shown."""
        pieces = self._gathering.outside(alike.number)
        judged = [self._referrers.verdict(piece, alike.skipped_outside) for piece in pieces]
        speaking = {origin.family for one in judged if (origin := one.document.origin) and _speaks(one)}
        deciding = next(({family} for family in self._policy.dialects if family in speaking), speaking)
        counting: list[DocumentVerdict] = []
        aside: list[DocumentVerdict] = []
        for one in judged:
            origin = one.document.origin
            counts = origin is not None and origin.family in deciding and _speaks(one)
            (counting if counts else aside).append(one)
        return counting, aside


def _speaks(verdict: DocumentVerdict) -> bool:
    """Tell whether a document from outside the index says something.

    What did not come or cannot be read says nothing: who can keep it back, or spoil it, must not take entries away.
    """
    document = verdict.document
    return document.readable and not (document.incomplete and verdict.truth is Truth.UNKNOWN)
