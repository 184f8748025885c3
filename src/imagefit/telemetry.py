"""What imagefit says about its work: one line of logfmt per event, to standard error.

Knows how events are written and that nothing in them may break the line. Leaves to the caller what is worth an event.
Credentials never get here: the values that hold them do not show them.
"""

import logging
import sys

_LOGGER = logging.getLogger("imagefit")
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
_MAX_VALUE_CHARACTERS = 2048


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"level={_LEVELS.get(record.levelno, record.levelname.lower())} {record.getMessage()}"
        if record.exc_info:
            line += f" trace={_quoted(_end(self.formatException(record.exc_info)))}"
        return line


def configure_logging(*, verbose: bool = False) -> None:
    """Send events to standard error, from level info or, if ``verbose``, debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Logfmt())
    _LOGGER.handlers = [handler]
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.DEBUG if verbose else logging.INFO)


def debug(event: str, **fields: object) -> None:
    """Log an event that only a search for a fault needs."""
    _log(logging.DEBUG, event, fields)


def info(event: str, **fields: object) -> None:
    """Log an event of normal work."""
    _log(logging.INFO, event, fields)


def warning(event: str, **fields: object) -> None:
    """Log an event that cost something: a choice not made, a part that failed."""
    _log(logging.WARNING, event, fields)


def failure(event: str, error: BaseException, **fields: object) -> None:
    """Log an error that nobody expected, with its trace."""
    _LOGGER.error("%s", _line(event, {**fields, "error": error}), exc_info=error)


def _log(level: int, event: str, fields: dict[str, object]) -> None:
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s", _line(event, fields))


def _line(event: str, fields: dict[str, object]) -> str:
    return " ".join((f"event={event}", *(f"{name}={_quoted(str(value))}" for name, value in fields.items())))


def _end(trace: str) -> str:
    """Return as much of a trace as an event holds: where the error was raised stands at its end."""
    return trace if len(trace) <= _MAX_VALUE_CHARACTERS else "…" + trace[1 - _MAX_VALUE_CHARACTERS :]


def _quoted(value: str) -> str:
    text = value if len(value) <= _MAX_VALUE_CHARACTERS else value[:_MAX_VALUE_CHARACTERS] + "…"
    if text and text.isprintable() and not set(' "=') & set(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else repr(one)[1:-1] for one in escaped) + '"'
