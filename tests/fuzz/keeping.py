"""Which inputs are worth keeping: ``python -m fuzz.keeping TARGET FOLDER`` adds those of FOLDER to the corpus.

The corpus is for the replay, which every run of the tests pays for: few small files, each of which leads through lines
of imagefit in an order that no other leads through. Prints how many were added.
"""

import hashlib
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from fuzz.contract import Target, check

MOST_FILES: Final = 40
"""Of one target; findings come on top."""
MOST_BYTES: Final = 200 * 1024
"""Of one target."""
_LONGEST: Final = 12 * 1024
_MOST_SECONDS: Final = 60.0
_Step = tuple[str, int, int]


def steps_of(target: Target, content: bytes) -> frozenset[_Step]:
    """Return the steps from line to line of imagefit's code that an input leads through."""
    found: set[_Step] = set()
    last: dict[int, int] = {}

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if "/imagefit/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            found.add((frame.f_code.co_filename, last.get(id(frame), 0), frame.f_lineno))
            last[id(frame)] = frame.f_lineno
        return trace

    before = sys.gettrace()  # of whoever measures the tests
    sys.settrace(trace)
    try:
        with suppress(Exception):
            check(target, content, _MOST_SECONDS)
    finally:
        sys.settrace(before)
    return frozenset(found)


def worth_keeping(target: Target, known: Iterable[bytes], new: Iterable[bytes]) -> list[bytes]:
    """Return the new inputs that together lead furthest beyond the known ones, within the limits of the corpus."""
    before = list(known)
    seen: set[_Step] = set().union(*(steps_of(target, one) for one in before))
    left = {one: steps_of(target, one) for one in sorted(new, key=lambda one: (len(one), one)) if len(one) <= _LONGEST}
    kept: list[bytes] = []
    while left and len(before) + len(kept) < MOST_FILES:
        best = max(left, key=lambda one: len(left[one] - seen))
        if not left[best] - seen or sum(map(len, (*before, *kept, best))) > MOST_BYTES:
            break
        seen |= left.pop(best)
        kept.append(best)
    return kept


def _main(name: str, folder: Path) -> None:
    from fuzz.table import TARGETS

    target = TARGETS[name]
    target.corpus.mkdir(parents=True, exist_ok=True)
    known = [file.read_bytes() for file in sorted(target.corpus.glob("*"))]
    kept = worth_keeping(target, known, [file.read_bytes() for file in sorted(folder.glob("*"))])
    for content in kept:
        (target.corpus / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)
    print(len(kept))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
