"""Where metadata sits, and the way from there to its bytes.

Knows the rows of the carrier table: inline sets (proposal H) and descriptors (proposals I and J) below
``platform.compatibilities`` or ``platform.compat``, artifacts that refer to a manifest (proposals B, F, G, H, NFD,
compspec) as referrers or as further entries of the index, and embedded ``data``. Leaves to the dialects what the bytes
say, and to the session who fetches them. Sources: the proposals of the OCI image-compatibility working group; the OCI
distribution specification (section "Listing Referrers"); NFD ``pkg/client-nfd/compat/artifact-client``.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, assert_never

import msgspec

from imagefit.errors import ContentInvalidError, ImagefitError, InvalidDocumentError
from imagefit.formats.contract import Carried, Fragment, Locator, Profiles
from imagefit.model.oci import MANIFEST_MEDIA_TYPES, Descriptor, Manifest, Platform, parse_index, parse_manifest
from imagefit.model.reference import is_digest
from imagefit.model.requirement import Origin, Problem

_DOCUMENTS: Final = frozenset(
    {
        "application/vnd.oci.image.compatibilities.v1+json",
        "application/vnd.oci.image.compatibility.v1+json",
    }
)
# Of an artifact, each layer of these types is one document; its shape tells the dialect.
_LAYERS: Final = _DOCUMENTS | {
    "application/vnd.oci.image-compatibility.spec.v1+json",
    "application/vnd.oci.image-compatibility.nfd.v1alpha1+json",
    "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml",
    "application/vnd.k8s.nfd.image-compatibility.spec.v1+yaml",
    "application/org.compspec",
}
# Artifact type → its family; the newest artifact of a family is the one that counts.
_ARTIFACTS: Final[Mapping[str, str]] = {
    "application/vnd.oci.image-compatibility.v1": "oci",
    "application/vnd.nfd.image-compatibility.v1alpha1": "nfd",
    "application/vnd.k8s.nfd.image-compatibility.v1": "nfd",
    "application/org.compspec": "compspec",
}
FAMILIES: Final = tuple(dict.fromkeys(_ARTIFACTS.values()))
"""Every family of artifacts that there is."""
_CREATED: Final = ("org.opencontainers.image.created", "oci.opencontainers.image.created")
_LAYER_NAMES: Final = ("name", "org.opencontainers.image.title")
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)
_MAX_LAYERS: Final = 64
_DESCRIPTOR_DECODER: Final = msgspec.json.Decoder(Descriptor)


class _ConfigSets(msgspec.Struct):
    compatibilities: msgspec.Raw = msgspec.Raw()


class _Config(msgspec.Struct):
    config: _ConfigSets | None = None
    compatibilities: msgspec.Raw = msgspec.Raw()


_CONFIG_DECODER: Final = msgspec.json.Decoder(_Config)


def carried_by(platform: Platform | None) -> tuple[Carried, ...]:
    """Return what an entry's platform carries, in the order of the keys ``compatibilities`` and ``compat``."""
    if platform is None:
        return ()
    found: tuple[Carried, ...] = ()
    if raw := _present(platform.compatibilities):
        found += _at_key("platform.compatibilities", raw)
    if raw := _present(platform.compat):
        found += _at_key("platform.compat", raw)
    return found


def is_artifact(entry: Descriptor) -> bool:
    """Tell whether an entry of an index is no image but metadata about another entry."""
    return entry.artifact_type in _ARTIFACTS


def artifact_at(position: int, entry: Descriptor) -> Locator:
    """Return the way to the metadata in an entry of an index that is an artifact."""
    return Locator(entry.digest, entry.size, "manifest", f"manifests/{position}", entry.media_type)


def artifact_types(families: Collection[str]) -> frozenset[str]:
    """Return the artifact types of some families."""
    return frozenset(one for one, family in _ARTIFACTS.items() if family in families)


