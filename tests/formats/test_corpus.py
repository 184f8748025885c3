"""The corpus: whole documents of every dialect, judged against small nodes.

``tests/corpus/<dialect>/`` holds one document per file, and in ``expected.toml`` what becomes of each::

    ["misspelt-op.yaml"]
    verdicts = { server = "yes", laptop = "no" }  # by node profile, tests/corpus/nodes/<name>.json
    problems = ["/compatibilities/1/rules/0/name"]  # the places of all faults; none where the key is missing

A verdict is ``yes``, ``no``, ``unknown``, or ``error`` where nothing of the document can be judged.
"""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.formats.node_profile import parse_profile
from imagefit.formats.reading import problems_of
from imagefit.model.facts import Node
from imagefit.model.requirement import Document
from imagefit.selection.match import judge_document

_CORPUS: Final = Path(__file__).parents[1] / "corpus"
_NODES: Final = "nodes"
_EXPECTED: Final = "expected.toml"


@dataclass(frozen=True, slots=True)
class _Case:
    path: Path
    verdicts: dict[str, str]
    problems: list[str]

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"


def _dialects() -> list[Path]:
    return sorted(path for path in _CORPUS.iterdir() if path.is_dir() and path.name != _NODES)


def _cases(dialect: Path) -> list[_Case]:
    expected = tomllib.loads((dialect / _EXPECTED).read_text())
    return [_Case(dialect / name, one["verdicts"], one.get("problems", [])) for name, one in expected.items()]


@lru_cache
def _node(name: str) -> Node:
    return parse_profile((_CORPUS / _NODES / f"{name}.json").read_bytes())


def _read(path: Path) -> Document:
    try:
        return parse(path.read_bytes())
    except InvalidDocumentError as error:
        return Document("", problems=problems_of(error))


def _verdict(document: Document, node: Node) -> str:
    return judge_document(document, node).truth.value if document.readable else "error"


@pytest.mark.parametrize("case", [case for dialect in _dialects() for case in _cases(dialect)], ids=str)
def test_a_document_of_the_corpus_is_judged_as_expected(case: _Case) -> None:
    document = _read(case.path)
    assert {name: _verdict(document, _node(name)) for name in case.verdicts} == case.verdicts
    assert [problem.place for problem in document.problems] == case.problems
    assert document.dialect in {case.path.parent.name, ""}


@pytest.mark.parametrize("dialect", _dialects(), ids=lambda path: path.name)
def test_every_document_of_the_corpus_has_expectations(dialect: Path) -> None:
    documents = {path.name for path in dialect.iterdir() if path.name != _EXPECTED}
    assert documents == {case.path.name for case in _cases(dialect)}
    assert all(case.verdicts for case in _cases(dialect))
