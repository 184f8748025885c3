"""Where events go: one line each to standard error, by part of imagefit and by level.

Knows levels, parts, the journal, and how events of the libraries are taken in. Leaves to ``lines`` how an event is
written and to the caller what is worth one. Source of the journal's part: sd-daemon(3), ``JOURNAL_STREAM`` in
systemd.exec(5).
"""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Final, Literal, TextIO

import msgspec

from imagefit.telemetry.lines import Format, end_of, line

Level = Literal["debug", "info", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
PARTS: Final = ("service", "cri", "registry", "node", "config", "daemon")
"""The parts of imagefit that speak; each can have a level of its own."""

_ROOT: Final = "imagefit"
_NUMBERS: Final[Mapping[Level, int]] = MappingProxyType(
    {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
)
_NAMES: Final = {number: name for name, number in _NUMBERS.items()}
# sd-daemon(3): what the journal takes off the start of a line.
_PRIORITIES: Final = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


class LogSettings(msgspec.Struct, frozen=True):
    """How events are written.

    Attributes:
        format: of a line.
        level: the least one that is written.
        levels: the same for single parts, by their names.
    """

    format: Format = "logfmt"
    level: Level = "info"
    levels: Mapping[str, Level] = msgspec.field(default_factory=dict)


class _Event(msgspec.Struct, frozen=True):
    """What one record of ``logging`` holds of ours."""

    part: str
    name: str
    fields: Mapping[str, object]

    def __str__(self) -> str:
        """Return it as handlers of others show it."""
        return line("logfmt", {"event": self.name}, self.fields)


class Part:
    """One part of imagefit, as a speaker of events."""

    __slots__ = ("_logger", "_name")

    def __init__(self, name: str) -> None:
        """Speak as the part ``name``, one of ``PARTS``."""
        if name not in PARTS:
            raise ValueError(f"{name!r} is no part that can have a level")
        self._name = name
        self._logger = logging.getLogger(f"{_ROOT}.{name}")

    def debug(self, event: str, /, **fields: object) -> None:
        """Log an event that only a search for a fault needs."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log an event of normal work."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log an event that cost something: a choice not made, a part that failed."""
        self._log(logging.WARNING, event, fields)

    def failure(self, event: str, error: BaseException, /, **fields: object) -> None:
        """Log an error that nobody expected, with its trace."""
        self._log(logging.ERROR, event, {**fields, "error": error}, error)

    def _log(self, level: int, event: str, fields: dict[str, object], error: BaseException | None = None) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", _Event(self._name, event, fields), exc_info=error)


def part(name: str) -> Part:
    """Return a part of imagefit as a speaker of events: ``log = telemetry.part("registry")``.

    Raises:
        ValueError: there is no such part.
    """
    return Part(name)


def configure_logging(settings: LogSettings | None = None, *, verbose: bool = False) -> None:
    """Send events to standard error from now on; a later call replaces what an earlier one set.

    Events of libraries, from warnings up, are written in the same way, cleared of credentials like all others.

    Args:
        settings: by default logfmt, from level info.
        verbose: from level debug, whatever the settings say.
    """
    settings = settings or LogSettings()
    handler = _Handler(sys.stderr)
    handler.setFormatter(_Formatter(settings.format, in_journal=is_journal(sys.stderr, os.environ)))
    ours, others = logging.getLogger(_ROOT), logging.getLogger()
    ours.handlers, ours.propagate = [handler], False
    others.handlers = [*(one for one in others.handlers if not isinstance(one, _Handler)), handler]
    ours.setLevel(logging.DEBUG if verbose else _NUMBERS[settings.level])
    for name in PARTS:
        own = None if verbose else settings.levels.get(name)
        logging.getLogger(f"{_ROOT}.{name}").setLevel(_NUMBERS[own] if own else logging.NOTSET)


def log_crashes() -> None:
    """Have what ends the process or a thread written as events, cleared of credentials like all others."""
    sys.excepthook = _crashed
    threading.excepthook = lambda raised: _crashed(raised.exc_type, raised.exc_value, raised.exc_traceback)
    sys.unraisablehook = lambda raised: _crashed(raised.exc_type, raised.exc_value, raised.exc_traceback)


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether a stream leads to systemd's journal, as its device and inode in ``JOURNAL_STREAM`` say."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no descriptor, as under a test
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _crashed(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    raised = kind() if error is None else error
    Part("daemon").failure("crash", raised.with_traceback(trace))


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drop the event: the default would print its values as they are."""


class _Formatter(logging.Formatter):
    def __init__(self, form: Format, *, in_journal: bool) -> None:
        super().__init__()
        self._form = form
        self._in_journal = in_journal

    def format(self, record: logging.LogRecord) -> str:
        level = _NAMES.get(record.levelno, "info" if record.levelno < logging.ERROR else "error")
        event = _event_of(record)
        head = {"level": level, "part": event.part, "event": event.name}
        fields = event.fields
        if record.exc_info:
            fields = {**fields, "traceback": end_of(self.formatException(record.exc_info))}
        if self._in_journal:
            return _PRIORITIES[level] + line(self._form, head, fields)
        return line(self._form, {"time": _time(record.created), **head}, fields)


def _event_of(record: logging.LogRecord) -> _Event:
    """Return the event of a record; that of a library, whose texts are its own, as one of the part ``library``."""
    if isinstance(record.args, tuple) and len(record.args) == 1 and isinstance(record.args[0], _Event):
        return record.args[0]
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - a library's fault must not cost the event
        message = str(record.msg)
    return _Event("library", "message", {"logger": record.name, "message": message})


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
