"""Where the signatures of one artifact are, and whether one of them is good.

Knows the two places that cosign keeps them in, a tag made of the digest and referrers that are bundles, and how many
are tried. Leaves to ``simple_signing`` and ``bundle`` what a signature is, and to ``source`` how much of it is taken.
Sources: cosign's ``specs/SIGNATURE_SPEC.md`` ("Tag-based Discovery") and ``specs/BUNDLE_SPEC.md`` ("Retrieval").
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from imagefit.errors import ContentMissingError, ImagefitError, InvalidDocumentError, InvalidSignatureError
from imagefit.formats.carriers import newest_first
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, Manifest, parse_index, parse_manifest
from imagefit.model.reference import ImageReference
from imagefit.trust.bundle import (
    MEDIA_TYPES,
    MessageSignature,
    bundle_in,
    check_envelope,
    check_message,
    may_vouch,
    parse_bundle,
)
from imagefit.trust.keys import PublicKey
from imagefit.trust.simple_signing import Signed, check_payload, signatures_in, tag_of
from imagefit.trust.source import Source

MAX_SIGNATURES: Final = 16
"""Most signatures of one artifact that are tried."""
_MAX_REASONS: Final = 3
_MAX_TAG: Final = 128

Attempt = Callable[[], Awaitable[None]]
"""Tries one signature; raises ``ImagefitError`` where it does not vouch, or cannot be had."""
Result = Literal["valid", "missing", "invalid", "unavailable", "no-key"]


@dataclass(slots=True)
class Search:
    """The search for a good signature of one artifact.

    Attributes:
        source: where signatures come from.
        reference: names the repository.
        auth: credentials of the pull that this is for.
        digest: of the artifact's manifest.
        manifest: its bytes, checked against that.
        keys: any of them will do.
        refused: why signatures do not vouch for it, so far.
        failed: why there may be signatures that were not found, so far.
        tried: how many signatures were, so far.
    """

    source: Source
    reference: ImageReference
    auth: AuthConfig | None
    digest: str
    manifest: bytes
    keys: tuple[PublicKey, ...]
    refused: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    tried: int = 0

    async def run(self) -> tuple[Result, str]:
        """Return what came of it and, unless a signature is good, why none is; raises nothing."""
        for look in (self._under_tag, self._attached):
            try:
                attempts = await look()
            except ContentMissingError:
                continue
            except ImagefitError as error:
                self._note(error)
                continue
            for attempt in attempts:
                if self.tried == MAX_SIGNATURES:
                    self.refused.append(f"no more than {MAX_SIGNATURES} are tried")
                    return self._outcome()
                self.tried += 1
                if await self._holds(attempt):
                    return "valid", ""
        return self._outcome()

    def _outcome(self) -> tuple[Result, str]:
        if not self.refused and not self.failed:
            return "missing", "it is not signed"
        reasons = "; ".join([*dict.fromkeys((*self.refused, *self.failed))][:_MAX_REASONS])
        if not self.refused:
            return "unavailable", f"its signatures could not be had: {reasons}"
        counts = {0: "nothing vouches", 1: "its signature does not vouch"}
        return "invalid", f"{counts.get(self.tried, f'none of its {self.tried} signatures vouches')} for it: {reasons}"

    async def _holds(self, attempt: Attempt) -> bool:
        """Tell whether a signature vouches for the artifact; the reason why not is kept."""
        try:
            await attempt()
        except ImagefitError as error:
            self._note(error)
            return False
        return True

    def _note(self, error: ImagefitError) -> None:
        (self.refused if isinstance(error, InvalidSignatureError) else self.failed).append(error.message)

    async def _under_tag(self) -> list[Attempt]:
        """Return the signatures that are kept under cosign's tag. Raises ``ImagefitError``."""
        tag = tag_of(self.digest)
        if len(tag) > _MAX_TAG:  # of a longer digest no tag can be made
            return []
        reference = ImageReference(self.reference.domain, self.reference.path, tag=tag)
        found = await self.source.resolve(reference, self.auth)
        manifest = await self._manifest(Descriptor(found.digest, found.media_type, found.size_bytes))
        return [partial(self._try_payload, signed) for signed in signatures_in(manifest)]

    async def _attached(self) -> list[Attempt]:
        """Return the bundles that refer to the artifact. Raises ``ImagefitError``."""
        content = await self.source.referrers(self.reference, self.digest, self.auth, MEDIA_TYPES)
        referrers = await asyncio.to_thread(parse_index, content, self.digest)
        bundles = [one for one in referrers.entries if one.artifact_type in MEDIA_TYPES and may_vouch(one)]
        return [partial(self._try_bundle, bundle) for bundle in newest_first(bundles)]

    async def _try_payload(self, signed: Signed) -> None:
        payload = await self._blob(signed.payload)
        await asyncio.to_thread(check_payload, signed, payload, self.digest, self.keys)

    async def _try_bundle(self, referrer: Descriptor) -> None:
        content = await self._blob(bundle_in(await self._manifest(referrer)))
        bundle = await asyncio.to_thread(parse_bundle, content)
        if isinstance(bundle, MessageSignature):
            await asyncio.to_thread(check_message, bundle, self.manifest, self.keys)
        else:
            await asyncio.to_thread(check_envelope, bundle, self.digest, self.keys)

    async def _manifest(self, descriptor: Descriptor) -> Manifest:
        content = await self.source.fetch(self.reference, descriptor, self.auth, kind="manifests")
        try:
            return await asyncio.to_thread(parse_manifest, content)
        except InvalidDocumentError as error:
            raise InvalidSignatureError(f"what holds it is {error.message}") from error

    async def _blob(self, descriptor: Descriptor) -> bytes:
        return await self.source.fetch(self.reference, descriptor, self.auth, kind="blobs")
