"""One decision over one index: says which metadata it still wants, takes what was fetched, decides.

Knows the order of the steps and their limits. Leaves fetching to the caller: ``wanted`` returns a value, ``supply``
takes bytes.
"""

from dataclasses import dataclass, field, replace

from imagefit.formats.carriers import carried_by, follow
from imagefit.formats.catalog import read
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.formats.profile import profile_of
from imagefit.model.decision import Decision, DocumentVerdict, Ranked, Verdict
from imagefit.model.facts import Node
from imagefit.model.oci import Descriptor, ImageIndex
from imagefit.model.policy import Policy, Unknown
from imagefit.model.requirement import Document, Problem, Profile, count_checks
from imagefit.model.truth import Truth
from imagefit.selection.match import evaluate, judge_document
from imagefit.selection.rank import decided_by, plain_choice, preference, rank

MAX_FETCHES = 512
"""Most pieces of metadata that are fetched for one decision."""
MAX_CHECKS = 50_000
"""Most checks, of entries and of distinct documents, that are judged for one decision."""
_TOO_MANY_CHECKS = Problem(f"not judged: the metadata asks for more than {MAX_CHECKS} checks")
_TOO_MANY = Problem(f"not read: the index asks for more than {MAX_FETCHES} pieces of metadata")
_NOT_NEEDED = Problem("not read: a preferred entry fits already")
_NOT_FETCHED = Problem("not read: it was not fetched")


@dataclass(slots=True)
class _Entry:
    """An entry of the index on its way to a verdict; ``pieces`` are what its platform carries, as far as followed."""

    descriptor: Descriptor
    pieces: list[Carried]
    profile: Profile
    excluded: Verdict | None = None
    skipped: Problem = field(default=_NOT_FETCHED)
    settled: Verdict | None = None

    @property
    def locators(self) -> list[Locator]:
        return [] if self.excluded else [piece for piece in self.pieces if isinstance(piece, Locator)]


