"""cosign's signatures of images: a payload in the layer of a manifest, the signature in the layer's annotation.

Knows where they are kept and what the payload says. Leaves fetching to ``search``. Implements cosign's
``specs/SIGNATURE_SPEC.md`` (storage, payload "Simple Signing"); as there, ``critical.identity.docker-reference`` is
ignored, so that a signature stays good in a copy or mirror: for which repositories a key is trusted, the operator says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from imagefit.errors import InvalidSignatureError
from imagefit.model.oci import Descriptor, Manifest
from imagefit.trust.keys import PublicKey
from imagefit.trust.signature import check_signed, decoded

_PAYLOAD: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
_SIGNATURE: Final = "dev.cosignproject.cosign/signature"
_TYPE: Final = "cosign container image signature"


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature of a manifest.

    Attributes:
        payload: where that is which was signed.
        signature: in base64.
    """

    payload: Descriptor
    signature: str


class _Image(msgspec.Struct):
    digest: str = msgspec.field(name="docker-manifest-digest")


class _Critical(msgspec.Struct):
    image: _Image
    type: str


class _Payload(msgspec.Struct):
    critical: _Critical


_DECODER: Final = msgspec.json.Decoder(_Payload)


def tag_of(digest: str) -> str:
    """Return the tag under which the signatures of a manifest are kept, in its own repository."""
    return f"{digest.replace(':', '-')}.sig"


def signatures_in(manifest: Manifest) -> tuple[Signed, ...]:
    """Return the signatures in a manifest, in its order; layers of other kinds are passed over."""
    layers = manifest.layers or ()
    annotated = [(layer, (layer.annotations or {}).get(_SIGNATURE, "")) for layer in layers]
    return tuple(Signed(layer, text) for layer, text in annotated if text and layer.media_type == _PAYLOAD)


def check_payload(signed: Signed, payload: bytes, digest: str, keys: Sequence[PublicKey]) -> None:
    """Check that a trusted key vouches for a manifest.

    Args:
        signed: the signature.
        payload: the bytes that came for it.
        digest: of the manifest.
        keys: any of them will do.

    Raises:
        InvalidSignatureError: none does.
    """
    check_signed(decoded(signed.signature, "it"), payload, keys)
    try:
        critical = _DECODER.decode(payload).critical
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise InvalidSignatureError("what it signs is no payload of cosign") from None
    if critical.type != _TYPE:
        raise InvalidSignatureError(f"what it signs is a {critical.type[:100]!r}")
    if critical.image.digest != digest:
        raise InvalidSignatureError(f"it is of {critical.image.digest[:100]!r}")
