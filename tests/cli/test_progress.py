"""What is seen while a registry is slow: on a terminal after a while and gone in the end, elsewhere one line."""

import asyncio
from io import StringIO

import pytest
from rich.console import Console

from imagefit.cli.progress import SHOWN_AFTER_SECONDS, Progress

NAME = "example.org/app:1"


def terminal(text: StringIO) -> Console:
    return Console(file=text, force_terminal=True, width=60, _environ={"TERM": "xterm"})


def looked_up(console: Console, after_seconds: float, *steps: str) -> str:
    """Return what is seen at the last step."""
    file = console.file
    assert isinstance(file, StringIO)

    async def look_up() -> str:
        with Progress(NAME, console, after_seconds) as progress:
            for _ in range(3):  # what is due at once happens
                await asyncio.sleep(0)
            for step in steps:
                progress.begun(step)
            progress._status._live.refresh()
            return file.getvalue()

    return asyncio.run(look_up())


def test_a_terminal_shows_what_is_done_once_it_takes_long() -> None:
    assert f"resolving {NAME}" in looked_up(terminal(StringIO()), 0)


STEPS = [
    pytest.param(("resolve",), f"resolving {NAME}", id="resolve"),
    pytest.param(("resolve", "index"), "reading the index", id="index"),
    pytest.param(("index", "metadata"), "reading the metadata of its entries", id="metadata"),
    pytest.param(("metadata", "judge"), "judging its entries", id="judge"),
    pytest.param(("a-step-of-tomorrow",), f"resolving {NAME}", id="unknown"),
]


@pytest.mark.parametrize(("steps", "seen"), STEPS)
def test_it_shows_the_last_step(steps: tuple[str, ...], seen: str) -> None:
    assert seen in looked_up(terminal(StringIO()), 0, *steps)


def test_it_shows_what_is_said_in_words() -> None:
    text = StringIO()

    async def look_up() -> str:
        with Progress(NAME, terminal(text), 0) as progress:
            for _ in range(3):
                await asyncio.sleep(0)
            progress.doing("asking \x1b[2Jmirror")
            progress._status._live.refresh()
            return text.getvalue()

    assert f"{NAME}: asking ?[2Jmirror" in asyncio.run(look_up())


def test_a_terminal_shows_nothing_of_what_is_fast() -> None:
    text = StringIO()
    seen = looked_up(terminal(text), 3600, "resolve", "index")
    assert NAME not in seen + text.getvalue()
    assert SHOWN_AFTER_SECONDS == 1


def test_in_the_end_the_line_is_gone() -> None:
    text = StringIO()
    looked_up(terminal(text), 0, "resolve")
    assert text.getvalue().endswith("\x1b[2K")  # erases the line
    assert "\x1b[?25h" in text.getvalue()  # and the cursor is back


DUMB = [
    pytest.param({"force_terminal": False}, id="no-terminal"),
    pytest.param({"force_terminal": True, "_environ": {"TERM": "dumb"}}, id="dumb-terminal"),
]


@pytest.mark.parametrize("settings", DUMB)
def test_elsewhere_one_line_says_it(settings: dict[str, object]) -> None:
    text = StringIO()
    looked_up(Console(file=text, width=20, **settings), 0, "resolve", "index", "metadata")  # type: ignore[arg-type]
    assert text.getvalue() == f"resolving {NAME} …\n"


def test_a_name_commands_no_terminal() -> None:
    text = StringIO()
    with Progress("\x1b[2J[bold]x", Console(file=text)):
        pass
    assert text.getvalue() == "resolving ?[2J[bold]x …\n"
