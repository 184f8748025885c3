"""Judged sets and checks, line by line, as ``check`` and ``explain --all-checks`` show them."""

from collections.abc import Iterable, Iterator

from rich.padding import Padding
from rich.text import Text

from imagefit.cli.terminal import STYLES, plain
from imagefit.model.decision import AlternativeVerdict, DocumentVerdict, Finding, GroupFinding, Judged


def set_lines(verdict: DocumentVerdict, indent: int = 0) -> Iterator[Padding]:
    """Return every set of a document in the author's order, each with its checks; none of what asks for nothing."""
    for number, one in enumerate(verdict.alternatives):
        decides = number == verdict.best and len(verdict.alternatives) > 1
        yield _indented(_set_line(one, decides=decides), indent)
        if one.alternative.description:
            yield _indented(plain(one.alternative.description, style="italic"), indent + 8)
        yield from finding_lines(one.findings, indent + 2)


def finding_lines(findings: Iterable[Judged], indent: int = 0) -> Iterator[Padding]:
    """Return a line per check: what came of it, its label, what was asked, what was seen; groups with their members."""
    for one in findings:
        yield _indented(_line(one), indent)
        if isinstance(one, GroupFinding):
            yield from finding_lines(one.members, indent + 2)


def _indented(text: Text, columns: int) -> Padding:
    return Padding(text, (0, 0, 0, columns))


def _set_line(one: AlternativeVerdict, *, decides: bool) -> Text:
    alternative = one.alternative
    words = [alternative.place or "the document", *(f"tag {tag}" for tag in alternative.tags)]
    words += [f"score {alternative.score}"] if alternative.score else []
    words += ["decides"] if decides else []
    return plain(f"{one.truth:8}", style=STYLES[one.truth]) + plain(", ".join(words))


def _line(one: Judged) -> Text:
    truth = plain(f"{one.truth:8}", style=STYLES[one.truth])
    match one:
        case Finding(check=asked, seen=seen):
            return truth + plain(f"{asked.label} {asked.asked}: {seen}")
        case GroupFinding(group=group):
            kind = "any of" if group.any_of else "all of"
            return truth + plain(f"{group.name}: {kind}" if group.name else kind)
