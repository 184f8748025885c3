"""Documents made to hurt: each is a named problem, soon and in little memory, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from imagefit.model.oci import MAX_DOCUMENT_BYTES

_READER: Final = Path(__file__).with_name("hostile_reader.py")
# A machine that runs tests is not quiet: alone, every one of these takes less than a second.
_MOST_SECONDS: Final = 5.0
_MOST_MEBIBYTES: Final = 100.0
_SIZE: Final = MAX_DOCUMENT_BYTES
_SETS: Final = b'{"compatibilities":['


def _nfd(*terms: Any, sets: int = 1) -> bytes:
    rules = [{"name": "a", "matchFeatures": list(terms)}]
    return json.dumps({"compatibilities": [{"rules": rules}] * sets}).encode()


def _many(count: int, make: Callable[[int], Any]) -> bytes:
    """Return a document of many sets with one term each."""
    rules = [{"rules": [{"matchFeatures": [make(number)]}]} for number in range(count)]
    return json.dumps({"compatibilities": rules}).encode()


def _pattern(number: int, pattern: str) -> Any:
    return {"feature": "kernel.config", "matchName": {"op": "InRegexp", "value": [f"{pattern}{number}"]}}


def _referring(count: int, op: str, times: int) -> bytes:
    """Return sets of which each refers to the one before it."""
    sets: list[Any] = [{"rules": [{"name": "r0", "matchFeatures": [{"feature": "cpu.cpuid"}]}]}]
    for number in range(1, count):
        term = {"feature": "rule.matched", "matchExpressions": {f"r{number - 1}": {"op": op}}}
        sets.append({"rules": [{"name": f"r{number}", "matchFeatures": [term] * times}]})
    return json.dumps({"compatibilities": sets}).encode()


def _doubling(first: bytes, more: Callable[[int], bytes]) -> bytes:
    return first + b"".join(more(number) for number in range(1, 60))


_CASES: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "JSON nested to the end": (lambda: b"[" * _SIZE, "400000 values"),
    "JSON nested and closed": (lambda: b"[" * 100_000 + b"]" * 100_000, "64 deep"),
    "JSON objects nested": (lambda: b'{"a":' * 90_000 + b"1" + b"}" * 90_000, "64 deep"),
    "JSON of empty lists": (lambda: _SETS + b"[]," * 390_000 + b"[]]}", "400000 values"),
    "JSON of many sets": (lambda: _SETS + b"{}," * 190_000 + b"{}]}", "10000 sets"),
    "JSON of a million rules": (lambda: _SETS + b'{"rules":[' + b"{}," * 1_000_000 + b"{}]}]}", "400000 values"),
    "JSON of 150,000 rules": (lambda: _SETS + b'{"rules":[' + b"{}," * 150_000 + b"{}]}]}", "10000 values"),
    "JSON with a number of 100,000 digits": (
        lambda: _SETS + b'{"rules":[],"weight":' + b"9" * 100_000 + b"}]}",
        "nine digits",
    ),
    "JSON with an exponent of a million digits": (lambda: b'[{"a":1e' + b"9" * 1_000_000 + b"}]", "characters"),
    "JSON with one key twice": (
        lambda: b'[{"a":1,' + b",".join(b'"k%d":1' % number for number in range(190_000)) + b',"a":1}]',
        "'a' stands twice",
    ),
    "JSON with many escapes": (lambda: b'["' + b"\\ud83d\\ude00" * 300_000 + b'\\ud83d"]', "half a character"),
    "JSON that is no UTF-8 at its end": (lambda: b'{"a":"' + b"a" * (_SIZE - 7) + b"\xff", "not UTF-8"),
    "labels": (lambda: json.dumps([{f"k{number}": "1" for number in range(190_000)}]).encode(), "10000 checks"),
    "labels without a value": (
        lambda: json.dumps([{f"k{number}": None for number in range(190_000)}]).encode(),
        "expected a string",
    ),
    "lists in labels": (
        lambda: json.dumps(
            [{f"k{number}": ",".join(f"{item:x}" for item in range(3900)) for number in range(90)}]
        ).encode(),
        "10000 checks",
    ),
    "broken sets": (lambda: json.dumps([dict.fromkeys("abcdefghijklmnop")] * 9000).encode(), "10000 faults"),
    "YAML nested in flow": (lambda: b"a: " + b"[" * (_SIZE - 3), "64 deep"),
    "YAML mappings nested in flow": (lambda: b"a: " + b"{a: " * (_SIZE // 4 - 1), "64 deep"),
    "YAML nested in blocks": (lambda: b"- " * (_SIZE // 2), "64 deep"),
    "YAML mappings nested in blocks": (lambda: b"".join(b" " * n + b"a:\n" for n in range(2_800)), "64 deep"),
    "YAML keys nested": (lambda: b"? " * (_SIZE // 2), "64 deep"),
    "YAML aliases of lists, doubling": (
        lambda: _doubling(b"a0: &a0 [x]\n", lambda n: b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1)),
        "aliases written out",
    ),
    "YAML aliases of mappings, doubling": (
        lambda: _doubling(b"a0: &a0 {x: y}\n", lambda n: b"a%d: &a%d {a: *a%d, b: *a%d}\n" % (n, n, n - 1, n - 1)),
        "aliases written out",
    ),
    "YAML aliases, deeper and deeper": (
        lambda: _doubling(b"a0: &a0 [x]\n", lambda n: b"a%d: &a%d %s*a%d%s\n" % (n, n, b"[" * 50, n - 1, b"]" * 50)),
        "64 deep",
    ),
    "YAML anchor inside itself": (lambda: b"a: &a [*a]", "stands for nothing before it"),
    "YAML aliases of text": (lambda: b"a: &a x\nb: [" + b"*a," * (_SIZE // 4) + b"]", "aliases written out"),
    "YAML anchors": (lambda: b"".join(b"k%d: &a%d x\n" % (n, n) for n in range(200_000)), "100000 values"),
    "YAML list": (lambda: b"- x\n" * (_SIZE // 4), "100000 values"),
    "YAML documents": (lambda: b"--- x\n" * (_SIZE // 6), "more than one YAML document"),
    "YAML directives": (lambda: b"".join(b"%%TAG !a%d! tag:x\n" % n for n in range(150_000)), "directives"),
    "YAML of 150,000 rules": (lambda: b"compatibilities:\n- rules:\n" + b"  - {}\n" * 150_000, "100000 values"),
    "YAML with a key twice": (
        lambda: b"".join(b"k%d: x\n" % n for n in range(40_000)) + b"k0: x\n",
        "'k0' stands twice",
    ),
    "YAML with a number of 100,000 digits": (
        lambda: b"compatibilities:\n- rules: []\n  weight: " + b"9" * 100_000,
        "nine digits",
    ),
    "YAML of one long key": (lambda: b"x" * (_SIZE - 3) + b": a", "not YAML"),
    "YAML with a long tag": (lambda: b"a: !<" + b"%41" * (_SIZE // 3 - 3) + b"> x", "is not read"),
    "NUL": (lambda: b"\0" * _SIZE, "control characters"),
    "spaces": (lambda: b" " * _SIZE, "0 YAML documents"),
    "pattern that goes back": (lambda: _nfd(_pattern(0, "(a+)+$(")), "not a regular expression"),
    "patterns that grow": (lambda: _nfd(_pattern(1, "((((a{100}){100}){100}){100}){10}")), "not a regular expression"),
    "many large patterns": (lambda: _many(300, lambda n: _pattern(n, r"(x|\pL)*" * 100)), "regular expression"),
    "many slow patterns": (lambda: _many(300, lambda n: _pattern(n, "(O|P|L)*" * 100)), "too many regular"),
    "names as numbers": (
        lambda: _nfd(*[{"feature": "kernel.config", "matchName": {"op": "Gt", "value": ["1"]}}] * 1500),
        "too many regular",
    ),
    "faults in expressions": (
        lambda: _nfd({"feature": "a.b", "matchExpressions": {f"e{n}": {"op": "x"} for n in range(1200)}}),
        "is not an operator",
    ),
    "unknown keys": (
        lambda: _SETS + json.dumps({f"k{n}": 1 for n in range(9000)} | {"rules": []}).encode() + b"]}",
        "an unknown key",
    ),
    "a long text that aliases write out": (
        lambda: (
            b'a: &a "'
            + b"x" * 3_000_000
            + b'"\ncompatibilities:\n- rules:\n  - matchFeatures:\n    - feature: cpu.cpuid\n      matchExpressions:\n'
            + b"        AVX: {op: In, value: ["
            + b"*a," * 2000
            + b"x]}\n"
        ),
        "100000 values",
    ),
    "a long key": (
        lambda: json.dumps({"compatibilities": {"x" * 1_000_000: {f"k{n}": [] for n in range(2000)}}}).encode(),
        "a key of 1000000 characters",
    ),
    "a long domain": (
        lambda: json.dumps(
            {
                "spec": {
                    "compatibilities": [
                        {"id": "a", "domain": "x" * 1_000_000, "attributes": {f"k{n}": "1" for n in range(2000)}}
                    ]
                }
            }
        ).encode(),
        "more than 1024 characters",
    ),
    "a range of many parts": (
        lambda: json.dumps([{f"a{n}": "||".join([">1"] * 4090) for n in range(250)}]).encode(),
        "128 parts",
    ),
    "devices": (
        lambda: json.dumps([{"oci.pci.devices": ",".join(f"{n:04x}.2336" for n in range(1000))}] * 5).encode(),
        "10000 checks",
    ),
    "features of an operating system": (
        lambda: json.dumps({"os": "linux", "architecture": "a", "os.features": ["x"] * 390_000}).encode(),
        "390000 features",
    ),
    "references that double": (lambda: _referring(500, "Exists", 2), "10000 checks"),
    "references that lead far": (lambda: _referring(900, "DoesNotExist", 1), "too many sets"),
}
# What is allowed, but the most of it.
_LARGE: Final[dict[str, Callable[[], bytes]]] = {
    "YAML of one long word": lambda: b"compatibilities:\n- rules: []\n  description: " + b"x" * (_SIZE - 50),
    "YAML folded": lambda: b"compatibilities:\n- rules: []\n  description: >\n" + b"    x\n" * (_SIZE // 6 - 10),
    "a pattern that would go back": lambda: _nfd(
        {"feature": "kernel.version", "matchExpressions": {"full": {"op": "InRegexp", "value": ["(a+)+$"]}}}
    ),
    "patterns on names": lambda: _many(8, lambda n: _pattern(n, "(O|P|L)*" * 30)),
    "expressions on instances": lambda: _nfd(
        {
            "feature": "pci.device",
            "matchExpressions": {f"vendor{n}": {} for n in range(1200)} | {"vendor": {"op": "DoesNotExist"}},
        }
    ),
    "terms on instances": lambda: _nfd(
        *[{"feature": "pci.device", "matchExpressions": {"vendor": {"op": "DoesNotExist"}}}] * 1200
    ),
    "values for instances": lambda: _nfd(
        {"feature": "pci.device", "matchExpressions": {"vendor": {"op": "In", "value": list(range(9_500))}}}
    ),
    "names": lambda: _nfd(*[{"feature": "kernel.config", "matchName": {"op": "In", "value": ["x"]}}] * 1600),
    "other names": lambda: _nfd(*[{"feature": "kernel.config", "matchName": {"op": "NotIn", "value": ["x"]}}] * 1600),
}


def _read(content: bytes) -> dict[str, Any]:
    assert len(content) <= _SIZE
    done = subprocess.run([sys.executable, _READER], input=content, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["seconds"] < _MOST_SECONDS
    assert found["mebibytes"] < _MOST_MEBIBYTES
    return found


@pytest.mark.parametrize("name", _CASES)
def test_a_hostile_document_is_a_named_problem_soon_and_in_little_memory(name: str) -> None:
    make, message = _CASES[name]
    found = _read(make())
    assert message in (found.get("error") or " ".join(found["problems"]))


@pytest.mark.parametrize("name", _LARGE)
def test_a_document_at_the_limits_is_judged_soon_and_in_little_memory(name: str) -> None:
    found = _read(_LARGE[name]())
    assert found["problems"] == []
    assert found["sets"] > 0
