"""Starts imagefit from the one file that it is: the bundle is unpacked once per build, then run from there.

Knows where it may be unpacked: what root runs must lie where nobody else can write, and a daemon may have no home.
Knows that an older build that still runs, as during a hand-over, imports more of itself later: it is removed only once
nobody runs it. This is ``__main__`` of the ``.pyz``; ``built`` is written by ``pyz``.
"""

import fcntl
import os
import platform
import shutil
import stat
import sys
import tempfile
import zipfile
from pathlib import Path

from built import BUILD, MACHINE, PYTHON

_PREFIX = "pyz-"
_UNFINISHED = ".unpacking-"
_WITHIN = "bundle/"
_SHARED = stat.S_IWGRP | stat.S_IWOTH


def main() -> None:
    """Unpack what is not there yet, and run imagefit."""
    if sys.version_info[:2] != PYTHON or platform.machine() != MACHINE:
        sys.exit(f"imagefit: this file is for Python {PYTHON[0]}.{PYTHON[1]} on {MACHINE}")
    try:
        sys.path[0] = str(_unpacked(_cache()))
    except OSError as error:
        print(f"imagefit: cannot unpack itself: {error} (CACHE_DIRECTORY names another folder)", file=sys.stderr)
        sys.exit(2)
    from imagefit.cli.main import run

    run()


def _cache() -> Path:
    """Return the folder for unpacked builds, made if it is not there.

    Raises:
        PermissionError: somebody else could change what is in it.
    """
    if given := os.environ.get("CACHE_DIRECTORY"):  # systemd sets it for CacheDirectory=
        folder = Path(given.partition(":")[0])
    elif os.geteuid() == 0:
        folder = Path("/var/cache/imagefit")
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "imagefit")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve(strict=True)
    for place in (folder, *folder.parents):
        found = place.stat()
        sticky = place != folder and found.st_mode & stat.S_ISVTX
        if found.st_uid not in {0, os.geteuid()} or (found.st_mode & _SHARED and not sticky):
            raise PermissionError(f"others can write in {place}")
    return folder


def _unpacked(cache: Path) -> Path:
    """Return the folder of this build, held as long as this process lives."""
    target = cache / f"{_PREFIX}{BUILD}"
    # What others could open they could lock, for ever.
    with os.fdopen(os.open(cache / ".lock", os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several first starts one unpacks, and nobody removes meanwhile
        if not target.is_dir():
            _unpack(target)
        fcntl.flock(os.open(target, os.O_RDONLY), fcntl.LOCK_SH)  # never closed: it tells that this build runs
        for other in (*cache.glob(f"{_PREFIX}*"), *cache.glob(f"{_UNFINISHED}*")):
            if other != target:
                _remove_unless_held(other)
    return target


def _unpack(target: Path) -> None:
    """Unpack beside ``target``, then rename: what is there is whole, also after a power cut."""
    beside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent))
    with zipfile.ZipFile(sys.argv[0]) as archive:
        archive.extractall(beside, (name for name in archive.namelist() if name.startswith(_WITHIN)))
    (beside / _WITHIN).chmod(0o700)
    os.sync()
    (beside / _WITHIN).rename(target)


def _remove_unless_held(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(held)


main()
