"""What a person sees on standard error while a registry is slow.

Knows when it is worth showing: on a terminal what is being done, once it takes more than a second, gone in the end;
elsewhere, where it stays, one line.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

from rich.console import Console

from imagefit.cli.terminal import plain

SHOWN_AFTER_SECONDS: Final = 1.0
_STEPS: Final = {
    "index": "reading the index",
    "node": "looking at this node",
    "metadata": "reading the metadata of its entries",
    "judge": "judging its entries",
}


class Progress:
    """One look-up. To be used with ``with`` inside an event loop."""

    def __init__(
        self,
        name: str,
        console: Console | None = None,
        after_seconds: float = SHOWN_AFTER_SECONDS,
        doing: str = "resolving",
    ) -> None:
        """Show the look-up of ``name``.

        Args:
            name: of the image.
            console: where to; standard error by default.
            after_seconds: from when on a terminal shows it.
            doing: what is done with the image, in a word.
        """
        self._name = name
        self._whole = f"{doing} {name} …"
        self._console = console or Console(stderr=True, highlight=False)
        self._after_seconds = after_seconds
        self._status = self._console.status(plain(self._whole))
        self._timer: asyncio.TimerHandle | None = None

    def begun(self, step: str) -> None:
        """Show that a step has begun, by its name among the steps of a decision."""
        self._status.update(plain(f"{self._name}: {_STEPS[step]} …" if step in _STEPS else self._whole))

    def doing(self, what: str) -> None:
        """Show what is done now, in words."""
        self._status.update(plain(f"{self._name}: {what} …"))

    def __enter__(self) -> Self:
        """Say what is done, or set out to."""
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._timer = asyncio.get_running_loop().call_later(self._after_seconds, self._status.start)
        else:
            self._console.print(plain(self._whole), soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take away what is on the terminal."""
        if self._timer is not None:
            self._timer.cancel()
            self._status.stop()
