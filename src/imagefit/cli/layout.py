"""An OCI image layout on disk as a registry: its indexes, blobs and what refers to them, without any network.

Knows the folder's form (``oci-layout``, ``index.json``, ``blobs/<algorithm>/<hex>``). Leaves digests to be checked to
who asked. Source: the OCI image specification (``image-layout.md``) and, for referrers, the OCI distribution
specification (section "Listing Referrers").
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from imagefit.cli.files import read_file
from imagefit.errors import ImagefitError, InvalidIndexError
from imagefit.formats.contract import Locator
from imagefit.model.oci import (
    INDEX_MEDIA_TYPES,
    MANIFEST_MEDIA_TYPES,
    Descriptor,
    ImageIndex,
    check_content,
    digest_of,
    parse_index,
    parse_manifest,
)

_MARK: Final = "oci-layout"
_NAME: Final = "org.opencontainers.image.ref.name"
_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"


def is_layout(path: Path) -> bool:
    """Tell whether a folder is an image layout."""
    return (path / _MARK).is_file()


class Layout:
    """One image layout."""

    def __init__(self, root: Path) -> None:
        """Read ``index.json``. Raises ``InvalidIndexError`` if it is none."""
        self._root = root
        content = read_file(root / "index.json", InvalidIndexError)
        self._top = parse_index(content, digest_of(content))

    def index(self, name: str) -> ImageIndex:
        """Return the image index of a name, or without one the only index that there is.

        Raises:
            InvalidIndexError: there is none of that name, or without a name not exactly one.
        """
        indexes = {
            (entry.annotations or {}).get(_NAME, entry.digest): entry
            for entry in self._top.entries
            if entry.media_type in INDEX_MEDIA_TYPES
        }
        if not indexes and not name:
            return self._top
        chosen = indexes.get(name) if name else next(iter(indexes.values())) if len(indexes) == 1 else None
        if chosen is None:
            advice = f"name one of them: {', '.join(f'{self._root}:{known}' for known in sorted(indexes))}"
            raise InvalidIndexError(f"{self._root} has {len(indexes)} indexes, none called {name!r}", advice=advice)
        content = self._blob(chosen.digest)
        check_content(content, chosen)
        return parse_index(content, chosen.digest)

    def fetch(self, locator: Locator) -> bytes:
        """Return the bytes of a locator; of referrers an index made from the layout. Raises ``ImagefitError``."""
        return self._referrers(locator.digest) if locator.kind == "referrers" else self._blob(locator.digest)

    def _blob(self, digest: str) -> bytes:
        algorithm, _, encoded = digest.partition(":")
        return read_file(self._root / "blobs" / algorithm / encoded, InvalidIndexError)

    def _referrers(self, subject: str) -> bytes:
        return msgspec.json.encode(
            {"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": list(self._referring(subject))}
        )

    def _referring(self, subject: str) -> Iterator[dict[str, object]]:
        for entry in self._top.entries:
            if entry.media_type in MANIFEST_MEDIA_TYPES and (found := self._reference(entry, subject)):
                yield found

    def _reference(self, entry: Descriptor, subject: str) -> dict[str, object] | None:
        """Return an entry as a referrer of ``subject``; None for any other, and for what cannot be read."""
        try:
            manifest = parse_manifest(self._blob(entry.digest))
        except ImagefitError:
            return None
        if manifest.subject is None or manifest.subject.digest != subject:
            return None
        return {
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": entry.size,
            "artifactType": manifest.artifact_type or manifest.config.media_type,
            "annotations": manifest.annotations or {},
        }
