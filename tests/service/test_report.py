"""What is told of a decision: the record, the line in the log, the metrics."""

import json
import logging
from typing import Any

import pytest

from builders import decide, digest, entry, index, node
from imagefit.model.decision import Decision
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.policy import Mode, Policy, Pull
from imagefit.model.reference import parse_reference
from imagefit.service.report import Record, Steps, Told, record, tell
from imagefit.telemetry import metrics

NODE = node(attributes={"kernel.version": {"full": "6.1.0"}})
REFERENCE = parse_reference("registry.example/app:1")
PULL = Pull(str(REFERENCE), namespace="team", runtime_handler="nvidia")
FITS = [{"oci.kernel.version": ">=5"}]
KEYS = {
    *("time", "image", "namespace", "runtimeHandler", "result", "reason", "why", "mode", "rule", "notes", "index"),
    *("chosen", "decidedBy", "ms", "trace", "entries", "more"),
}


def decision(policy: Policy | None = None) -> Decision:
    return decide(
        index(entry("plain"), entry("fits", "linux/amd64/v3", compatibilities=FITS)), NODE, policy or Policy()
    )


def told(outcome: Outcome, made: Decision | None, policy: Policy | None = None) -> Told:
    steps = Steps()
    with steps.step("resolve"):
        pass
    return Told(PULL, policy or Policy(), outcome, made, steps, "0af7651916cd43dd8448eb211c80319c")


def test_a_rewrite_is_told_with_everything_that_led_to_it() -> None:
    made = decision()
    found = record(told(Rewrite(REFERENCE, made.index_digest, digest("fits")), made))
    assert set(found) == KEYS
    assert (found["result"], found["reason"], found["index"]) == ("rewrite", "chosen", made.index_digest)
    assert found["chosen"] == {"position": 1, "digest": digest("fits"), "platform": "linux/amd64/v3"}
    assert [one["position"] for one in found["entries"]] == [1, 0]
    assert (found["image"], found["namespace"], found["runtimeHandler"]) == (str(REFERENCE), "team", "nvidia")
    assert list(found["ms"]) == ["total", "resolve"]
    assert found["why"]
    assert found["more"] == 0
    json.dumps(found)


CASES = [
    pytest.param(PassThrough(REFERENCE, Reason.OFF, "mode is off"), ("pass-through", "off", "mode is off"), id="off"),
    pytest.param(
        PassThrough(REFERENCE, "registry-denied", "no"), ("pass-through", "registry-denied", "no"), id="error"
    ),
    pytest.param(Refuse("nothing fits", Reason.NO_MATCH), ("refuse", "no-match", "nothing fits"), id="refused"),
]


@pytest.mark.parametrize(("outcome", "expected"), CASES)
def test_a_pull_without_a_decision_has_every_key_too(outcome: Outcome, expected: tuple[str, str, str]) -> None:
    found = record(told(outcome, None))
    assert set(found) == KEYS
    assert (found["result"], found["reason"], found["why"]) == expected
    assert (found["index"], found["chosen"], found["entries"], found["more"]) == (None, None, [], 0)


def test_a_large_index_is_told_in_part_and_the_rest_counted() -> None:
    made = decide(index(*(entry(str(number)) for number in range(100))), NODE, Policy())
    found = record(told(PassThrough(REFERENCE, Reason.PLAIN, ""), made))
    assert len(found["entries"]) + found["more"] == 100
    assert found["more"]


LEVELS = [
    pytest.param(PassThrough(REFERENCE, Reason.PLAIN, ""), logging.INFO, id="routine"),
    pytest.param(PassThrough(REFERENCE, Reason.OFF, ""), logging.INFO, id="switched off"),
    pytest.param(PassThrough(REFERENCE, "budget-spent", ""), logging.WARNING, id="what kept it from deciding"),
    pytest.param(Refuse("", Reason.NO_MATCH), logging.INFO, id="refused"),
]


@pytest.mark.parametrize(("outcome", "level"), LEVELS)
def test_one_line_per_decision_as_loud_as_it_matters(
    outcome: Outcome, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "imagefit")
    kept: list[Record] = []
    tell(told(outcome, decision()), kept.append)
    assert [one.levelno for one in caplog.records] == [level]
    assert len(kept) == 1


def test_a_decision_is_counted_by_result_reason_and_what_was_chosen() -> None:
    metrics.enable()
    try:
        made = decision(Policy(mode=Mode.OBSERVE))
        tell(told(PassThrough(REFERENCE, Reason.OBSERVE, ""), made), None)
        text = metrics.exposition()[1].decode()
    finally:
        metrics.disable()
    assert 'imagefit_decisions_total{reason="observe",result="pass-through"} 1.0' in text
    assert 'imagefit_chosen_total{architecture="amd64",dialect="flat-sets",variant="v3"} 1.0' in text
    assert 'imagefit_step_seconds_count{step="resolve"} 1.0' in text


def test_a_step_that_comes_again_adds_up_and_is_announced_each_time() -> None:
    begun: list[str] = []
    steps = Steps(begun.append)
    for _ in range(2):
        with steps.step("judge"):
            pass
    with pytest.raises(ValueError, match="kept"), steps.step("metadata"):
        raise ValueError("kept")
    assert begun == ["judge", "judge", "metadata"]
    assert set(steps.seconds()) == {"judge", "metadata"}
    found: dict[str, Any] = steps.milliseconds()
    assert found["total"] >= found["judge"]
