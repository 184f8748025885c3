"""Keys that are made for a test, and what cosign writes with them: payloads, statements, bundles."""

import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Json = dict[str, Any]

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
STATEMENT = "application/vnd.in-toto+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"


@dataclass(frozen=True, slots=True)
class Signer:
    """Somebody with a key."""

    key: EllipticCurvePrivateKey | Ed25519PrivateKey

    @property
    def pem(self) -> bytes:
        """The public key."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Return a signature, as cosign makes it."""
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ECDSA(SHA256()))


def p256() -> Signer:
    """Return somebody with a new ECDSA key."""
    return Signer(generate_private_key(SECP256R1()))


def ed25519() -> Signer:
    """Return somebody with a new Ed25519 key."""
    return Signer(Ed25519PrivateKey.generate())


def text(content: bytes) -> str:
    """Return base64."""
    return base64.b64encode(content).decode()


def payload_of(digest: str, kind: str = "cosign container image signature", name: str = "example.org/app") -> bytes:
    """Return what cosign signs under a tag."""
    critical = {"identity": {"docker-reference": name}, "image": {"docker-manifest-digest": digest}, "type": kind}
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def statement_of(digest: str, **changes: object) -> bytes:
    """Return what cosign signs in a bundle."""
    algorithm, _, value = digest.partition(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {algorithm: value}}],
        "predicateType": SIGN,
        "predicate": {},
    }
    return json.dumps(statement | changes).encode()


def envelope_bundle(signer: Signer, payload: bytes, kind: str = STATEMENT) -> Json:
    """Return a bundle with an envelope."""
    signed = b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)
    signatures = [{"sig": text(signer.sign(signed)), "keyid": ""}]
    return _bundle("dsseEnvelope", {"payload": text(payload), "payloadType": kind, "signatures": signatures})


def message_bundle(signer: Signer, message: bytes) -> Json:
    """Return a bundle with a signature of the message itself."""
    digest = {"algorithm": "SHA2_256", "digest": text(sha256(message).digest())}
    return _bundle("messageSignature", {"messageDigest": digest, "signature": text(signer.sign(message))})


def _bundle(name: str, content: Json) -> Json:
    material = {"publicKey": {"hint": "anything"}, "tlogEntries": [{"logIndex": "1"}]}
    return {"mediaType": BUNDLE, "verificationMaterial": material, name: content}
