"""RE2 regular expressions: linear in the text whatever the author wrote, as Go's are.

Knows the limits of one pattern. Leaves to others what is matched. Source: github.com/google/re2 (``doc/syntax.txt``),
the syntax of Go's ``regexp`` that NFD compiles.
"""

from functools import lru_cache
from typing import Final, Protocol

from imagefit.errors import InvalidDocumentError

_MAX_CHARACTERS: Final = 1024
_MAX_MEMORY_BYTES: Final = 1 << 20


class Pattern(Protocol):
    """As much of a compiled pattern as is used."""

    def search(self, text: str, /) -> object | None:
        """Return something where the pattern matches anywhere in ``text``."""


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern.

    Raises:
        InvalidDocumentError: it is not RE2's syntax, longer than 1,024 characters, or would take more than 1 MiB.
    """
    # Imported here: few documents have patterns, and the library takes memory that an idle daemon need not have.
    import re2

    if len(text) > _MAX_CHARACTERS:
        raise InvalidDocumentError(f"a regular expression of {len(text)} characters, more than {_MAX_CHARACTERS}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY_BYTES
    try:
        pattern: Pattern = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else error
        raise InvalidDocumentError(f"{text[:80]!r} is not a regular expression: {reason}") from error
    return pattern
