"""The metadata of one decision, fetched piece by piece.

Knows how much of it is fetched at most and until when, which referrers are of interest, and that what did not come is a
problem and no error. Leaves to ``selection`` what is wanted, to ``registry`` where it comes from, and to whoever
vouches which referrers are signed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from imagefit.errors import ImagefitError
from imagefit.formats.carriers import FAMILIES, artifact_types, newest_first
from imagefit.formats.contract import Locator
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, parse_index
from imagefit.model.policy import Policy
from imagefit.model.reference import ImageReference
from imagefit.model.requirement import Problem
from imagefit.registry.client import Kind
from imagefit.registry.referrers import list_of
from imagefit.registry.time_limit import time_limit
from imagefit.selection.wording import cut

_FETCHES_AT_ONCE: Final = 8
_MEBIBYTE: Final = 1024 * 1024
MAX_METADATA_BYTES: Final = 32 * _MEBIBYTE
"""Most bytes of metadata that are fetched for one decision."""
MAX_OUTSIDE_BYTES: Final = 8 * _MEBIBYTE
"""Most bytes from referrers that are fetched besides; the lists of them count."""
MAX_NOTES: Final = 32
_MAX_NOTE_CHARACTERS: Final = 300
_NOBODY_VOUCHES: Final = "referrers are left out: signatures are required, and there is nobody to check them"

Vouch = Callable[
    [ImageReference, str, tuple[Descriptor, ...], AuthConfig | None],
    Awaitable[tuple[tuple[Descriptor, ...], tuple[str, ...]]],
]
"""Takes the repository, the digest that artifacts refer to, these (newest first) and the pull's credentials; returns
those that a trusted key has signed, and a note on each that is left out."""


class Source(Protocol):
    """What metadata needs of a registry client."""

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: Kind
    ) -> bytes:
        """Return content, checked against its descriptor."""

    async def referrers(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: frozenset[str]
    ) -> bytes:
        """Return an image index of what refers to a digest; empty ``artifact_types`` for all."""


@dataclass(slots=True)
class _Amount:
    """What has come of one kind of metadata, and how much may."""

    limit_bytes: int
    size_bytes: int = 0


class Metadata:
    """Fetches for one decision; nothing of it raises, short of being cancelled.

    Attributes:
        notes: on referrers that were left out, at most ``MAX_NOTES``.
    """

    def __init__(
        self,
        source: Source,
        reference: ImageReference,
        auth: AuthConfig | None,
        policy: Policy,
        until: float,
        vouch: Vouch | None = None,
    ) -> None:
        """Fetch nothing yet.

        Args:
            source: where from.
            reference: of the index that was resolved.
            auth: the credentials of the pull.
            policy: of the pull.
            until: by the event loop's clock; what comes later is left out.
            vouch: checks signatures; without it no referrer is believed where the policy requires them.
        """
        self._source = source
        self._reference = reference
        self._auth = auth
        self._policy = policy
        self._until = until
        self._vouch = vouch
        self._at_once = asyncio.Semaphore(_FETCHES_AT_ONCE)
        # Apart, so that nobody outside can use up what is for the index.
        self._amounts = {False: _Amount(MAX_METADATA_BYTES), True: _Amount(MAX_OUTSIDE_BYTES)}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in the order in which it was met, each once."""
        return tuple(self._notes)

    async def fetch(self, locator: Locator) -> bytes | Problem:
        """Return one piece of metadata, or why it is not there; that costs its own entry and never the decision."""
        amount = self._amounts[locator.is_outside]
        try:
            async with time_limit(self._until), self._at_once:
                if amount.size_bytes >= amount.limit_bytes:
                    return Problem(f"not read: over {amount.limit_bytes // _MEBIBYTE} MiB of metadata", locator.place)
                content = await self._fetched(locator)
        except TimeoutError:
            return Problem("not read: it did not come in time", locator.place)
        except ImagefitError as error:
            return Problem(f"not read: {error.message}", locator.place)
        amount.size_bytes += len(content)
        return content

    async def _fetched(self, locator: Locator) -> bytes:
        if locator.kind == "referrers":
            return await self._referrers(locator.digest)
        kind: Kind = "manifests" if locator.kind == "manifest" else "blobs"
        return await self._source.fetch(self._reference, locator.descriptor, self._auth, kind=kind)

    async def _referrers(self, subject: str) -> bytes:
        types = artifact_types(self._policy.dialects or FAMILIES)
        content = await self._source.referrers(self._reference, subject, self._auth, types)
        if not self._policy.require_signature:
            return content
        # Before the newest is looked for: one that nobody signed must not stand before one that is signed.
        found = newest_first(parse_index(content, subject).entries)
        kept = await self._vouched_for(subject, found) if found else ()
        return list_of(kept)

    async def _vouched_for(self, subject: str, found: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
        if self._vouch is None:
            self._note(_NOBODY_VOUCHES)
            return ()
        kept, notes = await self._vouch(self._reference, subject, found, self._auth)
        for note in notes:
            self._note(note)
        return kept

    def _note(self, note: str) -> None:
        if len(self._notes) < MAX_NOTES:
            self._notes.setdefault(cut(note, _MAX_NOTE_CHARACTERS))
