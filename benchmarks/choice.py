"""The choice itself, in this process: from the bytes of an index to the decision, without network or disk.

Knows what is timed and what it is compared with: ``json.loads`` of the same bytes, the least that any reader of an
index spends. Every index is a new one, so that nothing that is remembered of one serves the next but what real indexes
share, which is values. Leaves to ``indexes`` what an index says. As a program it times the first choice of its process.
"""

import gc
import itertools
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.indexes import UNMET, index, node
from benchmarks.measuring import SHARE, Figure, figure, interleaved, ratios
from benchmarks.profiles import choice_shares
from imagefit.model.decision import Decision
from imagefit.model.facts import Node
from imagefit.model.oci import MAX_DOCUMENT_BYTES, digest_of, parse_index
from imagefit.model.policy import Policy
from imagefit.model.reference import parse_reference
from imagefit.model.truth import Truth
from imagefit.selection.session import Selection
from imagefit.service.consequence import of_decision
from imagefit.service.recent import Recent

PART: Final = "choice"
SIZES: Final = (10, 100, 1_000, 10_000)
CASES: Final = (
    *itertools.product(("bare", "equal sets", "shared sets", "distinct sets"), SIZES),
    *itertools.product(("NFD rules",), (10, 1_000)),
)
"""Every kind and length of index."""
_MS: Final = 1_000
_US: Final = 1_000_000
_KB: Final = 1_000
_MB: Final = 1_000_000
# Short choices are made again and again in a round, each on another index.
_ENTRIES_A_ROUND: Final = 2_000
_MOST_INDEXES_A_ROUND: Final = 20
_FIRST: Final = "first choice of a process, 10 entries"
_OUTCOME: Final = f"{SIZES[-1]:,} entries, nothing fits: to outcome"
_FOUND: Final = f"{SIZES[0]} entries, decided before: looked up"
_LOOKS: Final = 1_000
_REFERENCE: Final = parse_reference("registry.example/team/app:1")


@dataclass(frozen=True, slots=True)
class _Sample:
    """One round of one case: CPU seconds of a choice, and how many times those of ``json.loads`` they are."""

    choice: float
    to_loads: float


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Return the figures of the choice.

    Args:
        rounds: how often each is measured.
        tell: is told what is being done.
    """
    where = node()
    ways = {name_of(kind, entries): partial(_sample, kind, entries, where) for kind, entries in CASES}
    found = interleaved(ways, rounds, tell)
    others: dict[str, Callable[[], float]] = {
        _FIRST: _first,
        _OUTCOME: partial(_outcome, where),
        _FOUND: partial(_looked_up, where),
    }
    besides = interleaved(others, rounds, tell)
    tell("memory")
    memory = _memory(where)
    tell("profile of a choice")
    return [
        *(one for case in CASES for one in _times(*case, found[name_of(*case)])),
        *_linear(found),
        figure(PART, _FIRST, "ms", [one * _MS for one in besides[_FIRST]], is_compared=False),
        figure(PART, _OUTCOME, "ms", [one * _MS for one in besides[_OUTCOME]], is_compared=False),
        figure(PART, _FOUND, "µs", [one * _US for one in besides[_FOUND]], is_compared=False),
        *memory,
        _not_judged(where),
        *_shares(where),
    ]


def name_of(kind: str, entries: int) -> str:
    """Return the name of the figure that says how long a choice takes."""
    return f"{entries:,} entries, {kind}"


def choose(content: bytes, where: Node) -> Decision:
    """Return the decision over an index.

    Args:
        content: the bytes of an index whose entries carry their metadata.
        where: what to choose for.

    Raises:
        ValueError: something of it would have to be fetched.
    """
    selection = Selection(parse_index(content, digest_of(b"")), where, Policy())
    if selection.wanted():
        raise ValueError("the index leads to metadata that is not in it")
    return selection.decide()


def _sample(kind: str, entries: int, where: Node) -> _Sample:
    repeats = max(1, min(_MOST_INDEXES_A_ROUND, _ENTRIES_A_ROUND // entries))
    contents = [_fresh(kind, entries) for _ in range(repeats)]
    gc.collect()
    pairs = [(_seconds(partial(choose, one, where)), _seconds(partial(json.loads, one))) for one in contents]
    return _Sample(
        statistics.median(choice for choice, _ in pairs), statistics.median(choice / loads for choice, loads in pairs)
    )


def _fresh(kind: str, entries: int) -> bytes:
    content = index(kind, entries, secrets.token_hex(8))
    if len(content) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"{name_of(kind, entries)}: {len(content)} bytes are more than imagefit reads")
    return content


def _seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of what never waits: those that would pass if the machine did nothing else."""
    started = time.thread_time()
    result = work()
    seconds = time.thread_time() - started
    del result  # what it takes to let go of it is not timed
    return seconds


