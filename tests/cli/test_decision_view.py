"""What a terminal shows of metadata that only refers to an image, and of what was left out."""

import pytest
from msgspec.structs import replace

from builders import decide, entry, index, node, ranking_of
from imagefit.cli.decision_view import print_decision
from imagefit.model.decision import Decision, DocumentVerdict, Ranked
from imagefit.model.requirement import Alternative, Document, Origin
from imagefit.model.truth import Truth

ORIGIN = Origin("sha256:" + "a" * 64, "nfd", "sha256:" + "b" * 64)


def shown(decision: Decision, capsys: pytest.CaptureFixture[str], *, all_checks: bool) -> str:
    print_decision(decision, all_checks=all_checks)
    return " ".join(capsys.readouterr().out.split())


def with_documents(*, counting: Document, aside: Document) -> Decision:
    """Return a decision whose only entry has a document that counts and one that does not."""
    decision = decide(index(entry("a")), node())
    (ranked,) = decision.ranking

    def verdict(document: Document) -> DocumentVerdict:
        return DocumentVerdict(document, Truth.YES, (), None)

    documents = replace(ranked.verdict, documents=(verdict(counting),), aside=(verdict(aside),))
    changed: Ranked = replace(ranked, verdict=documents)
    return replace(decision, ranking=ranking_of(changed), chosen=changed)


def test_every_document_shows_where_it_is_from_and_whether_it_counts(capsys: pytest.CaptureFixture[str]) -> None:
    sets = (Alternative(()),)
    decision = with_documents(counting=Document("flat-sets", sets), aside=Document("nfd", sets, origin=ORIGIN))
    text = shown(decision, capsys, all_checks=True)
    assert "nfd, from a referrer, not vouched for by the index (does not count)" in text
    assert "flat-sets, from" not in text
    assert text.count("does not count") == 1


def test_what_was_left_out_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    decision = replace(decide(index(entry("a")), node()), notes=("referrer x is left out: nobody signed it",))
    assert "Note: referrer x is left out: nobody signed it" in shown(decision, capsys, all_checks=False)
    assert "Note" not in shown(replace(decision, notes=()), capsys, all_checks=False)
