"""The cache gives back what was put in or nothing, and never raises."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.model.oci import MAX_DOCUMENT_BYTES, digest_of
from imagefit.registry.cache import ContentCache

CONTENT = b"content"
DIGEST = digest_of(CONTENT)


def test_what_was_put_is_there(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    cache = ContentCache(directory)
    assert cache.get(DIGEST, "r/a") is None
    cache.put(DIGEST, CONTENT, "r/a")
    assert cache.get(DIGEST, "r/a") == CONTENT
    (file,) = directory.iterdir()
    assert (directory.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_other_algorithms(tmp_path: Path, algorithm: str) -> None:
    digest = digest_of(CONTENT, algorithm)
    cache = ContentCache(tmp_path)
    cache.put(digest, CONTENT, "r/a")
    assert cache.get(digest, "r/a") == CONTENT


@pytest.mark.parametrize("found", [b"", b"other", b"x" * (MAX_DOCUMENT_BYTES + 2)], ids=["empty", "other", "huge"])
def test_a_wrong_file_is_deleted(tmp_path: Path, found: bytes) -> None:
    cache = ContentCache(tmp_path)
    cache.put(DIGEST, CONTENT, "r/a")
    (file,) = tmp_path.iterdir()
    file.write_bytes(found)
    assert cache.get(DIGEST, "r/a") is None
    assert not file.exists()


@given(st.text())
def test_what_is_no_digest_touches_no_disk(digest: str) -> None:
    directory = Path("/nonexistent/imagefit")
    cache = ContentCache(directory, on_problem=lambda problem: pytest.fail(str(problem)))
    cache.put(digest, CONTENT, "r/a")
    assert cache.get(digest, "r/a") is None


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit_bytes=250)
    contents = [bytes([number]) * 100 for number in range(3)]
    for age, content in enumerate(contents[:2]):
        cache.put(digest_of(content), content, "r/a")
        path = cache.path(digest_of(content), "r/a")
        os.utime(path, (1000 + age, 1000 + age))
    assert cache.get(digest_of(contents[0]), "r/a") is not None
    cache.put(digest_of(contents[2]), contents[2], "r/a")
    assert [cache.get(digest_of(content), "r/a") is not None for content in contents] == [True, False, True]


def test_files_are_counted_too(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit_files=2)
    contents = [bytes([number]) for number in range(4)]
    for age, content in enumerate(contents):
        cache.put(digest_of(content), content, "r/a")
        path = cache.path(digest_of(content), "r/a")
        os.utime(path, (1000 + age, 1000 + age))
    assert [cache.get(digest_of(content), "r/a") is not None for content in contents] == [False, False, True, True]


def test_limits_hold_however_many_come(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit_bytes=2_000, limit_files=30)
    for number in range(300):
        content = b"%03d" % number * (number % 50 + 1)
        cache.put(digest_of(content), content, "r/a")
        files = list(tmp_path.iterdir())
        assert len(files) <= 30
        assert sum(file.stat().st_size for file in files) <= 2_000
        assert cache.get(digest_of(content), "r/a") == content


def test_two_processes_share_the_limits(tmp_path: Path) -> None:
    caches = [ContentCache(tmp_path, limit_files=32) for _ in range(2)]
    for number in range(200):
        content = b"%d" % number
        caches[number % 2].put(digest_of(content), content, "r/a")
        # Each may fill half of what it found free when it last looked.
        assert len(list(tmp_path.iterdir())) <= 32


def test_what_is_larger_than_all_is_not_kept(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path, limit_bytes=3)
    cache.put(DIGEST, CONTENT, "r/a")
    assert list(tmp_path.iterdir()) == []


def test_foreign_files_stay_and_old_unfinished_ones_go(tmp_path: Path) -> None:
    foreign, unfinished = tmp_path / "notes", tmp_path / ".unfinished-x"
    for file in (foreign, unfinished):
        file.write_bytes(b"x" * 100)
        os.utime(file, (1000, 1000))
    cache = ContentCache(tmp_path, limit_bytes=50)
    cache.put(DIGEST, CONTENT, "r/a")
    assert (foreign.exists(), unfinished.exists(), cache.get(DIGEST, "r/a")) == (True, False, CONTENT)


def test_a_directory_that_cannot_be_is_told_and_not_raised(tmp_path: Path) -> None:
    problems: list[OSError] = []
    (tmp_path / "file").touch()
    cache = ContentCache(tmp_path / "file" / "cache", on_problem=problems.append)
    cache.put(DIGEST, CONTENT, "r/a")
    assert cache.get(DIGEST, "r/a") is None
    assert len(problems) == 2
    ContentCache(tmp_path / "file" / "cache").put(DIGEST, CONTENT, "r/a")


def test_a_place_that_is_taken_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    problems: list[OSError] = []
    cache = ContentCache(tmp_path, on_problem=problems.append)
    taken = cache.path(DIGEST, "r/a")
    (taken / "x").mkdir(parents=True)
    cache.put(DIGEST, CONTENT, "r/a")
    assert cache.get(DIGEST, "r/a") is None
    assert len(problems) == 2
    assert [path.name for path in tmp_path.iterdir()] == [taken.name]


def test_a_directory_that_others_may_read_becomes_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ContentCache(tmp_path).put(DIGEST, CONTENT, "r/a")
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    tmp_path.chmod(0o770)
    assert ContentCache(tmp_path).get(DIGEST, "r/a") == CONTENT
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    ContentCache(tmp_path).put(DIGEST, CONTENT, "r/a")
    os.chown(tmp_path, 1, 1)
    problems: list[OSError] = []
    cache = ContentCache(tmp_path, on_problem=problems.append)
    assert cache.get(DIGEST, "r/a") is None
    cache.put(digest_of(b"new"), b"new", "r/a")
    assert [type(problem) for problem in problems] == [PermissionError] * 2
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_and_a_pipe_are_not_followed_or_waited_for(tmp_path: Path) -> None:
    problems: list[OSError] = []
    cache = ContentCache(tmp_path / "cache", on_problem=problems.append)
    cache.put(DIGEST, CONTENT, "r/a")
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    path = cache.path(DIGEST, "r/a")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get(DIGEST, "r/a") is None
    assert len(problems) == 1
    path.unlink()
    os.mkfifo(path)
    assert cache.get(DIGEST, "r/a") is None
    assert not path.exists()


def test_content_is_for_the_repository_that_it_came_out_of(tmp_path: Path) -> None:
    """Access to one repository, which the requester has shown, says nothing of what another holds."""
    cache = ContentCache(tmp_path)
    cache.put(DIGEST, CONTENT, "r.example/private")
    assert cache.get(DIGEST, "r.example/private") == CONTENT
    assert cache.get(DIGEST, "r.example/other") is None
    assert cache.get(DIGEST, "evil.example/private") is None
