"""The files that the configuration is read from: ``config.toml``, and then ``config.d/*.toml`` in the order of names.

Knows where they are, who may have written them and how much of them is read. Leaves what they say to ``reading``.
"""

import errno
import os
import re
import stat
import tomllib
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

DEFAULT_PATH: Final = Path("/etc/imagefit/config.toml")
MAX_FILES: Final = 64
"""Most files in the folder."""
MAX_BYTES: Final = 256 * 1024
"""Of one file."""
# The TOML library's time for one dotted name grows with the square of its parts.
MAX_DOTS: Final = 2200
"""In one line; the longest values can stand in one."""
_SUFFIX: Final = ".toml"
_MAX_ENTRIES: Final = 4096
_ROOT_USER: Final = 0
_AT_END: Final = " (at end of document)"
_PLACE: Final = r" \(at line (\d+), column (\d+)\)$"


class Fault(msgspec.Struct, frozen=True):
    """What is wrong, and where.

    Attributes:
        file: the path, in printable characters.
        message: what is wrong with it, in one sentence.
        advice: what the operator can do about it.
        line: from 1; None for the file as a whole, and where it is not known.
    """

    file: str
    message: str
    advice: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Return the place and the message."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}"


class Source(msgspec.Struct, frozen=True):
    """One file that is TOML.

    Attributes:
        file: the path, in printable characters.
    """

    file: str
    text: str
    data: dict[str, Any]


def folder_of(path: Path) -> Path:
    """Return the folder whose files are read after the main file: ``config.d`` beside ``config.toml``."""
    return Path(f"{str(path).removesuffix(_SUFFIX)}.d")


def config_files(path: Path | None) -> tuple[Path, ...]:
    """Return the files that are looked at, in the order in which they are read.

    Args:
        path: the main file, which need not exist, or None for the default one.

    Returns:
        The main file, and of the folder at most one more than may be read; without it where it cannot be listed.
    """
    main = path or DEFAULT_PATH
    try:
        return (main, *_listed(folder_of(main)))
    except (OSError, ValueError):
        return (main,)


def signature(path: Path | None) -> Hashable:
    """Return what changes whenever one of the files does, comes or goes; never raises.

    Args:
        path: the main file, or None for the default one.
    """
    main, *others = config_files(path)
    return tuple((str(file), _stamp(file)) for file in (main, folder_of(main), *others))


def read_sources(path: Path | None, user: int | None = None) -> tuple[Source | Fault, ...]:
    """Read all files.

    Args:
        path: the main file, or None for the default one, which need not exist.
        user: whom this process runs as; None to ask. What root reads must be writable for root alone.

    Returns:
        Each file in order, or what is wrong with it where it is no TOML that may be read.
    """
    main = path or DEFAULT_PATH
    user = os.geteuid() if user is None else user
    found: list[Source | Fault] = [*_distrusted_folders(main, user)]
    if is_there(main):
        found.append(_source(main, user))
    elif path is not None:
        found.append(Fault(shown_path(main), "does not exist"))
    try:
        listed = _listed(folder_of(main))
    except (OSError, ValueError) as error:
        listed = ()
        found.append(_unreadable(folder_of(main), error))
    if len(listed) > MAX_FILES:
        found.append(Fault(shown_path(folder_of(main)), f"has more than {MAX_FILES} files"))
    return (*found, *(_source(file, user) for file in listed[:MAX_FILES]))


def parse_source(content: bytes, file: str) -> Source | Fault:
    """Return what a file says, or what is wrong with it as TOML.

    Args:
        content: at most ``MAX_BYTES`` of it are taken.
        file: what errors call it.
    """
    if len(content) > MAX_BYTES:
        return Fault(file, f"has more than {MAX_BYTES} bytes")
    dotted = next((at for at, line in enumerate(content.split(b"\n"), 1) if line.count(b".") > MAX_DOTS), None)
    if dotted is not None:
        return Fault(file, f"has a line with more than {MAX_DOTS} dots", line=dotted)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return Fault(file, "not UTF-8", line=content.count(b"\n", 0, error.start) + 1)
    try:
        return Source(file, text, tomllib.loads(text))
    except RecursionError:
        return Fault(file, "nested too deeply")
    except ValueError as error:  # TOML's own, and Python's for a number of thousands of digits
        return _syntax_fault(file, str(error), text)


def _syntax_fault(file: str, message: str, text: str) -> Fault:
    if message.endswith(_AT_END):
        return Fault(file, message, line=text.count("\n") + 1)
    place = re.search(_PLACE, message)
    return Fault(file, re.sub(_PLACE, r" (column \2)", message), line=int(place[1]) if place else None)


def shown_path(path: Path) -> str:
    """Return a path in which nothing is a command to a terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(path))


def is_there(path: Path) -> bool:
    """Tell whether there is anything of this name, even what cannot be read."""
    return os.path.lexists(path) if "\0" not in str(path) else False


def _listed(folder: Path) -> tuple[Path, ...]:
    """Return the files of the folder in order; none where it is not there. Raises ``OSError``, ``ValueError``."""
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if seen == _MAX_ENTRIES:
                    raise OSError(errno.E2BIG, f"more than {_MAX_ENTRIES} entries")
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                    names.append(entry.name)
    except FileNotFoundError:
        return ()
    return tuple(folder / name for name in sorted(names)[: MAX_FILES + 1])


def _source(path: Path, user: int) -> Source | Fault:
    try:
        with open(path, "rb", opener=_opened) as file:
            wrong = _distrusted(shown_path(path), os.fstat(file.fileno()), user)
            content = b"" if wrong else file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        return _unreadable(path, error)
    return wrong or parse_source(content, shown_path(path))


def _opened(path: str, flags: int) -> int:
    """Open without blocking: a pipe of this name would have the reader wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _distrusted(file: str, status: os.stat_result, user: int) -> Fault | None:
    """Return why a file is not to be read; None where it is. It steers what root pulls."""
    if not stat.S_ISREG(status.st_mode):
        return Fault(file, "is no regular file")
    if user != _ROOT_USER:
        return None
    if status.st_uid != _ROOT_USER:
        return Fault(file, f"belongs to user {status.st_uid}, not to root", "chown root")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        mode = stat.S_IMODE(status.st_mode)
        return Fault(file, f"can be written by others than its owner (mode {mode:o})", "chmod go-w")
    return None


def _distrusted_folders(main: Path, user: int) -> Iterator[Fault]:
    """Yield the folders in which others than root may put, take away and exchange what root reads."""
    for folder in (main.parent, folder_of(main)) if user == _ROOT_USER else ():
        try:
            status = folder.stat()
        except (OSError, ValueError):
            continue
        if status.st_uid != _ROOT_USER:
            yield Fault(shown_path(folder), f"belongs to user {status.st_uid}, not to root", "chown root")
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
            mode = stat.S_IMODE(status.st_mode)
            yield Fault(shown_path(folder), f"can be written by others than its owner (mode {mode:o})", "chmod go-w")


def _unreadable(path: Path, error: OSError | ValueError) -> Fault:
    return Fault(shown_path(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")


def _stamp(path: Path) -> Hashable:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
