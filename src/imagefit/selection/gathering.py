"""Which metadata belongs to which entry of an index, and what of it has still to be fetched.

Knows how pieces lead on to others, that artifacts in the index belong to other entries, and how much is fetched at
most. Leaves to ``session`` which entries are worth it and to the caller the fetching.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from imagefit.errors import ContentInvalidError, InvalidDocumentError
from imagefit.formats.carriers import artifact_at, carried_by, follow, is_artifact, referrers_of, subject_of
from imagefit.formats.contract import Carried, Locator, Profiles
from imagefit.model.oci import Descriptor, ImageIndex
from imagefit.model.requirement import Problem

MAX_FETCHES: Final = 512
"""Most pieces of metadata that are fetched for one decision."""

_MAX_PIECES: Final = 16
_TOO_MANY_PIECES: Final = Problem(f"not read: more than {_MAX_PIECES} pieces of metadata for one entry")
_NOT_THERE: Final = Problem("an artifact of the index, which may be about this entry, was not fetched")

# What one locator costs at least, with what it leads to.
_COSTS: Final[Mapping[str, int]] = {"referrers": 1, "manifest": 2, "config": 1, "document": 1}


class Gathering:
    """The metadata of one index as far as it is there."""

    def __init__(self, index: ImageIndex, *, referrers: bool) -> None:
        """Start with what the index itself carries.

        Args:
            index: whose entries' metadata is gathered.
            referrers: look for artifacts outside the index that refer to it or to its entries, too.
        """
        self._pieces: list[tuple[Carried, ...]] = [carried_by(entry.platform) for entry in index.entries]
        self._positions: dict[str, list[int]] = {}
        for position, entry in enumerate(index.entries):
            self._positions.setdefault(entry.digest, []).append(position)
        # Each artifact with the entry that it belongs to if it does not say otherwise: the last image before it.
        self._artifacts: dict[Locator, list[int]] = {}
        image: list[int] = []
        for position, entry in enumerate(index.entries):
            if is_artifact(entry):
                self._artifacts.setdefault(artifact_at(position, entry), []).extend(image)
            else:
                image = [position]
        self._unread = set(self._artifacts)
        self._lost: Problem | None = None
        self._fetched: dict[Locator, tuple[Carried, ...]] = {}
        self._reserved: set[Locator] = set()
        self._spent = 0
        for position, entry in enumerate(index.entries):
            if entry.data is not None and is_artifact(entry):
                self.supply(artifact_at(position, entry), _embedded(entry))
        if referrers:
            of_index = referrers_of(index.digest)
            self._pieces = [
                (*pieces, of_index, referrers_of(entry.digest))
                for pieces, entry in zip(self._pieces, index.entries, strict=True)
            ]

    def artifacts(self) -> tuple[Locator, ...]:
        """Return the artifacts in the index that are wanted before anything else: they tell whose metadata they are."""
        wanted = tuple(one for one in self._artifacts if one in self._unread)
        return wanted if self.reserve(wanted) else ()

    def pieces(self, position: int) -> tuple[Carried, ...]:
        """Return an entry's pieces, each followed as far as what was supplied leads.

        An artifact that has not come might be about any entry, so each of them has that problem.
        """
        self._pieces[position] = tuple(self._followed(self._pieces[position]))
        lost = self._lost or (_NOT_THERE if self._unread else None)
        return (*self._pieces[position], lost) if lost else self._pieces[position]

    def locators(self, position: int) -> tuple[Locator, ...]:
        """Return what of an entry has still to be fetched."""
        return tuple(_locators(self.pieces(position)))

    def reserve(self, locators: Iterable[Locator]) -> bool:
        """Take the cost of fetching these from the budget; False, and nothing taken, where it does not suffice."""
        fresh = {locator for locator in locators if locator not in self._reserved}
        cost = sum(_COSTS[locator.kind] for locator in fresh)
        if self._spent + cost > MAX_FETCHES:
            return False
        self._spent += cost
        self._reserved |= fresh
        return True

    def supply(self, locator: Locator, content: bytes | Problem) -> None:
        """Take what was fetched for one locator, or the reason why nothing came."""
        pieces = (content,) if isinstance(content, Problem) else follow(locator, content)
        self._fetched[locator] = pieces
        # A manifest's cost has its config in it; what else it leads to is paid for when it is wanted.
        self._reserved.update(next_one for next_one in _locators(pieces) if next_one.kind == "config")
        if locator in self._artifacts:
            self._attach(locator, content)

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
        for owner in self._positions.get(subject, ()) if subject else self._artifacts[artifact]:
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


def _locators(pieces: Iterable[Carried]) -> Iterable[Locator]:
    for piece in pieces:
        match piece:
            case Locator():
                yield piece
            case Profiles():
                yield from _locators(piece.pieces)
            case _:
                pass
