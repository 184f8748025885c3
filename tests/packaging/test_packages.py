"""What is made of the bundle: the Debian package, the one file that runs by itself, and the list of parts."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundle import LOCK, VERSION
from deb import PYTHON, commented, debian_version, make_deb
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import ChildProcess, connects
from harness.registry import Registry
from imagefit.config import load_config
from imagefit.config.settings import Config
from parts import locked, metadata_of, parts
from pyz import make_pyz

LOCKED: Final = {one.name: one for one in locked(LOCK.read_text())}


# The lock is complete: what a locked package needs is locked, too. (Where it were not, the bundle could not be made.)
def test_what_locked_packages_need_is_locked(bundle: Path) -> None:
    installed = metadata_of(bundle)
    assert set(installed) == {*LOCKED, "imagefit"}
    for name, said in installed.items():
        for text in said.get_all("Requires-Dist", []):
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(LOCKED[canonicalize_name(needed.name)].version, prereleases=True), name


# The list of parts has every locked package with its version, its hashes and its licence, and is the same each time.
def test_the_list_of_parts_is_whole(bundle: Path) -> None:
    text = parts(LOCK.read_text(), bundle)
    told = json.loads(text)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert (told["metadata"]["component"]["name"], told["metadata"]["component"]["version"]) == ("imagefit", VERSION)
    found = {one["name"]: one for one in told["components"]}
    assert set(found) == set(LOCKED)
    for name, one in found.items():
        assert one["version"] == LOCKED[name].version
        assert one["purl"] == f"pkg:pypi/{name}@{one['version']}"
        (files,) = one["externalReferences"]
        assert {value["content"] for value in files["hashes"]} == set(LOCKED[name].hashes)
        assert "not named" not in json.dumps(one["licenses"])
    assert parts(LOCK.read_text(), bundle) == text


# A package that the bundle lacks is an error, not a part without a licence.
def test_a_part_that_is_not_there_is_an_error(bundle: Path) -> None:
    with pytest.raises(KeyError):
        parts(f"{LOCK.read_text()}\nnot-there==1.0 --hash=sha256:{'0' * 64}\n", bundle)


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


# The modules are compiled in the package: what runs on a read-only system compiles none, and its sources are not asked.
def test_modules_are_compiled(bundle: Path) -> None:
    for source in bundle.rglob("imagefit/**/*.py"):
        (compiled,) = source.parent.glob(f"__pycache__/{source.stem}.*.pyc")
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # by hash, unchecked: PEP 552


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


def children(pid: int) -> str:
    """Return the processes that were started by any thread of a process and that have not been waited for."""
    return "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))


# The one file is a whole imagefit: it serves, chooses and names the best entry on a real containerd, and has no child
# process at any time that is looked at.
def test_it_serves_a_real_pull_without_a_child_process(
    bundle: Path, cache: Path, containerd: Containerd, registry: Registry, repository: str, cri: CriClient
) -> None:
    entries = [push_image(registry, repository, None, f"{text} of {repository}") for text in ("one", "two")]
    fits = {"oci.kernel.version": ">=2.6"}
    entries[0]["platform"]["compatibilities"] = [{"oci.kernel.version": "<2.6"}]
    entries[1]["platform"]["compatibilities"] = [fits]
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    pyz = make_pyz(bundle, cache / "made")
    daemon = Daemon(cache / "d", containerd.socket)
    process = ChildProcess("imagefit.pyz", cache / "log")
    command = (str(pyz), "--config", str(daemon.config_file), "serve")
    process.start(command, environment={"CACHE_DIRECTORY": str(cache)})
    try:
        process.wait_until(lambda: connects(daemon.socket), 300)
        with CriClient(daemon.socket) as through, ThreadPoolExecutor() as pool:
            pulling = pool.submit(through.pull, name)
            seen = {children(process.pid)}
            while not pulling.done():
                seen.add(children(process.pid))
            pulling.result()
            status = through.image_status(name)
        assert seen | {children(process.pid)} == {""}
    finally:
        assert process.stop() == 0
    pod = cri.run_pod("says")
    try:
        assert cri.run_container(pod, name).text.startswith("two of")
    finally:
        cri.remove_pod(pod.id)
    assert status is not None


# The look at child processes sees one.
def test_a_child_process_would_be_seen() -> None:
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as child:
        assert str(child.pid) in children(os.getpid()).split()
        child.kill()
