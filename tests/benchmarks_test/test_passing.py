"""What h2load says is read as it says it, and ratios compare ways within one round."""

from pathlib import Path

import pytest

from benchmarks.passing import Round, figures_of
from benchmarks.passing_load import Call, Times, answered, framed, times_in
from benchmarks.passing_proxies import Way

SUMMARY = """\
finished in 401.80ms, 4977.56 req/s, 1.30MB/s
requests: 2000 total, 2000 started, 2000 done, {succeeded} succeeded, 0 failed, 0 errored, 0 timeout
status codes: {succeeded} 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 533.26KB (546058) total, 3.92KB (4012) headers (space savings 94.72%), 414.06KB (424000) data
"""


def rounds(*times: tuple[float, float], cpu_ms: float = 10) -> list[Round]:
    return [Round(Times(*one), cpu_ms) for one in times]


def test_a_message_is_framed_as_grpc_sends_it() -> None:
    assert framed(b"") == b"\0\0\0\0\0"
    assert framed(b"m" * 258) == b"\0\0\0\1\2" + b"m" * 258


def test_an_answer_is_as_long_as_all_its_messages_with_their_frames() -> None:
    assert Call("stream", "/a/B", b"", [b"abc"] * 30, {}).answer_bytes == 30 * 8
    assert Call("nothing", "/a/B", b"", [], {}).answer_bytes == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SUMMARY.format(succeeded=2000), (2000, 424000)),
        (SUMMARY.format(succeeded=1999), (1999, 424000)),
        ("Could not connect to the host\n", (0, 0)),
        ("", (0, 0)),
    ],
    ids=["all", "one-failed", "not-connected", "nothing"],
)
def test_answers_are_counted_with_their_bytes(said: str, expected: tuple[int, int]) -> None:
    assert answered(said) == expected


def test_the_log_tells_each_calls_time() -> None:
    assert times_in("1763745013666123\t200\t163\n1763745013666300\t200\t2163\n") == [0.163, 2.163]
    assert times_in("") == []


def test_a_call_that_was_never_made_since_the_server_ended_the_connection_has_no_time() -> None:
    assert times_in("1763745013666123\t200\t163\n0\t-1\t37085850562\n") == [0.163]
    assert len(times_in("1763745013666123\t-1\t163\n")) == 1, "this one was made, and counts as not answered"


def test_a_ratio_is_that_of_one_round() -> None:
    """The second round was twice as slow for everybody; that tells nothing of a way."""
    found = {
        "direct": rounds((1, 2), (2, 4), cpu_ms=0),
        "imagefit": rounds((5, 20), (10, 40)),
        "nginx": rounds((2, 4), (4, 8)),
    }
    figures = {one.name: one for one in figures_of("ImageStatus", 1, found)}
    p50 = figures["ImageStatus, 1 at once: imagefit p50"]
    assert (p50.value, p50.lowest, p50.highest, p50.unit) == (5, 5, 5, "x")
    assert figures["ImageStatus, 1 at once: imagefit p99"].value == 10
    assert figures["ImageStatus, 1 at once: nginx p50"].value == 2
    assert figures["ImageStatus, 1 at once: through p50"].value == 7.5


def test_only_some_calls_have_a_limit_and_only_imagefits_ratios_are_compared() -> None:
    found = {way: rounds((1, 1)) for way in ("direct", "imagefit", "nginx", "socat")}
    for call, at_once, expected in (("ImageStatus", 1, [8, 7]), ("ListImages", 1, [5]), ("ImageStatus", 32, [])):
        figures = figures_of(call, at_once, found)
        assert [one.limit for one in figures if one.limit is not None] == expected
        assert all(f"{at_once} at once: imagefit p" in one.name for one in figures if one.is_compared)
        assert all(len(one.name) <= 41 for one in figures)


def test_no_proxy_spends_nothing() -> None:
    assert Way(Path("/nowhere.sock")).cpu_seconds() == 0
