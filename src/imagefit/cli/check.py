"""``imagefit check`` and ``imagefit validate``: compatibility documents against a node, and against their formats."""

import json
import sys
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from imagefit.cli.files import STANDARD_INPUT, read_file
from imagefit.cli.node import read_node
from imagefit.cli.terminal import EXIT, STYLES, Terminal, plain
from imagefit.cli.verdicts import set_lines
from imagefit.config import load_config
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.formats.reading import problems_of
from imagefit.library import evaluate
from imagefit.model.decision import DocumentVerdict
from imagefit.model.requirement import Document, Problem
from imagefit.selection.explain import alternatives_as_data, printable

_EXIT_ERROR: Final = 2
_SHOWN_FAULTS: Final = 100
_SCHEMA: Final = ".schema.json"
_INDEX_ADVICE: Final = "for an image index there is 'imagefit explain'"


def check(path: str, config_path: Path | None, node_path: Path | None, *, as_json: bool) -> int:
    """Judge one document and show what was found.

    Args:
        path: the document, or ``-`` for standard input.
        config_path: the configuration, or None for the default one.
        node_path: a node profile, or None for this node.
        as_json: print JSON instead of text.

    Returns:
        0 yes, 1 no, 3 unknown; 2 where no set of the document can be read.

    Raises:
        ImagefitError: a file or the configuration cannot be read.
    """
    content = read_file(path, InvalidDocumentError)
    node = read_node(load_config(config_path), node_path)
    verdict = evaluate(_parse(content), node)
    if not verdict.document.readable:
        _print_faults(path, verdict.document.problems)
        return _EXIT_ERROR
    if as_json:
        print(json.dumps(_as_data(verdict), indent=2))
    else:
        _print_verdict(path, verdict)
    return EXIT[verdict.truth]


def validate(paths: Sequence[str], *, as_json: bool) -> int:
    """Show every fault of documents.

    Returns:
        0 where there is none, 1 where there are some, 2 where a file cannot be read.
    """
    if paths.count(STANDARD_INPUT) > 1:
        raise InvalidDocumentError("standard input can be read only once")
    results = [_validated(path) for path in paths]
    if as_json:
        print(json.dumps([_result_as_data(*result) for result in results], indent=2))
    else:
        for path, document, _ in results:
            if document.problems:
                _print_faults(path, document.problems)
            else:
                print(f"{printable(path)}: {document.dialect}, no fault")
    return max(code for _, _, code in results)


def show_schema(dialect: str | None) -> int:
    """Print the JSON Schema of a dialect, or without one the names of all.

    Raises:
        InvalidDocumentError: there is no such dialect.
    """
    folder = files("imagefit").joinpath("schemas")
    names = sorted(one.name.removesuffix(_SCHEMA) for one in folder.iterdir() if one.name.endswith(_SCHEMA))
    if dialect is None:
        print("\n".join(names))
    elif dialect in names:
        print(folder.joinpath(dialect + _SCHEMA).read_text(), end="")
    else:
        raise InvalidDocumentError(f"no dialect is called {dialect}", advice=f"there are {', '.join(names)}")
    return 0


def _parse(content: bytes) -> Document:
    """Return the document; one of which nothing can be read has only problems."""
    try:
        return parse(content)
    except InvalidDocumentError as error:
        first, *others = problems_of(error)
        if b'"manifests"' in content and not first.place:
            first = Problem(f"{first.message}; {_INDEX_ADVICE}")
        return Document("", problems=(first, *others))


def _validated(path: str) -> tuple[str, Document, int]:
    try:
        document = _parse(read_file(path, InvalidDocumentError))
    except InvalidDocumentError as error:
        return path, Document("", problems=(Problem(error.message.removeprefix(path).lstrip(" :")),)), _EXIT_ERROR
    return path, document, 1 if document.problems else 0


def _result_as_data(path: str, document: Document, code: int) -> dict[str, Any]:
    return {"file": path, "dialect": document.dialect, "valid": code == 0, "problems": _problems(document.problems)}


def _as_data(verdict: DocumentVerdict) -> dict[str, Any]:
    return {
        "verdict": verdict.truth,
        "dialect": verdict.document.dialect,
        "deciding": verdict.best,
        "alternatives": alternatives_as_data(verdict),
        "problems": _problems(verdict.document.problems),
    }


def _problems(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"place": problem.place, "message": problem.message} for problem in problems]


def _print_faults(path: str, problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN_FAULTS]:
        print(f"{printable(path)}: {printable(str(problem))}", file=sys.stderr)
    if len(problems) > _SHOWN_FAULTS:
        print(f"{printable(path)}: and {len(problems) - _SHOWN_FAULTS} more faults", file=sys.stderr)


def _print_verdict(path: str, verdict: DocumentVerdict) -> None:
    console = Terminal()
    console.print(
        plain(verdict.truth, style=f"bold {STYLES[verdict.truth]}"), plain(f"{path} ({verdict.document.dialect})")
    )
    if not verdict.alternatives:
        console.print(plain("It asks for nothing."))
    for line in set_lines(verdict):
        console.print(line)
    for problem in verdict.document.problems:
        console.print(plain(str(problem), style="yellow"))
