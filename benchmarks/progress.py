"""What is being measured, for a person who waits.

Knows that a terminal has one line for it, which is gone in the end, and that elsewhere every step is a line of its own.
"""

import sys
from typing import Self, TextIO

_ERASE_LINE = "\r\x1b[K"


class Progress:
    """Tells on standard error what is being done. To be used with ``with``."""

    def __init__(self, stream: TextIO | None = None, columns: int = 79) -> None:
        """Tell on ``stream`` (standard error), of which a terminal shows ``columns`` characters in a line."""
        self._stream = stream or sys.stderr
        self._columns = columns
        self._is_terminal = self._stream.isatty()

    def __enter__(self) -> Self:
        """Tell nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take away what a terminal shows."""
        self._show("")

    def tell(self, doing: str) -> None:
        """Tell what is being done now, in one line."""
        if self._is_terminal:
            self._show(doing)
        else:
            self.say(doing)

    def say(self, message: str) -> None:
        """Tell something that stays."""
        self._show("")
        print(message, file=self._stream, flush=True)

    def _show(self, line: str) -> None:
        if self._is_terminal:
            self._stream.write(_ERASE_LINE + line[: self._columns])
            self._stream.flush()
