"""``make pyz``: writes ``dist/imagefit.pyz``, one file that runs wherever its minor version of Python is.

Knows the form of such a file. Leaves to ``unpacking`` what happens when it is started. Source: PEP 441.
"""

import hashlib
import platform
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Final

from bundle import DIST, ROOT, build, epoch, make_bundle, python_version

PYTHON: Final = "/usr/bin/python3"
_BUILD_DIGITS: Final = 16
_FAST: Final = 1
"""Of what it takes most is in libraries: more work makes it a tenth smaller."""


def make_pyz(bundle: Path, to: Path, python: str = PYTHON) -> Path:
    """Write ``imagefit.pyz``.

    Args:
        bundle: for ``python``.
        to: folder, made here.
        python: interpreter that starts it where it is started as a program.
    """
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(bundle)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    version, machine = python_version(python), platform.machine()
    built = f'BUILD = "{digest.hexdigest()[:_BUILD_DIGITS]}"\nPYTHON = {version}\nMACHINE = "{machine}"\n'
    to.mkdir(parents=True, exist_ok=True)
    made = to / "imagefit.pyz"
    made.write_bytes(f"#!{python} -IS\n".encode())
    with zipfile.ZipFile(made, "a") as archive:
        _add(archive, "__main__.py", (ROOT / "packaging/unpacking.py").read_bytes())
        _add(archive, "built.py", built.encode())
        for path in files:
            _add(archive, f"bundle/{path.relative_to(bundle)}", path.read_bytes())
    made.chmod(0o755)
    return made


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, time.gmtime(epoch())[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o100644 << 16
    archive.writestr(entry, content, compresslevel=_FAST)


def main() -> None:
    """Write the file and name it."""
    with tempfile.TemporaryDirectory(prefix="imagefit-pyz-") as temporary:
        (wheel,) = build(Path(temporary), "wheel")
        bundle = Path(temporary) / "bundle"
        make_bundle(bundle, wheel, PYTHON)
        print(make_pyz(bundle, DIST))


if __name__ == "__main__":
    main()
