"""The errors that kubelet may see while something is wrong; ``docs/explanation/faults.md`` explains each by its name.

Knows them by what they say. Leaves to ``running`` when they were seen.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

NAMED: Final[Mapping[str, re.Pattern[str]]] = {
    "connection lost": re.compile(
        r"(UNAVAILABLE|CANCELLED): .*"
        r"(failed to connect|Socket closed|Stream removed|GOAWAY|Cancelling all calls|shut)"
    ),
    "called off": re.compile(r"CANCELLED: (CANCELLED|Channel closed!)"),
    "no decision": re.compile(r"UNAVAILABLE: imagefit: no decision on "),
    "not named": re.compile(r"UNAVAILABLE: imagefit: \S+ was chosen and not named: "),
    "shed": re.compile(r"RESOURCE_EXHAUSTED: imagefit: more than \d+ (pulls|calls) at once"),
    "containerd's own": re.compile(
        r"\w+: "
        r"(refused by the gate|server is not initialized yet|failed to )"
    ),
}
"""Name → what an error with that name looks like: its code and its words."""


def name_of(seen: str) -> str | None:
    """Return the name of an error that kubelet saw; None for one that has none."""
    return next((name for name, pattern in NAMED.items() if pattern.match(seen.partition(": ")[2])), None)


def unnamed(seen: Iterable[str]) -> Iterator[str]:
    """Yield those errors that have no name."""
    for one in dict.fromkeys(seen):
        if name_of(one) is None:
            yield f"an error without a name: {one}"
