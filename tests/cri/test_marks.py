"""Marks: what stands in their folder, who may remove a record by them, and what a disk that refuses them costs."""

import asyncio
import errno
import json
import os
import stat
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from imagefit.cri import mark_files
from imagefit.cri.holds import Holds
from imagefit.cri.mark_files import BusyError, Mark, MarkFiles
from imagefit.cri.marks import Marks

MARK = Mark("a.b/c@sha256:1", ("a.b/c:1", "a.b/c@sha256:2"), "sha256:1")
OTHER = Mark("a.b/c@sha256:3", ("a.b/c:2",), "sha256:3")
_Result = TypeVar("_Result")


def run(work: Coroutine[Any, Any, _Result]) -> _Result:
    return asyncio.run(work)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "pulls"


def made(folder: Path, mark: Mark = MARK) -> Path:
    """Make a mark that nobody holds, as a crash leaves it; return its file."""
    held = MarkFiles(folder).hold(mark, make=True)
    assert held is not None
    held.let_go()
    return held.path


def test_a_mark_is_a_private_file_that_says_what_it_is_about(folder: Path) -> None:
    path = made(folder)
    assert json.loads(path.read_text()) == {
        "name": MARK.name,
        "names": list(MARK.names),
        "digest": MARK.digest,
        "version": 1,
    }
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    assert MarkFiles(folder).read(lambda *_: None) == (MARK,)


def test_a_folder_that_others_may_enter_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True)
    made(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_the_last_who_holds_it_gets_it_alone(folder: Path) -> None:
    first, second = (MarkFiles(folder).hold(MARK, make=True) for _ in range(2))
    assert first is not None
    assert second is not None
    assert not first.is_last()
    assert second.is_last()
    with pytest.raises(BusyError):
        MarkFiles(folder).hold(MARK, make=True)
    second.lift()
    assert not list(folder.iterdir())


def test_who_holds_a_mark_that_was_forgotten_may_remove_nothing(folder: Path) -> None:
    """The name was asked for meanwhile: its record is to stay."""
    files = MarkFiles(folder)
    held = files.hold(MARK, make=True)
    assert held is not None
    files.forget(MARK.name)
    again = files.hold(MARK, make=True)
    assert again is not None
    assert not held.is_last()
    assert again.is_last()
    again.lift()


def test_the_mark_that_somebody_made_anew_is_not_lifted(folder: Path) -> None:
    files = MarkFiles(folder)
    held = files.hold(MARK, make=True)
    assert held is not None
    files.forget(MARK.name)
    path = made(folder)
    held.lift()
    assert path.exists()


def test_a_mark_that_goes_while_it_is_opened_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder)
    locked = mark_files._locked

    def once(descriptor: int, how: int) -> bool:
        monkeypatch.setattr(mark_files, "_locked", locked)
        path.unlink()
        return locked(descriptor, how)

    monkeypatch.setattr(mark_files, "_locked", once)
    held = MarkFiles(folder).hold(MARK, make=True)
    assert held is not None
    assert held.is_last()
    held.lift()


def test_a_disk_that_is_full_leaves_no_half_of_a_mark(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="no space"):
        MarkFiles(folder).hold(MARK, make=True)
    monkeypatch.undo()
    assert not list(folder.iterdir())


