"""How commands are parsed and how their help looks.

Knows that every help fits a screen of 80 by 24, and what a mistyped command may have meant. Leaves to ``arguments``
which commands there are.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

_WIDTH: Final = 80
_CHOICE: Final = r"invalid choice: '([^']*)'"


class _Help(argparse.HelpFormatter):
    """Help for 80 columns whose lines do not depend on the version of Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_WIDTH - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Fold a text, unless its lines are examples."""
        return text if "\n" in text else super()._fill_text(text, width, indent)

    def _format_action(self, action: argparse.Action) -> str:
        """Leave out the line of a list of commands that only says that it is one."""
        text = super()._format_action(action)
        return text.partition("\n")[2] if action.nargs == argparse.PARSER else text

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        return f"{', '.join(action.option_strings)} {action.metavar}"


class Command(NamedTuple):
    """One command.

    Attributes:
        name: empty for imagefit itself.
        about: a few words for the list of commands.
        description: one or two sentences.
        epilog: examples, or what is worth knowing in the end.
        operands: what the usage shows after the name.
    """

    name: str
    about: str
    description: str
    epilog: str = ""
    operands: str = "[OPTION ...]"

    def settings(self) -> dict[str, Any]:
        """Return what a parser is made with."""
        return {
            "prog": f"imagefit {self.name}".strip(),
            "usage": " ".join(part for part in ("imagefit", self.name, self.operands) if part),
            "description": self.description,
            "epilog": self.epilog,
            "formatter_class": _Help,
            "allow_abbrev": False,
        }


class Parser(argparse.ArgumentParser):
    """A parser that names what a mistyped command may have meant."""

    known: Mapping[str, argparse.ArgumentParser] = MappingProxyType({})

    def start(self, dest: str) -> None:
        """Make room for commands."""
        self._commands = self.add_subparsers(dest=dest, required=True, metavar=dest.upper(), title=f"{dest}s")
        self.known = self._commands.choices

    def add(self, command: Command) -> "Parser":
        """Add a command, which has its own help and takes ``--config``, too."""
        added = self._commands.add_parser(
            help=command.about, **{"name": command.name.rpartition(" ")[2], **command.settings()}
        )
        added.add_argument(
            "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="another configuration file"
        )
        return added

    def error(self, message: str) -> NoReturn:
        """End with the usage and what is wrong."""
        found = re.search(_CHOICE, message)
        if found and self.known:
            import difflib  # only for mistakes

            nearest = difflib.get_close_matches(found[1], self.known, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"there are {', '.join(self.known)}"
            message = f"there is no command '{found[1]}': {hint}"
        super().error(message)
