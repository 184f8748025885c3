"""What the commands print for a person: one console, and text from elsewhere made harmless.

Knows that whatever an index, a registry or a profile says may hold control characters, and that a reader may leave.
"""

from collections.abc import Mapping
from typing import Final, NoReturn

from rich.console import Console
from rich.text import Text

from imagefit.model.truth import Truth
from imagefit.selection.explain import printable

EXIT: Final[Mapping[Truth, int]] = {Truth.YES: 0, Truth.NO: 1, Truth.UNKNOWN: 3}
"""The exit code that says a truth."""
STYLES: Final[Mapping[Truth, str]] = {Truth.YES: "green", Truth.NO: "red", Truth.UNKNOWN: "yellow"}
"""Its colour."""


class Terminal(Console):
    """A console that leaves a reader who has gone to ``main``, as ``print`` does."""

    def __init__(self) -> None:
        """Write to standard output as it is now; only a terminal gets colours."""
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on; rich would exit with 1, which here means no."""
        self.quiet = True
        raise BrokenPipeError


def plain(text: str, style: str = "") -> Text:
    """Return text in which nothing is a command, neither to a terminal nor to rich."""
    return Text(printable(text), style=style)
