"""One signature: its bytes, and whether one of some keys made it.

Knows base64 and the order of trying. Leaves to ``keys`` the arithmetic, and to ``simple_signing`` and ``bundle`` what
exactly is signed.
"""

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from imagefit.errors import InvalidSignatureError
from imagefit.trust.keys import PublicKey

MAX_SIGNATURE_BYTES: Final = 256
"""Of one signature; ECDSA P-256 in DER needs at most 72, Ed25519 64."""
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def decoded(text: str, what: str) -> bytes:
    """Return what base64 stands for, in the standard or the URL-safe alphabet, padded or not.

    DSSE (``protocol.md``) has verifiers take both alphabets, and protobuf's JSON leaves padding away at will.

    Raises:
        InvalidSignatureError: it is no base64; ``what`` says what should have been.
    """
    try:
        raw = text.encode("ascii").translate(_TO_STANDARD)
        return base64.b64decode(raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise InvalidSignatureError(f"{what} is not base64") from None


def check_signed(signature: bytes, message: bytes, keys: Iterable[PublicKey]) -> None:
    """Check that one of some keys signed exactly this message.

    Raises:
        InvalidSignatureError: none did.
    """
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise InvalidSignatureError(f"it has {len(signature)} bytes, more than {MAX_SIGNATURE_BYTES}")
    if not any(key.verifies(signature, message) for key in keys):
        raise InvalidSignatureError("no key that is trusted made it, or what it signs was changed")
