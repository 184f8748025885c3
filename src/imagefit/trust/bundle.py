"""Sigstore bundles that are made with a key: a signature of the manifest itself, or an envelope with a statement on it.

Knows their JSON. Leaves fetching to ``search``. Implements the sigstore bundle, versions 0.1 to 0.3
(``protos/sigstore_bundle.proto``), DSSE 1.0 (``protocol.md``), in-toto's Statement v1 and v0.1, and what ``cosign
sign`` writes with them. Bundles with certificates, which some authority must have issued, are refused; entries of
transparency logs and time stamps are not looked at, and neither are hints at the key, which nothing protects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from imagefit.errors import InvalidSignatureError
from imagefit.model.oci import Descriptor, Manifest
from imagefit.trust.keys import PublicKey
from imagefit.trust.signature import check_signed, decoded

PREDICATE_TYPE: Final = "https://sigstore.dev/cosign/sign/v1"
"""Of a statement that says no more than that it is signed; what any other says may be nothing good."""
_FAMILY: Final = "application/vnd.dev.sigstore.bundle"
MEDIA_TYPES: Final = frozenset({*(f"{_FAMILY}+json;version=0.{minor}" for minor in (1, 2, 3)), f"{_FAMILY}.v0.3+json"})
"""Of bundles, of the artifacts that hold them and of their layers."""
_STATEMENT: Final = "application/vnd.in-toto+json"
_STATEMENT_TYPES: Final = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
_SHA256: Final = "SHA2_256"


@dataclass(frozen=True, slots=True)
class MessageSignature:
    """A signature of the manifest's own bytes.

    Attributes:
        sha256: what the bundle says is the digest of these; empty where it does not say.
    """

    signature: bytes
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope with its one signature."""

    payload_type: str
    payload: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that are signed (PAE): type and payload, each after its length in bytes."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


class _Key(msgspec.Struct):
    hint: str = ""


class _Material(msgspec.Struct, rename="camel"):
    public_key: _Key | None = None


class _Digest(msgspec.Struct):
    algorithm: str = ""
    digest: str = ""


class _Message(msgspec.Struct, rename="camel"):
    signature: str
    message_digest: _Digest | None = None


class _Signature(msgspec.Struct):
    sig: str


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Bundle(msgspec.Struct, rename="camel"):
    media_type: str
    verification_material: _Material
    message_signature: _Message | None = None
    dsse_envelope: _Envelope | None = None


class _Subject(msgspec.Struct):
    digest: Mapping[str, str] = {}


class _Statement(msgspec.Struct, rename="camel"):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicate_type: str


_BUNDLE: Final = msgspec.json.Decoder(_Bundle)
_STATEMENT_DECODER: Final = msgspec.json.Decoder(_Statement)


def may_vouch(referrer: Descriptor) -> bool:
    """Tell whether a bundle may be a signature: not where its annotation says that it states something else."""
    return (referrer.annotations or {}).get(_PREDICATE, PREDICATE_TYPE) == PREDICATE_TYPE


def bundle_in(manifest: Manifest) -> Descriptor:
    """Return where the bundle of an artifact is: in its only layer of that kind.

    Raises:
        InvalidSignatureError: there is none, or more than one.
    """
    bundles = [layer for layer in manifest.layers or () if layer.media_type in MEDIA_TYPES]
    if len(bundles) != 1:
        raise InvalidSignatureError(f"its artifact has {len(bundles)} bundles, not one")
    return bundles[0]


def parse_bundle(content: bytes) -> MessageSignature | Envelope:
    """Read a bundle.

    Raises:
        InvalidSignatureError: it is none, of an unknown version, or made with a certificate.
    """
    try:
        bundle = _BUNDLE.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise InvalidSignatureError("it is no sigstore bundle") from None
    if bundle.media_type not in MEDIA_TYPES:
        raise InvalidSignatureError(f"it is a bundle of an unknown version: {bundle.media_type[:100]!r}")
    if bundle.verification_material.public_key is None:
        raise InvalidSignatureError("it is made with a certificate, not with a key")
    match bundle.message_signature, bundle.dsse_envelope:
        case _Message() as message, None:
            return _message(message)
        case None, _Envelope() as envelope:
            return _envelope(envelope)
        case _:
            raise InvalidSignatureError("its bundle does not hold one signature or one envelope")


def check_message(signed: MessageSignature, manifest: bytes, keys: Sequence[PublicKey]) -> None:
    """Check that a trusted key signed a manifest's bytes.

    Args:
        signed: the signature.
        manifest: those bytes, checked against the digest.
        keys: any of them will do.

    Raises:
        InvalidSignatureError: none did.
    """
    if signed.sha256 and signed.sha256 != sha256(manifest).digest():
        raise InvalidSignatureError(f"it is of sha256:{signed.sha256.hex()[:64]}")
    check_signed(signed.signature, manifest, keys)


def check_envelope(signed: Envelope, digest: str, keys: Sequence[PublicKey]) -> None:
    """Check that a trusted key states of a manifest that it is signed.

    Args:
        signed: the envelope.
        digest: of the manifest.
        keys: any of them will do.

    Raises:
        InvalidSignatureError: none does.
    """
    check_signed(signed.signature, signed.signed, keys)
    if signed.payload_type != _STATEMENT:
        raise InvalidSignatureError(f"its envelope holds a {signed.payload_type[:100]!r}")
    try:
        statement = _STATEMENT_DECODER.decode(signed.payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise InvalidSignatureError("its envelope holds no statement of in-toto") from None
    if statement.type not in _STATEMENT_TYPES:
        raise InvalidSignatureError(f"its statement is of an unknown version: {statement.type[:100]!r}")
    if statement.predicate_type != PREDICATE_TYPE:
        raise InvalidSignatureError(f"it states something else: {statement.predicate_type[:100]!r}")
    algorithm, _, value = digest.partition(":")
    if all(subject.digest.get(algorithm) != value for subject in statement.subject):
        raise InvalidSignatureError("its statement is about something else")


def _message(message: _Message) -> MessageSignature:
    said = message.message_digest
    digest = decoded(said.digest, "its digest") if said is not None and said.algorithm == _SHA256 else b""
    return MessageSignature(decoded(message.signature, "it"), digest)


def _envelope(envelope: _Envelope) -> Envelope:
    if len(envelope.signatures) != 1:
        raise InvalidSignatureError(f"its envelope has {len(envelope.signatures)} signatures, not one")
    payload = decoded(envelope.payload, "the payload of its envelope")
    return Envelope(envelope.payload_type, payload, decoded(envelope.signatures[0].sig, "it"))
