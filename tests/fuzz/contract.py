"""What a target is, and what every parser owes: a value or an error that it documents, soon and in little memory.

Knows the limits of one input. Leaves to the ``of_*`` modules which parsers there are and to ``worker`` and ``growing``
where inputs come from.
"""

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).with_name("corpus")
MOST_SECONDS: Final = 1.0
"""Most CPU time for one input."""
MOST_MEBIBYTES: Final = 100
"""Most that one input may add to the memory of a process."""
_SMALL_BYTES: Final = 4096
_STATUS: Final = Path("/proc/self/status")
_CLEAR_REFS: Final = Path("/proc/self/clear_refs")
_FORGET_THE_PEAK: Final = "5"


class CostlyError(Exception):
    """An input took too long or too much memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser, or a few that follow each other.

    Attributes:
        name: also of its folder in the corpus.
        call: takes any bytes; what it returns does not matter, and an assertion in it states what must hold besides.
        errors: the errors that the parser documents.
        tokens: words of its language, for the fuzzer to put together.
        limit_bytes: as much as the parser is ever given.
    """

    name: str
    call: Callable[[bytes], object]
    errors: tuple[type[Exception], ...] = ()
    tokens: tuple[bytes, ...] = ()
    limit_bytes: int = 64 * 1024

    @property
    def corpus(self) -> Path:
        """The folder of its inputs."""
        return CORPUS / self.name


def check(target: Target, content: bytes, most_seconds: float = MOST_SECONDS) -> None:
    """Give a target one input.

    Raises:
        CostlyError: it took longer than ``most_seconds`` of CPU time, or added more than ``MOST_MEBIBYTES`` of memory.
        Exception: whatever the parser raised that it does not document.
    """
    is_large = len(content) > _SMALL_BYTES
    if is_large:
        _CLEAR_REFS.write_text(_FORGET_THE_PEAK)
    before, start = _peak_mebibytes(exact=is_large), time.thread_time()
    with suppress(*target.errors):
        target.call(content)
    seconds = time.thread_time() - start
    mebibytes = _peak_mebibytes(exact=is_large) - before
    if seconds > most_seconds:
        raise CostlyError(f"{target.name}: {seconds:.1f} s for {len(content)} bytes")
    if mebibytes > MOST_MEBIBYTES:
        raise CostlyError(f"{target.name}: {mebibytes:.0f} MiB for {len(content)} bytes")


def _peak_mebibytes(*, exact: bool) -> float:
    """Return the most memory that this process has had; of small inputs quickly, and no less than its parent had."""
    if exact:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def text_of(content: bytes) -> str:
    """Return bytes as text, whatever they are."""
    return content.decode("utf-8", "replace")


def parts_of(content: bytes, count: int, separator: bytes = b"\n===\n") -> list[bytes]:
    """Return an input that stands for several: so many parts, empty ones where it has fewer."""
    parts = content.split(separator, count - 1)
    return parts + [b""] * (count - len(parts))
