"""Programs are looked for where systems keep them."""

import os

import pytest

from benchmarks.parts import PARTS
from benchmarks.programs import missing_programs, search_system_folders


def test_what_is_missing_is_named_once_and_in_its_order() -> None:
    assert missing_programs(["no-such-program", "sh", "nor-this-one", "no-such-program"]) == [
        "no-such-program",
        "nor-this-one",
    ]
    assert missing_programs([]) == []


def test_folders_that_only_root_has_are_searched_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    search_system_folders()
    assert os.environ["PATH"].split(os.pathsep) == ["/usr/bin", "/usr/sbin", "/sbin"]


def test_every_part_says_how_long_it_takes() -> None:
    assert all(part.minutes > 0 for part in PARTS.values())
