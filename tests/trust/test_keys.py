"""A key is ECDSA P-256 or Ed25519, in a file that only root can have written; all else is refused with the reason."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.signing import Signer, ed25519, p256
from imagefit.errors import InvalidConfigurationError
from imagefit.model.glob import Glob
from imagefit.trust.keyring import Keyring
from imagefit.trust.keys import MAX_KEY_BYTES, MAX_KEYS, parse_key, read_keys
from imagefit.trust.rules import KeyRule, KeyRules

ROOT, SOMEBODY = 0, 1000


def public(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed448.Ed448PublicKey | x25519.X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("signer", [p256(), ed25519()], ids=["p256", "ed25519"])
def test_a_key_takes_its_own_signatures_of_the_same_message_only(signer: Signer) -> None:
    key, signature = parse_key(signer.pem, "k.pub"), signer.sign(b"message")
    assert key.verifies(signature, b"message")
    assert not key.verifies(signature, b"messagE")
    assert not key.verifies(signature, b"message ")
    assert not key.verifies(p256().sign(b"message"), b"message")
    assert not key.verifies(ed25519().sign(b"message"), b"message")


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\0",
        b"\x30\x00",
        b"\x30\x06\x02\x01\x00\x02\x01\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"A" * 64,
        b"\x30" * 256,
    ],
    ids=["empty", "zero", "no-numbers", "zeros", "endless", "text", "nested"],
)
@pytest.mark.parametrize("signer", [p256(), ed25519()], ids=["p256", "ed25519"])
def test_garbage_is_no_signature(signer: Signer, signature: bytes) -> None:
    assert not parse_key(signer.pem, "k.pub").verifies(signature, b"message")


def test_a_signature_with_something_behind_it_is_none() -> None:
    signer = p256()
    key, signature = parse_key(signer.pem, "k.pub"), signer.sign(b"message")
    assert not key.verifies(signature + b"\0", b"message")
    assert not key.verifies(signature[:-1], b"message")


def test_ed25519_signs_as_the_rfc_says() -> None:
    # RFC 8032, section 7.1, tests 2 and 3.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    for key, message, signature in (
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ):
        pem = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        assert parse_key(pem, "k.pub").verifies(bytes.fromhex(signature), bytes.fromhex(message))


PRIVATE = p256().key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
REFUSED = {
    "p384": (public(ec.generate_private_key(ec.SECP384R1()).public_key()), "ECDSA key on the curve secp384r1"),
    "secp256k1": (public(ec.generate_private_key(ec.SECP256K1()).public_key()), "ECDSA key on the curve secp256k1"),
    "rsa": (public(rsa.generate_private_key(65537, 2048).public_key()), "a key of kind RSA"),
    "ed448": (public(ed448.Ed448PrivateKey.generate().public_key()), "a key of kind Ed448"),
    "x25519": (public(x25519.X25519PrivateKey.generate().public_key()), "a key of kind X25519"),
    "private": (PRIVATE, "holds a private key"),
    "encrypted": (
        b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAA==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
        "holds a private key",
    ),
    "two": (p256().pem + p256().pem, "more than one key"),
    "certificate": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no public key in PEM form"),
    "der": (b"\x30\x59\x30\x13", "no public key in PEM form"),
    "no-base64": (b"-----BEGIN PUBLIC KEY-----\n\xff\xfe\n-----END PUBLIC KEY-----\n", "no public key in PEM form"),
    "asn1-garbage": (
        b"-----BEGIN PUBLIC KEY-----\nMIT/////AA==\n-----END PUBLIC KEY-----\n",
        "no public key in PEM form",
    ),
    "cut": (p256().pem[:-40], "no public key in PEM form"),
    "not-on-the-curve": (
        b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"
        + b"A" * 86
        + b"\n-----END PUBLIC KEY-----\n",
        "no public key in PEM form",
    ),
    "empty": (b"", "no public key in PEM form"),
    "huge": (p256().pem + b"\n" * MAX_KEY_BYTES, f"more than {MAX_KEY_BYTES} bytes"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_usable_key_is_refused_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "k.pub"
    file.write_bytes(content)
    read = read_keys(file)
    assert read.keys == ()
    assert [reason in problem.message for problem in read.problems] == [True], read.problems
    assert read.problems[0].message.startswith(str(file))


def test_a_folder_gives_each_key_and_each_bad_file_costs_only_itself(tmp_path: Path) -> None:
    for name in ("b.pub", "a.pem"):
        (tmp_path / name).write_bytes(p256().pem)
    (tmp_path / "bad.pub").write_text("x")
    (tmp_path / ".hidden.pub").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "pipe.pub").mkdir()
    read = read_keys(tmp_path)
    assert [key.name for key in read.keys] == [str(tmp_path / "a.pem"), str(tmp_path / "b.pub")]
    assert [problem.message.partition(" ")[0] for problem in read.problems] == [
        str(tmp_path / "bad.pub"),
        str(tmp_path / "pipe.pub"),
    ]


def test_keys_may_be_links_as_kubernetes_mounts_them(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "k.pub").write_bytes(p256().pem)
    (tmp_path / "k.pub").symlink_to("..data/k.pub")
    assert len(read_keys(tmp_path).keys) == 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda path: None, "No such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "has no file *.pem or *.pub", id="empty-folder"),
        pytest.param(os.mkfifo, "is no regular file", id="pipe"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    make(tmp_path / "k")
    [problem] = read_keys(tmp_path / "k").problems
    assert reason in problem.message


def test_a_folder_of_too_many_keys_gives_none(tmp_path: Path) -> None:
    for number in range(MAX_KEYS + 1):
        (tmp_path / f"{number}.pub").write_bytes(b"")
    [problem] = read_keys(tmp_path).problems
    assert problem.message == f"{tmp_path} has more than {MAX_KEYS} keys"


def test_root_reads_only_what_nobody_else_can_write(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(0o755)
    file = folder / "k.pub"
    file.write_bytes(p256().pem)
    file.chmod(0o644)
    own = os.geteuid() == ROOT
    assert len(read_keys(folder, SOMEBODY).keys) == 1
    assert len(read_keys(folder, ROOT).keys) == own
    for path, mode in ((file, 0o664), (file, 0o646), (folder, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert read_keys(folder, ROOT).keys == ()
        assert len(read_keys(folder, SOMEBODY).keys) == 1
        path.chmod(before)


@pytest.mark.skipif(os.geteuid() != ROOT, reason="only root can give files away")
def test_root_takes_no_key_of_somebody_else(tmp_path: Path) -> None:
    file = tmp_path / "k.pub"
    file.write_bytes(p256().pem)
    os.chown(file, SOMEBODY, SOMEBODY)
    [problem] = read_keys(file, ROOT).problems
    assert problem.message == f"{file} belongs to user {SOMEBODY}, not to root"


def test_a_name_shows_nothing_that_is_a_command_to_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "k\x1b[2J.pub"
    file.write_text("x")
    assert "\x1b" not in read_keys(file).problems[0].message


def test_the_first_rule_that_matches_decides_and_files_are_for_the_rest() -> None:
    rules = KeyRules(
        (KeyRule(Glob("example.org/hpc/*"), Path("/hpc")), KeyRule(Glob("example.org/*"), Path("/all"))),
        (Path("/a"), Path("/b")),
    )
    assert rules.sources("example.org/hpc/app") == (Path("/hpc"),)
    assert rules.sources("example.org/hpc") == (Path("/all"),)
    assert rules.sources("example.org:5000/hpc/app") == (Path("/a"), Path("/b"))
    assert KeyRules().sources("example.org/app") == ()


def test_keys_are_those_that_the_files_hold_now(tmp_path: Path) -> None:
    first, second, file = p256(), p256(), tmp_path / "k.pub"
    told: list[InvalidConfigurationError] = []
    ring = Keyring(KeyRules(files=(file,)), told.append)
    signature = second.sign(b"message")
    file.write_bytes(first.pem)
    assert [key.verifies(signature, b"message") for key in ring.keys_for("example.org/app")] == [False]
    file.write_bytes(second.pem)
    assert [key.verifies(signature, b"message") for key in ring.keys_for("example.org/app")] == [True]
    assert told == []
    file.write_text("x")
    assert ring.keys_for("example.org/app") == ring.keys_for("example.org/app") == ()
    assert [problem.message for problem in told] == [f"{file} holds no public key in PEM form"]
    file.write_bytes(first.pem)
    assert len(ring.keys_for("example.org/app")) == 1
    file.unlink()
    assert ring.keys_for("example.org/app") == ()
    assert len(told) == 2


def test_nothing_imports_the_library_before_a_key_is_read() -> None:
    program = (
        "import sys, imagefit.cli.main, imagefit.config, imagefit.trust.vouching\n"
        "imagefit.config.parse_config(b'[trust.referrers]\\nkeys = [\"/missing\"]\\n', 'c')\n"
        "assert not [name for name in sys.modules if name.startswith('cryptography')]\n"
    )
    subprocess.run((sys.executable, "-c", program), check=True)
