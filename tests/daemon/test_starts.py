"""Starts that end badly in a row: from the third on each waits longer, until one goes well."""

import os
import time
from pathlib import Path

import pytest

from harness.manager import Manager as Listening
from imagefit.daemon.notifying import Manager
from imagefit.daemon.starts import Starts, put_off, wait_seconds


def starts(folder: Path) -> Starts:
    return Starts({"RUNTIME_DIRECTORY": str(folder)})


def test_the_third_in_a_row_waits_a_second_and_none_more_than_thirty() -> None:
    assert [wait_seconds(bad) for bad in range(9)] == [0, 0, 1, 2, 4, 8, 16, 30, 30]
    assert wait_seconds(99) == 30


def test_bad_starts_are_counted_until_one_goes_well(tmp_path: Path) -> None:
    assert [starts(tmp_path).count() for _ in range(3)] == [0, 1, 2]
    starts(tmp_path).forget()
    assert starts(tmp_path).count() == 0
    starts(tmp_path).forget()
    starts(tmp_path).forget()
    assert not list(tmp_path.iterdir())


def test_of_several_folders_the_first_has_the_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    Starts({"RUNTIME_DIRECTORY": f"{tmp_path}/a:{tmp_path}/b"}).count()
    assert (tmp_path / "a" / "starts").exists()
    assert not (tmp_path / "b" / "starts").exists()


def test_without_the_folder_of_systemd_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [Starts({}).count() for _ in range(4)] == [0, 0, 0, 0]
    Starts({}).forget()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "many", "-1", "1" * 5000, "\0", "9" * 8])
def test_a_file_of_any_content_waits_no_longer_than_the_most(tmp_path: Path, text: str) -> None:
    (tmp_path / "starts").write_text(text)
    assert 0 <= wait_seconds(starts(tmp_path).count()) <= 30


def test_what_stands_there_and_is_no_file_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("9\n")
    for make in (os.mkfifo, lambda path: Path(path).symlink_to(tmp_path / "precious")):
        make(tmp_path / "starts")
        assert [starts(tmp_path).count() for _ in range(2)] == [0, 0]
        starts(tmp_path).forget()
        assert [starts(tmp_path).count() for _ in range(2)] == [0, 1]
        starts(tmp_path).forget()
    assert (tmp_path / "precious").read_text() == "9\n"


def test_of_a_file_of_any_size_no_more_is_read_than_a_number_has(tmp_path: Path) -> None:
    with (tmp_path / "starts").open("wb") as file:
        file.truncate(1 << 42)
    assert [starts(tmp_path).count() for _ in range(3)] == [0, 1, 2]


def test_a_file_that_cannot_be_written_costs_no_start(tmp_path: Path) -> None:
    (tmp_path / "starts").mkdir()
    for one in (starts(tmp_path), starts(tmp_path / "nowhere")):
        assert one.count() == 0
        one.forget()


def test_a_start_that_is_put_off_says_so(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "starts").write_text("2\n")
    with Listening(folder / "starts.sock") as listening:
        began = time.monotonic()
        assert put_off(starts(tmp_path), Manager(listening.environment))
        assert time.monotonic() - began >= 0.99
        told = listening.told()
    assert "waiting 1 s: 2 starts" in told["STATUS"]
    assert int(told["EXTEND_TIMEOUT_USEC"]) > 30_000_000
    assert (tmp_path / "starts").read_text() == "3\n"


def test_a_first_start_waits_for_nothing_and_tells_nobody(tmp_path: Path, folder: Path) -> None:
    with Listening(folder / "first.sock") as listening:
        assert put_off(starts(tmp_path), Manager(listening.environment))
        assert listening.hears_nothing(0)
