"""Targets: messages of CRI and containerd, imagefit's configuration, the file of decisions, and log lines."""

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from fuzz.contract import Target, parts_of, text_of
from fuzz.protobuf import Field, fields_of, is_message
from imagefit.cli.decisions import Shown, Wanted, _print
from imagefit.config import FaultyConfigurationError, parse_config
from imagefit.config.writing import format_toml
from imagefit.cri import wire
from imagefit.registry.credentials import credentials_for
from imagefit.telemetry.decision_file import read
from imagefit.telemetry.lines import FORMATS, line
from imagefit.telemetry.redaction import redacted
from imagefit.telemetry.tracing import trace_id

_CHOSEN: Final = b"registry.example.org/team/solver@sha256:0"
_KNOWN_OF_REQUEST: Final = frozenset({1, 2, 3})
_KNOWN_OF_IMAGE: Final = frozenset({1, 2, 19})
_CONFIG_BYTES: Final = 256 * 1024
_CHECKED_BYTES: Final = 4096  # more takes the other reader too long
_MESSAGE_BYTES: Final = 1024 * 1024
_RECORD: Final = datetime(2030, 1, 1, tzinfo=UTC)


def _pull_request(content: bytes) -> None:
    request = wire.read_pull_request(content)
    credentials_for(request.auth, "registry.example.org")
    again = request.rewritten(_CHOSEN.decode())
    assert wire.read_pull_request(again).image == _CHOSEN.decode()
    if len(content) <= _CHECKED_BYTES and is_message(content):
        _check_rewritten(content, again)


def _check_rewritten(before: bytes, after: bytes) -> None:
    """State by another reader of the wire that only the name has changed, and that nothing unknown was lost."""
    old, new = fields_of(before), fields_of(after)
    assert _unknown(old, _KNOWN_OF_REQUEST) == _unknown(new, _KNOWN_OF_REQUEST)
    for number in _KNOWN_OF_REQUEST - {1}:
        assert bool(_payload(old, number)) == bool(_payload(new, number)) or not _payload(old, number)
    old_image, new_image = fields_of(_payload(old, 1)), fields_of(_payload(new, 1))
    assert [one.payload for one in new_image if one.is_bytes(1)] == [_CHOSEN]
    assert _unknown(old_image, _KNOWN_OF_IMAGE) == _unknown(new_image, _KNOWN_OF_IMAGE)
    assert _last(old_image, 19) == _last(new_image, 19)
    assert _entries(old_image) == _entries(new_image)


def _unknown(fields: list[Field], known: frozenset[int]) -> list[bytes]:
    return [one.raw for one in fields if one.number not in known or not one.is_bytes(one.number)]


def _entries(image: list[Field]) -> list[tuple[bytes, bytes, list[bytes]]]:
    """Return the annotations; in each, what is unknown may move behind what is known."""
    entries = [fields_of(one.payload) for one in image if one.is_bytes(2)]
    return [(_last(one, 1), _last(one, 2), _unknown(one, frozenset({1, 2}))) for one in entries]


def _payload(fields: list[Field], number: int) -> bytes:
    """Return a message that may come in several pieces, which add up."""
    return b"".join(one.payload for one in fields if one.is_bytes(number))


def _last(fields: list[Field], number: int) -> bytes:
    return next((one.payload for one in reversed(fields) if one.is_bytes(number)), b"")


def _get_response(content: bytes) -> None:
    record = wire.read_get_response(content)
    assert record.is_whole in {True, False}
    assert record.is_managed in {True, False}
    wire.restore_request(record)
    wire.create_request(record.name, record.target)
    wire.update_request(record.name, record.target)


def _replies(content: bytes) -> None:
    readers: tuple[Callable[[bytes], str], ...] = (
        wire.read_pull_response,
        wire.read_image_status,
        wire.read_health_request,
    )
    for read_it in readers:
        with contextlib.suppress(wire.UnreadableMessageError):
            wire.image_status_request(read_it(content))


def _config(content: bytes) -> None:
    config = parse_config(content, "config.toml", tuple)
    values = msgspec.to_builtins(config)
    assert parse_config(format_toml(values, lambda _: "here").encode(), "again.toml", tuple) == config


def _decisions(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        batch = read(Path(file.name))
    for record in batch.records[:4]:
        for wanted in (Wanted(), Wanted("a*", "refuse", "", "team-a", 3600.0)):
            assert wanted.takes(record, _RECORD) in {True, False}
        for shown in (Shown(as_json=True), Shown(entries=True)):
            with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")) as printed:
                _print(record, shown)
                printed.flush()


def _log_line(content: bytes) -> None:
    text, more = map(text_of, parts_of(content, 2))
    fields: dict[str, Any] = {"error": text, "inner": {more: [text]}}
    for form in FORMATS:
        told = line(form, {"level": "info", "event": "x"}, fields)
        assert len(told.splitlines()) == 1
        assert form != "json" or json.loads(told)["event"] == "x"


def _redaction(content: bytes) -> None:
    redacted(text_of(content))
    trace_id(text_of(content))


def targets() -> Iterator[Target]:
    """Yield the targets."""
    tokens = (b"\x0a\x05\x0a\x03a/b", b"\x9a\x01\x01x", b"\x0b\x0c", b"\x13\x14", b"\xff\xff\xff\xff\x0f", b"\x80\x00")
    errors = (wire.UnreadableMessageError,)
    yield Target("pull-request", _pull_request, errors, tokens, _MESSAGE_BYTES)
    yield Target("get-response", _get_response, errors, (*tokens, b"io.cri-containerd.image"), _MESSAGE_BYTES)
    yield Target("cri-replies", _replies, (), tokens, _MESSAGE_BYTES)
    keys = (
        b"[policy]\n",
        b"[[image]]\n",
        b"[[prefer]]\n",
        b"[trust.referrers]\n",
        b"match = ",
        b"mode = ",
        b"[server]\n",
    )
    more = (
        b"[registry]\n",
        b"[limits]\n",
        b"weight = ",
        b"require = [{tag = ",
        b"no-match = ",
        b"[node]\n",
        b'"""',
        b"1e5",
    )
    yield Target("config", _config, (FaultyConfigurationError,), (*keys, *more), _CONFIG_BYTES)
    record = (
        b'{"time":"',
        b'"image":"',
        b'"result":"',
        b'"reason":"',
        b'"entries":[{',
        b'"chosen":{',
        b"\\ud800",
        b"\n",
    )
    yield Target("decisions", _decisions, (), (*record, b"9999-12-31T23:59:59-23:59", b"\\u001b[2J"), _MESSAGE_BYTES)
    yield Target(
        "log-line", _log_line, (), (b"\n===\n", b"\x1b[", b"\xe2\x80\xa8", b"=", b'"', b"password="), 64 * 1024
    )
    secrets = (
        b"Authorization: Basic ",
        b"https://u:p@",
        b"password=",
        b"token: ",
        b"eyJ",
        b"-----BEGIN PRIVATE KEY-----",
    )
    yield Target("redaction", _redaction, (), (*secrets, b'"', b"\\"), 64 * 1024)
