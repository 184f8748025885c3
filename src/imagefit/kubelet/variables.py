"""Files of variables that systemd reads for a unit, with kubelet's flags in them.

Knows one variable on one line, quoted or not, and how a flag is put in and taken out. Leaves which file counts to
``units``. Source: systemd.exec(5), EnvironmentFile=.
"""

import re
import shlex
from typing import Final

from imagefit.errors import KubeletConfigurationError

_LINE: Final = re.compile(r"^[ \t]*([A-Za-z_][A-Za-z0-9_]*)=([^\r\n]*)$", re.MULTILINE)
# A value whose end is where it looks to be: quoted as a whole, or without any quote.
_SIMPLE: Final = re.compile(r"""^(["']?)([^"'\\`]*)\1[ \t]*$""")


class Variables:
    """The content of an environment file.

    Args:
        content: all bytes of the file.
        path: for messages.

    Raises:
        KubeletConfigurationError: it is not UTF-8, or a line goes on in the next one.
    """

    def __init__(self, content: bytes, path: str) -> None:
        """Read it."""
        self.path = path
        try:
            self._text = content.decode()
        except UnicodeDecodeError as error:
            raise self._refused("is not UTF-8") from error
        if re.search(r"\\\r?$", self._text, re.MULTILINE):
            raise self._refused("has a line that goes on in the next one")

    def all(self) -> dict[str, str]:
        """Return every variable, without the quotes; of one that stands twice the last."""
        return {found[1]: _unquoted(found[2]) for found in _LINE.finditer(self._text)}

    def with_flag(self, variable: str, flag: str) -> bytes:
        """Return the file with one more flag at the end of a variable.

        Raises:
            KubeletConfigurationError: the variable is not there once, in a way that is understood.
        """
        start, end = self._span(variable)
        before = self._text[start:end]
        space = " " if before and not before.endswith(" ") else ""
        return f"{self._text[:end]}{space}{flag}{self._text[end:]}".encode()

    def without_flag(self, variable: str, flag: str) -> bytes:
        """Return the file without a flag that is there once.

        Raises:
            KubeletConfigurationError: the variable, or the flag in it, is not there once.
        """
        start, end = self._span(variable)
        words = self._text[start:end].split(" ")
        if words.count(flag) != 1:
            raise self._refused(f"does not have {flag} once")
        words.remove(flag)
        return f"{self._text[:start]}{' '.join(words)}{self._text[end:]}".encode()

    def _span(self, variable: str) -> tuple[int, int]:
        """Return where the value of a variable begins and ends, quotes left out."""
        found = [one for one in _LINE.finditer(self._text) if one[1] == variable]
        simple = _SIMPLE.match(found[0][2]) if len(found) == 1 else None
        if simple is None:
            raise self._refused(f"does not have {variable} once, in a way that is understood")
        return found[0].start(2) + simple.start(2), found[0].start(2) + simple.start(2) + len(simple[2].rstrip())

    def _refused(self, why: str) -> KubeletConfigurationError:
        return KubeletConfigurationError(f"{self.path} {why}", advice="change it by hand, see docs/how-to/install.md")


def words_of(value: str) -> list[str]:
    """Return the words of flags, as a shell would split them."""
    try:
        return shlex.split(value)
    except ValueError:  # an odd quote
        return value.split()


def flag_of(words: list[str], name: str) -> str | None:
    """Return what the last flag of a name says, as ``--name=value`` or ``--name value``; None where there is none."""
    found = None
    for position, word in enumerate(words):
        if word == f"--{name}":
            found = next(iter(words[position + 1 : position + 2]), "")
        elif word.startswith(f"--{name}="):
            found = word.partition("=")[2]
    return found


def _unquoted(value: str) -> str:
    stripped = value.strip()
    return stripped[1:-1] if len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "\"'" else stripped