def _times(kind: str, entries: int, rounds: list[_Sample]) -> tuple[Figure, Figure]:
    name = name_of(kind, entries)
    return (
        figure(PART, name, "ms", [one.choice * _MS for one in rounds], is_compared=False),
        figure(PART, f"{name} / loads", "x", [one.to_loads for one in rounds]),
    )


def _linear(found: dict[str, list[_Sample]]) -> tuple[Figure, Figure]:
    """Return how long an entry takes, and how much longer among ten times as many."""
    most, fewer = SIZES[-1], SIZES[-2]
    an_entry = [[one.choice / size for one in found[name_of("distinct sets", size)]] for size in (most, fewer)]
    return (
        figure(PART, f"an entry among {most:,}", "µs", [one * _US for one in an_entry[0]], is_compared=False),
        figure(PART, f"an entry among {most:,} / among {fewer:,}", "x", ratios(*an_entry)),
    )


def _memory(where: Node) -> list[Figure]:
    """Return what a choice allocates at its peak; that is the same every time, so it is looked at once."""
    kinds = ("equal sets", "distinct sets")
    peaks = {(kind, entries): _peak_bytes(_fresh(kind, entries), where) for kind in kinds for entries in SIZES[-2:]}
    figures = [figure(PART, f"peak memory, {case[1]:,} {case[0]}", "MB", [peak / _MB]) for case, peak in peaks.items()]
    for kind in kinds:
        small, large = (peaks[kind, entries] for entries in SIZES[-2:])
        grown = (large - small) / (SIZES[-1] - SIZES[-2]) / _KB
        figures.append(figure(PART, f"memory of one more entry, {kind}", "KB", [grown]))
    return figures


def _peak_bytes(content: bytes, where: Node) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        choose(content, where)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _not_judged(where: Node) -> Figure:
    """Return how many entries of the longest index were beyond the limit on checks: the recorded host knows the rest.

    A choice that leaves entries out is fast, and no choice.
    """
    ranking = choose(_fresh("distinct sets", SIZES[-1]), where).ranking
    count = sum(ranked.verdict.truth is Truth.UNKNOWN for ranked in ranking)
    return figure(PART, f"not judged of {SIZES[-1]:,} distinct sets", "entries", [count])


def _outcome(where: Node) -> float:
    """Return the CPU seconds from a decision by which no entry of the longest index fits to the refusal's words."""
    decision = choose(_fresh(UNMET, SIZES[-1]), where)
    if decision.chosen is not None:
        raise ValueError("an entry fits that should not")
    return _seconds(partial(of_decision, _REFERENCE, decision))


def _looked_up(where: Node) -> float:
    """Return the CPU seconds in which a repeated pull finds that its index has been decided on."""
    decision, recent = choose(_fresh("distinct sets", SIZES[0]), where), Recent()
    recent.keep(_REFERENCE, decision, where)

    def look() -> None:
        for _ in range(_LOOKS):
            if recent.find(_REFERENCE, decision.index_digest, decision.policy, where) is not decision:
                raise ValueError("the decision was not found")

    return _seconds(look) / _LOOKS


def _shares(where: Node) -> list[Figure]:
    """Return what the longest choice consists of; a profile, so it is looked at once."""
    shares = choice_shares(partial(choose, _fresh("distinct sets", SIZES[-1]), where))
    return [
        figure(PART, f"share of {SIZES[-1]:,} distinct: {step}", SHARE, [one], is_compared=False)
        for step, one in shares.items()
    ]


def _first() -> float:
    """Return the CPU seconds that the first choice of a new process takes, its imports and the node not counted."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(_fresh("distinct sets", 10))
        file.flush()
        command = (sys.executable, "-m", "benchmarks.choice", file.name)
        ended = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[1]
        )
    return float(ended.stdout)


if __name__ == "__main__":
    print(_seconds(partial(choose, Path(sys.argv[1]).read_bytes(), node())))
