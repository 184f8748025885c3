"""What the benchmark of pulls makes of its times and counts, and the network that it makes of loopback."""

import asyncio
import contextlib
import time
from collections import Counter

import pytest

from benchmarks.measuring import Figure
from benchmarks.pulls_figures import DIRECT, FIRST, REPEATED, THROUGH, Round, figures_of
from benchmarks.pulls_images import CARRIERS
from benchmarks.pulls_relay import relay
from benchmarks.pulls_site import Pulled
from harness.process import free_port

STEPS = {
    "resolve": 0.006,
    "index": 0.002,
    "node": 0.0,
    "metadata": 0.0,
    "judge": 0.004,
    "pull": 0.030,
    "records": 0.002,
}


def pulls(*seconds: float) -> list[Pulled]:
    return [Pulled("sha256:image", one) for one in seconds]


def made(*, gets: int = 2, heads: int = 2) -> Round:
    """Return a round in which imagefit added 10 ms to the first pull and 4 ms to the others."""
    few = Counter({"GET": 2, "HEAD": 1})
    more = Counter({"GET": gets, "HEAD": heads})
    return Round(
        first={DIRECT: pulls(0.050)[0], THROUGH: pulls(0.060)[0]},
        repeated={DIRECT: pulls(0.016, 0.014), THROUGH: pulls(0.020, 0.018)},
        asked={(when, way): few if way == DIRECT else more for when in (FIRST, REPEATED) for way in (DIRECT, THROUGH)},
        steps=STEPS,
        heads=(0.003, 0.002, 0.009),
    )


def figures(*, gets: int = 2, heads: int = 2) -> dict[str, Figure]:
    rounds = {
        f"{carrier}, {delay}": [made(gets=gets, heads=heads)] for delay in ("0 ms", "50 ms") for carrier in CARRIERS
    }
    return {one.name: one for one in figures_of("pull", rounds)}


def test_what_was_added_is_what_took_longer_than_a_direct_pull() -> None:
    assert made().added(FIRST) == pytest.approx(10)
    assert made().added(REPEATED) == pytest.approx(4)


def test_the_parts_of_what_was_added_make_all_of_it() -> None:
    """The pulls' times are means of two, and so are the steps'."""
    split = made().split()
    assert sum(split.values()) == pytest.approx(4)
    assert split["resolve"] == pytest.approx(3)
    assert split["choice"] == pytest.approx(3)
    assert split["pull by digest"] == pytest.approx(0)
    assert split["naming"] == pytest.approx(-2)


@pytest.mark.parametrize(
    ("asked", "missed"),
    [
        pytest.param({}, set(), id="one-head-more"),
        pytest.param({"heads": 3}, {"HEADs"}, id="two-heads-more"),
        pytest.param({"gets": 3}, {"GETs"}, id="one-get-more"),
    ],
)
def test_the_limits_of_requests_are_one_head_and_of_inline_metadata_no_get(
    asked: dict[str, int], missed: set[str]
) -> None:
    over = {name for name, one in figures(**asked).items() if one.is_missed and one.unit == "requests"}
    assert {name.rpartition(" ")[2] for name in over} == missed
    if "gets" in asked:
        assert {name.partition(",")[0] for name in over} == {"inline"}


def test_a_bare_head_is_not_held_against_the_limit_of_time() -> None:
    beyond = figures()["inline, repeated: added beyond the HEAD"]
    assert beyond.value == pytest.approx(1)
    assert not beyond.is_missed


def test_every_figure_has_a_short_name_of_its_own() -> None:
    rounds = {f"{carrier}, {delay}": [made()] for delay in ("0 ms", "50 ms") for carrier in CARRIERS}
    names = [one.name for one in figures_of("pull", rounds)]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 39


async def _sent(delay_seconds: float, chunks: list[bytes]) -> tuple[bytes, float]:
    """Send chunks through a relay to a server that gives everything back; return that, and the seconds it took."""

    async def give_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(give_back, "127.0.0.1", 0)
    port = free_port()
    relaying = asyncio.ensure_future(relay(port, server.sockets[0].getsockname()[1], delay_seconds))
    try:
        reader, writer, started = await _connected(port)
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        come = await reader.readexactly(sum(map(len, chunks)))
        seconds = time.perf_counter() - started
        writer.close()
        await writer.wait_closed()
        await ended.wait()
        return come, seconds
    finally:
        relaying.cancel()
        await asyncio.wait([relaying])
        server.close()
        await asyncio.sleep(0)


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, float]:
    """Return both ends of a connection, and when it was begun."""
    for _ in range(200):
        started = time.perf_counter()
        with contextlib.suppress(ConnectionRefusedError):
            return *await asyncio.open_connection("127.0.0.1", port), started
        await asyncio.sleep(0.01)
    raise AssertionError("the relay does not listen")


@pytest.mark.parametrize("delay_seconds", [0.0, 0.02], ids=["without-delay", "delayed"])
def test_a_relay_loses_nothing_and_keeps_the_order(delay_seconds: float) -> None:
    chunks = [bytes([number]) * 70_000 for number in range(20)]
    come, seconds = asyncio.run(_sent(delay_seconds, chunks))
    assert come == b"".join(chunks)
    # A round trip for the connection, and one for the bytes.
    assert seconds >= 4 * delay_seconds
