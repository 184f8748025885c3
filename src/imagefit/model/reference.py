"""Image references, read exactly as containerd's CRI plugin reads them.

Knows the grammar and the normal form of names. Leaves to others where a registry for a domain is found.
Implements ``ParseDockerRef`` of github.com/distribution/reference (containerd 1.6: its copy in ``reference/docker``),
which every CRI image call of containerd applies to the string it is given.
"""

import re
from collections.abc import Sequence

import msgspec

from imagefit.errors import InvalidReferenceError

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL_PREFIX = "library/"
_NAME_MAX_CHARACTERS = 255

_DOMAIN_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_DOMAIN_COMPONENT}(?:\.{_DOMAIN_COMPONENT})*|\[[a-fA-F0-9:]+\])"
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<domain>{_HOST}(?::[0-9]+)?)/(?P<path>{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_SHA256 = "sha256:"
_SHA256_CHARACTERS = len(_SHA256) + 64
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}")


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is a digest of an algorithm that OCI registers (sha256, sha384, sha512)."""
    return _DIGEST.fullmatch(text) is not None


def first_that_is_no_digest(texts: Sequence[str]) -> int | None:
    """Return the number of the first text that ``is_digest`` says no to, None where all are digests."""
    # What nearly every index has, all in one go: to ask ten thousand times takes longer than reading them.
    heads, rest = "".join([text[:7] for text in texts]), "".join([text[7:] for text in texts])
    are_long_enough = {len(text) for text in texts} <= {_SHA256_CHARACTERS}
    if are_long_enough and heads == _SHA256 * len(texts) and _is_hexadecimal(rest):
        return None
    return next((number for number, text in enumerate(texts) if not is_digest(text)), None)


def _is_hexadecimal(text: str) -> bool:
    return not text.encode("utf-8", "surrogatepass").translate(None, b"0123456789abcdef")


class ImageReference(msgspec.Struct, frozen=True):
    """One image name in containerd's normal form: it has a tag or a digest, never both.

    Attributes:
        domain: registry name with optional port, such as ``docker.io`` or ``[::1]:5000``.
        path: repository on that registry, such as ``library/nginx``.
        tag: the tag, or empty where the reference has a digest.
        digest: ``algorithm:hex``, or empty.
    """

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Domain and path, the part before tag or digest."""
        return f"{self.domain}/{self.path}"

    @property
    def target(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return self.digest or self.tag

    def at(self, digest: str) -> "ImageReference":
        """Return the reference of ``digest`` in the same repository."""
        return ImageReference(self.domain, self.path, digest=digest)

    def __str__(self) -> str:
        """Return the name that containerd keeps for this reference."""
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse_reference(text: str) -> ImageReference:
    """Read an image name as containerd's CRI plugin does.

    Args:
        text: what kubelet or a person wrote: ``nginx``, ``localhost/x``, ``host:5000/x:t@sha256:…``.

    Returns:
        The normal form: ``docker.io`` and ``library/`` filled in, ``latest`` where neither tag nor digest is given,
        and the tag dropped where both are.

    Raises:
        InvalidReferenceError: containerd would refuse this name.
    """
    if _IDENTIFIER.fullmatch(text):
        raise InvalidReferenceError(f"{_shown(text)} is an image ID, not an image name")
    domain, remainder = _split_domain(text)
    if (name := remainder.split(":", 1)[0]) != name.lower():
        raise InvalidReferenceError(f"{_shown(text)}: a repository name must be lower-case")
    found = _REFERENCE.fullmatch(f"{domain}/{remainder}")
    if found is None:
        raise InvalidReferenceError(
            f"{_shown(text)} is not an image name", advice="expected [host[:port]/]path[:tag][@digest]"
        )
    if len(found["domain"]) + 1 + len(found["path"]) > _NAME_MAX_CHARACTERS:
        raise InvalidReferenceError(f"{_shown(text)}: a repository name has at most {_NAME_MAX_CHARACTERS} characters")
    if found["digest"] and not is_digest(found["digest"]):
        raise InvalidReferenceError(f"{_shown(text)}: not a sha256, sha384 or sha512 digest")
    if found["digest"]:
        return ImageReference(found["domain"], found["path"], digest=found["digest"])
    return ImageReference(found["domain"], found["path"], tag=found["tag"] or DEFAULT_TAG)


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_path = not slash or (not set(".:") & set(first) and first != "localhost" and first == first.lower())
    domain, remainder = (DEFAULT_DOMAIN, text) if is_path else (first, rest)
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = _OFFICIAL_PREFIX + remainder
    return domain, remainder


def _shown(text: str) -> str:
    return repr(text if len(text) <= _NAME_MAX_CHARACTERS else text[:_NAME_MAX_CHARACTERS] + "…")