def test_no_descriptor_is_left_open_whatever_becomes_of_a_mark(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    files = MarkFiles(folder)
    for _ in range(3):
        first, second = (files.hold(MARK, make=True) for _ in range(2))
        assert first is not None
        assert second is not None
        assert not first.is_last()
        assert second.is_last()
        with pytest.raises(BusyError):
            files.hold(MARK, make=True)
        second.lift()
        made(folder)
        files.read(lambda *_: None)
        files.forget(MARK.name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_none_is_made_where_none_is_wanted(folder: Path) -> None:
    assert MarkFiles(folder).hold(MARK, make=False) is None
    assert not folder.exists()


def test_a_holder_waits_for_a_removal_elsewhere(folder: Path) -> None:
    async def work() -> None:
        removing = MarkFiles(folder).hold(MARK, make=True)
        assert removing is not None
        assert removing.is_last()
        waiting = asyncio.ensure_future(Marks(folder).hold(MARK, make=True))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        removing.lift()
        held = await waiting
        assert held is not None
        assert held.path.exists()
        held.lift()

    run(work())


@pytest.mark.parametrize("kind", ["link", "dangling-link", "folder", "fifo"])
def test_what_stands_in_the_place_of_a_mark_is_neither_followed_nor_taken(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    path = made(folder)
    path.unlink()
    target = tmp_path / "target"
    target.write_text("{}")
    match kind:
        case "link":
            path.symlink_to(target)
        case "dangling-link":
            path.symlink_to(tmp_path / "nowhere")
        case "folder":
            path.mkdir()
        case _:
            os.mkfifo(path)
    told: list[str] = []
    assert run(Marks(folder).hold(MARK, make=True)) is None
    assert MarkFiles(folder).read(lambda file, _: told.append(file)) == ()
    assert told == [path.name]
    assert (target.read_text(), (tmp_path / "nowhere").exists()) == ("{}", False)
    assert path.is_symlink() or path.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\x00", id="no-text"),
        pytest.param(b"[]", id="no-table"),
        pytest.param(b'{"name": "x"}', id="too-little"),
        pytest.param(b'{"name":"x","names":[],"digest":"d","version":1}', id="of-another-name"),
        pytest.param(b'{"name":"a.b/c@sha256:1","names":[],"digest":"d","version":2}', id="another-version"),
        pytest.param(b'{"name":"' + b"x" * 20_000 + b'"}', id="too-long"),
    ],
)
def test_a_file_that_cannot_be_read_is_left_alone_and_the_others_count(folder: Path, content: bytes) -> None:
    path = made(folder)
    made(folder, OTHER)
    path.write_bytes(content)
    told: list[str] = []
    assert MarkFiles(folder).read(lambda file, _: told.append(file)) == (OTHER,)
    assert told == [path.name]
    assert path.read_bytes() == content


def test_a_file_of_somebody_else_is_none(folder: Path) -> None:
    path = made(folder)
    os.chown(path, 12345, 12345)
    assert run(Marks(folder).hold(MARK, make=True)) is None
    assert path.exists()


def test_a_folder_of_somebody_else_gets_no_marks(folder: Path) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    assert run(Marks(folder).hold(MARK, make=True)) is None
    assert not list(folder.iterdir())


def test_no_more_than_so_many_are_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mark_files, "MAX_MARKS", 1)
    made(folder)
    assert run(Marks(folder).hold(OTHER, make=True)) is None
    held = run(Marks(folder).hold(MARK, make=True))  # one that is there is no more
    assert held is not None
    held.let_go()
    assert len(list(folder.iterdir())) == 1


def test_a_disk_that_refuses_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    marks = Marks(tmp_path / "file" / "pulls")

    async def work() -> None:
        assert await marks.hold(MARK, make=True) is None
        assert await marks.hold(OTHER, make=True) is None
        assert await marks.left() == ()
        await marks.forget(MARK.name)

    run(work())
    assert [record.getMessage().split()[0] for record in caplog.records] == ["event=marks-failed"]


def test_a_mark_that_is_made_after_its_name_was_asked_for_does_not_stay(folder: Path) -> None:
    """The look of a chosen pull may end only then; the next pull would take the name for one to be removed."""

    class Looking:
        def __init__(self) -> None:
            self.go_on = asyncio.Event()

        async def get(self, name: str) -> None:
            await self.go_on.wait()

    async def work() -> None:
        images: Any = Looking()
        holds = Holds(images, Marks(folder))
        hold = await holds.entered("/runtime.v1.ImageService/PullImage", MARK.name)
        look = asyncio.ensure_future(holds.look(hold, MARK))
        await asyncio.sleep(0)
        await holds.ask_for(hold)
        images.go_on.set()
        await look
        assert len(list(folder.iterdir())) == 1
        await holds.leave(hold)
        assert not list(folder.iterdir())

    run(work())
