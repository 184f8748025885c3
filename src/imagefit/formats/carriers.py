"""Where metadata sits in an index, and the way from there to its bytes.

Knows the rows of the carrier table that lead from an index entry: inline sets (proposal H) and descriptors (proposals
I and J) below ``platform.compatibilities`` or ``platform.compat``, with or without embedded ``data``. Leaves to the
dialects what the bytes say, and to the session who fetches them.
"""

from typing import Literal, assert_never

import msgspec

from imagefit.errors import ContentInvalidError, InvalidDocumentError
from imagefit.formats.contract import Carried, Fragment, Locator
from imagefit.model.oci import MANIFEST_MEDIA_TYPES, Descriptor, Platform, parse_manifest
from imagefit.model.reference import is_digest
from imagefit.model.requirement import Problem

_KEYS = ("compatibilities", "compat")
_DOCUMENT_MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.compatibilities.v1+json",
        "application/vnd.oci.image.compatibility.v1+json",
    }
)
_DESCRIPTOR_DECODER = msgspec.json.Decoder(Descriptor)


class _ConfigSets(msgspec.Struct):
    compatibilities: msgspec.Raw = msgspec.Raw()


class _Config(msgspec.Struct):
    config: _ConfigSets | None = None
    compatibilities: msgspec.Raw = msgspec.Raw()


_CONFIG_DECODER = msgspec.json.Decoder(_Config)


def carried_by(platform: Platform | None) -> tuple[Carried, ...]:
    """Return what an entry's platform carries, in the order of the keys ``compatibilities`` and ``compat``."""
    if platform is None:
        return ()
    raws = ((key, _present(getattr(platform, key))) for key in _KEYS)
    return tuple(_at_key(f"platform.{key}", raw) for key, raw in raws if raw)


def follow(locator: Locator, content: bytes) -> Carried:
    """Return what fetched content leads to.

    Args:
        locator: what was asked for.
        content: the bytes that came, checked against it.

    Returns:
        The piece itself, the next locator (a manifest leads to its config), or a problem.
    """
    try:
        match locator.kind:
            case "manifest":
                config = parse_manifest(content).config
                return _located(config, "config", f"config of {locator.place}")
            case "config":
                return _sets_of_config(content, locator.place)
            case "document" | "referrers":
                return Fragment(content, locator.place)
            case _:
                assert_never(locator.kind)
    except InvalidDocumentError as error:
        return Problem(error.message, f"{locator.place}{error.place}")


def _present(raw: msgspec.Raw) -> bytes:
    """Return the bytes of a field; empty where it is absent or null."""
    content = bytes(raw).strip()
    return b"" if content == b"null" else content


def _at_key(place: str, raw: bytes) -> Carried:
    if raw.startswith(b"["):
        return Fragment(raw, place)
    if not raw.startswith(b"{"):
        return Problem("neither a list of sets nor a descriptor", place)
    try:
        descriptor = _DESCRIPTOR_DECODER.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Problem(f"not a descriptor: {error}", place)
    if descriptor.media_type in MANIFEST_MEDIA_TYPES:
        return _located(descriptor, "manifest", place)
    if descriptor.media_type in _DOCUMENT_MEDIA_TYPES:
        return _located(descriptor, "document", place)
    return Problem(f"a descriptor of media type {descriptor.media_type[:100]!r}, which holds no sets", place)


def _located(descriptor: Descriptor, kind: Literal["manifest", "config", "document"], place: str) -> Carried:
    if not is_digest(descriptor.digest):
        return Problem(f"not a digest: {descriptor.digest[:100]!r}", place)
    locator = Locator(descriptor.digest, descriptor.size, kind, place, descriptor.media_type)
    try:
        content = descriptor.embedded()
    except ContentInvalidError as error:
        return Problem(error.message, place)
    return locator if content is None else follow(locator, content)


def _sets_of_config(content: bytes, place: str) -> Carried:
    try:
        config = _CONFIG_DECODER.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return Problem(f"not an image config: {error}", place)
    if config.config and (inner := _present(config.config.compatibilities)):
        return Fragment(inner, f"{place}/config/compatibilities")
    if outer := _present(config.compatibilities):
        return Fragment(outer, f"{place}/compatibilities")
    return Problem("the config holds no compatibilities", place)
