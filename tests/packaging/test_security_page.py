"""SECURITY.md: every claim names tests, and every test that it names is there."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "SECURITY.md").read_text()
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROWS: Final = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| claim")]
WANTED: Final = (
    "Who may connect",
    "A hostile registry",
    "Somebody between node and registry",
    "The author of an image",
    "The author of a referrer",
    "The author of a pod",
    "A local user without privileges",
    "Who has stolen credentials",
)


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_every_claim_names_tests_that_exist(row: str) -> None:
    _, claim, shown, _ = row.split("|")
    named = NAMED.findall(shown)
    assert claim.strip()
    assert named
    assert not NAMED.sub("", shown).strip()
    assert {f"{path}::{name}" for path, name in named if name not in names_in(ROOT / path)} == set()


def test_a_name_that_is_not_there_would_be_seen() -> None:
    assert "test_of_nothing" not in names_in(Path(__file__))
    assert names_in(ROOT / "tests/not_there.py") == set()


@pytest.mark.parametrize("heading", WANTED)
def test_every_attacker_has_claims(heading: str) -> None:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert NAMED.search(section)


def test_the_page_says_how_to_report_what_is_supported_and_what_is_left() -> None:
    for heading in ("Report a vulnerability", "Supported versions", "What is left"):
        assert f"\n## {heading}\n" in PAGE


def test_every_page_that_it_refers_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
