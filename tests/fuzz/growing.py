"""Inputs as large as a parser is ever given, made of small ones: ``python -m fuzz.growing TARGET SECONDS FOLDER``.

A fuzzer keeps inputs small, and whatever takes time with the square of its input shows only in large ones. Here a piece
of an input of the corpus is written many times over. An input that costs too much is left in FOLDER.
"""

import random
import sys
import time
from pathlib import Path
from typing import Final

from fuzz.contract import Target
from fuzz.shrinking import fault_of

_LONGEST_PIECE: Final = 64
_MOST_NUMBERS: Final = 4


def grown(content: bytes, size_bytes: int, chance: random.Random) -> bytes:
    """Return an input with a piece of it repeated, up to a size; in some, every time with a number of its own."""
    start = chance.randrange(len(content) + 1)
    piece = content[start : start + chance.randint(1, _LONGEST_PIECE)] or b"a"
    before, after = content[:start], content[start + len(piece) * chance.randrange(2) :]
    count = max(0, size_bytes - len(before) - len(after)) // len(piece)
    if chance.randrange(2):
        return before + piece * count + after
    cut = chance.randrange(len(piece) + 1)
    count = count * len(piece) // (len(piece) + _MOST_NUMBERS)
    return before + b"".join(b"%b%x%b" % (piece[:cut], number, piece[cut:]) for number in range(count)) + after


def costly(target: Target, seconds: float, chance: random.Random) -> bytes | None:
    """Return a large input that costs too much; None where none is found in that time."""
    seeds = [file.read_bytes() for file in sorted(target.corpus.glob("*"))] or [b""]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        content = grown(chance.choice(seeds), target.limit_bytes, chance)[: target.limit_bytes]
        if fault_of(target, content):
            return content
    return None


def _main(name: str, seconds: float, folder: Path) -> None:
    from fuzz.table import TARGETS

    found = costly(TARGETS[name], seconds, random.Random())
    if found is not None:
        (folder / "found-grown").write_bytes(found)


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
