"""Takes what looks like a credential out of text: the second line of defence.

Knows the shapes that secrets have wherever they turn up. The first line is that values that hold secrets do not show
them; this one is for texts of others: an error of a library, a URL that a registry sent. A secret without a shape of
its own, such as a password in the middle of a sentence, cannot be known here.
"""

import re
from functools import cache
from typing import Final

REDACTED: Final = "REDACTED"
_MAX_CHARACTERS: Final = 16 * 1024

# What a sentence would not say: a capital or a digit that does not begin the word.
_RANDOM: Final = r"(?=[\w+/.~-]+?(?-i:[A-Z0-9=+/]))"
# A word without the quotes and brackets around it.
_WORD: Final = r"[^\s&\"']+?(?=[,;)\]}]{0,4}(?:[\s&\"']|\Z))"
_PASSWORDS: Final = r"(?:password|passwd|passphrase|pwd)"
_SECRETS: Final = r"(?:secret|token|\bauth|credential|signature|\bsig|(?:api|access|private|account|shared)[_-]?key)"
_BRANDS: Final = (
    r"(?:(?:gh[opsu]|github_pat)_\w{20,}|(?:glpat-|dckr_[op]at_|ya29\.|xox[a-z]-)[\w-]{12,}|(?-i:A[KS]IA[A-Z0-9]{16}))"
)
_NAME_ENDS: Final = r"(?:\\{0,4}[\"'])?\s?"

# PEM (RFC 7468), also with line ends that were escaped before. Looked for first: a key has spaces and line ends in it.
_KEY: Final = r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----).*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)"
# The named group of each is what stays before the mark; each also ends where the text was cut.
_SHAPES: Final = (
    # Headers that hold credentials (RFC 9110, 11.6.2; RFC 6265), with the scheme if they say one.
    r"(?P<header>\b(?:authorization|cookie)\\?[\"']?\s?[:=]\s?\\?[\"']?)(?:[\w-]{1,30}[ ]+)?" + _WORD,
    # The same without the header's name.
    rf"(?P<scheme>\b(?:basic|bearer|negotiate)\s+){_RANDOM}{_WORD}",
    # Userinfo of a URL (RFC 3986, 3.2.1); a name alone may be a token too.
    r"(?P<userinfo>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/?#\"']{1,2048}(?=@)",
    # JSON in base64: JSON Web Tokens, ECR's passwords, Docker's configuration; also as ECR's user and password.
    r"(?P<json>)(?-i:eyJ|QVdTOmV5)[\w+/-]{12,}(?:\.[\w-]*)*={0,2}",
    # Tokens that say whose they are: GitHub, GitLab, Docker Hub, Slack, AWS, Google.
    rf"(?P<brand>)\b{_BRANDS}",
    # A name that says secret, then a value: in quotes, after "=", or one that no sentence would have.
    rf"(?P<quoted>(?:{_PASSWORDS}|{_SECRETS}){_NAME_ENDS}[:=]\s?\\{{0,4}}(?P<quote>[\"']))(?:\\.|(?!(?P=quote)).)*",
    rf"(?P<assigned>(?:{_PASSWORDS}{_NAME_ENDS}[:=]|{_SECRETS}{_NAME_ENDS}=)\s?){_WORD}",
    rf"(?P<said>{_SECRETS}{_NAME_ENDS}:\s?){_RANDOM}{_WORD}",
)
# Of each shape something that it cannot do without, in lower case: a text without any of them holds no credential, and
# to find that out takes a fiftieth of the time. In ASCII only: IGNORECASE takes a few other letters for those.
_SIGNS: Final = (
    *("-----begin", "auth", "cookie", "basic", "bearer", "negotiate", "://", "eyj", "qvdtomv5"),
    *("gho_", "ghp_", "ghs_", "ghu_", "github_pat_", "glpat-", "dckr_", "ya29.", "xox", "akia", "asia"),
    *("passw", "passphrase", "pwd", "secret", "token", "credential", "sig", "key"),
)


def redacted(text: str) -> str:
    """Return a text with ``REDACTED`` in the place of everything that looks like a credential.

    Args:
        text: any; what comes after its first 16 Ki characters is left out.
    """
    if text.isascii() and not _may_hold_one(text[:_MAX_CHARACTERS].lower()):
        return text[:_MAX_CHARACTERS]
    key, credential = _patterns()
    return credential.sub(_without, key.sub(rf"\1{REDACTED}", text[:_MAX_CHARACTERS]))


def _may_hold_one(lower: str) -> bool:
    return any(sign in lower for sign in _SIGNS)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what finds private keys and what finds all else, compiled for the first text: it takes milliseconds."""
    shapes = "|".join(f"(?:{shape})" for shape in _SHAPES)
    return re.compile(_KEY, re.DOTALL), re.compile(shapes, re.IGNORECASE | re.DOTALL)


def _without(found: re.Match[str]) -> str:
    return f"{found.group(found.lastgroup or 0)}{REDACTED}"
