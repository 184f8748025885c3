"""How a doctor's observations look on a terminal of any width.

Knows marks, colours and where lines fold. Leaves the words to what was seen.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.padding import Padding
from rich.text import Text

from imagefit.cli.doctor.observation import Observation, State, shown
from imagefit.cli.terminal import Terminal, plain

_STYLES: Final = {State.GOOD: "green", State.NOTE: "cyan", State.WARNING: "yellow", State.BROKEN: "bold red"}
_INDENT: Final = 9


def print_observations(observations: Iterable[Observation]) -> None:
    """Print observations on standard output, those of one host below its name."""
    console = Terminal()
    host = ""
    for one in observations:
        if one.host != host:
            console.print()
            host = one.host
            if host:
                console.print(plain(host, style="bold"))
        for line in _lines(one, console):
            console.print(line)


def _lines(one: Observation, console: Terminal) -> Iterator[Text | Padding]:
    first, *others = plain(f"{one.step}: {shown(one.what)}").wrap(console, max(console.width - _INDENT, 1))
    yield plain(f"{one.state:{_INDENT}}", style=_STYLES[one.state]) + first
    for line in others:
        yield Padding(line, (0, 0, 0, _INDENT), expand=False)
    for name, value in one.facts:
        yield Padding(plain(f"{shown(name)}: {shown(value)}", style="dim"), (0, 0, 0, _INDENT), expand=False)
    if one.advice:
        yield Padding(plain(f"→ {one.advice}"), (0, 0, 0, _INDENT), expand=False)
