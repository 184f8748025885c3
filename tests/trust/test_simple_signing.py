"""A payload of cosign vouches for the manifest that it names, if a trusted key signed exactly these bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.signing import SIGNATURE, SIMPLE_SIGNING, ed25519, p256, payload_of, text
from imagefit.errors import InvalidSignatureError
from imagefit.model.oci import Descriptor, Manifest
from imagefit.trust.keys import parse_key
from imagefit.trust.simple_signing import Signed, check_payload, signatures_in, tag_of

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
SIGNER, STRANGER = p256(), p256()
KEYS = (parse_key(ed25519().pem, "other.pub"), parse_key(SIGNER.pem, "k.pub"))
PAYLOAD = payload_of(DIGEST)
AT = Descriptor(OTHER, SIMPLE_SIGNING, len(PAYLOAD))


def signed(payload: bytes) -> Signed:
    return Signed(AT, text(SIGNER.sign(payload)))


def test_a_signature_that_cosign_made_is_good() -> None:
    # What `cosign sign` made of an image; the vector is that of sigstore-rs, src/cosign/signature_layers.rs.
    key = parse_key(
        b"-----BEGIN PUBLIC KEY-----\n"
        b"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELKhD7F5OKy77Z582Y6h0u1J3GNA+\n"
        b"kvUsh4eKpd1lwkDAzfFDs7yXEExsEkPPuiQJBelDT68n7PDIWB/QEY7mrA==\n"
        b"-----END PUBLIC KEY-----\n",
        "cosign.pub",
    )
    digest = "sha256:f3cfc9d0dbf931d3db4685ec659b7ac68e2a578219da4aae65427886e649b06b"
    payload = payload_of(digest, name="registry-testing.svc.lan/busybox")
    signature = "MEYCIQDWWxPQa3XFUsPbyTY+n+bZu/6Pwhg5WwyYDQtEfQho9wIhAPkKW7eub8b7BX+YbbRac8TwwIrK5KxvdtQ6NuoD+ivW"
    check_payload(Signed(AT, signature), payload, digest, [key])
    with pytest.raises(InvalidSignatureError, match="it is of 'sha256:f3cf"):
        check_payload(Signed(AT, signature), payload, DIGEST, [key])
    with pytest.raises(InvalidSignatureError, match="no key that is trusted"):
        check_payload(Signed(AT, signature), payload.replace(b"f3cf", b"f3cd"), digest, [key])


@pytest.mark.parametrize("signer", [p256(), ed25519()], ids=["p256", "ed25519"])
def test_a_payload_vouches_for_the_manifest_that_it_names(signer: object) -> None:
    assert isinstance(signer, type(SIGNER))
    key = parse_key(signer.pem, "k.pub")
    check_payload(Signed(AT, text(signer.sign(PAYLOAD))), PAYLOAD, DIGEST, [*KEYS, key])


def test_the_name_in_a_payload_does_not_matter() -> None:
    for name in ("", "example.org/app", "elsewhere.example/copy"):
        payload = payload_of(DIGEST, name=name)
        check_payload(signed(payload), payload, DIGEST, KEYS)


REFUSED = {
    "other-digest": (payload_of(OTHER), "it is of 'sha256:bbb"),
    "other-algorithm": (payload_of(f"sha512:{'a' * 128}"), "it is of 'sha512:aaa"),
    "other-type": (payload_of(DIGEST, kind="atomic container signature"), "is a 'atomic container signature'"),
    "no-json": (b"\xff", "no payload of cosign"),
    "empty": (b"", "no payload of cosign"),
    "no-critical": (b"{}", "no payload of cosign"),
    "digest-of-another-kind": (
        b'{"critical":{"image":{"docker-manifest-digest":1},"type":""}}',
        "no payload of cosign",
    ),
    "deep": (b"[" * 100_000, "no payload of cosign"),
    "statement": (b'{"_type":"https://in-toto.io/Statement/v1"}', "no payload of cosign"),
}


@pytest.mark.parametrize(("payload", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_payload_that_says_something_else_vouches_for_nothing(payload: bytes, reason: str) -> None:
    with pytest.raises(InvalidSignatureError, match=reason):
        check_payload(signed(payload), payload, DIGEST, KEYS)


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        pytest.param(text(STRANGER.sign(PAYLOAD)), "no key that is trusted", id="wrong-key"),
        pytest.param(text(SIGNER.sign(PAYLOAD))[:-8], "no key that is trusted", id="cut"),
        pytest.param(text(b"\x30\x84\xff\xff\xff\xff"), "no key that is trusted", id="asn1-garbage"),
        pytest.param(text(b"\0" * 300), "more than 256", id="huge"),
        pytest.param("x" * 5, "not base64", id="not-base64"),
        pytest.param("\u20ac", "not base64", id="not-ascii"),
    ],
)
def test_a_bad_signature_vouches_for_nothing(signature: str, reason: str) -> None:
    with pytest.raises(InvalidSignatureError, match=reason):
        check_payload(Signed(AT, signature), PAYLOAD, DIGEST, KEYS)


def test_without_keys_nothing_is_vouched_for() -> None:
    with pytest.raises(InvalidSignatureError, match="no key that is trusted"):
        check_payload(signed(PAYLOAD), PAYLOAD, DIGEST, ())


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_payload_of_which_one_byte_was_changed_vouches_for_nothing(at: int, change: int) -> None:
    changed = bytes([*PAYLOAD[:at], PAYLOAD[at] ^ change, *PAYLOAD[at + 1 :]])
    with pytest.raises(InvalidSignatureError):
        check_payload(signed(PAYLOAD), changed, DIGEST, KEYS)


def test_signatures_are_the_annotated_layers_of_their_kind_in_their_order() -> None:
    layers = (
        Descriptor(DIGEST, SIMPLE_SIGNING, 1, annotations={SIGNATURE: "one"}),
        Descriptor(DIGEST, "application/octet-stream", 1, annotations={SIGNATURE: "other kind"}),
        Descriptor(DIGEST, SIMPLE_SIGNING, 1),
        Descriptor(DIGEST, SIMPLE_SIGNING, 1, annotations={SIGNATURE: ""}),
        Descriptor(OTHER, SIMPLE_SIGNING, 1, annotations={SIGNATURE: "two"}),
    )
    found = signatures_in(Manifest(Descriptor(DIGEST), layers))
    assert [(one.payload.digest, one.signature) for one in found] == [(DIGEST, "one"), (OTHER, "two")]
    assert signatures_in(Manifest(Descriptor(DIGEST))) == ()


def test_the_tag_is_made_of_the_digest() -> None:
    assert tag_of(DIGEST) == f"sha256-{'a' * 64}.sig"
