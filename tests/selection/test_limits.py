"""Hostile metadata costs a bounded amount of work, and only the entries that carry it."""

from itertools import chain
from typing import Any

import pytest

from builders import entry, index, node
from imagefit.errors import BudgetSpentError
from imagefit.formats.carriers import carried_by
from imagefit.formats.contract import Fragment
from imagefit.model.policy import Policy
from imagefit.model.requirement import Problem
from imagefit.model.truth import Truth
from imagefit.selection import session as limits
from imagefit.selection.gathering import MAX_FETCHES
from imagefit.selection.judging import Judging, Limits
from imagefit.selection.session import Selection


def _sets(number: int, checks: int) -> list[dict[str, Any]]:
    return [{f"label-{number}-{check}": "1" for check in range(checks)}]


def test_a_document_that_many_entries_share_is_judged_once() -> None:
    entries = [entry(str(number), compatibilities=_sets(0, 100)) for number in range(200)]
    decision = Selection(index(*entries), node(), Policy()).decide()
    first, second = (ranked.verdict.documents[0] for ranked in decision.ranking[:2])
    assert first is second
    assert decision.ranking[0].verdict.truth is Truth.UNKNOWN


def test_beyond_the_most_checks_of_one_decision_metadata_is_unknown_with_the_problem_named() -> None:
    documents = limits.MAX_CHECKS // 9000 + 2
    entries = [entry(str(number), compatibilities=_sets(number, 9000)) for number in range(documents)]
    decision = Selection(index(*entries, entry("plain")), node(), Policy()).decide()
    assert decision.chosen is not None
    assert decision.chosen.position == documents
    last = next(ranked for ranked in decision.ranking if ranked.position == documents - 1)
    assert "more than 50000 checks" in str(next(last.verdict.problems))


@pytest.mark.parametrize("checks", [10_000, 10_001])
def test_one_document_asks_for_at_most_ten_thousand_checks(checks: int) -> None:
    decision = Selection(index(entry("a", compatibilities=_sets(0, checks))), node(), Policy()).decide()
    problems = decision.ranking[0].verdict.problems
    assert bool([*problems]) == (checks > 10_000)


def test_features_count_among_the_checks() -> None:
    some = [[f"FEATURE{number}X{one}" for one in range(250)] for number in range(limits.MAX_CHECKS // 250 + 2)]
    entries = [entry(str(number), features=names) for number, names in enumerate(some)]
    entries.append(entry("foreign", "linux/s390x", features=["FOREIGN"]))
    decision = Selection(index(*entries), node(flags={"cpu.cpuid": set(chain(*some))}), Policy()).decide()
    truths = [ranked.verdict.truth for ranked in sorted(decision.ranking, key=lambda ranked: ranked.position)]
    assert truths[0] is Truth.YES
    assert truths[-2:] == [Truth.UNKNOWN, Truth.NO]


def test_a_check_that_many_sets_repeat_counts_once() -> None:
    sets = [[{f"label-{one}": "1" for one in range(1000) if one != number}] for number in range(100)]
    entries = [entry(str(number), compatibilities=some) for number, some in enumerate(sets)]
    assert len(sets) * 999 > limits.MAX_CHECKS
    decision = Selection(index(*entries), node(), Policy()).decide()
    assert all(not list(ranked.verdict.problems) for ranked in decision.ranking)


def _i_descriptor(number: int) -> dict[str, Any]:
    digest = f"sha256:{number:064x}"
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 9}


def test_manifests_leave_room_for_their_configs() -> None:
    entries = [entry(str(number), compatibilities=_i_descriptor(number)) for number in range(600)]
    wanted = Selection(index(*entries), node(), Policy()).wanted()
    assert len(wanted) == MAX_FETCHES // 2
    assert {locator.kind for locator in wanted} == {"manifest"}


def test_a_config_that_two_ways_lead_to_is_wanted_once() -> None:
    config = b'{"compatibilities": [{}]}'
    selection, locator = _two_ways(config)
    assert selection.wanted() == (locator,)
    selection.supply(locator, config)
    (manifest,) = selection.wanted() or (None,)
    assert manifest is None


def _two_ways(config: bytes) -> tuple[Selection, Any]:
    from base64 import b64encode

    from builders import digest, to_bytes

    manifest = to_bytes({"config": {"digest": digest(config), "size": len(config)}, "layers": []})
    embedded = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(manifest),
        "size": len(manifest),
        "data": b64encode(manifest).decode(),
    }
    raw = entry("a", compatibilities=embedded)
    made = index(raw, entry("b", compatibilities=embedded))
    (locator,) = carried_by(made.entries[0].platform)
    return Selection(made, node(), Policy()), locator


def test_work_ends_when_its_caller_no_longer_waits() -> None:
    calls = 0

    def pulse() -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise BudgetSpentError("over")

    entries = [entry(str(number), compatibilities=_sets(number, 1)) for number in range(3)]
    selection = Selection(index(*entries), node(), Policy(), pulse=pulse)
    with pytest.raises(BudgetSpentError, match="over"):
        selection.decide()


def test_documents_that_repeat_themselves_hold_ten_times_as_many_checks_at_most() -> None:
    too_many = Problem("too many")
    judging = Judging(node(), Limits(checks=10, too_many=too_many))
    content = b'[{"a": "1"}, {"a": "1"}, {"a": "1"}, {"a": "1"}, {"a": "1"}]'
    verdicts = [judging.verdict(Fragment(content + b" " * number, "place"), too_many) for number in range(21)]
    assert all(verdict.alternatives for verdict in verdicts[:20])
    assert verdicts[20].document.problems == (too_many,)
