"""Patterns that operators write for names: ``*`` stands for any characters, ``/`` too, and ``?`` for one.

Knows nothing else: brackets are ordinary characters, since names have them (``[::1]:5000/app``). Matching takes linear
time whatever the pattern, since the text may come from an image author.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import force_setattr

_COMPILED_PATTERNS = 1024
_WILDCARDS: Final = frozenset("*?")


class Glob(msgspec.Struct, frozen=True):
    """One pattern; case counts.

    Attributes:
        text: as it is written.
        compiled: the same for ``re``; follows from the text, once: a thousand rules are tried on every pull.
    """

    text: str
    compiled: re.Pattern[str] = re.compile("")

    def __post_init__(self) -> None:
        """Compile the pattern."""
        force_setattr(self, "compiled", _compiled(self.text))

    def matches(self, text: str) -> bool:
        """Tell whether the pattern stands for the whole of ``text``."""
        return self.compiled.fullmatch(text) is not None

    @property
    def is_exact(self) -> bool:
        """Whether it stands for one text only, its own."""
        return not _WILDCARDS & set(self.text)

    def __str__(self) -> str:
        """Return the pattern as it is written."""
        return self.text


@lru_cache(_COMPILED_PATTERNS)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *rest = ["".join("." if one == "?" else re.escape(one) for one in part) for part in pattern.split("*")]
    if not rest:
        return re.compile(first, re.DOTALL)
    # An atomic group per part: the first place where a part fits is as good as any later one, so none is tried twice.
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle if part) + f".*{last}", re.DOTALL)


ANYTHING: Final = Glob("*")
"""Matches every text, the empty one too."""
