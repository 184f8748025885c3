"""The programs that benchmarks start: whether they are there, whatever ``PATH`` a user's shell has.

Knows where systems keep them. Leaves to each part what it needs.
"""

import os
import shutil
from collections.abc import Iterable

_SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")


def search_system_folders() -> None:
    """Have this process and all that it starts find what only root has in its ``PATH``, such as nginx."""
    os.environ["PATH"] = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))


def missing_programs(names: Iterable[str]) -> list[str]:
    """Return those of the programs that are not installed, each once, in their order."""
    return [name for name in dict.fromkeys(names) if shutil.which(name) is None]
