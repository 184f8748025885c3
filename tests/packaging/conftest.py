"""What packages are made of, made once per session."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from bundle import build, make_bundle
from deb import PYTHON, debian_version, make_deb
from harness.clean_root import CleanRoot


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    (made,) = build(tmp_path_factory.mktemp("wheel"), "wheel")
    return made


@pytest.fixture(scope="session")
def aside() -> Iterator[Executor]:
    """What makes things while something else is done."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture(scope="session")
def begun_bundle(aside: Executor, tmp_path_factory: pytest.TempPathFactory) -> "Future[Path]":
    """Imagefit and all locked packages, for the system's interpreter, as soon as they are there."""
    folder = tmp_path_factory.mktemp("bundle")

    def made() -> Path:
        (wheel,) = build(folder / "wheel", "wheel")
        make_bundle(folder / "bundle", wheel, PYTHON)
        return folder / "bundle"

    return aside.submit(made)


@pytest.fixture(scope="session")
def begun_package(
    aside: Executor, begun_bundle: "Future[Path]", tmp_path_factory: pytest.TempPathFactory
) -> "Future[Path]":
    """The Debian package as `make deb` makes it, as soon as it is there."""
    folder = tmp_path_factory.mktemp("deb")
    return aside.submit(lambda: make_deb(begun_bundle.result(), folder, debian_version()))


@pytest.fixture(scope="session")
def bundle(begun_bundle: "Future[Path]") -> Path:
    """Imagefit and all locked packages, for the system's interpreter."""
    return begun_bundle.result()


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the same form whose imagefit only tells its name: for what is the same with any bundle."""
    made = tmp_path_factory.mktemp("small") / "bundle"
    files = {
        "imagefit/__init__.py": "",
        "imagefit/cli/__init__.py": "",
        "imagefit/cli/main.py": "def run() -> None:\n    print('imagefit small')\n",
        "library-1.0.dist-info/WHEEL": "Tag: cp311-abi3-manylinux2014_x86_64\nTag: cp311-abi3-manylinux_2_17_x86_64\n",
        "other-1.0.dist-info/WHEEL": "Tag: cp311-abi3-manylinux_2_28_x86_64\n",
    }
    for name, content in files.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return made


@pytest.fixture(scope="session")
def begun_root(aside: Executor) -> Iterator["Future[CleanRoot]"]:
    """The root, as soon as it is there."""
    folder = Path(tempfile.mkdtemp(prefix="if-root-"))
    try:
        yield (begun := aside.submit(CleanRoot, folder / "root"))
        wait([begun])
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def clean(begun_root: "Future[CleanRoot]") -> CleanRoot:
    """The root; it has no imagefit."""
    return begun_root.result()
