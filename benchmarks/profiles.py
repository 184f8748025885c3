"""Where the time goes of what misses its bar: ``python -m benchmarks.profiles`` prints what the page on performance quotes.

Knows the steps of a choice and the packages that a start imports. A profiler slows what it watches, so only shares are
told, never times.
"""

import cProfile
import pstats
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.choice import choose
from benchmarks.indexes import index, node

_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "read the index": ("oci.py", "parse_index"),
    "tell kinds apart, judge platforms": ("session.py", "_start"),
    "read the sets": ("judging.py", "_document"),
    "judge the sets": ("judging.py", "_verdict_on"),
    "rank": ("rank.py", "rank"),
}
_ENTRIES: Final = 10_000
_PACKAGES: Final = ("asyncio", "grpc", "imagefit", "msgspec")
_IMPORTED: Final = "import imagefit.cli.main, imagefit.cli.serve, imagefit.daemon"


def choice_shares() -> dict[str, float]:
    """Return the share of each step of a choice among 10,000 entries with distinct sets; they add up to 1."""
    content, where = index("distinct sets", _ENTRIES, "profile"), node()
    profile = cProfile.Profile()
    profile.runcall(choose, content, where)
    found: Any = pstats.Stats(profile)
    seconds = {(Path(file).name, function): one[3] for (file, _, function), one in found.stats.items()}
    spent = {step: seconds[function] for step, function in _STEPS.items()}
    spent["everything else"] = found.total_tt - sum(spent.values())
    return {step: one / found.total_tt for step, one in spent.items()}


def import_shares() -> dict[str, float]:
    """Return the share of each package in the time that importing takes before the daemon listens; they add up to 1."""
    ended = subprocess.run(
        (sys.executable, "-X", "importtime", "-c", _IMPORTED), check=True, capture_output=True, text=True
    )
    spent: Counter[str] = Counter()
    for line in ended.stderr.splitlines():
        own, _, module = (part.strip() for part in line.removeprefix("import time:").split("|"))
        if own.isdecimal():
            package = module.partition(".")[0]
            spent[package if package in _PACKAGES else "the rest of Python's library"] += int(own)
    return {package: microseconds / spent.total() for package, microseconds in spent.most_common()}


def main() -> None:
    """Print both."""
    console = Console(highlight=False)
    for title, shares in (
        ("A choice among 10,000 entries with distinct sets", choice_shares()),
        ("What is imported before listening", import_shares()),
    ):
        table = Table("step", "share", title=title)
        for step, share in shares.items():
            table.add_row(step, f"{share:.0%}")
        console.print(table)


if __name__ == "__main__":
    main()
