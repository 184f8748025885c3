"""The corpus once more, without a fuzzer; and that what is wrong would be seen."""

import importlib
import random
import time
from pathlib import Path

import pytest

from fuzz.__main__ import findings, main
from fuzz.contract import MOST_MEBIBYTES, CostlyError, Target, check
from fuzz.growing import costly, grown
from fuzz.keeping import MOST_BYTES, MOST_FILES, steps_of, worth_keeping
from fuzz.shrinking import fault_of, shrunk
from fuzz.table import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_is_a_value_or_a_named_error_and_soon(name: str) -> None:
    target = TARGETS[name]
    files = sorted(target.corpus.iterdir())
    assert files
    for file in files:
        try:
            check(target, file.read_bytes())
        except Exception as error:
            error.add_note(f"again: PYTHONPATH=tests .venv/bin/python -m fuzz.replay {name} {file}")
            raise


def test_every_folder_of_the_corpus_has_a_target_and_stays_small() -> None:
    for folder in Path(__file__).with_name("corpus").iterdir():
        assert folder.name in TARGETS
        files = [*folder.iterdir()]
        assert all(file.is_file() and not file.is_symlink() for file in files)
        assert len([file for file in files if not file.name.startswith("finding-")]) <= MOST_FILES
        assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def _raise_an_error_without_a_name(content: bytes) -> None:
    {b"a": 1}[content]


def test_an_error_that_is_not_documented_is_seen() -> None:
    planted = Target("planted", _raise_an_error_without_a_name, (ValueError,))
    check(planted, b"a")
    with pytest.raises(KeyError):
        check(planted, b"b")
    check(Target("documented", _raise_an_error_without_a_name, (KeyError,)), b"b")


def test_an_input_that_takes_long_is_seen() -> None:
    planted = Target("planted", lambda content: sum(range(len(content) * 100_000)))
    check(planted, b"")
    with pytest.raises(CostlyError, match=r"planted: \d+\.\d s for 20 bytes"):
        check(planted, b"a" * 20, most_seconds=0.01)


def test_an_input_that_takes_much_memory_is_seen() -> None:
    large = bytes(5000)
    check(Target("planted", lambda _: bytearray((MOST_MEBIBYTES // 2) << 20)), large)
    with pytest.raises(CostlyError, match=r"planted: 1\d\d MiB for 5000 bytes"):
        check(Target("planted", lambda _: bytearray(b"x") * ((MOST_MEBIBYTES + 30) << 20)), large)


def test_every_parser_of_a_detector_is_in_the_table() -> None:
    # A new detector reads files through the view of a host, which the target stands for.
    known = importlib.import_module("fuzz.of_node")._DETECTORS
    names = {one.name for one in importlib.import_module("imagefit.node.detectors").DETECTORS}
    assert names - known.keys() == {"nvml"}


@pytest.mark.parametrize("content", [b"", b"a", b"abc" * 400])
def test_an_input_with_a_fault_is_made_as_small_as_it_gets(content: bytes) -> None:
    planted = Target("planted", _raise_on_three_letters, (ValueError,))
    assert fault_of(planted, content + b"xyz" + content) == "KeyError"
    assert shrunk(planted, content + b"xyz" + content) == b"xyz"
    assert fault_of(planted, content) == ""


def _raise_on_three_letters(content: bytes) -> None:
    if b"xyz" in content:
        raise KeyError


def test_large_inputs_are_made_of_small_ones_and_find_what_takes_the_square_of_time() -> None:
    planted = Target("planted", _take_the_square_of_time, (), limit_bytes=50_000)
    sizes = [len(grown(b"[a, b]", planted.limit_bytes, random.Random(seed))) for seed in range(20)]
    assert max(sizes) <= 50_000
    assert sum(size > 40_000 for size in sizes) > 10
    assert costly(planted, 60.0, random.Random(1)) is not None
    assert costly(Target("planted", bytes.decode, (ValueError,)), 0.2, random.Random(1)) is None


def _take_the_square_of_time(content: bytes) -> None:
    if len(content) > 10_000:
        ends = time.thread_time() + 1.1
        while time.thread_time() < ends:
            pass


def test_of_new_inputs_those_are_kept_that_lead_elsewhere() -> None:
    target = TARGETS["ranges"]
    assert worth_keeping(target, [b">=1"], [b">=1", b">=2", b"[1, 2)", b"[1, 2), x"]) == [b"[1, 2), x", b"[1, 2)"]
    assert steps_of(target, b">=1") == steps_of(target, b">=2")


@pytest.mark.parametrize(
    ("words", "has_atheris", "told"),
    [
        pytest.param(["--target", "nonsense"], True, "there is no target 'nonsense'; there are reference, ", id="name"),
        pytest.param([], False, "atheris is not installed: it comes with the extra 'fuzz'", id="no-atheris"),
    ],
)
def test_what_keeps_the_fuzzer_from_running_is_told(
    words: list[str], has_atheris: object, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, has_atheris=bool(has_atheris)) == 2
    assert told in capsys.readouterr().err


def test_what_does_not_happen_without_the_fuzzer_is_no_finding(tmp_path: Path) -> None:
    # What costs too much only under the fuzzer's instrumentation is none.
    (tmp_path / "found-crash").write_bytes(b"not a fault")
    assert list(findings(TARGETS["ranges"], tmp_path)) == []
