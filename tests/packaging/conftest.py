"""What packages are made of, made once per session."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle import build, make_bundle
from deb import PYTHON
from harness.clean_root import CleanRoot


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    (made,) = build(tmp_path_factory.mktemp("wheel"), "wheel")
    return made


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Imagefit and all locked packages, for the system's interpreter."""
    made = tmp_path_factory.mktemp("bundle") / "bundle"
    make_bundle(made, wheel, PYTHON)
    return made


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
def clean() -> Iterator[CleanRoot]:
    """The root; it has no imagefit."""
    folder = Path(tempfile.mkdtemp(prefix="if-root-"))
    try:
        yield CleanRoot(folder / "root")
    finally:
        shutil.rmtree(folder)
