"""An OCI image layout on disk as a registry: its indexes, blobs and what refers to them, without any network.

Knows the folder's form (``oci-layout``, ``index.json``, ``blobs/<algorithm>/<hex>``). Leaves digests to be checked to
who asked. Source: the OCI image specification (``image-layout.md``) and, for referrers, the OCI distribution
specification (section "Listing Referrers").
"""

import re
from collections.abc import Iterator
from contextlib import suppress
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
# The tag under which a registry without the referrers API lists what refers to a digest.
_FALLBACK_TAG: Final = re.compile(r"sha(?:256|384|512)-[0-9a-f]{64,128}")
_OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"


def is_layout(path: Path) -> bool:
    """Tell whether a folder is an image layout."""
    try:
        return (path / _MARK).is_file()
    except (OSError, ValueError):  # longer than any file name, or with a null character
        return False


class Layout:
    """One image layout."""

    def __init__(self, root: Path) -> None:
        """Read ``index.json``. Raises ``InvalidIndexError`` if it is none."""
        self._root = root
        content = read_file(root / "index.json", InvalidIndexError)
        self._top = parse_index(content, digest_of(content))
        self._named = {
            name: entry
            for entry in self._top.entries
            if (name := (entry.annotations or {}).get(_NAME, "")) and not _FALLBACK_TAG.fullmatch(name)
        }
        self._by_subject: dict[str, list[dict[str, object]]] | None = None

    def index(self, name: str) -> ImageIndex | None:
        """Return the image index of a name, or without one the only index that there is.

        Returns:
            None where the name stands for a single image.

        Raises:
            InvalidIndexError: there is nothing of that name, or without a name not exactly one index.
        """
        if name:
            chosen = self._named.get(name)
        else:
            indexes = [entry for entry in self._top.entries if self._is_index(entry)]
            if not indexes and not self._named:
                return self._top
            chosen = indexes[0] if len(indexes) == 1 else None
        if chosen is None:
            names = ", ".join(f"{self._root}:{known}" for known in sorted(self._named)) or "nothing in it has a name"
            wanted = f"nothing called {name!r}" if name else "not one index only"
            raise InvalidIndexError(f"{self._root} has {wanted}", advice=f"there are: {names}")
        if chosen.media_type not in INDEX_MEDIA_TYPES:
            return None
        content = self._blob(chosen.digest)
        check_content(content, chosen)
        return parse_index(content, chosen.digest)

    def fetch(self, locator: Locator) -> bytes:
        """Return the bytes of a locator; of referrers an index made from the layout. Raises ``ImagefitError``."""
        if locator.kind != "referrers":
            return self._blob(locator.digest)
        if self._by_subject is None:
            self._by_subject = self._referrers()
        found = self._by_subject.get(locator.digest, [])
        return msgspec.json.encode({"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": found})

    def _is_index(self, entry: Descriptor) -> bool:
        name = (entry.annotations or {}).get(_NAME, "")
        return entry.media_type in INDEX_MEDIA_TYPES and not _FALLBACK_TAG.fullmatch(name)

    def _blob(self, digest: str) -> bytes:
        algorithm, _, encoded = digest.partition(":")
        return read_file(self._root / "blobs" / algorithm / encoded, InvalidIndexError)

    def _referrers(self) -> dict[str, list[dict[str, object]]]:
        """Return what refers to what: manifests of the layout, and those that a fallback tag lists."""
        by_subject: dict[str, list[dict[str, object]]] = {}
        for entry in (*self._top.entries, *self._listed_by_fallback_tags()):
            if entry.media_type in MANIFEST_MEDIA_TYPES and (reference := self._reference(entry)):
                subject, referrer = reference
                known = by_subject.setdefault(subject, [])
                if referrer not in known:
                    known.append(referrer)
        return by_subject

    def _listed_by_fallback_tags(self) -> Iterator[Descriptor]:
        for entry in self._top.entries:
            if _FALLBACK_TAG.fullmatch((entry.annotations or {}).get(_NAME, "")):
                with suppress(ImagefitError):
                    yield from parse_index(self._blob(entry.digest), entry.digest).entries

    def _reference(self, entry: Descriptor) -> tuple[str, dict[str, object]] | None:
        """Return what an entry refers to, and itself as a referrer; None for any other, and for what cannot be read."""
        try:
            manifest = parse_manifest(self._blob(entry.digest))
        except ImagefitError:
            return None
        if manifest.subject is None:
            return None
        return manifest.subject.digest, {
            "mediaType": entry.media_type,
            "digest": entry.digest,
            "size": entry.size,
            "artifactType": manifest.artifact_type or manifest.config.media_type,
            "annotations": manifest.annotations or {},
        }
