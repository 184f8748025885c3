"""Calls made by h2load, the HTTP/2 client of nghttp2: one in C costs little, so that ratios show the proxies.

Knows how h2load is told to make gRPC calls (PROTOCOL-HTTP2 of gRPC: each message with five bytes ahead, ``te:
trailers``), how its log and its summary are read, and that it ends where a server has it connect anew, as imagefit has
its clients do. It does not read what is answered: that every answer had the length it should have is checked here,
what it said by a gRPC client elsewhere.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measuring import percentile

_PROGRAM: Final = "h2load"
_LONGEST_SECONDS: Final = 300
_US_IN_MS: Final = 1_000
_NEVER: Final = "0"
_SUCCEEDED: Final = re.compile(r"^requests: .* (\d+) succeeded", re.MULTILINE)
_DATA: Final = re.compile(r"^traffic: .* \((\d+)\) data$", re.MULTILINE)


class LoadError(Exception):
    """A call was not answered, or not with what it should be."""


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call.

    Attributes:
        name: as the figures have it.
        method: full name, such as ``/runtime.v1.ImageService/ImageStatus``.
        request: the message.
        replies: the messages of a right answer.
        requests: how many are made in a round, by how many are under way at once.
    """

    name: str
    method: str
    request: bytes
    replies: Sequence[bytes]
    requests: dict[int, int]

    @property
    def answer_bytes(self) -> int:
        """Length of a right answer's body."""
        return sum(len(framed(reply)) for reply in self.replies)


@dataclass(frozen=True, slots=True)
class Times:
    """How long calls took, in ms."""

    p50: float
    p99: float


def framed(message: bytes) -> bytes:
    """Return a message as gRPC sends it: not compressed, its length ahead."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def load(socket: Path, call: Call, at_once: int, folder: Path, requests: int | None = None) -> Times:
    """Make calls over one connection at a time: where the server ends it, the rest goes over another.

    Args:
        socket: a Unix socket.
        call: what is called.
        at_once: how many are under way at any moment.
        folder: for the request and the log.
        requests: how many calls; by default what ``call`` says.

    Raises:
        LoadError: one was not answered with as many bytes as it should be.
    """
    body, log = folder / "request", folder / "log.tsv"
    body.write_bytes(framed(call.request))
    times: list[float] = []
    while left := (requests or call.requests[at_once]) - len(times):
        log.unlink(missing_ok=True)  # h2load appends
        said = _said(
            *(f"--requests={left}", "--clients=1", f"--max-concurrent-streams={at_once}"),
            *(f"--base-uri=unix:{socket}", f"--data={body}", f"--log-file={log}"),
            *("--header=te: trailers", "--header=content-type: application/grpc", f"http://localhost{call.method}"),
        )
        made = times_in(log.read_text())
        if not made or answered(said) != (len(made), len(made) * call.answer_bytes):
            raise LoadError(f"{call.name} at {socket} was not answered as it should be:\n{said}")
        times += made
    return Times(percentile(times, 50), percentile(times, 99))


def _said(*arguments: str) -> str:
    return subprocess.run(
        (_PROGRAM, *arguments), check=False, capture_output=True, text=True, timeout=_LONGEST_SECONDS
    ).stdout


def answered(summary: str) -> tuple[int, int]:
    """Return how many answers came and how many bytes all bodies had, from what h2load printed."""
    succeeded, data = _SUCCEEDED.search(summary), _DATA.search(summary)
    return int(succeeded[1]) if succeeded else 0, int(data[1]) if data else 0


def times_in(log: str) -> list[float]:
    """Return how long each call that was made took, in ms, from h2load's log: start, HTTP status and µs in a line.

    A call that it was about to make as the server ended the connection has no start, and is not counted as answered.
    """
    rows = (line.split("\t") for line in log.splitlines())
    return [int(us) / _US_IN_MS for start, _, us in rows if start != _NEVER]
