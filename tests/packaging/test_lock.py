"""What is released: every package that imagefit needs, in a version that it takes, by the hashes of its files."""

import re
import tomllib
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundle import LOCK, ROOT
from parts import locked

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: Final = {"cpuinfo", "nvidia", "otel", "signatures"}
WANTED: Final = [
    Requirement(text)
    for text in (
        *PROJECT["dependencies"],
        *(one for extra in sorted(EXTRAS) for one in PROJECT["optional-dependencies"][extra]),
    )
]
DEVELOPERS: Final = {"bench", "dev", "fuzz", "release"}
LOCKED: Final = {one.name: one for one in locked(LOCK.read_text())}


# What pyproject.toml asks for is locked, in a version within its bounds: after a change run `make lock`.
@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_what_is_wanted_is_locked_within_its_bounds(wanted: Requirement) -> None:
    assert wanted.specifier.contains(LOCKED[canonicalize_name(wanted.name)].version)


# Extras for developers are no part of a release; a new extra for nodes has to be.
def test_every_extra_for_nodes_is_part_of_a_release() -> None:
    assert set(PROJECT["optional-dependencies"]) - EXTRAS <= DEVELOPERS
    recipe = (ROOT / "Makefile").read_text().partition("\nlock:")[2].partition("\n\n")[0]
    assert set(re.findall(r"--extra (\w+)", recipe)) == EXTRAS


# Each package has hashes, and nothing in the lock names another place than PyPI, or a file that nobody else has.
def test_each_has_hashes_and_no_other_source() -> None:
    assert all(one.hashes for one in LOCKED.values())
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links| @ |^-", LOCK.read_text(), re.MULTILINE)


# The reader of the lock, which the list of parts is made with, leaves nothing out.
def test_all_of_the_lock_is_read() -> None:
    lines = LOCK.read_text().splitlines()
    assert len(LOCKED) == sum(not line.startswith(("#", " ")) for line in lines)
    assert sum(len(one.hashes) for one in LOCKED.values()) == sum("--hash=" in line for line in lines)


# An audit that gets no answer for a package fails, rather than passes over it.
def test_an_audit_without_an_answer_fails() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n\n")[0]
    assert {"--strict", "--require-hashes", "packaging/requirements.lock"} <= set(recipe.split())
