"""The Debian package and the one file that runs by itself, each of a small bundle: what is the same with any."""

import fcntl
import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bundle import LOCK
from deb import PYTHON, commented, debian_version, make_deb
from imagefit.config import load_config
from imagefit.config.settings import Config
from pyz import make_pyz


@pytest.fixture(scope="module")
def deb(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_deb(small_bundle, tmp_path_factory.mktemp("deb"), debian_version())


def control(deb: Path, field: str) -> str:
    return subprocess.run(
        ("dpkg-deb", "--field", deb, field), capture_output=True, text=True, check=True
    ).stdout.strip()


# The package is for the minor version of Python that its bundle was compiled for, and says so.
def test_the_package_wants_the_python_that_it_is_for(deb: Path) -> None:
    minor = int(
        subprocess.run((PYTHON, "-c", "import sys; print(sys.version_info[1])"), capture_output=True, check=True).stdout
    )
    assert f"python3 (>= 3.{minor}~), python3 (<< 3.{minor + 1}~), libc6 (>= 2.28)" in control(deb, "Depends")
    assert deb.name == f"imagefit_{control(deb, 'Version')}_{control(deb, 'Architecture')}.deb"


# Everything in it is root's, nobody else can change it, and only what is started is a program.
def test_what_it_installs_is_roots(deb: Path) -> None:
    listed = subprocess.run(("dpkg-deb", "--contents", deb), capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        mode, owner, *_, name = line.split()
        assert owner == "root/root"
        program = name == "./usr/bin/imagefit"
        assert mode == ("drwxr-xr-x" if mode[0] == "d" else "-rwxr-xr-x" if program else "-rw-r--r--"), name
    names = {line.split()[-1] for line in listed.splitlines()}
    assert not {
        name
        for name in names
        if name.endswith((".service", ".conf", ".toml", ".lock")) and "/usr/lib/imagefit/" in name
    }
    assert "./usr/lib/imagefit/imagefit/cli/main.py" in names


# The configuration that it installs sets nothing: a new default reaches every node that left it alone.
def test_its_configuration_file_sets_nothing(tmp_path: Path) -> None:
    example = (LOCK.parents[1] / "examples/config.toml").read_text()
    (tmp_path / "config.toml").write_text(commented(example))
    assert load_config(tmp_path / "config.toml") == Config()
    assert commented(example) != example


# Made twice, it is the same to the last byte.
def test_the_package_is_the_same_each_time(deb: Path, small_bundle: Path, tmp_path: Path) -> None:
    again = make_deb(small_bundle, tmp_path, debian_version())
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(deb.read_bytes()).digest()


@pytest.fixture(scope="module")
def pyz(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pyz(small_bundle, tmp_path_factory.mktemp("pyz"))


@pytest.fixture
def cache(folder: Path, repository: str) -> Iterator[Path]:
    """An empty folder, of which only its owner can change anything, and deep in none that others can."""
    path = folder / f"z{repository.rpartition('-')[2]}"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


def run(pyz: Path, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the one file as root's daemon finds itself: no home, no PATH, a cache of its own."""
    environment = {"CACHE_DIRECTORY": str(cache), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    return subprocess.run((pyz, *arguments), env=environment, capture_output=True, text=True, check=False, timeout=120)


# It unpacks itself at its first start and never again; several first starts at once do it once.
def test_it_unpacks_itself_once(pyz: Path, cache: Path) -> None:
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: run(pyz, cache, "version"), range(3)))
    assert [(one.returncode, one.stdout, one.stderr) for one in ended] == [(0, "imagefit small\n", "")] * 3
    (unpacked,) = cache.glob("[!.]*")
    before = unpacked.stat().st_ino
    assert run(pyz, cache, "version").returncode == 0
    assert [path.stat().st_ino for path in cache.glob("[!.]*")] == [before]


# Nobody else can open what a start waits for, and so keep it waiting by a lock, whatever the folder's mode.
def test_nobody_else_can_keep_it_from_starting(pyz: Path, cache: Path) -> None:
    cache.chmod(0o755)
    assert run(pyz, cache, "version").returncode == 0
    (unpacked,) = cache.glob("pyz-*")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cache / ".lock", unpacked)] == [0o600, 0o700]


# Of several first starts one unpacks, and the others wait for it.
def test_a_start_waits_for_the_one_that_unpacks(pyz: Path, cache: Path) -> None:
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = {"CACHE_DIRECTORY": str(cache)}
        with subprocess.Popen((pyz, "version"), env=environment, stdout=subprocess.PIPE, text=True) as starting:
            while not re.search(rf"-> FLOCK .* {starting.pid} ", Path("/proc/locks").read_text()):
                assert starting.poll() is None
            assert not list(cache.glob("pyz-*"))
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert starting.communicate(timeout=120)[0] == "imagefit small\n"


# An unpacking that was cut off is not taken for a whole one.
def test_what_was_not_unpacked_to_its_end_is_not_used(pyz: Path, cache: Path) -> None:
    (cache / ".unpacking-cut-off/bundle/imagefit").mkdir(parents=True)
    assert run(pyz, cache, "version").stdout == "imagefit small\n"
    assert not (cache / ".unpacking-cut-off").exists()


# Where others could change what root runs, it does not start: in such a folder, and below one.
@pytest.mark.parametrize("which", ["the folder", "a folder above"])
def test_it_does_not_unpack_where_others_can_write(pyz: Path, cache: Path, which: str) -> None:
    inner = cache / "inner"
    inner.mkdir(mode=0o700)
    (inner if which == "the folder" else cache).chmod(0o777)
    ended = run(pyz, inner, "version")
    assert ended.returncode == 2
    assert "others can write in" in ended.stderr
    assert not list(inner.iterdir())


# The same where the folder is somebody else's.
def test_it_does_not_unpack_into_somebody_elses_folder(pyz: Path, cache: Path) -> None:
    os.chown(cache, 65534, 65534)
    ended = run(pyz, cache, "version")
    os.chown(cache, os.geteuid(), os.getegid())
    assert ended.returncode == 2


# An older build goes once nobody runs it: one that hands over imports more of itself until it ends.
def test_an_older_build_goes_once_nobody_runs_it(pyz: Path, cache: Path) -> None:
    older = cache / "pyz-older"
    older.mkdir()
    held = os.open(older, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    assert run(pyz, cache, "version").returncode == 0
    assert older.exists()
    os.close(held)
    assert run(pyz, cache, "version").returncode == 0
    assert not older.exists()
