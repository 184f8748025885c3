"""Targets: signatures of cosign, sigstore bundles and public keys, read by a key that takes every signature."""

from collections.abc import Iterator
from typing import Final, cast

from fuzz.contract import Target, parts_of
from imagefit.errors import InvalidConfigurationError, InvalidDocumentError, InvalidSignatureError
from imagefit.model.oci import MAX_DOCUMENT_BYTES, Descriptor, parse_manifest
from imagefit.trust.bundle import MessageSignature, bundle_in, check_envelope, check_message, may_vouch, parse_bundle
from imagefit.trust.keys import MAX_KEY_BYTES, PublicKey, parse_key
from imagefit.trust.simple_signing import Signed, check_payload, signatures_in

_DIGEST: Final = "sha256:" + "a" * 64
_PAYLOAD: Final = Signed(Descriptor(_DIGEST, "", 0), "AAAA")


class _Gullible:
    """A key that made every signature."""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        return True


_KEYS: Final = (cast("PublicKey", _Gullible()),)


def _payload(content: bytes) -> None:
    check_payload(_PAYLOAD, content, _DIGEST, _KEYS)


def _manifest(content: bytes) -> None:
    manifest = parse_manifest(content)
    for signed in signatures_in(manifest):
        assert signed.signature
    for layer in manifest.layers or ():
        may_vouch(layer)
    bundle_in(manifest)


def _bundle(content: bytes) -> None:
    match parse_bundle(content):
        case MessageSignature() as message:
            check_message(message, b"manifest", _KEYS)
        case envelope:
            check_envelope(envelope, _DIGEST, _KEYS)


def _key(content: bytes) -> None:
    pem, signature = parts_of(content, 2)
    assert parse_key(pem, "key.pub").verifies(signature, b"message") in {True, False}


def targets() -> Iterator[Target]:
    """Yield the targets."""
    words = (b'"critical"', b'"image"', b'"docker-manifest-digest"', b'"type"', b"cosign container image signature")
    yield Target("cosign-payload", _payload, (InvalidSignatureError,), words, MAX_DOCUMENT_BYTES)
    types = (b"application/vnd.dev.cosign.simplesigning.v1+json", b"dev.cosignproject.cosign/signature", b'"layers"')
    errors = (InvalidDocumentError, InvalidSignatureError)
    yield Target("signed-manifest", _manifest, errors, (*types, b"application/vnd.dev.sigstore.bundle.v0.3+json"))
    words = (b'"dsseEnvelope"', b'"messageSignature"', b'"verificationMaterial"', b'"publicKey"', b'"payloadType"')
    yield Target("sigstore-bundle", _bundle, (InvalidSignatureError,), words, MAX_DOCUMENT_BYTES)
    pem = (b"-----BEGIN PUBLIC KEY-----\n", b"-----END PUBLIC KEY-----\n", b"\n===\n")
    yield Target("public-key", _key, (InvalidConfigurationError,), pem, MAX_KEY_BYTES)
