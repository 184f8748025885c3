"""The file of the latest decisions: what gets in, what stays, and what a reader sees of it."""

import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from imagefit.telemetry.decision_file import MAX_FILE_BYTES, MAX_LINE_BYTES, Batch, follow, read
from imagefit.telemetry.decisions import Ring


def record(number: int, **more: object) -> dict[str, Any]:
    said = {"time": "2026-11-21T14:00:00.123Z", "image": f"example.org/app:{number}", "result": "rewrite"}
    return {**said, "reason": "chosen", **more}


def add(path: Path, *records: dict[str, Any], keep: int = 1000) -> Ring:
    """Write records by a ring of their own, until all are in the file."""
    ring = Ring(path, keep)
    for one in records:
        ring.add(one)
    ring.close()
    return ring


def images(batch: Batch) -> list[str]:
    return [one["image"].rpartition(":")[2] for one in batch.records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What has been logged since the last call, event by event."""
    caplog.set_level(logging.INFO, "imagefit")

    def taken() -> list[str]:
        messages = caplog.messages
        caplog.clear()
        return messages

    return taken


def test_what_is_added_is_read_in_its_order(path: Path) -> None:
    records = [record(number) for number in range(3)]
    ring = add(path, *records)
    assert read(path) == Batch(tuple(records), 0)
    assert ring.lost == 0


def test_a_ring_that_is_not_used_makes_no_file(path: Path) -> None:
    add(path)
    assert not path.exists()


def test_records_outlive_the_process(path: Path) -> None:
    add(path, record(1))
    add(path, record(2))
    assert images(read(path)) == ["1", "2"]


def test_the_file_and_a_new_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "decisions.jsonl"
    add(path, record(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(0o644)
    add(path, record(1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_after_a_smaller_file_has_been_made_it_is_for_its_owner_alone(path: Path) -> None:
    ring = Ring(path, 1)
    for number in range(5):
        ring.add(record(number))
    ring.close()
    add(path, record(5), keep=1)
    assert images(read(path))[-1] == "5"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("keep", [1, 2, 10])
def test_the_newest_are_kept_and_never_many_more(path: Path, keep: int) -> None:
    for number in range(40):
        add(path, record(number), keep=keep)
        kept = images(read(path))
        assert kept == [str(one) for one in range(number + 1)][-len(kept) :]
        assert min(number + 1, keep) <= len(kept) <= 2 * keep


def test_a_file_that_is_too_large_is_made_smaller_although_it_has_few_lines(path: Path) -> None:
    long = record(0, why="x" * (MAX_LINE_BYTES // 2))
    path.write_bytes((json.dumps(long).encode() + b"\n") * (MAX_FILE_BYTES // (MAX_LINE_BYTES // 2) + 1))
    assert path.stat().st_size > MAX_FILE_BYTES
    add(path, record(1), keep=100_000)
    assert path.stat().st_size < MAX_FILE_BYTES
    assert images(read(path))[-2:] == ["0", "1"]
    assert read(path).damaged == 0


def test_a_record_of_many_entries_loses_the_last_ones_and_says_how_many(path: Path) -> None:
    entries = [{"position": number, "reason": "r" * 1000} for number in range(32)]
    add(path, record(1, entries=entries, more=8))
    (kept,) = read(path).records
    assert [one["position"] for one in kept["entries"]] == list(range(8))
    assert kept["more"] == 32
    assert kept["image"] == record(1)["image"]


def test_a_record_within_the_limit_keeps_its_entries(path: Path) -> None:
    one = record(1, entries=[{"position": 0}], more=0)
    add(path, one)
    assert read(path).records == (one,)


def test_long_texts_are_cut_where_that_is_what_is_too_large(path: Path) -> None:
    add(path, record(1, why="w" * MAX_LINE_BYTES, notes=["n" * MAX_LINE_BYTES]))
    (kept,) = read(path).records
    assert 0 < len(kept["why"]) < 1024
    assert path.stat().st_size <= MAX_LINE_BYTES


UNWRITABLE = [
    pytest.param({"ms": {str(number): "m" * 100 for number in range(1000)}}, id="too-large-whatever-is-cut"),
    pytest.param({"ms": object()}, id="no-json"),
    pytest.param({"ms": float("nan")}, id="no-number"),
]


@pytest.mark.parametrize("broken", UNWRITABLE)
def test_a_record_that_cannot_be_written_costs_only_itself(path: Path, broken: dict[str, object]) -> None:
    ring = add(path, record(1), record(2, **broken), record(3))
    assert images(read(path)) == ["1", "3"]
    assert ring.lost == 1


def test_no_control_character_is_in_the_file(path: Path) -> None:
    add(path, record(1, why="\x1b[31m\r\n\x9b\u2028\u202e"))
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in content[:-1])
    assert read(path).records[0]["why"] == "\x1b[31m\r\n\x9b\u2028\u202e"


def test_a_last_line_that_a_crash_has_cut_spoils_no_other(path: Path) -> None:
    add(path, record(1), record(2))
    path.write_bytes(path.read_bytes()[:-20])
    assert (images(read(path)), read(path).damaged) == (["1"], 0)
    add(path, record(3))
    assert (images(read(path)), read(path).damaged) == (["1", "3"], 1)


DAMAGED = [
    pytest.param(b"nonsense", id="no-json"),
    pytest.param(b"", id="empty"),
    pytest.param(b"[1]", id="no-record"),
    pytest.param(b"\xff\xfe", id="not-utf-8"),
    pytest.param(b"[" * 10_000, id="nested-too-deeply"),
    pytest.param(b'{"image": "' + b"x" * MAX_LINE_BYTES + b'"}', id="too-long"),
    pytest.param(b"\r", id="carriage-return"),
    pytest.param(b"{}", id="no-field"),
    pytest.param(b'{"time": "2026-11-21T14:00:00Z", "image": "a", "result": "rewrite"}', id="no-reason"),
]


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_skipped_and_counted(path: Path, line: bytes) -> None:
    good = json.dumps(record(1)).encode()
    path.write_bytes(b"\n".join((good, line, good, b"")))
    assert read(path) == Batch((record(1), record(1)), 1)


def test_of_an_endless_file_the_end_is_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * MAX_FILE_BYTES)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + json.dumps(record(1)).encode() + b"\n")
    assert read(path) == Batch((record(1),), 1)


def test_a_link_is_not_followed(path: Path, logged: Callable[[], list[str]]) -> None:
    target = path.with_name("target")
    target.write_bytes(b"precious")
    path.symlink_to(target)
    assert add(path, record(1)).lost == 1
    assert target.read_bytes() == b"precious"
    assert len(logged()) == 1


def test_a_pipe_is_refused_at_once(path: Path, logged: Callable[[], list[str]]) -> None:
    os.mkfifo(path)
    assert add(path, record(1)).lost == 1
    with pytest.raises(OSError, match="no ordinary file"):
        read(path)
    assert len(logged()) == 1


def test_of_a_disk_that_refuses_one_warning_is_logged_until_it_works_again(
    path: Path, logged: Callable[[], list[str]]
) -> None:
    path.mkdir()
    ring = Ring(path, 10)
    for number in range(3):
        ring.add(record(number))
        _until(lambda: ring.lost == number + 1)  # noqa: B023 - called at once
    (warning,) = logged()
    assert "decisions-not-kept" in warning
    assert str(path) in warning
    path.rmdir()
    ring.add(record(3))
    ring.close()
    assert images(read(path)) == ["3"]
    assert ring.lost == 3
    (again,) = logged()
    assert "decisions-kept-again" in again
    assert "lost=3" in again


def test_a_file_that_is_moved_away_is_made_anew(path: Path) -> None:
    ring = Ring(path, 10)
    ring.add(record(1))
    _until(path.exists)
    _until(lambda: bool(read(path).records))
    path.rename(path.with_name("moved"))
    ring.add(record(2))
    ring.close()
    assert images(read(path)) == ["2"]
    assert images(read(path.with_name("moved"))) == ["1"]


def test_add_never_waits_and_drops_what_is_too_much(path: Path) -> None:
    slow = _Slow(record(0))
    ring = Ring(path, 10_000)
    ring.add(slow)
    assert slow.begun.wait(60)
    for number in range(1, 5000):
        ring.add(record(number))
    assert ring.lost == 5000 - 1 - 1024
    slow.go_on.set()
    ring.close()
    assert images(read(path)) == [str(number) for number in range(1025)]


def test_close_ends_although_the_disk_hangs(path: Path) -> None:
    slow = _Slow(record(1))
    ring = Ring(path, 10)
    ring.add(slow)
    ring.close()
    assert not path.exists()
    slow.go_on.set()
    _until(lambda: path.exists() and images(read(path)) == ["1"])


def test_what_comes_after_the_end_is_dropped(path: Path) -> None:
    ring = add(path, record(1))
    ring.add(record(2))
    assert images(read(path)) == ["1"]
    assert ring.lost == 1


def test_a_file_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(path)


def steps(*actions: Callable[[], object]) -> Callable[[float], None]:
    """Return a pause in which the next action happens."""
    waiting: Iterator[Callable[[], object]] = iter(actions)

    def pause(seconds: float) -> None:
        assert 0 < seconds < 1
        next(waiting)()

    return pause


def followed(path: Path, *actions: Callable[[], object]) -> list[list[str]]:
    """Return what a follower sees before and after each action."""
    return [images(batch) for batch in islice(follow(path, steps(*actions)), len(actions) + 1)]


def test_following_starts_with_what_is_there_and_goes_on_with_what_comes(path: Path) -> None:
    add(path, record(1), record(2))
    seen = followed(path, lambda: add(path, record(3)), lambda: None, lambda: add(path, record(4), record(5)))
    assert seen == [["1", "2"], ["3"], [], ["4", "5"]]


def test_a_file_may_come_later_than_its_follower(path: Path) -> None:
    assert followed(path, lambda: None, lambda: add(path, record(1))) == [[], [], ["1"]]


def test_half_a_line_waits_for_its_other_half(path: Path) -> None:
    line = json.dumps(record(1)).encode() + b"\n"
    path.write_bytes(line[:10])
    seen = followed(path, lambda: path.write_bytes(line[:20]), lambda: path.write_bytes(line))
    assert seen == [[], [], ["1"]]


@pytest.mark.parametrize("keep", [1, 2, 3, 7])
@pytest.mark.parametrize("burst", [1, 2, 3])
def test_no_record_is_lost_or_repeated_while_the_file_is_made_smaller(path: Path, keep: int, burst: int) -> None:
    numbers = iter(range(10_000))
    burst = min(burst, keep)  # more at a time than are kept cannot all be seen

    def grow() -> None:
        for _ in range(burst):
            add(path, record(next(numbers)), keep=keep)

    grow()
    seen: list[str] = []
    for batch in follow(path, steps(*[grow] * 30, lambda: None, lambda: None)):
        seen.extend(images(batch))
        if len(seen) >= 30 * burst:
            break
    assert seen == [str(number) for number in range(len(seen))]


def test_another_file_in_its_place_is_read_from_its_start(path: Path) -> None:
    def replace() -> None:
        path.unlink()
        add(path, record(7), record(8))

    add(path, record(1))
    assert [images(one) for one in islice(follow(path, steps(replace)), 3)] == [["1"], [], ["7", "8"]]


def test_a_file_that_is_cut_is_read_from_its_start(path: Path) -> None:
    def cut() -> None:
        path.write_bytes(json.dumps(record(9)).encode()[:-1] + b"}\n")

    add(path, record(1), record(2))
    assert followed(path, cut) == [["1", "2"], ["9"]]


def test_a_follower_counts_damaged_lines(path: Path) -> None:
    path.write_bytes(b"nonsense\n")
    assert next(follow(path)).damaged == 1


class _Slow(dict[str, Any]):
    """A record whose writing takes until an event comes, as if the disk hung."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content)
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def items(self) -> Any:
        self.begun.set()
        self.go_on.wait(60)
        return super().items()


def _until(condition: Callable[[], bool]) -> None:
    """Wait for a thread that does its work at once."""
    for _ in range(10_000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never came")
