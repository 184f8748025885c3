"""Inputs given to a target once more, with the whole of what it raises: ``python -m fuzz.replay TARGET FILE...``."""

import sys
from pathlib import Path

from fuzz.contract import check
from fuzz.table import TARGETS

if __name__ == "__main__":
    for file in sys.argv[2:]:
        check(TARGETS[sys.argv[1]], Path(file).read_bytes())
