"""Which metadata belongs to which entry of an index, and what of it has still to be fetched.

Knows how pieces lead on to others, that artifacts in the index belong to other entries, and how much is fetched at
most. What the index vouches for and what only refers to it are kept apart, each with a limit of its own, so that nobody
outside can use up what is for the index. Leaves to ``session`` which entries are worth it and to the caller the
fetching.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from imagefit.errors import ContentInvalidError, InvalidDocumentError
from imagefit.formats.carriers import artifact_at, carried_by, follow, is_artifact, referrers_of, subject_of
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.model.oci import Descriptor
from imagefit.model.requirement import Problem

MAX_FETCHES: Final = 512
"""Most pieces of metadata that are fetched for one decision, and as many from referrers."""

_MAX_PIECES: Final = 16
_TOO_MANY_PIECES: Final = Problem(f"not read: more than {_MAX_PIECES} pieces of metadata for one entry")
_NOT_THERE: Final = Problem("an artifact of the index, which may be about this entry, was not fetched")

# What one locator costs at least, with what it leads to.
_COSTS: Final[Mapping[str, int]] = {"referrers": 1, "manifest": 2, "config": 1, "document": 1}


class Gathering:
    """The metadata of one index as far as it is there."""

    def __init__(self, digest: str, entries: Sequence[Descriptor], *, families: Collection[str] = ()) -> None:
        """Start with what the index itself carries.

        Args:
            digest: of the index.
            entries: those whose metadata is gathered, by whose numbers it is asked for: all of the index in its order,
                or, of those that the same metadata is about, one each.
            families: of which artifacts outside the index are looked for that refer to it or to its entries.
        """
        self._digest = digest
        self._entries = entries
        self._families = families
        self._pieces: list[tuple[Carried, ...]] = [carried_by(entry.platform) for entry in entries]
        self._leading_on = {number for number, pieces in enumerate(self._pieces) if _has_locator(pieces)}
        self._artifacts: dict[Locator, list[int]] = {}
        self._owners: dict[str, list[int]] = {}
        if any(map(is_artifact, entries)):
            self._find_artifacts()
        self._unread = set(self._artifacts)
        self._lost: Problem | None = None
        self._fetched: dict[Locator, tuple[Carried, ...]] = {}
        self._reserved: set[Locator] = set()
        self._spent = {False: 0, True: 0}
        for position, entry in enumerate(entries) if self._artifacts else ():
            if entry.data is not None and is_artifact(entry):
                self.supply(artifact_at(position, entry), _embedded(entry))

    @property
    def leading_on(self) -> list[int]:
        """The entries whose metadata may not all be there yet."""
        return sorted(self._leading_on)

    def missing(self, number: int) -> tuple[Locator, ...]:
        """Return what of an entry's metadata has still to be fetched."""
        return tuple(locators_in(self.pieces(number))) if number in self._leading_on else ()

    def artifacts(self) -> tuple[Locator, ...]:
        """Return the artifacts in the index that are wanted before anything else: they tell whose metadata they are."""
        wanted = tuple(one for one in self._artifacts if one in self._unread)
        return wanted if self.reserve(wanted) else ()

    def pieces(self, number: int) -> tuple[Carried, ...]:
        """Return an entry's pieces, each followed as far as what was supplied leads.

        An artifact that has not come might be about any entry, so each of them has that problem.
        """
        if number in self._leading_on:
            self._pieces[number] = tuple(self._followed(self._pieces[number]))
            if not _has_locator(self._pieces[number]):
                self._leading_on.discard(number)
        lost = self._lost or (_NOT_THERE if self._unread else None)
        return (*self._pieces[number], lost) if lost else self._pieces[number]

    def outside(self, number: int) -> tuple[Carried, ...]:
        """Return what refers to the index or to an entry of it, followed like ``pieces``; these do not have it."""
        subjects = (self._digest, self._entries[number].digest)
        return tuple(self._followed(referrers_of(subject) for subject in subjects))

    def reserve(self, locators: Iterable[Locator]) -> bool:
        """Take the cost of fetching these from the budget; False, and nothing taken, where it does not suffice.

        Args:
            locators: all of what the index vouches for, or all of what it does not.
        """
        fresh = {locator for locator in locators if locator not in self._reserved}
        is_outside = any(locator.is_outside for locator in fresh)
        cost = sum(_COSTS[locator.kind] for locator in fresh)
        if self._spent[is_outside] + cost > MAX_FETCHES:
            return False
        self._spent[is_outside] += cost
        self._reserved |= fresh
        return True

    def supply(self, locator: Locator, content: bytes | Problem) -> None:
        """Take what was fetched for one locator, or the reason why nothing came."""
        pieces = (content,) if isinstance(content, Problem) else follow(locator, content, self._families)
        self._fetched[locator] = pieces
        # A manifest's cost has its config in it; what else it leads to is paid for when it is wanted.
        self._reserved.update(next_one for next_one in locators_in(pieces) if next_one.kind == "config")
        if locator in self._artifacts:
            self._attach(locator, content)

    def _find_artifacts(self) -> None:
        """Note each artifact with the entry that it belongs to if it does not say otherwise: the last image before."""
        image: list[int] = []
        for position, entry in enumerate(self._entries):
            self._owners.setdefault(entry.digest, []).append(position)
            if is_artifact(entry):
                self._artifacts.setdefault(artifact_at(position, entry), []).extend(image)
            else:
                image = [position]

    def _attach(self, artifact: Locator, manifest: bytes | Problem) -> None:
        """Give an artifact to the entries that it belongs to, unless that cannot be told."""
        self._unread.discard(artifact)
        try:
            subject = manifest if isinstance(manifest, Problem) else subject_of(manifest)
        except InvalidDocumentError as error:
            subject = Problem(error.message, artifact.place)
        if isinstance(subject, Problem):
            self._lost = self._lost or Problem(f"an artifact of the index: {subject}")
            return
        for owner in self._owners.get(subject, ()) if subject else self._artifacts[artifact]:
            self._leading_on.add(owner)
            if len(self._pieces[owner]) < _MAX_PIECES:
                self._pieces[owner] += (artifact,)
            elif self._pieces[owner][-1] is not _TOO_MANY_PIECES:
                self._pieces[owner] += (_TOO_MANY_PIECES,)

    def _followed(self, pieces: Iterable[Carried]) -> Iterable[Carried]:
        for piece in pieces:
            match piece:
                case Locator() if piece in self._fetched:
                    yield from self._followed(self._fetched[piece])
                case Profiles():
                    yield Profiles(tuple(self._followed(piece.pieces)))
                case _:
                    yield piece


def _embedded(entry: Descriptor) -> bytes | Problem:
    try:
        return entry.embedded() or b""
    except ContentInvalidError as error:
        return Problem(error.message)


def _has_locator(pieces: Iterable[Carried]) -> bool:
    return any(not isinstance(piece, Fragment) for piece in pieces) and any(True for _ in locators_in(pieces))


def locators_in(pieces: Iterable[Carried]) -> Iterable[Locator]:
    """Yield what of some pieces has still to be fetched."""
    for piece in pieces:
        match piece:
            case Locator():
                yield piece
            case Profiles():
                yield from locators_in(piece.pieces)
            case _:
                pass
