"""``make fuzz``: every target for its share of the time, each in a process of its own; a table in the end.

Knows what becomes of a finding: it is tried again without the fuzzer, made as small as it gets, and put into the corpus
if it is small. Leaves to ``worker`` and ``growing`` where inputs come from, to ``keeping`` which are worth keeping.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fuzz.contract import Target
from fuzz.table import TARGETS

_GROWING_SHARE: Final = 0.2
_PATIENCE_SECONDS: Final = 120
_KEPT_BYTES: Final = 20 * 1024
_MOST_MEMORY_BYTES: Final = 4 << 30
_LARGE: Final = Path(tempfile.gettempdir()) / "imagefit-fuzz"
_RUNS: Final = re.compile(r"number_of_executed_units: (\d+)")
_EDGES: Final = re.compile(r"cov: (\d+)")
_NO_ATHERIS: Final = (
    "atheris is not installed: it comes with the extra 'fuzz' (pip install -e '.[fuzz]') and has wheels for some "
    f"versions of Python only; this is {sys.version_info.major}.{sys.version_info.minor}"
)


@dataclass(slots=True)
class _Row:
    """What came of one target."""

    name: str
    runs: str = "-"
    new: str = "0"
    edges: str = "-"
    findings: list[str] = field(default_factory=list)


def main(words: Sequence[str], *, has_atheris: bool) -> int:
    """Fuzz, and return 0 where nothing was found, 1 where something was, 2 where nothing could be done."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=float, default=600.0, help="for all targets together")
    parser.add_argument("--target", default="", help="only this one")
    asked = parser.parse_args(words)
    if not has_atheris:
        print(_NO_ATHERIS, file=sys.stderr)
        return 2
    if asked.target and asked.target not in TARGETS:
        print(f"there is no target {asked.target!r}; there are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    chosen = [TARGETS[asked.target]] if asked.target else [*TARGETS.values()]
    rows = []
    for number, target in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {target.name}", end=" ", flush=True)
        rows.append(_fuzzed(target, asked.seconds / len(chosen)))
        print(f"{rows[-1].runs} runs, {len(rows[-1].findings)} findings", flush=True)
    _print_table(rows)
    return 1 if any(row.findings for row in rows) else 0


def _fuzzed(target: Target, seconds: float) -> _Row:
    row = _Row(target.name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fuzzing = str(max(1, round(seconds * (1 - _GROWING_SHARE))))
        ended, told = _run("fuzz.worker", seconds, target.name, fuzzing, place)
        # The last words count: libFuzzer tells them as it goes.
        row.runs = ([*_RUNS.findall(told), "-"])[0]
        row.edges = (["-", *_EDGES.findall(told)])[-1]
        row.new = _run("fuzz.keeping", _PATIENCE_SECONDS, target.name, f"{place}/new")[1].strip() or "-"
        grown, words = _run("fuzz.growing", seconds, target.name, str(seconds * _GROWING_SHARE), place)
        row.findings += dict.fromkeys(findings(target, folder))  # both ways may lead to one
        for code, text in ((ended, told), (grown, words)):
            if code and not row.findings:
                row.findings.append(f"it ended with {code}: {text[-2000:]}")
    return row


def findings(target: Target, folder: Path) -> Iterator[str]:
    """Yield what each input that ended a process does without the fuzzer, and where the smallest such input is."""
    for found in sorted(folder.glob("found-*")):
        smaller = folder / "smaller"
        failed, told = _run("fuzz.shrinking", _PATIENCE_SECONDS, target.name, str(found), str(smaller))
        if failed == 1:
            continue  # costly under the fuzzer's instrumentation only
        content = (found if failed else smaller).read_bytes()
        kept = target.corpus if len(content) <= _KEPT_BYTES else _LARGE / target.name
        kept.mkdir(parents=True, exist_ok=True)
        file = kept / f"finding-{hashlib.sha256(content).hexdigest()[:16]}"
        file.write_bytes(content)
        yield f"PYTHONPATH=tests {sys.executable} -m fuzz.replay {target.name} {file}" + (told and f"\n{told}")


def _run(module: str, seconds: float, *words: str) -> tuple[int, str]:
    """Return how a module ended on some words, and what it said."""
    command = [sys.executable, "-m", module, *words]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
        try:
            told, _ = process.communicate(timeout=seconds + _PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                process.kill()
            told, _ = process.communicate()
            return 124, f"it hung\n{told}"
    return process.returncode, told


def _print_table(rows: Sequence[_Row]) -> None:
    width = max(len(row.name) for row in rows)
    print(f"\n{'target':{width}}  {'runs':>10}  {'new':>4}  {'edges':>6}  findings")
    for row in rows:
        print(f"{row.name:{width}}  {row.runs:>10}  {row.new:>4}  {row.edges:>6}  {len(row.findings) or '-'}")
    for row in rows:
        for finding in row.findings:
            print(f"\n{row.name}: {finding}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], has_atheris=importlib.util.find_spec("atheris") is not None))
