"""``imagefit decisions``: what the daemon decided lately, from its file.

Knows which records are asked for and how one looks. Leaves the file to ``telemetry.decision_file``; what a record says
comes from images and pods, and a file may be of another version, so nothing of it is taken for granted.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imagefit.cli.terminal import STYLES, Terminal, plain, tell
from imagefit.config import load_config
from imagefit.errors import ImagefitError
from imagefit.model.glob import Glob
from imagefit.model.truth import Truth
from imagefit.telemetry.decision_file import Batch, Record, follow, read

_RESULTS: Final = {"rewrite": "green", "refuse": "red"}
_FIRST_YEAR, _LAST_YEAR = 1, 9999
_TIME_COLUMNS: Final = 15
_RESULT_COLUMNS: Final = 12
_WITH_COLUMNS: Final = 72
_IMAGE_COLUMN: Final = _TIME_COLUMNS + 2 + _RESULT_COLUMNS + 2
_NARROW_INDENT: Final = 2
_SAID_BY_RESULT: Final = frozenset({"chosen", ""})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are asked for.

    Attributes:
        image: a part of the image's name, or a pattern for all of it; empty for any.
        result: empty for any.
        reason: a word for it or an error's code; empty for any.
        namespace: of the pod; empty for any.
        since_seconds: how old they may be; None for any age.
        last: how many at most.
    """

    image: str = ""
    result: str = ""
    reason: str = ""
    namespace: str = ""
    since_seconds: float | None = None
    last: int = 20

    def takes(self, record: Record, now: datetime) -> bool:
        """Tell whether a record is asked for."""
        pattern = self.image if set(self.image) & set("*?") else f"*{self.image}*"
        return (
            Glob(pattern).matches(_text(record, "image"))
            and self.result in ("", record.get("result"))
            and self.reason in ("", record.get("reason"))
            and self.namespace in ("", record.get("namespace"))
            and (self.since_seconds is None or _is_since(record, now - timedelta(seconds=self.since_seconds)))
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """How records are shown: as JSON lines or for a person, with the entries of each index or without."""

    as_json: bool = False
    entries: bool = False


def decisions(config: Path | None, wanted: Wanted, shown: Shown, *, and_follow: bool = False) -> int:
    """Show the latest decisions, the newest last.

    Args:
        config: the configuration file, or None for the default one.
        wanted: which.
        shown: how.
        and_follow: go on with those that come, until interrupted.

    Raises:
        ImagefitError: there is no file of decisions, or it cannot be read.
    """
    path = _path(config)
    if and_follow:
        return _follow(path, wanted, shown)
    batch = _read(path)
    records = [record for record in batch.records if wanted.takes(record, datetime.now(UTC))]
    if not records:
        tell(_nothing(path, batch))
    for record in records[-wanted.last :]:
        _print(record, shown)
    _tell_damaged(path, batch)
    return 0


def _follow(path: Path, wanted: Wanted, shown: Shown) -> int:
    if not os.path.lexists(path):
        tell(f"{path} is not there yet", _ADVICE)
    is_first = True
    try:
        for batch in _followed(path):
            records = [record for record in batch.records if wanted.takes(record, datetime.now(UTC))]
            for record in records[-wanted.last :] if is_first else records:
                _print(record, shown)
            print(end="", flush=True)
            _tell_damaged(path, batch)
            is_first = False
    except KeyboardInterrupt:
        pass
    return 0


def _followed(path: Path) -> Iterator[Batch]:
    """Return what ``follow`` does; of what goes wrong with its reader nothing gets here."""
    try:
        yield from follow(path)
    except OSError as error:
        raise _unreadable(path, error) from error


_ADVICE: Final = (
    "does 'imagefit serve' run on this node, with the same configuration, and has it been asked for an image?"
)
_AS_ROOT: Final = "only root can read it: sudo imagefit decisions"
_ANOTHER: Final = "the daemon writes nothing there: remove it, or name another [decisions] file"


def _path(config: Path | None) -> Path:
    path = load_config(config).decisions.file
    if not path:
        raise ImagefitError(
            "no decisions are kept", advice="[decisions] file is empty in the configuration; name a file"
        )
    return Path(path)


def _read(path: Path) -> Batch:
    try:
        return read(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ImagefitError:
    if isinstance(error, PermissionError):
        return ImagefitError(f"{path} cannot be read: {error.strerror}", advice=_AS_ROOT)
    if path.is_symlink():
        return ImagefitError(f"{path} is a link, which is not followed", advice=_ANOTHER)
    if path.exists() and not path.is_file():
        return ImagefitError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}", advice=_ANOTHER)
    return ImagefitError(f"{path} cannot be read: {error.strerror or error}", advice=_ADVICE)


def _nothing(path: Path, batch: Batch) -> str:
    if batch.records:
        return f"none of {len(batch.records)} decisions in {path} is one of those"
    return f"{path} has no decision yet"


def _tell_damaged(path: Path, batch: Batch) -> None:
    if batch.damaged:
        tell(f"{batch.damaged} damaged lines of {path} are left out")


def _is_since(record: Record, earliest: datetime) -> bool:
    time = _time(record)
    return time is not None and time >= earliest


def _time(record: Record) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(record, "time"))
    except ValueError:
        return None
    if not _FIRST_YEAR < time.year < _LAST_YEAR:  # at the ends of the calendar no zone's time can be told
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _print(record: Record, shown: Shown) -> None:
    if shown.as_json:
        print(json.dumps(record))
        return
    console = Terminal()
    head, image = _head(record), _image(record)
    indent = _TIME_COLUMNS + 2 if console.width >= _WITH_COLUMNS else _NARROW_INDENT
    if console.width >= _WITH_COLUMNS:
        grid = Table.grid()
        grid.add_column(width=_IMAGE_COLUMN, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(head, image)
        console.print(grid)
    else:
        console.print(head)
        console.print(Padding(image, (0, 0, 0, indent)))
    for line in (_why(record), *(_details(record) if shown.entries else ())):
        console.print(Padding(line, (0, 0, 0, indent)))


def _head(record: Record) -> Text:
    time = _time(record)
    # As journalctl writes it, in the time of this machine.
    when = f"{time.astimezone():%b %d %H:%M:%S}" if time else "-"
    result = _text(record, "result")
    return plain(f"{when:{_TIME_COLUMNS}}  ") + plain(f"{result:{_RESULT_COLUMNS}}", _RESULTS.get(result, "yellow"))


def _image(record: Record) -> Text:
    namespace = _text(record, "namespace")
    return plain(_text(record, "image"), "bold") + plain(f" in {namespace}" if namespace else "", "dim")


def _why(record: Record) -> Text:
    chosen, reason = record.get("chosen"), _text(record, "reason")
    words = _text(record, "why") or reason
    if isinstance(chosen, dict):
        words = f"entry {_text(chosen, 'position')} ({_text(chosen, 'platform')}): {words}"
    return plain(words) + plain(f" [{reason}]" if reason not in _SAID_BY_RESULT else "", "dim")


def _details(record: Record) -> Iterator[Text]:
    rule, took, notes = _text(record, "rule"), record.get("ms"), record.get("notes")
    words = [f"by {rule or 'the policy for all images'}", f"mode {_text(record, 'mode')}"]
    words += [f"{_text(took, 'total')} ms"] if isinstance(took, dict) else []
    words += [f"trace {_text(record, 'trace')}"] if record.get("trace") else []
    yield plain(", ".join(words), "dim")
    for note in notes if isinstance(notes, list) else ():
        yield plain(f"note: {note}", "yellow")
    yield from _entries(record)


def _entries(record: Record) -> Iterator[Text]:
    entries = record.get("entries")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            verdict = _text(entry, "verdict")
            style = STYLES[Truth(verdict)] if verdict in set(Truth) else ""
            yield (
                plain(f"{_text(entry, 'rank')}. entry {_text(entry, 'position')} ({_text(entry, 'platform')}) ")
                + plain(verdict, style=style)
                + plain(f": {_text(entry, 'reason')}")
            )
    if more := record.get("more"):
        yield plain(f"and {more} more; 'imagefit explain' shows all")


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key, "")
    return value if isinstance(value, str) else str(value)
