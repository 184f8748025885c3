"""Where events go, by part and level, and never with a secret."""

import asyncio
import base64
import json
import logging
import os
import re
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from imagefit import telemetry
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.wire import PullRequest, read_pull_request
from imagefit.model.credentials import AuthConfig
from imagefit.registry.credentials import Credentials, credentials_for
from imagefit.telemetry import FORMATS, LEVELS, PARTS, Format, Level, LogSettings
from imagefit.telemetry.logs import is_journal

Capture = pytest.CaptureFixture[str]
log = telemetry.part("service")


def logged(capsys: Capture, say: Callable[[], None], settings: LogSettings | None = None) -> str:
    telemetry.configure_logging(settings)
    say()
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def test_a_line_of_logfmt(capsys: Capture) -> None:
    written = logged(capsys, lambda: log.info("e", a="x y", b=1))
    assert re.fullmatch(
        r'time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info part=service event=e a="x y" b=1\n', written
    )


def test_a_line_of_json(capsys: Capture) -> None:
    written = logged(capsys, lambda: log.warning("e", a="x y", b=1, c=1.5), LogSettings("json"))
    assert written.count("\n") == 1
    read = json.loads(written)
    assert list(read) == ["time", "level", "part", "event", "a", "b", "c"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", read.pop("time"))
    assert read == {"level": "warning", "part": "service", "event": "e", "a": "x y", "b": 1, "c": 1.5}


SPEAKERS: dict[str, Callable[[telemetry.Part], None]] = {
    "debug": lambda part: part.debug("debug"),
    "info": lambda part: part.info("info"),
    "warning": lambda part: part.warning("warning"),
    "error": lambda part: part.failure("error", RuntimeError("x")),
}


def spoken(capsys: Capture, settings: LogSettings | None, *, verbose: bool = False) -> set[tuple[str, str]]:
    """Have every part say one event of every level; return what was written."""
    telemetry.configure_logging(settings, verbose=verbose)
    for name in PARTS:
        for say in SPEAKERS.values():
            say(telemetry.part(name))
    lines = [dict(word.split("=", 1) for word in shlex.split(one)) for one in capsys.readouterr().err.splitlines()]
    assert all(one["level"] == one["event"] for one in lines)
    return {(one["part"], one["level"]) for one in lines}


def from_(level: Level, *parts: str) -> set[tuple[str, str]]:
    return {(part, one) for part in parts for one in LEVELS[LEVELS.index(level) :]}


@pytest.mark.parametrize("level", LEVELS)
def test_events_below_the_level_are_not_written(capsys: Capture, level: Level) -> None:
    assert spoken(capsys, LogSettings(level=level)) == from_(level, *PARTS)


def test_a_part_can_have_a_level_of_its_own(capsys: Capture) -> None:
    settings = LogSettings(level="warning", levels={"registry": "debug", "node": "error"})
    others = set(PARTS) - {"registry", "node"}
    assert spoken(capsys, settings) == from_("debug", "registry") | from_("error", "node") | from_("warning", *others)


def test_logging_configured_again_keeps_nothing_of_before(capsys: Capture) -> None:
    telemetry.configure_logging(LogSettings("json", "debug", {"node": "error"}))
    assert spoken(capsys, LogSettings()) == from_("info", *PARTS)


def test_verbose_outdoes_the_settings(capsys: Capture) -> None:
    assert spoken(capsys, LogSettings(level="error", levels={"node": "error"}), verbose=True) == from_("debug", *PARTS)


def test_logging_configured_twice_logs_once(capsys: Capture) -> None:
    telemetry.configure_logging()
    assert logged(capsys, lambda: log.info("e")).count("\n") == 1


def test_a_part_that_nobody_knows_cannot_speak() -> None:
    with pytest.raises(ValueError, match="'unheard'"):
        telemetry.part("unheard")


# --- the journal ------------------------------------------------------------------------------------------------------


def in_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, settings: LogSettings, found: bool = True) -> str:
    """Return what is written to a file that, if ``found``, ``JOURNAL_STREAM`` names."""
    path = tmp_path / "stderr"
    with path.open("w", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino if found else status.st_ino + 1}")
        monkeypatch.setattr(sys, "stderr", stream)
        telemetry.configure_logging(settings)
        for say in SPEAKERS.values():
            say(log)
    return path.read_text()