class Selection:
    """One decision in the making. Not for use by several threads at the same time."""

    def __init__(self, index: ImageIndex, node: Node, policy: Policy, *, complete: bool = False) -> None:
        """Start with what the index itself says.

        Args:
            index: what to choose from.
            node: what to choose for.
            policy: how to choose.
            complete: want the metadata of every entry that may fit, not only what can still change the choice.
        """
        self._index = index
        self._node = node
        self._policy = policy
        self._complete = complete
        self._fetched: dict[Locator, Carried] = {}
        self._documents: dict[Fragment, Document] = {}
        self._judged: dict[int, DocumentVerdict] = {}
        self._checks = 0
        self._entries = [self._start(entry) for entry in index.entries]
        self._reserved: set[Locator] = set()
        self._spent = 0

    def wanted(self) -> tuple[Locator, ...]:
        """Return what has to be fetched and supplied next, each piece once; empty when the decision can be made."""
        self._advance()
        wanted: dict[Locator, None] = {}
        pending = [entry for entry in self._entries if entry.locators]
        best = self._best_settled_preference() if pending and not self._complete else None
        for entry in pending:
            if best is not None and preference(entry.descriptor, self._policy.prefer) < best:
                entry.skipped = _NOT_NEEDED
            elif not self._affordable(entry):
                entry.skipped = _TOO_MANY
            else:
                wanted.update(dict.fromkeys(entry.locators))
        return tuple(wanted)

    def supply(self, locator: Locator, content: bytes | Problem) -> None:
        """Take what was fetched for one locator, or the reason why nothing came.

        Args:
            locator: one that ``wanted`` returned.
            content: bytes that have been checked against the locator's digest and size, or a problem.
        """
        piece = content if isinstance(content, Problem) else follow(locator, content)
        self._fetched[locator] = piece
        if isinstance(piece, Locator):
            self._reserved.add(piece)

    def decide(self) -> Decision:
        """Judge and rank every entry with what has been supplied."""
        self._advance()
        entries = [(entry.descriptor, self._verdict(entry)) for entry in self._entries]
        ranking = rank(entries, self._policy.prefer)
        candidates = [ranked for ranked in ranking if self._may_be_chosen(ranked)]
        chosen = candidates[0] if candidates else None
        return Decision(
            self._index.digest,
            ranking,
            chosen,
            decided_by(candidates[0], candidates[1]) if len(candidates) > 1 else None,
            chosen is not None and plain_choice(self._index.entries, self._node) == {chosen.position},
        )

    def _start(self, descriptor: Descriptor) -> _Entry:
        profile = profile_of(descriptor)
        self._checks += max(0, len(profile.checks) - 1)
        if self._checks > MAX_CHECKS:
            # The platform is still judged: what cannot run must not come in as unknown.
            profile = replace(profile, checks=profile.checks[:1], problems=(_TOO_MANY_CHECKS,))
        entry = _Entry(descriptor, list(carried_by(descriptor.platform)), profile)
        verdict = evaluate(profile, self._node)
        if descriptor.digest == self._index.digest:
            problem = Problem("the index lists itself")
            verdict = Verdict(Truth.NO, (), (), (problem, *verdict.problems))
        entry.excluded = verdict if verdict.truth is Truth.NO else None
        return entry

    def _advance(self) -> None:
        """Replace every locator whose content has come by what that led to."""
        for entry in self._entries:
            entry.pieces = [self._followed(piece) for piece in entry.pieces]

    def _followed(self, piece: Carried) -> Carried:
        while isinstance(piece, Locator) and piece in self._fetched:
            piece = self._fetched[piece]
        return piece

    def _affordable(self, entry: _Entry) -> bool:
        """Tell whether an entry's fetches fit the budget; a manifest needs its config, too, to be of use."""
        fresh = [locator for locator in entry.locators if locator not in self._reserved]
        cost = sum(2 if locator.kind == "manifest" else 1 for locator in fresh)
        if self._spent + cost > MAX_FETCHES:
            return False
        self._spent += cost
        self._reserved.update(fresh)
        return True

    def _best_settled_preference(self) -> int | None:
        settled = (entry for entry in self._entries if not entry.locators and not entry.excluded)
        fitting = (entry.descriptor for entry in settled if self._verdict(entry).truth is Truth.YES)
        return max((preference(descriptor, self._policy.prefer) for descriptor in fitting), default=None)

    def _verdict(self, entry: _Entry) -> Verdict:
        verdict = entry.excluded or entry.settled
        if verdict is None:
            documents = tuple(self._document(piece, entry) for piece in entry.pieces)
            verdict = evaluate(replace(entry.profile, documents=documents), self._node, self._judge)
            entry.settled = None if entry.locators else verdict
        return verdict

    def _judge(self, document: Document, node: Node) -> DocumentVerdict:
        """Judge each distinct document once: one that is large may be shared by thousands of entries."""
        if not document.alternatives:
            return judge_document(document, node)
        known = self._judged.get(id(document))
        if known is None:
            self._checks += sum(count_checks(alternative.needs) for alternative in document.alternatives)
            if self._checks > MAX_CHECKS:
                document = Document(document.dialect, problems=(_TOO_MANY_CHECKS,))
            known = self._judged[id(document)] = judge_document(document, node)
        return known

    def _document(self, piece: Carried, entry: _Entry) -> Document:
        match piece:
            case Fragment():
                return self._read(piece)
            case Locator():
                return Document("", problems=(Problem(entry.skipped.message, piece.place),))
            case Profiles():
                raise NotImplementedError
            case _:
                return Document("", problems=(piece,))

    def _read(self, fragment: Fragment) -> Document:
        """Read each distinct piece once: large indexes repeat the same few sets."""
        if fragment not in self._documents:
            self._documents[fragment] = read(fragment)
        return self._documents[fragment]

    def _may_be_chosen(self, ranked: Ranked) -> bool:
        match ranked.verdict.truth:
            case Truth.YES:
                return True
            case Truth.UNKNOWN:
                return self._policy.unknown is Unknown.LAST
            case _:
                return False
