"""When a file has surely not changed: the rule by which what was read of it is used again."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagefit.registry.sources import MAX_FILE_BYTES, Sources


def later() -> int:
    """A clock that is far ahead of the file system's: no change is too young to be told."""
    return time.time_ns() + 10**12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("one")
    (tmp_path / "folder").mkdir()
    return tmp_path


def look(folder: Path, now_ns: Callable[[], int] = later) -> Sources:
    sources = Sources(now_ns)
    assert sources.read(folder / "file") == b"one"
    assert sources.read(folder / "missing") is None
    assert sources.exists(folder / "folder")
    assert not sources.exists(folder / "nowhere" / "at-all")
    assert sources.names(folder) == ["file"]
    return sources


def test_what_is_as_it_was_is_unchanged(folder: Path) -> None:
    sources = look(folder)
    assert sources.unchanged
    assert sources.unchanged


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda folder: (folder / "file").write_text("two"),
    "written-with-the-same-time": lambda folder: _rewritten(folder / "file"),
    "replaced": lambda folder: _replaced(folder / "file"),
    "removed": lambda folder: (folder / "file").unlink(),
    "appeared": lambda folder: (folder / "missing").write_text(""),
    "directory-gone": lambda folder: (folder / "folder").rmdir(),
    "directory-appeared": lambda folder: (folder / "nowhere" / "at-all").mkdir(parents=True),
    "another-name": lambda folder: (folder / "another").touch(),
}


def _rewritten(file: Path) -> None:
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _replaced(file: Path) -> None:
    new = file.with_suffix(".new")
    new.write_text("two")
    new.replace(file)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_seen(folder: Path, change: Callable[[Path], object]) -> None:
    sources = look(folder)
    change(folder)
    assert not sources.unchanged


def test_what_has_just_changed_may_change_again_unseen(folder: Path) -> None:
    # Two changes within one tick of the file system's clock look alike.
    assert not look(folder, time.time_ns).unchanged


def test_what_is_not_read(folder: Path) -> None:
    (folder / "large").write_bytes(bytes(MAX_FILE_BYTES + 1))
    (folder / "full").write_bytes(bytes(MAX_FILE_BYTES))
    os.mkfifo(folder / "pipe")
    assert len(Sources().read(folder / "full") or b"") == MAX_FILE_BYTES
    for name, what in {"large": "more than", "pipe": "no regular file", "folder": "directory"}.items():
        with pytest.raises(OSError, match=what):
            Sources().read(folder / name)
    with pytest.raises(NotADirectoryError):
        Sources().exists(folder / "file" / "below")
