"""A process of its own that reads one document from standard input, judges it, and tells what that cost.

Prints JSON: ``error`` or ``problems``, ``seconds`` and ``mebibytes`` on top of what the process had before.
"""

import json
import resource
import sys
import time
from pathlib import Path

from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.model.facts import Facts, Node
from imagefit.model.requirement import Document
from imagefit.selection.match import judge_document

# As many options as a distribution's kernel has.
_OPTIONS = {f"CONFIG_OPTION_{number}": "y" for number in range(10_000)}
_DEVICES = tuple({"vendor": "10de", "device": f"{number:04x}", "class": "0302"} for number in range(100))
_NODE = Node(
    "linux",
    "amd64",
    "v3",
    Facts(
        {"cpu.cpuid": frozenset({"AVX2"})},
        {"kernel.config": _OPTIONS, "kernel.version": {"full": "a" * 4000 + "b", "major": "5"}},
        {"pci.device": _DEVICES},
    ),
)
# Loads what is imported late: that is not the document's doing.
_WARM = (
    b"compatibilities: [{rules: [{matchFeatures: [{feature: a.b, matchName: {op: InRegexp, value: [a]}}]}]}]",
    b"[]",
)
_MOST_BYTES = 4 << 30
_FORGET_THE_PEAK = "5"


def _mebibytes(key: str) -> float:
    """Return what the kernel counts for this process alone; ``getrusage`` starts at what its parent had."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) / 1024


def _read(content: bytes) -> dict[str, object]:
    try:
        document: Document = parse(content)
    except InvalidDocumentError as error:
        return {"error": str(error)}
    judge_document(document, _NODE)
    return {"problems": [str(problem) for problem in document.problems[:3]], "sets": len(document.alternatives)}


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    content = sys.stdin.buffer.read()
    for warm in _WARM:
        judge_document(parse(warm), _NODE)
    Path("/proc/self/clear_refs").write_text(_FORGET_THE_PEAK)
    before, start = _mebibytes("VmRSS"), time.perf_counter()
    found = _read(content)
    cost = {"seconds": time.perf_counter() - start, "mebibytes": _mebibytes("VmHWM") - before}
    print(json.dumps(found | cost))  # noqa: T201 - its parent reads it


if __name__ == "__main__":
    _main()
