"""Events: one line each, whatever their values hold, and never a secret."""

import base64
import logging
import shlex
from collections.abc import Callable, Iterator

import pytest

from imagefit import telemetry
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.wire import PullRequest, read_pull_request
from imagefit.errors import ImagefitError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.credentials import Credentials, credentials_for

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _logger() -> Iterator[None]:
    logger = logging.getLogger("imagefit")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate, logger.level = before


def logged(capsys: Capture, log: Callable[[], None], *, verbose: bool = False) -> str:
    telemetry.configure_logging(verbose=verbose)
    log()
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


VALUES = [
    pytest.param("plain", "plain", id="plain"),
    pytest.param("", '""', id="empty"),
    pytest.param("two words", '"two words"', id="space"),
    pytest.param("a=b", '"a=b"', id="equals-sign"),
    pytest.param('say "x"', r'"say \"x\""', id="quote"),
    pytest.param("back \\ slash", r'"back \\ slash"', id="backslash"),
    pytest.param("a\nlevel=error event=forged", r'"a\nlevel=error event=forged"', id="line-end"),
    pytest.param("a\r\nb", r'"a\r\nb"', id="carriage-return"),
    pytest.param("a\tb", r'"a\tb"', id="tab"),
    pytest.param("\x1b[31mred\x00\x07", r'"\x1b[31mred\x00\x07"', id="control-characters"),
    pytest.param("\x85\x9b\u2028\u2029\u202e", r'"\x85\x9b\u2028\u2029\u202e"', id="line-ends-of-unicode"),
    pytest.param("\udcff", r'"\udcff"', id="surrogate"),
    pytest.param("größe", "größe", id="letters-of-unicode"),
    pytest.param(3, "3", id="number"),
    pytest.param(None, "None", id="none"),
    pytest.param(ImagefitError("it broke", advice="mend it"), '"it broke (mend it)"', id="error-with-advice"),
]


@pytest.mark.parametrize(("value", "written"), VALUES)
def test_a_value_cannot_break_its_line(capsys: Capture, value: object, written: str) -> None:
    assert logged(capsys, lambda: telemetry.info("e", a=value, b=1)) == f"level=info event=e a={written} b=1\n"


def test_a_long_value_is_cut(capsys: Capture) -> None:
    line = logged(capsys, lambda: telemetry.info("e", a="x" * 10_000_000))
    assert line == f"level=info event=e a={'x' * 2048}…\n"


def test_every_character_stays_on_the_line(capsys: Capture) -> None:
    text = "".join(map(chr, range(0x3000)))
    for start in range(0, len(text), 1000):
        part = text[start : start + 1000]
        line = logged(capsys, lambda part=part: telemetry.warning("e", a=part))  # type: ignore[misc]
        assert line.splitlines() == [line[:-1]]
        assert line[:-1].isprintable()


LEVELS = [
    pytest.param(telemetry.debug, "debug", id="debug"),
    pytest.param(telemetry.info, "info", id="info"),
    pytest.param(telemetry.warning, "warning", id="warning"),
]


@pytest.mark.parametrize(("log", "level"), LEVELS)
def test_levels(capsys: Capture, log: Callable[..., None], level: str) -> None:
    assert logged(capsys, lambda: log("e", a=1), verbose=True) == f"level={level} event=e a=1\n"
    quiet = logged(capsys, lambda: log("e", a=1))
    assert bool(quiet) is (level != "debug")


def test_logging_configured_twice_logs_once(capsys: Capture) -> None:
    telemetry.configure_logging()
    assert logged(capsys, lambda: telemetry.info("e")) == "level=info event=e\n"


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
    line = logged(capsys, lambda: telemetry.failure("defect", raised('two\nlines "quoted"'), image="x"))
    assert line.count("\n") == 1
    words = dict(word.split("=", 1) for word in shlex.split(line))
    assert (words["level"], words["event"], words["image"]) == ("error", "defect", "x")
    assert words["error"] == r"two\nlines " + '"quoted"'
    assert words["trace"].startswith("Traceback")


def test_a_long_trace_keeps_its_end(capsys: Capture) -> None:
    line = logged(capsys, lambda: telemetry.failure("defect", raised("the cause", 40)))
    assert line.count("\n") == 1
    assert line.endswith('RuntimeError: the cause"\n')
    assert len(line) < 3000


SECRET, IDENTITY = "s3cret-password", "s3cret-identity"
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()


def held() -> list[object]:
    auth = AuthConfig("user", SECRET, BASIC, "https://registry.example", IDENTITY)
    sent = messages.PullImageRequest(
        image=messages.ImageSpec(image="registry.example/x"),
        auth=messages.AuthConfig(username="user", password=SECRET, auth=BASIC, identity_token=IDENTITY),
    )
    request = read_pull_request(sent.SerializeToString())
    assert request.auth is not None
    assert (request.auth.password, request.auth.auth, request.auth.identity_token) == (SECRET, BASIC, IDENTITY)
    used = credentials_for(AuthConfig("user", SECRET), "registry.example")
    assert used is not None
    assert used.secret == SECRET
    return [auth, PullRequest("x", auth, sent.SerializeToString()), request, Credentials("user", SECRET), used]


@pytest.mark.parametrize("number", range(5), ids=["auth-config", "pull-request", "read", "credentials", "chosen"])
def test_what_holds_secrets_does_not_show_them(capsys: Capture, number: int) -> None:
    value = held()[number]
    line = logged(capsys, lambda: telemetry.info("e", value=value, several=[value], error=RuntimeError(value)))
    shown = line + repr(value) + str(value) + f"{value!r:>10}"
    assert "user" in shown
    for secret in (SECRET, IDENTITY, BASIC, "s3cret"):
        assert secret not in shown