@pytest.mark.parametrize("form", FORMATS)
def test_the_journal_is_told_priorities_and_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    lines = in_journal(tmp_path, monkeypatch, settings=LogSettings(form, "debug")).splitlines()
    assert [one[:3] for one in lines] == ["<7>", "<6>", "<4>", "<3>"]
    assert not [one for one in lines if "time=" in one or '"time"' in one]
    if form == "json":
        assert [json.loads(one[3:])["event"] for one in lines] == list(LEVELS)


def test_another_stream_than_the_journal_has_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = in_journal(tmp_path, monkeypatch, settings=LogSettings(), found=False)
    assert [one[:5] for one in text.splitlines()] == ["time="] * 3


STREAMS = [
    pytest.param("{device}:{inode}", True, id="same"),
    pytest.param("{device}:0", False, id="other-inode"),
    pytest.param("0:{inode}", False, id="other-device"),
    pytest.param("", False, id="empty"),
    pytest.param("nonsense", False, id="nonsense"),
]


@pytest.mark.parametrize(("stream", "found"), STREAMS)
def test_the_journal_is_known_by_device_and_inode(tmp_path: Path, stream: str, *, found: bool) -> None:
    with (tmp_path / "x").open("w") as file:
        status = os.fstat(file.fileno())
        value = stream.format(device=status.st_dev, inode=status.st_ino)
        assert is_journal(file, {"JOURNAL_STREAM": value}) is found
        assert not is_journal(file, {})


def test_a_stream_without_a_descriptor_is_no_journal(capsys: Capture) -> None:
    assert not is_journal(sys.stderr, {"JOURNAL_STREAM": "1:1"})


# --- events of others -------------------------------------------------------------------------------------------------


def test_what_libraries_say_is_an_event_too(capsys: Capture) -> None:
    def say() -> None:
        logging.getLogger("asyncio").warning("Task of %s\nwas lost, password=%s", "x", "hunter2")
        logging.getLogger("asyncio").info("not so important")

    written = logged(capsys, say)
    assert written.count("\n") == 1
    assert "level=warning part=library event=message logger=asyncio" in written
    assert "hunter2" not in written


def test_a_library_that_cannot_word_its_event_does_not_lose_it(capsys: Capture) -> None:
    logging.getLogger().handlers = []  # pytest's own raises such faults
    written = logged(capsys, lambda: logging.getLogger("some").warning("%d things", "no number"))
    assert 'message="%d things"' in written


def test_handlers_of_others_see_the_event(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("e", a="x y")
    assert caplog.messages == ['event=e a="x y"']


def test_an_event_that_cannot_be_written_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = (tmp_path / "x").open("w")
    monkeypatch.setattr(sys, "stderr", stream)
    telemetry.configure_logging()
    stream.close()
    log.warning("e")  # logging's own way would write the values to whatever standard error is now


# --- traces -----------------------------------------------------------------------------------------------------------


def raised(message: str, depth: int = 0) -> Exception:
    try:
        return descend(message, depth)
    except RuntimeError as error:
        return error


def descend(message: str, depth: int) -> Exception:
    if not depth:
        raise RuntimeError(message)
    # Two functions in turn: Python folds the lines of one that calls itself.
    return descend_again(message, depth)


def descend_again(message: str, depth: int) -> Exception:
    return descend(message, depth - 1)


def test_a_trace_stays_on_the_line(capsys: Capture) -> None:
    written = logged(capsys, lambda: log.failure("defect", raised('two\nlines "quoted"'), image="x"))
    assert written.count("\n") == 1
    words = dict(word.split("=", 1) for word in shlex.split(written))
    assert (words["level"], words["event"], words["image"]) == ("error", "defect", "x")
    assert words["error"] == r"two\nlines " + '"quoted"'
    assert words["traceback"].startswith("Traceback")


def test_a_long_trace_keeps_its_end(capsys: Capture) -> None:
    written = logged(capsys, lambda: log.failure("defect", raised("the cause", 40)))
    assert written.count("\n") == 1
    assert written.endswith('RuntimeError: the cause"\n')
    assert len(written) < 3000


def in_thread() -> None:
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()


def in_process() -> None:
    error = raised("password=hunter2")
    sys.excepthook(type(error), error, error.__traceback__)


def unraisable() -> None:
    error = raised("password=hunter2")

    class Raised:
        exc_type, exc_value, exc_traceback, err_msg, object = type(error), error, error.__traceback__, None, None

    sys.unraisablehook(cast("Any", Raised()))


@pytest.mark.parametrize("crash", [in_process, in_thread, unraisable])
def test_a_crash_is_an_event_without_secrets(capsys: Capture, crash: Callable[[], None]) -> None:
    telemetry.log_crashes()
    written = logged(capsys, crash)
    assert written.count("\n") == 1
    assert "level=error part=daemon event=crash" in written
    assert "traceback=" in written
    assert "RuntimeError: password=REDACTED" in written


def test_an_interrupt_is_no_crash(capsys: Capture) -> None:
    telemetry.log_crashes()
    assert logged(capsys, lambda: sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)) == ""


