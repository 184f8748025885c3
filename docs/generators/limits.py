"""``reference/limits.md``: everything that is bounded, how much of it there may be, and what happens beyond.

Knows the words. Leaves the numbers to the modules that have them: each is read there.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from docs.generators.places import REFERENCE


class Limit(NamedTuple):
    """One row.

    Attributes:
        what: is limited.
        where: module and name of the number, ``imagefit.`` left out.
        unit: of the number; bytes and characters are written in full.
        beyond: what happens then.
    """

    what: str
    where: str
    unit: str
    beyond: str


_HEAD = """\
<!-- Written by `make docs` from the numbers in src/imagefit; edit docs/generators instead. -->

# Limits

What a daemon holds at most, and what happens beyond. The first two can be set, and so can the number of kept decisions
(`[decisions] keep`); the others stand in the code. All of them are per process.
"""

SECTIONS: Final = (
    (
        "Calls",
        (
            Limit("calls at once (`[limits] calls`)", "cri.limits:CALLS", "", "RESOURCE_EXHAUSTED, at once"),
            Limit("pulls at once (`[limits] pulls`)", "cri.limits:PULLS", "", "RESOURCE_EXHAUSTED, at once"),
            Limit("watches of the health", "cri.health:_MAX_WATCHERS", "", "RESOURCE_EXHAUSTED, at once"),
            Limit("one message", "cri.backend:MAX_MESSAGE_BYTES", "bytes", "RESOURCE_EXHAUSTED, as gRPC says it"),
            Limit("one call of imagefit's own to containerd", "cri.backend:_CALL_SECONDS", "s", "as if it were away"),
            Limit(
                "turns of a second until containerd shows written names",
                "cri.records:_SHOWN_SECONDS",
                "",
                "they are undone; the pull goes as `on-error` says",
            ),
            Limit(
                "further pulls of an image that vanished",
                "cri.records:PULLS_AGAIN",
                "",
                "UNAVAILABLE: kubelet asks again",
            ),
            Limit("marks of pulls", "cri.mark_files:MAX_MARKS", "files", "the pull is not marked"),
            Limit("connections for metrics", "daemon.endpoint:_MAX_CONNECTIONS", "", "closed at once"),
        ),
    ),
    (
        "Deciding",
        (
            Limit("threads that judge", "service.service:_THREADS", "", "work waits, within the pull's time budget"),
            Limit("one index, manifest or document", "model.oci:MAX_DOCUMENT_BYTES", "bytes", "it cannot be used"),
            Limit("entries of an index", "model.oci:MAX_ENTRIES", "", "the index cannot be used"),
            Limit("checks of one index", "selection.session:MAX_CHECKS", "", "entries beyond are unknown"),
            Limit("checks from referrers", "selection.session:MAX_OUTSIDE_CHECKS", "", "documents beyond do not count"),
            Limit("metadata of one pull", "service.metadata:MAX_METADATA_BYTES", "bytes", "entries beyond are unknown"),
            Limit(
                "metadata of referrers", "service.metadata:MAX_OUTSIDE_BYTES", "bytes", "documents beyond do not count"
            ),
            Limit(
                "pieces of metadata of one pull, and as many of referrers",
                "selection.gathering:MAX_FETCHES",
                "",
                "entries beyond are unknown",
            ),
            Limit("referrers of one image", "registry.referrers:MAX_REFERRERS", "", "none of them counts"),
            Limit("signatures of one referrer", "trust.search:MAX_SIGNATURES", "", "those beyond do not count"),
            Limit("decisions that are remembered", "service.recent:MAX_ENTRIES", "", "the oldest goes"),
        ),
    ),
    (
        "On disk and in the log",
        (
            Limit(
                "the cache of metadata", "registry.cache:DEFAULT_LIMIT_BYTES", "bytes", "what was not used longest goes"
            ),
            Limit("files in the cache", "registry.cache:DEFAULT_LIMIT_FILES", "", "what was not used longest goes"),
            Limit(
                "the file of decisions", "telemetry.decision_file:MAX_FILE_BYTES", "bytes", "it is written anew, halved"
            ),
            Limit("one decision in it", "telemetry.decision_file:MAX_LINE_BYTES", "bytes", "it is cut"),
            Limit(
                "decisions that wait for the disk",
                "telemetry.decisions:_MAX_WAITING",
                "",
                "lost, and counted in the log",
            ),
            Limit("one value in the log", "telemetry.lines:MAX_VALUE_CHARACTERS", "characters", "it is cut"),
            Limit("sets of labels of one metric", "telemetry.recorders:_MAX_SETS", "", "`other`"),
        ),
    ),
)
_TAIL = """
## What follows from them

Resolutions that wait, holds on names, locks of repositories and records being written belong to one pull each, so that
there are no more than pulls, and those whose caller has gone, each of which ends within seconds where containerd
answers. Every wait of a pull
for a registry is within `[policy] time-budget`; containerd's own pull takes as long as its caller waits.

## What has no limit of its own

- **Connections** to the socket: as many as the process may have file descriptors. Who may connect is what the socket's
  owner and mode say, as containerd's do.
- **Requests that are being read**: one message each, before their call is counted.
- **Lines in the log**: one decision per pull, one line per failure; the journal has its own rate limit.
- **Memory of judging**: two hostile indexes at the limits above, judged at the same time, take the most that imagefit
  ever takes; the unit's `MemoryMax` bounds it.
"""


def files() -> dict[Path, str]:
    """Return the page."""
    return {REFERENCE / "limits.md": limits_page()}


def limits_page() -> str:
    """Return ``reference/limits.md``."""
    return "\n".join((_HEAD, *_sections())) + _TAIL


def number(limit: Limit) -> float:
    """Return what the code says."""
    module, name = limit.where.split(":")
    found: float = getattr(import_module(f"imagefit.{module}"), name)
    return found


def _sections() -> Iterator[str]:
    for title, limits in SECTIONS:
        yield f"## {title}\n\n| what | most | beyond |\n|---|---|---|"
        for limit in limits:
            yield f"| {limit.what} | {_amount(number(limit), limit.unit)} | {limit.beyond} |"
        yield ""


def _amount(most: float, unit: str) -> str:
    if unit == "bytes":
        return f"{most // (1 << 20):g} MiB" if most >= 1 << 20 else f"{most // (1 << 10):g} KiB"
    return f"{most:,.10g} {unit}".strip()
