"""Makes the bundle: one folder with imagefit and everything that it needs, of exactly the locked versions.

Knows how the wheel is built and how the lock is installed: only files whose hash it names, only wheels, from PyPI alone
whatever this machine's configuration says. The Debian package, the ``.pyz`` and the list of parts are made of it.
"""

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "dist"
LOCK: Final = ROOT / "packaging" / "requirements.lock"
VERSION: Final[str] = runpy.run_path(str(ROOT / "src" / "imagefit" / "version.py"))["VERSION"]
_INDEX: Final = "https://pypi.org/simple"
_UNUSED: Final = ("bin", "example.py")
"""What packages bring that nothing imports: their own commands, and an example that lies among the packages."""


def epoch() -> int:
    """Return the time that everything made bears, in seconds since 1970.

    It is SOURCE_DATE_EPOCH where it is set, otherwise that of the latest commit; without either now.
    """
    if said := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(said)
    git = shutil.which("git")
    known = git and subprocess.run(
        (git, "-C", str(ROOT), "log", "-1", "--format=%ct"), capture_output=True, text=True, check=False
    )
    if known and known.returncode == 0 and known.stdout.strip():
        return int(known.stdout)
    return int(time.time())


def build(to: Path, *kinds: str, source: Path = ROOT) -> list[Path]:
    """Build the ``kinds`` (``wheel``, ``sdist``) into the folder ``to``; the same source gives the same bytes."""
    for kind in kinds:
        _uv("build", f"--{kind}", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(to), str(source))
    (to / ".gitignore").unlink(missing_ok=True)
    return sorted(to.glob(f"imagefit-{VERSION}*"))


def make_bundle(folder: Path, wheel: Path, python: str = sys.executable) -> None:
    """Install the locked packages and imagefit, with their compiled modules.

    Args:
        folder: made here.
        wheel: imagefit's own.
        python: interpreter that the bundle is for.

    Raises:
        subprocess.CalledProcessError: a file does not have the hash that the lock names, a package that another
            one needs is not locked, or there is no wheel of it for this interpreter.
    """
    install = ("pip", "install", "--python", python, "--target", str(folder), "--link-mode", "copy")
    # The lock without --no-deps: a needed package that it lacks has no hash, which is an error.
    _uv(*install, "--require-hashes", "--only-binary", ":all:", "--requirements", str(LOCK))
    _uv(*install, "--no-deps", str(wheel))
    for name in _UNUSED:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (folder / ".lock").unlink(missing_ok=True)
    # Their sources are never looked at again, and each is named by its place in the bundle, wherever that will lie.
    compiling = (python, "-IS", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    subprocess.run((*compiling, "-s", str(folder), "-p", "", str(folder)), check=True)


def python_version(python: str) -> tuple[int, int]:
    """Return the major and minor version of an interpreter."""
    code = "import sys; print(*sys.version_info[:2])"
    said = subprocess.run((python, "-IS", "-c", code), capture_output=True, text=True, check=True).stdout
    major, minor = map(int, said.split())
    return major, minor


def _uv(*arguments: str) -> None:
    """Run uv, at first without network: what it has downloaded once it need not ask for again."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_", "PYTHON"))}
    environment["SOURCE_DATE_EPOCH"] = str(epoch())
    uv = f"{sysconfig.get_path('scripts')}/uv"
    command = (uv, "--quiet", "--no-config", *arguments, "--default-index", _INDEX)
    ended = subprocess.run((*command, "--offline"), check=False, env=environment, capture_output=True)
    if ended.returncode != 0:
        subprocess.run(command, check=True, env=environment)
