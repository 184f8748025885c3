"""The bundle of a release, whole: what is locked is in it, and it serves. `make package-check` runs it.

Its name keeps it out of `make test`: the bundle is made of files from PyPI.
"""

import json
import os
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

from bundle import LOCK, ROOT, VERSION
from deb import PYTHON
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import ChildProcess, connects
from harness.registry import Registry
from parts import locked, metadata_of, parts
from pyz import make_pyz

# The package and the root that other checks need are made meanwhile.
pytestmark = pytest.mark.usefixtures("begun_package", "begun_root")
LOCKED: Final = {one.name: one for one in locked(LOCK.read_text())}
PREPARE: Final = ROOT / "packaging/debian/prepare.py"


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


# The modules are compiled in the package: what runs on a read-only system compiles none, and its sources are not asked.
def test_modules_are_compiled(bundle: Path) -> None:
    for source in bundle.rglob("imagefit/**/*.py"):
        (compiled,) = source.parent.glob(f"__pycache__/{source.stem}.*.pyc")
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # by hash, unchecked: PEP 552


def children(pid: int) -> str:
    """Return the processes that were started by any thread of a process and that have not been waited for."""
    return "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))


@pytest.fixture
def cache(folder: Path) -> Iterator[Path]:
    """An empty folder, of which only its owner can change anything, and deep in none that others can."""
    path = folder / "z"
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


# The one file is a whole imagefit: it serves, chooses and names the best entry on a real containerd, and has no child
# process at any time that is looked at. Once it was asked to prepare for an upgrade it needs its files no more.
def test_it_serves_a_real_pull_without_a_child_process_and_once_prepared_without_its_files(
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
        (unpacked,) = cache.glob("pyz-*")
        subprocess.run((PYTHON, "-IS", PREPARE, unpacked, daemon.config_file), check=True, timeout=120)
        unpacked.rename(cache / "gone")
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
