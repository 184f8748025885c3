"""RE2 regular expressions: linear in the text whatever the author wrote, as Go's are.

Knows the limits of one pattern. Leaves to others what is matched. Source: github.com/google/re2 (``doc/syntax.txt``),
the syntax of Go's ``regexp`` that NFD compiles.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from imagefit.errors import InvalidDocumentError

MAX_CHARACTERS: Final = 1024
"""Most characters of one pattern."""
# Enough for some hundred words to choose from; a tenth of a second is lost on what needs more.
_MAX_MEMORY_BYTES: Final = 128 << 10


class _Pattern(Protocol):
    def search(self, text: bytes, /) -> object | None: ...


def check_pattern(text: str) -> None:
    """Find out whether a pattern can be matched.

    Raises:
        InvalidDocumentError: it is not RE2's syntax, longer than 1,024 characters, or too large.
    """
    _compiled(text)


def matches_any(patterns: Iterable[str], text: str) -> bool:
    """Tell whether one of the patterns, all of which have been checked, is found anywhere in a text."""
    content = text.encode(errors="replace")
    return any(_compiled(pattern).search(content) is not None for pattern in patterns)


@lru_cache(maxsize=256)
def _compiled(text: str) -> _Pattern:
    # Imported here: few documents have patterns, and the library takes memory that an idle daemon need not have.
    import re2

    if len(text) > MAX_CHARACTERS:
        raise InvalidDocumentError(f"a regular expression of {len(text)} characters, more than {MAX_CHARACTERS}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    # What a group matched is never asked for, and finding it costs far more than finding a match.
    options.never_capture = True
    try:
        pattern: _Pattern = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        raise InvalidDocumentError(f"{text[:80]!r} is not a regular expression: {reason}") from error
    return pattern
