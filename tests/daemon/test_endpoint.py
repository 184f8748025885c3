"""Metrics and health over HTTP: what is answered, to whom, and what is turned away."""

import asyncio
import contextlib
import gc
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from imagefit.daemon.endpoint import Endpoint
from imagefit.errors import ListenError
from imagefit.telemetry import metrics

LOOPBACK = "127.0.0.1:0"


@pytest.fixture(autouse=True)
def _metrics() -> Iterator[None]:
    metrics.enable()
    yield
    metrics.disable()


async def ready() -> str:
    return ""


async def not_ready() -> str:
    return "containerd does\nnot answer"


async def broken() -> str:
    raise RuntimeError("password=hunter2")


async def never() -> str:
    await asyncio.Event().wait()
    return ""


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(address.removeprefix("unix:"))
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def sent(address: str, request: bytes) -> bytes:
    """Send bytes and return all that comes back until the other side ends the connection."""
    reader, writer = await connect(address)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def asked(path: str, method: str = "GET", headers: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()


def run(
    work: Callable[[Endpoint], Awaitable[None]],
    listen: str = LOOPBACK,
    missing: Callable[[], Awaitable[str]] = ready,
    connection_seconds: float = 10,
) -> None:
    async def served() -> None:
        endpoint = Endpoint(listen, missing, connection_seconds)
        await endpoint.start()
        try:
            await work(endpoint)
        finally:
            await endpoint.close()

    asyncio.run(served())


def answer(
    request: bytes, missing: Callable[[], Awaitable[str]] = ready, listen: str = LOOPBACK
) -> tuple[int, bytes, bytes]:
    """Return status, header and body of one answer."""
    answers: list[bytes] = []

    async def ask(endpoint: Endpoint) -> None:
        answers.append(await sent(endpoint.address, request))

    run(ask, listen, missing)
    head, _, body = answers[0].partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


ANSWERS = [
    pytest.param("/healthz", ready, 200, b"ok\n", id="alive"),
    pytest.param("/healthz", not_ready, 200, b"ok\n", id="alive-though-not-ready"),
    pytest.param("/readyz", ready, 200, b"ok\n", id="ready"),
    pytest.param("/readyz", not_ready, 503, b"containerd does not answer\n", id="not-ready-on-one-line"),
    pytest.param("/readyz?verbose", ready, 200, b"ok\n", id="query"),
    pytest.param("/", ready, 404, b"there are /metrics, /healthz and /readyz\n", id="root"),
    pytest.param("/metrics/", ready, 404, b"there are /metrics, /healthz and /readyz\n", id="below-a-path"),
    pytest.param("/debug/pprof", ready, 404, b"there are /metrics, /healthz and /readyz\n", id="what-others-have"),
]


@pytest.mark.parametrize(("path", "missing", "status", "body"), ANSWERS)
def test_what_is_answered(path: str, missing: Callable[[], Awaitable[str]], status: int, body: bytes) -> None:
    got, head, content = answer(asked(path), missing)
    assert (got, content) == (status, body)
    assert b"Connection: close" in head
    head_only = answer(asked(path, "HEAD"), missing)
    assert (head_only[0], head_only[2]) == (status, b"")


def test_a_check_that_does_not_end_is_not_ready() -> None:
    status, _, body = answer(asked("/readyz"), never)
    assert (status, body) == (503, b"no answer within 2 s\n")


def test_a_check_that_breaks_tells_nobody_why() -> None:
    status, _, body = answer(asked("/readyz"), broken)
    assert status == 500
    assert b"hunter2" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_only_reading_is_allowed(method: str) -> None:
    assert answer(asked("/metrics", method))[0] == 405


def test_metrics_in_prometheus_own_format() -> None:
    metrics.CACHE_LOOKUPS.add(result="hit")
    status, head, body = answer(asked("/metrics"))
    assert status == 200
    assert b"Content-Type: text/plain; version=" in head
    samples = {
        (sample.name, sample.labels.get("result")): sample.value
        for family in prometheus(body.decode())
        for sample in family.samples
    }
    assert samples["imagefit_cache_lookups_total", "hit"] == 1
    assert samples["process_start_time_seconds", None] > 0


READINESS = [
    pytest.param(ready, 1, id="ready"),
    pytest.param(not_ready, 0, id="not-ready"),
    pytest.param(never, 0, id="no-answer"),
]


@pytest.mark.parametrize(("missing", "value"), READINESS)
def test_readiness_is_a_metric_of_the_moment(missing: Callable[[], Awaitable[str]], value: int) -> None:
    _, _, body = answer(asked("/metrics"), missing)
    assert f"\nimagefit_ready {value}.0\n" in body.decode()


def test_metrics_in_openmetrics() -> None:
    _, head, body = answer(asked("/metrics", headers="Accept: application/openmetrics-text; version=1.0.0\r\n"))
    assert b"Content-Type: application/openmetrics-text; version=1.0.0" in head
    assert "imagefit_cache_lookups" in {family.name for family in openmetrics(body.decode())}  # type: ignore[no-untyped-call]


BAD = [
    pytest.param(b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", id="long-path"),
    pytest.param(asked("/healthz", headers=f"X: {'x' * 100_000}\r\n"), id="long-header"),
    pytest.param(asked("/healthz", headers="".join(f"X{n}: x\r\n" for n in range(1000))), id="many-headers"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls"),
    pytest.param(b"\x00" * 100 + b"\r\n\r\n", id="zeros"),
]


@pytest.mark.parametrize("request_bytes", BAD)
def test_what_is_no_short_request_is_refused(request_bytes: bytes) -> None:
    assert answer(request_bytes)[0] == 400


def test_a_body_is_not_waited_for() -> None:
    status, _, _ = answer(asked("/healthz", headers="Content-Length: 1000000000\r\n"))
    assert status == 200


def test_too_many_connections_are_turned_away_and_the_rest_served() -> None:
    async def flood(endpoint: Endpoint) -> None:
        held = [await connect(endpoint.address) for _ in range(16)]
        assert await sent(endpoint.address, asked("/healthz")) == b""
        held[0][1].close()
        await held[0][1].wait_closed()
        while not (got := await sent(endpoint.address, asked("/healthz"))):
            pass  # until its end has been heard of
        assert got.startswith(b"HTTP/1.1 200")
        for _, writer in held:
            writer.close()

    run(flood)


def test_a_connection_that_asks_nothing_is_ended() -> None:
    async def wait(endpoint: Endpoint) -> None:
        assert await sent(endpoint.address, b"GET /healthz HTTP/1.1\r\n") == b""

    run(wait, connection_seconds=0.05)


def test_it_goes_on_after_a_bad_request() -> None:
    async def ask(endpoint: Endpoint) -> None:
        await sent(endpoint.address, b"\x00\r\n\r\n")
        assert b"200" in (await sent(endpoint.address, asked("/healthz"))).splitlines()[0]

    run(ask)


def test_nobody_fills_the_log_through_it(caplog: pytest.LogCaptureFixture) -> None:
    """Any user of the node can reach it: requests that make no sense and connections too many are no events."""

    async def flood(endpoint: Endpoint) -> None:
        for request in (b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x00", b"GET /" + b"x" * 5000 + b"\r\n\r\n"):
            await sent(endpoint.address, request)
        held = [await connect(endpoint.address) for _ in range(40)]
        for _, writer in held:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    run(flood)
    gc.collect()  # what asyncio says of tasks whose error nobody has looked at, it says here
    assert not caplog.records


def test_an_accept_that_makes_no_sense_gets_the_plain_format() -> None:
    status, head, _ = answer(asked("/metrics", headers="Accept: application/openmetrics-text; version=x\r\n"))
    assert status == 200
    assert b"Content-Type: text/plain" in head


def test_metrics_are_made_once_for_all_who_ask_at_once() -> None:
    looks: list[None] = []

    async def counted() -> str:
        looks.append(None)
        return ""

    async def ask(endpoint: Endpoint) -> None:
        for _ in range(5):
            assert b"200 OK" in await sent(endpoint.address, asked("/metrics"))

    run(ask, missing=counted)
    assert len(looks) < 5


def test_it_listens_on_ipv6() -> None:
    assert answer(asked("/healthz"), listen="[::1]:0")[0] == 200


# --- the Unix socket --------------------------------------------------------------------------------------------------


def test_a_unix_socket_is_for_its_owner_and_group_and_goes_with_the_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"

    async def look(endpoint: Endpoint) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert b"200 OK" in await sent(endpoint.address, asked("/healthz"))

    run(look, f"unix:{path}")
    assert not path.exists()


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as old:
        old.bind(str(path))
    assert answer(asked("/healthz"), listen=f"unix:{path}")[0] == 200


def test_a_socket_that_somebody_else_put_there_meanwhile_is_left(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"

    async def replace(endpoint: Endpoint) -> None:
        (tmp_path / "other").touch()
        os.replace(tmp_path / "other", path)  # noqa: PTH105 - the very call

    run(replace, f"unix:{path}")
    assert path.is_file()


def make_live(path: Path) -> socket.socket:
    live = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    live.bind(str(path))
    live.listen(1)
    return live


def make_link(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as old:
        old.bind(f"{path}.target")
    path.symlink_to(f"{path}.target")


PLACES = [
    pytest.param(make_live, "another program listens", id="live-socket"),
    pytest.param(lambda path: path.write_text("kept"), "exists and is no socket", id="file"),
    pytest.param(lambda path: path.mkdir(), "exists and is no socket", id="folder"),
    pytest.param(make_link, "exists and is no socket", id="link-to-a-socket"),
]


@pytest.mark.parametrize(("make", "message"), PLACES)
def test_what_is_there_is_never_taken_away(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "m.sock"
    kept = make(path)
    before = path.lstat()
    with pytest.raises(ListenError, match=message) as raised:
        asyncio.run(Endpoint(f"unix:{path}", ready).start())
    assert "[metrics] listen" in raised.value.advice
    assert path.lstat().st_ino == before.st_ino
    if isinstance(kept, socket.socket):
        kept.close()


REFUSED = [
    pytest.param("0.0.0.0:9477", "no loopback address", id="all-addresses"),
    pytest.param("[::]:9477", "no loopback address", id="all-addresses-of-ipv6"),
    pytest.param("10.0.0.1:9477", "no loopback address", id="another-address"),
    pytest.param("localhost:9477", "no address with a port", id="name"),
    pytest.param("127.0.0.1", "no address with a port", id="no-port"),
    pytest.param("127.0.0.1:http", "no address with a port", id="port-by-name"),
    pytest.param("127.0.0.1:70000", "cannot listen", id="port-too-large"),
    pytest.param("", "no address with a port", id="empty"),
    pytest.param("unix:", "no absolute path", id="no-path"),
    pytest.param("unix:m.sock", "no absolute path", id="relative-path"),
    pytest.param("unix:/nowhere/at/all/m.sock", "cannot listen", id="no-folder"),
    pytest.param(f"unix:/tmp/{'x' * 200}", "cannot listen", id="path-too-long"),
]


@pytest.mark.parametrize(("listen", "message"), REFUSED)
def test_where_it_does_not_listen(listen: str, message: str) -> None:
    with pytest.raises(ListenError, match=message):
        asyncio.run(Endpoint(listen, ready).start())


def test_a_port_in_use_is_an_error_with_advice() -> None:
    async def again(endpoint: Endpoint) -> None:
        with pytest.raises(ListenError, match="in use") as raised:
            await Endpoint(endpoint.address, ready).start()
        assert "[metrics] listen" in raised.value.advice

    run(again)
