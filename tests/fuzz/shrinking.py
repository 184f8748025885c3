"""The smallest input that still does what a larger one did: ``python -m fuzz.shrinking TARGET FILE SMALLER``.

Knows that an input is tried without the fuzzer and its instrumentation, so that what it finds is what a plain Python
does. Exits with 0 and writes SMALLER where FILE fails, with 1 where it does not.
"""

import sys
import time
from pathlib import Path
from typing import Final

from fuzz.contract import Target, check

_MOST_SECONDS: Final = 30.0


def fault_of(target: Target, content: bytes) -> str:
    """Return the kind of what an input does that it must not; empty for none."""
    try:
        check(target, content)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return type(error).__name__
    return ""


def shrunk(target: Target, content: bytes, most_seconds: float = _MOST_SECONDS) -> bytes:
    """Return the smallest input found that has the same fault: pieces are left out, larger ones first."""
    fault, ends = fault_of(target, content), time.monotonic() + most_seconds
    size = len(content) // 2
    while size and time.monotonic() < ends:
        start = 0
        while start < len(content) and time.monotonic() < ends:
            smaller = content[:start] + content[start + size :]
            if fault_of(target, smaller) == fault:
                content = smaller
            else:
                start += size
        size //= 2
    return content


def _main(name: str, file: Path, smaller: Path) -> int:
    from fuzz.table import TARGETS

    content = file.read_bytes()
    if not fault_of(TARGETS[name], content):
        return 1
    smaller.write_bytes(shrunk(TARGETS[name], content))
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
