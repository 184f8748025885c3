"""A bundle vouches for a manifest if a trusted key signed its bytes, or a statement that says no more than 'signed'."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from harness.signing import (
    BUNDLE,
    STATEMENT,
    Json,
    Signer,
    ed25519,
    envelope_bundle,
    message_bundle,
    p256,
    statement_of,
    text,
)
from imagefit.errors import InvalidSignatureError
from imagefit.model.oci import Descriptor, Manifest, digest_of
from imagefit.trust.bundle import (
    Envelope,
    MessageSignature,
    bundle_in,
    check_envelope,
    check_message,
    may_vouch,
    parse_bundle,
)
from imagefit.trust.keys import PublicKey, parse_key

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = digest_of(MANIFEST)
OTHER = digest_of(b"other")
SIGNER, STRANGER = p256(), p256()
KEYS = (parse_key(ed25519().pem, "other.pub"), parse_key(SIGNER.pem, "k.pub"))


def check(bundle: Json, digest: str = DIGEST, manifest: bytes = MANIFEST, keys: tuple[PublicKey, ...] = KEYS) -> None:
    """Check a bundle as it came."""
    parsed = parse_bundle(json.dumps(bundle).encode())
    if isinstance(parsed, MessageSignature):
        check_message(parsed, manifest, keys)
    else:
        check_envelope(parsed, digest, keys)


def test_an_envelope_is_signed_as_the_protocol_says() -> None:
    # The test vector of DSSE 1.0, protocol.md. Its signature is r and s alone, where cosign writes them in DER.
    envelope = Envelope("http://example.com/HelloWorld", b"hello world", b"")
    assert envelope.signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    numbers = EllipticCurvePublicNumbers(
        46950820868899156662930047687818585632848591499744589407958293238635476079160,
        5640078356564379163099075877009565129882514886557779369047442380624545832820,
        SECP256R1(),
    )
    pem = numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = base64.b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    assert parse_key(pem, "k.pub").verifies(signature, envelope.signed)
    assert not parse_key(pem, "k.pub").verifies(raw, envelope.signed)


def test_lengths_in_what_is_signed_are_of_bytes() -> None:
    assert Envelope("é", b"\xff\xff\xff", b"").signed == b"DSSEv1 2 \xc3\xa9 3 \xff\xff\xff"


def test_a_bundle_that_sigstore_made_is_good() -> None:
    # The example of sigstore-go, docs/signing.md, which signs the bytes "hello world".
    key = parse_key(
        b"-----BEGIN PUBLIC KEY-----\n"
        b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY51jsbL5o8ge+FAcxpYjQeDEe1n5\n"
        b"WK+8DzwCkLLPJHISIvsiS93PTVDPpmbAASOl2Y4ZHqRsxb3aPMaQmN4sew==\n"
        b"-----END PUBLIC KEY-----\n",
        "k.pub",
    )
    bundle = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": "WpMWlwBZxXlzAjt/fxK4Nd9VYm7PH3cnr3TTVmdQ5SQ="}},
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="},
            "signature": (
                "MEUCIQDlK0ZyYsGeh1NC7MiAL+mT54jdQakhelpy5Vz5MmWEbgIgRn51DlDW6rgIY7KMUq+7sC8BjZYzh4QtmcPjJiF4RSA="
            ),
        },
    }
    check(bundle, manifest=b"hello world", keys=(key,))
    with pytest.raises(InvalidSignatureError, match="it is of sha256:b94d27b9"):
        check(bundle, manifest=b"hello World", keys=(key,))


@pytest.mark.parametrize("signer", [p256(), ed25519()], ids=["p256", "ed25519"])
def test_a_bundle_of_either_kind_vouches_for_its_manifest(signer: Signer) -> None:
    keys = (*KEYS, parse_key(signer.pem, "k.pub"))
    check(message_bundle(signer, MANIFEST), keys=keys)
    check(envelope_bundle(signer, statement_of(DIGEST)), keys=keys)


def with_(bundle: Json, path: str, value: object) -> Json:
    """Return a bundle with one value replaced; None takes it away."""
    copy: Json = json.loads(json.dumps(bundle))
    place: Any = copy
    *above, last = path.split("/")
    for step in above:
        place = place[int(step) if step.isdecimal() else step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


MESSAGE, STATED = message_bundle(SIGNER, MANIFEST), envelope_bundle(SIGNER, statement_of(DIGEST))
GOOD = {
    "v0.1": with_(MESSAGE, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"),
    "v0.2": with_(STATED, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"),
    "v0.3-as-a-parameter": with_(STATED, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.3"),
    "no-hint": with_(MESSAGE, "verificationMaterial/publicKey", {}),
    "no-message-digest": with_(MESSAGE, "messageSignature/messageDigest", None),
    "digest-of-another-algorithm": with_(
        MESSAGE, "messageSignature/messageDigest", {"algorithm": "SHA2_512", "digest": "AA=="}
    ),
    "unpadded": with_(MESSAGE, "messageSignature/signature", MESSAGE["messageSignature"]["signature"].rstrip("=")),
    "url-safe": with_(
        STATED,
        "dsseEnvelope/payload",
        base64.urlsafe_b64encode(base64.b64decode(STATED["dsseEnvelope"]["payload"])).decode(),
    ),
    "statement-v0.1": envelope_bundle(SIGNER, statement_of(DIGEST, _type="https://in-toto.io/Statement/v0.1")),
    "several-subjects": envelope_bundle(
        SIGNER,
        statement_of(
            DIGEST,
            subject=[{"digest": {"sha256": "0"}}, {"name": "x"}, {"digest": {"sha256": DIGEST.partition(":")[2]}}],
        ),
    ),
    "strange-fields": MESSAGE | {"more": 1},
}


@pytest.mark.parametrize("bundle", GOOD.values(), ids=GOOD.keys())
def test_a_bundle_of_any_version_is_read(bundle: Json) -> None:
    check(bundle)


def stated(**changes: object) -> Json:
    return envelope_bundle(SIGNER, statement_of(DIGEST, **changes))


REFUSED = {
    "wrong-key": (envelope_bundle(STRANGER, statement_of(DIGEST)), "no key that is trusted"),
    "wrong-key-of-a-message": (message_bundle(STRANGER, MANIFEST), "no key that is trusted"),
    "other-digest": (envelope_bundle(SIGNER, statement_of(OTHER)), "about something else"),
    "other-message": (message_bundle(SIGNER, b"other"), f"it is of {OTHER}"),
    "other-message-that-hides-it": (
        with_(message_bundle(SIGNER, b"other"), "messageSignature/messageDigest", None),
        "no key that is trusted",
    ),
    "digest-of-another-algorithm": (stated(subject=[{"digest": {"sha512": DIGEST[7:]}}]), "about something else"),
    "no-subject": (stated(subject=[]), "about something else"),
    "subject-without-digest": (stated(subject=[{"name": DIGEST}]), "about something else"),
    "provenance": (stated(predicateType="https://slsa.dev/provenance/v1"), "it states something else"),
    "statement-v2": (stated(_type="https://in-toto.io/Statement/v2"), "of an unknown version"),
    "no-statement": (envelope_bundle(SIGNER, b"[]"), "no statement of in-toto"),
    "other-payload-type": (
        envelope_bundle(SIGNER, statement_of(DIGEST), "application/json"),
        "its envelope holds a 'application/json'",
    ),
    "payload-type-changed": (
        with_(envelope_bundle(SIGNER, statement_of(DIGEST), "application/json"), "dsseEnvelope/payloadType", STATEMENT),
        "no key that is trusted",
    ),
    "payload-changed": (with_(STATED, "dsseEnvelope/payload", text(statement_of(OTHER))), "no key that is trusted"),
    "payload-signed-without-its-type": (
        with_(STATED, "dsseEnvelope/signatures", [{"sig": text(SIGNER.sign(statement_of(DIGEST)))}]),
        "no key that is trusted",
    ),
    "no-signature": (with_(STATED, "dsseEnvelope/signatures", []), "has 0 signatures"),
    "two-signatures": (
        with_(STATED, "dsseEnvelope/signatures", STATED["dsseEnvelope"]["signatures"] * 2),
        "has 2 signatures",
    ),
    "both-kinds": (STATED | MESSAGE, "one signature or one envelope"),
    "neither-kind": (with_(STATED, "dsseEnvelope", None), "one signature or one envelope"),
    "certificate": (
        with_(STATED, "verificationMaterial", {"certificate": {"rawBytes": "AA=="}}),
        "made with a certificate",
    ),
    "certificate-chain": (
        with_(STATED, "verificationMaterial", {"x509CertificateChain": {"certificates": []}}),
        "made with a certificate",
    ),
    "v0.4": (with_(STATED, "mediaType", BUNDLE.replace("0.3", "0.4")), "of an unknown version"),
    "no-media-type": (with_(STATED, "mediaType", None), "no sigstore bundle"),
    "not-base64": (with_(MESSAGE, "messageSignature/signature", "?"), "not base64"),
    "signature-of-another-kind": (with_(MESSAGE, "messageSignature/signature", 1), "no sigstore bundle"),
    "asn1-garbage": (with_(MESSAGE, "messageSignature/signature", text(b"\x30\x84\xff")), "no key that is trusted"),
    "huge-signature": (with_(MESSAGE, "messageSignature/signature", text(b"\0" * 300)), "more than 256"),
}


@pytest.mark.parametrize(("bundle", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_any_other_bundle_vouches_for_nothing(bundle: Json, reason: str) -> None:
    with pytest.raises(InvalidSignatureError, match=reason):
        check(bundle)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"[" * 100_000, b"null"], ids=["empty", "no-text", "list", "deep", "null"]
)
def test_what_is_no_bundle_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidSignatureError, match="no sigstore bundle"):
        parse_bundle(content)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    ),
    st.sampled_from(sorted(STATED) + sorted(MESSAGE)),
)
def test_nothing_that_stands_in_a_bundle_breaks_the_reader(value: object, key: str) -> None:
    with pytest.raises(InvalidSignatureError):
        check({**(MESSAGE if key in MESSAGE else STATED), key: value})


def test_a_bundle_is_the_only_layer_of_its_kind() -> None:
    layer, other = Descriptor(DIGEST, BUNDLE, 1), Descriptor(OTHER, "application/json", 1)
    assert bundle_in(Manifest(other, (other, layer))) is layer
    for layers in ((), (other,), (layer, layer)):
        with pytest.raises(InvalidSignatureError, match=r"\d bundles, not one"):
            bundle_in(Manifest(other, layers))
    with pytest.raises(InvalidSignatureError, match="0 bundles"):
        bundle_in(Manifest(other))


def test_a_bundle_that_says_that_it_states_something_else_is_not_fetched() -> None:
    says = "dev.sigstore.bundle.predicateType"
    assert may_vouch(Descriptor(DIGEST))
    assert may_vouch(Descriptor(DIGEST, annotations={says: "https://sigstore.dev/cosign/sign/v1"}))
    assert not may_vouch(Descriptor(DIGEST, annotations={says: "https://slsa.dev/provenance/v1"}))