def test_a_task_that_nobody_waited_for_is_an_event(capsys: Capture) -> None:
    async def lost() -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "lost", "exception": RuntimeError("Authorization: Bearer abcDEF123")}
        )

    written = logged(capsys, lambda: asyncio.run(lost()))
    assert written.count("\n") == 1
    assert "abcDEF123" not in written


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRET, IDENTITY = "s3cret-password", "s3cret-identity"
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()


def held() -> list[object]:
    auth = AuthConfig("user", SECRET, BASIC, "https://registry.example", IDENTITY)
    sent = messages.PullImageRequest(
        image=messages.ImageSpec(image=b"registry.example/x"),
        auth=messages.AuthConfig(
            username=b"user", password=SECRET.encode(), auth=BASIC.encode(), identity_token=IDENTITY.encode()
        ),
    )
    request = read_pull_request(sent.SerializeToString())
    assert request.auth is not None
    assert (request.auth.password, request.auth.auth, request.auth.identity_token) == (SECRET, BASIC, IDENTITY)
    used = credentials_for(AuthConfig("user", SECRET), "registry.example")
    assert used is not None
    assert used.secret == SECRET
    return [auth, PullRequest("x", auth, sent.SerializeToString()), request, Credentials("user", SECRET), used]


@pytest.mark.parametrize("number", range(5), ids=["auth-config", "pull-request", "read", "credentials", "chosen"])
@pytest.mark.parametrize("form", FORMATS)
def test_what_holds_secrets_does_not_show_them(capsys: Capture, form: Format, number: int) -> None:
    value = held()[number]
    written = logged(
        capsys, lambda: log.info("e", value=value, several=[value], error=RuntimeError(value)), LogSettings(form)
    )
    shown = written + repr(value) + str(value) + f"{value!r:>10}"
    assert "user" in shown
    for secret in (SECRET, IDENTITY, BASIC, "s3cret"):
        assert secret not in shown


PLANTED = [
    pytest.param(f"GET https://user:{SECRET}@registry.example/v2/: refused", id="url"),
    pytest.param(f"sent Authorization: Basic {BASIC}", id="header"),
    pytest.param(f'{{"identity_token": "{IDENTITY}"}}', id="json"),
    pytest.param(f"password={SECRET}", id="form"),
    pytest.param(f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----", id="key"),
]
WAYS: list[Any] = [
    pytest.param(lambda text: log.info("e", text=text), id="value"),
    pytest.param(lambda text: log.info("e", error=RuntimeError(text)), id="error"),
    pytest.param(lambda text: log.info("e", record={"a": [{"b": text}]}), id="nested"),
    pytest.param(lambda text: log.info("e", record={text: 1}), id="key-of-a-mapping"),
    pytest.param(lambda text: log.info("e", text=text.encode()), id="bytes"),
    pytest.param(lambda text: log.failure("e", raised(text)), id="trace"),
    pytest.param(lambda text: logging.getLogger("aiohttp").error("x %s", text, exc_info=raised(text)), id="library"),
]


@pytest.mark.parametrize("text", PLANTED)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_planted_secret_does_not_appear(capsys: Capture, form: Format, way: Callable[[str], None], text: str) -> None:
    written = logged(capsys, lambda: way(text), LogSettings(form))
    assert "REDACTED" in written
    for secret in (SECRET, IDENTITY, BASIC, "s3cret"):
        assert secret not in written
