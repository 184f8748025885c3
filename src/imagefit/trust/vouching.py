"""Which artifacts that refer to an image somebody with a trusted key vouches for.

Knows which artifacts are looked at, what a signed one must be, and that whatever goes wrong leaves it out. Leaves to
``keyring`` whom the operator trusts and to ``search`` the signatures.

A signature is of the artifact's manifest. What that refers to, its type and when it was made count as it says itself: a
registry that lists it otherwise could present what was signed for one image as metadata of another, or the older of two
as the newer. What a registry can do is leave one out.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from imagefit import telemetry
from imagefit.errors import ImagefitError, InvalidConfigurationError, InvalidDocumentError, InvalidSignatureError
from imagefit.formats.carriers import is_artifact, newest_first
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, Manifest, parse_manifest
from imagefit.model.reference import ImageReference
from imagefit.telemetry import metrics
from imagefit.trust.keyring import Keyring
from imagefit.trust.keys import PublicKey
from imagefit.trust.rules import KeyRules
from imagefit.trust.search import Result, Search
from imagefit.trust.source import Limited, Source

log = telemetry.part("config")

MAX_ARTIFACTS: Final = 16
"""Most artifacts of one image that are looked at."""
_AT_ONCE: Final = 4
_SHOWN_CHARACTERS: Final = 100


class Voucher:
    """Tells which artifacts are vouched for.

    Args:
        source: where artifacts and their signatures come from.
        keyring: whom the operator trusts.
    """

    def __init__(self, source: Source, keyring: Keyring) -> None:
        """Ask for nothing yet."""
        self._source = source
        self._keyring = keyring

    async def vouch(
        self, reference: ImageReference, subject: str, referrers: Sequence[Descriptor], auth: AuthConfig | None
    ) -> tuple[tuple[Descriptor, ...], tuple[str, ...]]:
        """Return the artifacts that a trusted key vouches for, and a note on each that is left out.

        What cannot be checked is left out. Raises nothing, short of being cancelled: time is the caller's.

        Args:
            reference: names the repository.
            subject: digest of what they refer to.
            referrers: all that refer to it. Of those that hold metadata the ``MAX_ARTIFACTS`` newest are looked at.
            auth: credentials of the pull that this is for.

        Returns:
            The artifacts, the newest first, each with type and annotations as its own manifest has them; and the notes.
        """
        artifacts = newest_first(one for one in referrers if is_artifact(one))
        if not artifacts:
            return (), ()
        looked_at, others = artifacts[:MAX_ARTIFACTS], artifacts[MAX_ARTIFACTS:]
        keys = await asyncio.to_thread(self._keyring.keys_for, reference.repository)
        look = _Look(Limited(self._source), reference, subject, auth, keys)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(look.at(one)) for one in looked_at]
        results = [task.result() for task in tasks]
        for _, result, _ in results:
            metrics.SIGNATURES.add(result=result)
        notes = [
            f"referrer {one.digest[:_SHOWN_CHARACTERS]} is left out: {why}"
            for one, result, why in results
            if result != "valid"
        ]
        if others:
            notes.append(f"{len(others)} older referrers are left out: no more than {MAX_ARTIFACTS} are looked at")
        return newest_first(one for one, result, _ in results if result == "valid"), tuple(notes)


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at the artifacts that refer to one image."""

    source: Source
    reference: ImageReference
    subject: str
    auth: AuthConfig | None
    keys: tuple[PublicKey, ...]
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def at(self, listed: Descriptor) -> tuple[Descriptor, Result, str]:
        """Return an artifact as its own manifest has it, and what came of it; without a manifest as it is listed."""
        if not self.keys:
            return listed, "no-key", f"no key is trusted for {self.reference.repository}"
        async with self.at_once:
            try:
                content = await self.source.fetch(self.reference, listed, self.auth, kind="manifests")
                manifest = parse_manifest(content)
            except (InvalidDocumentError, InvalidSignatureError) as error:
                return listed, "invalid", error.message
            except ImagefitError as error:
                return listed, "unavailable", f"it could not be had: {error.message}"
            descriptor = _as_signed(listed, manifest)
            if manifest.subject is None or manifest.subject.digest != self.subject:
                return descriptor, "invalid", f"it does not refer to {self.subject}"
            if not is_artifact(descriptor):
                kind = descriptor.artifact_type[:_SHOWN_CHARACTERS]
                return descriptor, "invalid", f"it holds no metadata but says that it is a {kind!r}"
            search = Search(self.source, self.reference, self.auth, descriptor.digest, content, self.keys)
            return descriptor, *await search.run()


def voucher(source: Source, rules: KeyRules) -> Voucher:
    """Return what tells which artifacts are vouched for.

    Args:
        source: where artifacts and their signatures come from.
        rules: whom the operator trusts, as the configuration has them.
    """
    return Voucher(source, Keyring(rules, _report))


def _as_signed(descriptor: Descriptor, manifest: Manifest) -> Descriptor:
    """Return a descriptor with what the registry adds to it replaced by what the manifest says."""
    artifact_type = manifest.artifact_type or manifest.config.media_type
    return msgspec.structs.replace(descriptor, artifact_type=artifact_type, annotations=manifest.annotations)


def _report(problem: InvalidConfigurationError) -> None:
    log.warning("key-left-out", error=problem)
