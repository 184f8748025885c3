"""What systemd starts kubelet with.

Knows where units and their drop-ins stand, which of them count, and how variables are put into a command line. Leaves
what the flags mean to ``layout``. Source: systemd.unit(5), systemd.service(5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from imagefit.kubelet.tree import Tree
from imagefit.kubelet.variables import Variables, words_of

_FOLDERS: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_PREFIXES: Final = "-@:+!"
_WHOLE: Final = re.compile(r"^\$([A-Za-z_][A-Za-z0-9_]*)$")
_WITHIN: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Unit:
    """One service.

    Attributes:
        files: the unit and its drop-ins, in the order in which they count.
        words: its command line with all variables put in; empty where there is none.
        used: the names of the variables that the command line has.
        environment_files: those that it reads variables from, in order; some may not be there.
    """

    files: tuple[str, ...]
    words: tuple[str, ...]
    used: tuple[str, ...]
    environment_files: tuple[str, ...]

    @property
    def config(self) -> str:
        """Its file, for messages."""
        return self.files[0]


def read_unit(tree: Tree, name: str) -> Unit | None:
    """Return a service; None where no unit of that name is installed.

    Raises:
        ImagefitError: a file cannot be read or understood.
    """
    main = next((f"{folder}/{name}" for folder in _FOLDERS if tree.exists(f"{folder}/{name}")), None)
    if main is None:
        return None
    files = (main, *_drop_ins(tree, name))
    settings = [pair for path in files for pair in _settings(tree.read(path) or b"")]
    commands = _since_reset(settings, "ExecStart")
    environment_files = tuple(one.removeprefix("-") for one in _since_reset(settings, "EnvironmentFile"))
    variables: dict[str, str] = {}
    for one in _since_reset(settings, "Environment"):
        variables |= dict(word.partition("=")[::2] for word in words_of(one))
    for path in environment_files:
        variables |= Variables(tree.read(path) or b"", path).all()
    command = words_of(commands[-1].lstrip(_PREFIXES)) if commands else []
    used = tuple(found[1] or found[2] for found in re.finditer(r"\$(?:\{(\w+)\}|(\w+))", " ".join(command)))
    return Unit(files, tuple(_expanded(command, variables)), used, environment_files)


def _drop_ins(tree: Tree, name: str) -> list[str]:
    found: dict[str, str] = {}
    for folder in reversed(_FOLDERS):
        found |= {one: f"{folder}/{name}.d/{one}" for one in tree.names(f"{folder}/{name}.d") if one.endswith(".conf")}
    return [found[one] for one in sorted(found)]


def _settings(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the settings of the section of services."""
    section = ""
    for line in content.decode(errors="replace").replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif section == "[Service]" and "=" in stripped and stripped[0] not in "#;":
            key, _, value = stripped.partition("=")
            yield key.strip(), value.strip()


def _since_reset(settings: list[tuple[str, str]], key: str) -> list[str]:
    """Return the values of a key since it was last set to nothing."""
    values: list[str] = []
    for name, value in settings:
        if name == key:
            values = [*values, value] if value else []
    return values


def _expanded(words: list[str], variables: dict[str, str]) -> Iterator[str]:
    for word in words:
        if whole := _WHOLE.match(word):
            yield from words_of(variables.get(whole[1], ""))
        else:
            yield _WITHIN.sub(lambda found: variables.get(found[1], ""), word)
