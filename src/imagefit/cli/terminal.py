"""What the commands print: one console, text from elsewhere made harmless, and data as JSON or YAML.

Knows that whatever an index, a registry or a profile says may hold control characters, and that a reader may leave.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any, Final, NoReturn

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
        """Write to standard output as it is now; only a terminal gets colours, and none where NO_COLOR is set."""
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> NoReturn:
        """Pass the error on; rich would exit with 1, which here means no."""
        self.quiet = True
        raise BrokenPipeError


def plain(text: str, style: str = "") -> Text:
    """Return text in which nothing is a command, neither to a terminal nor to rich."""
    return Text(printable(text), style=style)


def print_data(data: dict[str, Any], form: str) -> None:
    """Print ``json`` or ``yaml``.

    Both in ASCII: a terminal must not obey what an author wrote, and file names need not be UTF-8.
    """
    text = json.dumps(data, indent=2)
    if form == "json":
        print(text)
        return
    import yaml  # only here, and it takes a while

    # Through JSON, so that both forms say the same and nothing in YAML is shared by a reference.
    print(yaml.safe_dump(json.loads(text), sort_keys=False, width=4096), end="")


def tell(message: str, advice: str = "") -> None:
    """Tell a person something on standard error, and what there is to do about it."""
    print(f"imagefit: {printable(message)}", file=sys.stderr)
    if advice:
        print(f"  {printable(advice)}", file=sys.stderr)
