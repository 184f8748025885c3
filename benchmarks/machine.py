"""What the figures were measured on: the machine, and the versions of what they were measured with.

Knows where Linux and each program say it. A program that is not there has no version; the parts that need it say so.
"""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

_MIB: Final = 1024 * 1024
_VERSION: Final = re.compile(r"\bv?(\d+(?:\.\d+)+\S*)")
_PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "containerd": ("containerd", "--version"),
    "nginx": ("nginx", "-v"),
    "socat": ("socat", "-V"),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine.

    Attributes:
        cpu: its model's name.
        cores: how many of them this process may use.
        memory_mb: in MiB.
        kernel: Linux's release.
        versions: of Python, its libraries and the programs; empty for what is not there.
    """

    cpu: str
    cores: int
    memory_mb: int
    kernel: str
    versions: dict[str, str]


def this_machine() -> Machine:
    """Return what this machine is; every program is asked for its version."""
    return Machine(
        cpu=cpu_name(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB,
        kernel=platform.release(),
        versions={
            "python": platform.python_version(),
            "grpcio": version("grpcio"),
            "msgspec": version("msgspec"),
            **{name: version_in(_output(command)) for name, command in _PROGRAMS.items()},
        },
    )


def load_average() -> float:
    """Return how many processes wanted to run, on average of the last minute."""
    return round(os.getloadavg()[0], 2)


def cpu_name(cpuinfo: str) -> str:
    """Return the model's name from the text of /proc/cpuinfo; ``unknown`` where it has none."""
    found = re.search(r"^(?:model name|cpu model|Model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else "unknown"


def version_in(text: str) -> str:
    """Return the first version number in what a program says of itself; empty where there is none."""
    found = _VERSION.search(text)
    return found[1] if found else ""


def _output(command: tuple[str, ...]) -> str:
    with suppress(OSError):
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        return ended.stdout + ended.stderr
    return ""
