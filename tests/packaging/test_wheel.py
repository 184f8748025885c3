"""The wheel and the source distribution: complete, the same each time, and enough without the source tree."""

import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from bundle import ROOT, VERSION, build


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution."""
    (made,) = build(tmp_path_factory.mktemp("sdist"), "sdist")
    return made


def members(sdist: Path) -> Sequence[str]:
    with tarfile.open(sdist) as archive:
        return archive.getnames()


# What modules read at run time is in the wheel, and nothing but the package.
def test_the_wheel_has_the_package_and_what_it_reads(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src"
    kinds = {".py", ".pyi", ".json", ".typed", ".bash", ""}
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file() and path.suffix in kinds}
    assert files <= names
    assert {name.partition("/")[0] for name in names} == {"imagefit", f"imagefit-{VERSION}.dist-info"}
    assert f"imagefit-{VERSION}.dist-info/licenses/LICENSE" in names


# The same source gives the same bytes, from the source distribution as from the tree.
def test_the_wheel_is_the_same_each_time(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob(f"imagefit-{VERSION}")
    (again,) = build(tmp_path / "again", "wheel", source=unpacked)
    assert again.read_bytes() == wheel.read_bytes()


# The source distribution has what packages are made of, and no recorded trees of hosts.
def test_the_source_distribution_has_what_packages_are_made_of(sdist: Path) -> None:
    names = {name.removeprefix(f"imagefit-{VERSION}/") for name in members(sdist)}
    for wanted in (
        "pyproject.toml",
        "packaging/requirements.lock",
        "systemd/imagefit.service",
        "SECURITY.md",
        "LICENSE",
    ):
        assert wanted in names, wanted
    assert not {name for name in names if name.startswith("tests/") or ":" in name}
