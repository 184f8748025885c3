"""Public keys in PEM files.

Knows the kinds of keys (ECDSA P-256 with SHA-256 and signatures in DER; Ed25519), who may have written such a file, and
the library that does the arithmetic, which is imported with the first key: it costs 65 ms and 12 MiB, and most nodes
ask for no signatures. Leaves to ``keyring`` which keys are trusted, and to others what is signed. Keys are as ``cosign
generate-key-pair`` and ``openssl pkey -pubout`` write them (RFC 7468, section 13).
"""

import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagefit.errors import InvalidConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_KEYS: Final = 64
"""Most keys of one folder."""
MAX_KEY_BYTES: Final = 16 * 1024
"""Of one file."""
_SUFFIXES: Final = (".pem", ".pub")
_MAX_ENTRIES: Final = 4096
_ROOT_USER: Final = 0
_BEGIN: Final = b"-----BEGIN "
_CURVE: Final = "secp256r1"
_KINDS: Final = "only ECDSA P-256 and Ed25519 can be used"
_PARSED: Final = 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with.

    Attributes:
        name: the path of its file, in printable characters.
    """

    name: str
    key: "EllipticCurvePublicKey | Ed25519PublicKey" = field(repr=False)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is one of exactly this message by this key, whatever its bytes are."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self.key, EllipticCurvePublicKey):
                self.key.verify(signature, message, ECDSA(SHA256()))
            else:
                self.key.verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """The keys of one file or folder.

    Attributes:
        problems: what is wrong with files that give no key, and with the folder; each names its path.
    """

    keys: tuple[PublicKey, ...] = ()
    problems: tuple[InvalidConfigurationError, ...] = ()


def check_library() -> None:
    """Import what checks signatures.

    Raises:
        InvalidConfigurationError: it is not installed.
    """
    try:
        import cryptography.hazmat.primitives.serialization  # noqa: F401 - to see whether it is there
    except ImportError as error:
        raise InvalidConfigurationError(
            "the library that checks signatures is not installed", advice="install imagefit[signatures]"
        ) from error


def read_keys(source: Path, user: int | None = None) -> ReadKeys:
    """Read a file, or all ``*.pem`` and ``*.pub`` files of a folder; blocks on the disk.

    Args:
        source: a file or folder.
        user: whom this process runs as; None to ask. What root reads must be writable for root alone.
    """
    user = os.geteuid() if user is None else user
    try:
        files = _files(source, user)
    except (OSError, ValueError) as error:
        return ReadKeys(problems=(_unreadable(source, error),))
    except InvalidConfigurationError as error:
        return ReadKeys(problems=(error,))
    keys: list[PublicKey] = []
    problems: list[InvalidConfigurationError] = []
    for file in files:
        try:
            keys.append(parse_key(_content(file, user), _shown(file)))
        except (OSError, ValueError) as error:
            problems.append(_unreadable(file, error))
        except InvalidConfigurationError as error:
            problems.append(error)
    return ReadKeys(tuple(keys), tuple(problems))


@lru_cache(_PARSED)
def parse_key(content: bytes, name: str) -> PublicKey:
    """Read one public key.

    Args:
        content: PEM, at most ``MAX_KEY_BYTES``.
        name: what errors call it.

    Raises:
        InvalidConfigurationError: it is none, one of another kind, or more than one; or the library is missing.
    """
    check_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    _check_form(content, name)
    try:
        key = load_pem_public_key(content)
    except UnsupportedAlgorithm:
        raise InvalidConfigurationError(f"{name} holds a key of an unknown kind", advice=_KINDS) from None
    except ValueError:
        raise InvalidConfigurationError(f"{name} holds no public key in PEM form", advice=_KINDS) from None
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(name, key)
    if not isinstance(key, EllipticCurvePublicKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PublicKey")
        raise InvalidConfigurationError(f"{name} holds a key of kind {kind}", advice=_KINDS)
    if key.curve.name != _CURVE:
        raise InvalidConfigurationError(f"{name} holds an ECDSA key on the curve {key.curve.name}", advice=_KINDS)
    return PublicKey(name, key)


def _check_form(content: bytes, name: str) -> None:
    if len(content) > MAX_KEY_BYTES:
        raise InvalidConfigurationError(f"{name} has more than {MAX_KEY_BYTES} bytes")
    if b"PRIVATE KEY-----" in content:
        advice = "keep that one where things are signed; 'cosign public-key' gives the public one"
        raise InvalidConfigurationError(f"{name} holds a private key", advice=advice)
    if content.count(_BEGIN) > 1:
        raise InvalidConfigurationError(f"{name} holds more than one key", advice="write each into a file of its own")


def _files(source: Path, user: int) -> tuple[Path, ...]:
    if not source.is_dir():
        return (source,)
    wrong = _distrusted(source.stat(), user)
    if wrong:
        raise InvalidConfigurationError(f"{_shown(source)} {wrong}")
    names: list[str] = []
    with os.scandir(source) as entries:
        for seen, entry in enumerate(entries):
            if seen == _MAX_ENTRIES or len(names) > MAX_KEYS:
                break
            if entry.name.endswith(_SUFFIXES) and not entry.name.startswith("."):
                names.append(entry.name)
    if not names:
        raise InvalidConfigurationError(f"{_shown(source)} has no file *.pem or *.pub")
    if len(names) > MAX_KEYS:
        raise InvalidConfigurationError(f"{_shown(source)} has more than {MAX_KEYS} keys")
    return tuple(source / name for name in sorted(names))


def _content(path: Path, user: int) -> bytes:
    with open(path, "rb", opener=_opened) as file:
        status = os.fstat(file.fileno())
        wrong = _distrusted(status, user) if stat.S_ISREG(status.st_mode) else "is no regular file"
        if wrong:
            raise InvalidConfigurationError(f"{_shown(path)} {wrong}")
        return file.read(MAX_KEY_BYTES + 1)


def _opened(path: str, flags: int) -> int:
    """Open without blocking: a pipe of this name would have the reader wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _distrusted(status: os.stat_result, user: int) -> str:
    """Return why root must not take a key from there; empty where it may."""
    if user != _ROOT_USER:
        return ""
    if status.st_uid != _ROOT_USER:
        return f"belongs to user {status.st_uid}, not to root"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by others than its owner (mode {stat.S_IMODE(status.st_mode):o})"
    return ""


def _unreadable(path: Path, error: OSError | ValueError) -> InvalidConfigurationError:
    reason = getattr(error, "strerror", None) or error
    return InvalidConfigurationError(f"{_shown(path)} cannot be read: {reason}")


def _shown(path: Path) -> str:
    return "".join(character if character.isprintable() else "?" for character in str(path))