def newest_first(referrers: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
    """Return referrers by when they say that they were made; those that say it alike stay in their order."""
    return tuple(sorted(referrers, key=_created, reverse=True))


def referrers_of(digest: str) -> Locator:
    """Return the way to the artifacts that refer to a manifest or index."""
    return Locator(digest, 0, "referrers", f"referrers of {digest}")


def subject_of(manifest: bytes) -> str:
    """Return the digest of what an artifact's manifest says that it refers to; empty where it says nothing.

    Raises:
        InvalidDocumentError: it is no manifest.
    """
    subject = parse_manifest(manifest).subject
    return "" if subject is None else subject.digest


def follow(locator: Locator, content: bytes, families: Collection[str] = FAMILIES) -> tuple[Carried, ...]:
    """Return what fetched content leads to.

    Args:
        locator: what was asked for.
        content: the bytes that came, checked against it; of referrers an image index.
        families: of referrers, which artifacts are looked for.

    Returns:
        Pieces that must all hold: the metadata itself, the next locators, or problems. None where nothing refers.
    """
    try:
        match locator.kind:
            case "referrers":
                return _newest(locator, parse_index(content, locator.digest).entries, families)
            case "manifest":
                return _behind_manifest(locator, parse_manifest(content))
            case "config":
                return (_sets_of_config(content, locator),)
            case "document":
                return (Fragment(content, locator.place, locator.name, locator.origin),)
            case _:
                assert_never(locator.kind)
    except ImagefitError as error:
        place = error.place if isinstance(error, InvalidDocumentError) else ""
        return (Problem(error.message, f"{locator.place}{place}"),)


def _present(raw: msgspec.Raw) -> bytes:
    """Return the bytes of a field; empty where it is absent or null."""
    content = bytes(raw).strip()
    return b"" if content == b"null" else content


def _at_key(place: str, raw: bytes) -> tuple[Carried, ...]:
    if raw.startswith(b"["):
        return (Fragment(raw, place),)
    if not raw.startswith(b"{"):
        return (Problem("neither a list of sets nor a descriptor", place),)
    try:
        descriptor = _DESCRIPTOR_DECODER.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return (Problem(f"not a descriptor: {error}", place),)
    if descriptor.media_type in MANIFEST_MEDIA_TYPES:
        return _located(descriptor, "manifest", place)
    if descriptor.media_type in _DOCUMENTS:
        return _located(descriptor, "document", place)
    return (Problem(f"a descriptor of media type {descriptor.media_type[:100]!r}, which holds no sets", place),)


def _located(
    descriptor: Descriptor,
    kind: Literal["manifest", "config", "document"],
    place: str,
    *,
    name: str = "",
    origin: Origin | None = None,
) -> tuple[Carried, ...]:
    if not is_digest(descriptor.digest):
        return (Problem(f"not a digest: {descriptor.digest[:100]!r}", place),)
    locator = Locator(descriptor.digest, descriptor.size, kind, place, descriptor.media_type, name, origin)
    try:
        content = descriptor.embedded()
    except ContentInvalidError as error:
        return (Problem(error.message, place),)
    return (locator,) if content is None else follow(locator, content)


def _behind_manifest(locator: Locator, manifest: Manifest) -> tuple[Carried, ...]:
    """Return the documents in the layers of an artifact, or without layers what its config leads to."""
    place, origin = locator.place, locator.origin
    if origin and (manifest.subject is None or manifest.subject.digest != origin.subject):
        return (Problem(f"the artifact {locator.digest} does not refer to {origin.subject}", place),)
    layers = manifest.layers or ()
    if not layers:
        return _located(manifest.config, "config", f"config of {place}", origin=origin)
    if len(layers) > _MAX_LAYERS:
        return (Problem(f"{len(layers)} layers, more than {_MAX_LAYERS}", place),)
    profiles = [(number, layer) for number, layer in enumerate(layers) if layer.media_type in _LAYERS]
    if not profiles:
        return (Problem(f"no layer holds metadata; the first is a {layers[0].media_type[:100]!r}", place),)
    pieces = tuple(piece for number, layer in profiles for piece in _layer(layer, f"{place}/layers/{number}", origin))
    return pieces if len(pieces) == 1 else (Profiles(pieces),)


def _layer(layer: Descriptor, place: str, origin: Origin | None) -> tuple[Carried, ...]:
    annotations = layer.annotations or {}
    name = next((annotations[key] for key in _LAYER_NAMES if key in annotations), "")
    return _located(layer, "document", place, name=name, origin=origin)


def _newest(locator: Locator, referrers: Iterable[Descriptor], families: Collection[str]) -> tuple[Carried, ...]:
    """Return the way to the newest artifact of each family among those that refer to a manifest."""
    newest: dict[str, Descriptor] = {}
    for one in referrers:
        family = _ARTIFACTS.get(one.artifact_type, "")
        if family in families and (family not in newest or _created(one) > _created(newest[family])):
            newest[family] = one
    return tuple(
        piece
        for family, one in newest.items()
        for piece in _located(
            one, "manifest", f"referrer {one.digest}", origin=Origin(one.digest, family, locator.digest)
        )
    )


def _created(referrer: Descriptor) -> datetime:
    """Return when an artifact says that it was made; one that does not say so, or not readably, is the oldest."""
    annotations = referrer.annotations or {}
    text = next((annotations[key] for key in _CREATED if key in annotations), "")
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        return _OLDEST
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def _sets_of_config(content: bytes, locator: Locator) -> Carried:
    place = locator.place
    try:
        config = _CONFIG_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Problem(f"not an image config: {error}", place)
    if config.config and (inner := _present(config.config.compatibilities)):
        return Fragment(inner, f"{place}/config/compatibilities", locator.name, locator.origin)
    if outer := _present(config.compatibilities):
        return Fragment(outer, f"{place}/compatibilities", locator.name, locator.origin)
    return Problem("the config holds no compatibilities", place)
