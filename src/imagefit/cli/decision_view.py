"""A decision laid out for a terminal of any width: its entries in rank order, the choice, and every check.

Knows columns, lines and where they fold. Leaves the words to ``selection.explain``.
"""

from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from imagefit.cli.terminal import STYLES, Terminal, plain
from imagefit.cli.verdicts import finding_lines, set_lines
from imagefit.model.decision import Decision, DocumentVerdict, Ranked
from imagefit.model.policy import Criterion, Mode, NoMatch
from imagefit.selection.explain import platform_of, reason, short, why_chosen
from imagefit.selection.rank import advantages
from imagefit.selection.wording import OUTSIDE, advantage, cut

_SHOWN_PROBLEMS: Final = 20
_SHOWN_CHECKS: Final = 500
_WITH_DIGEST: Final = 100
_WITH_COLUMNS: Final = 72
_SHARE_OF_PLATFORM: Final = 4


def print_decision(decision: Decision, *, all_checks: bool = False) -> None:
    """Print a decision on standard output.

    Args:
        decision: what was decided.
        all_checks: below the entries every check of each of them, those of sets that do not decide included.
    """
    console = Terminal()
    if console.width >= _WITH_COLUMNS:
        console.print(_table(decision, console.width))
    else:
        for line in _narrow(decision):
            console.print(line)
    if all_checks:
        for number, ranked in enumerate(decision.ranking, start=1):
            console.print()
            for line in _checks(number, ranked):
                console.print(line)
    console.print()
    for line in chain(_choice(decision), () if all_checks else _problems(decision)):
        console.print(line, soft_wrap=" " not in line.plain)  # a digest is there to be copied


def _table(decision: Decision, width: int) -> Table:
    has_digest = width >= _WITH_DIGEST
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("", "RANK", "ENTRY"):
        table.add_column(header, no_wrap=True, justify="right" if header else "left")
    table.add_column("PLATFORM", overflow="fold", max_width=width // _SHARE_OF_PLATFORM)
    if has_digest:
        table.add_column("DIGEST", no_wrap=True)
    table.add_column("FITS", no_wrap=True)
    table.add_column("SCORE", no_wrap=True, justify="right")
    table.add_column("BECAUSE", overflow="fold")
    for number, (ranked, ahead) in enumerate(zip(decision.ranking, _ahead(decision), strict=True), start=1):
        digest = (short(ranked.descriptor.digest).removeprefix("sha256:"),) if has_digest else ()
        table.add_row(
            _mark(decision, ranked),
            str(number),
            str(ranked.position),
            plain(platform_of(ranked)),
            *map(plain, digest),
            _fits(ranked),
            str(ranked.merits[Criterion.SCORE]),
            Text("\n").join((plain(reason(ranked)), *ahead)),
        )
    return table


def _narrow(decision: Decision) -> Iterator[Text | Padding]:
    for number, (ranked, ahead) in enumerate(zip(decision.ranking, _ahead(decision), strict=True), start=1):
        score = f"score {ranked.merits[Criterion.SCORE]}"
        head = f"{_mark(decision, ranked) or ' '} {number}. entry {ranked.position}, {platform_of(ranked)}, {score}: "
        yield plain(head) + _fits(ranked)
        for line in (plain(reason(ranked)), *ahead):
            yield Padding(line, (0, 0, 0, 5))


def _mark(decision: Decision, ranked: Ranked) -> str:
    chosen = decision.chosen
    return "→" if chosen is not None and ranked.position == chosen.position else ""


def _fits(ranked: Ranked) -> Text:
    truth = ranked.verdict.truth
    return plain(truth, style=STYLES[truth]) if ranked.barred is None else plain("barred", style="magenta")


def _ahead(decision: Decision) -> Iterator[tuple[Text, ...]]:
    """Return for each entry what it has over the next one, as long as both may be chosen."""
    following = zip_longest(decision.ranking, decision.ranking[1:], advantages(decision))
    for number, (ranked, after, criterion) in enumerate(following, start=2):
        if after is None or criterion is None or not after.is_candidate:
            yield ()
        else:
            yield (plain(f"before rank {number}: {advantage(ranked, after, criterion)}", style="dim"),)


def _choice(decision: Decision) -> Iterator[Text]:
    chosen = decision.chosen
    if chosen is None:
        yield plain(f"Nothing is chosen: {why_chosen(decision)}.", style="bold")
    else:
        words = f"Entry {chosen.position} ({platform_of(chosen)}) is chosen"
        if decision.decided_by is not None:
            after = decision.ranking[1]
            words += f", by {decision.decided_by} before the runner-up, entry {after.position} ({platform_of(after)})"
        yield plain(f"{words}: {why_chosen(decision)}.", style="bold")
        yield plain(chosen.descriptor.digest)
    policy = decision.policy
    rule = cut(policy.rule) if policy.rule else "the policy for all images"
    yield plain(f"By {rule}, mode {policy.mode}: {_consequence(decision)}.")
    for note in (*policy.notes, *decision.notes):
        yield plain(f"Note: {note}", style="yellow")


def _consequence(decision: Decision) -> str:
    """Return what the daemon makes of the decision."""
    policy = decision.policy
    match policy.mode:
        case Mode.OFF:
            return "nothing is looked up, the pull goes as asked"
        case Mode.OBSERVE:
            return "this is only logged, the pull goes as asked"
        case _ if decision.is_plain:
            return "containerd itself would choose this entry and no other, so the pull goes as asked"
        case _ if decision.chosen is not None:
            return "containerd is told to pull this entry"
        case _ if policy.no_match is NoMatch.PASS_THROUGH:
            return "the pull goes as asked (no-match = pass-through)"
        case _:
            return "the pull fails before anything is fetched (no-match = reject)"


def _checks(number: int, ranked: Ranked) -> Iterator[Padding | Text]:
    yield plain(f"Rank {number}, entry {ranked.position} ({platform_of(ranked)}): ", style="bold") + _fits(ranked)
    verdict = ranked.verdict
    documents = (*map(_document, verdict.documents), *(_document(one, " (does not count)") for one in verdict.aside))
    lines = chain(finding_lines(ranked.verdict.findings, 2), chain.from_iterable(documents))
    yield from islice(lines, _SHOWN_CHECKS)
    if next(lines, None) is not None:
        yield plain("  … and more; '-o json' has all", style="yellow")
    for problem in islice(ranked.verdict.problems, _SHOWN_PROBLEMS):
        yield Padding(plain(str(problem), style="yellow"), (0, 0, 0, 2))


def _document(verdict: DocumentVerdict, standing: str = "") -> Iterator[Padding]:
    if verdict.document.dialect:
        count = len(verdict.alternatives)
        words = f"{verdict.document.dialect}: one of {count} sets" if count > 1 else verdict.document.dialect
        words += (f", {OUTSIDE}" if verdict.document.origin else "") + standing
        yield Padding(plain(f"{verdict.truth:8}", style=STYLES[verdict.truth]) + plain(words), (0, 0, 0, 2))
        yield from set_lines(verdict, 4)


def _problems(decision: Decision) -> Iterator[Text]:
    for ranked in decision.ranking:
        for problem in islice(ranked.verdict.problems, _SHOWN_PROBLEMS):
            yield plain(f"Entry {ranked.position}: {problem}", style="yellow")
