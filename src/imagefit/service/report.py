"""One decision told once: the record that the log, the metrics and the ring of decisions have in common.

Knows what a record says. Leaves to ``telemetry`` how logs, metrics and the ring are kept, and to ``selection.explain``
the words. A record is made of decisions and names only, so that no credential should be in it; what looks like one is
cleared all the same.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, assert_never

from imagefit import telemetry
from imagefit.model.decision import Decision, Ranked
from imagefit.model.microarchitecture import normalize
from imagefit.model.outcome import Outcome, PassThrough, Reason, Refuse, Rewrite
from imagefit.model.policy import Mode, Policy, Pull
from imagefit.selection.explain import platform_of, summary, why_chosen
from imagefit.telemetry import metrics, tracing

Record = dict[str, Any]
"""JSON-ready; every key is there in every record."""
Keep = Callable[[Record], None]
"""Keeps a record."""

log = telemetry.part("service")
_ROUTINE: Final[frozenset[str]] = frozenset(Reason)


class Steps:
    """A stopwatch for the steps of one decision: resolve, index, node, metadata, judge."""

    def __init__(self, begun: Callable[[str], None] = lambda _: None) -> None:
        """Start; ``begun`` is told each step's name when it begins."""
        self._begun = begun
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; one that comes again adds up."""
        self._begun(name)
        started = time.perf_counter()
        try:
            with tracing.span(name):
                yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - started

    def seconds(self) -> dict[str, float]:
        """Return the seconds of every step so far, in the order of their beginning."""
        return dict(self._seconds)

    def milliseconds(self) -> dict[str, float]:
        """Return ``total`` so far and every step."""
        seconds = {"total": time.perf_counter() - self._started, **self._seconds}
        return {name: round(1000 * value, 2) for name, value in seconds.items()}


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that a record is made of.

    Attributes:
        pull: what was asked.
        policy: by which it was decided.
        outcome: what becomes of it.
        decision: what was decided, if it came to that.
        steps: how long it took.
        trace: the trace that the call belongs to; empty for none.
    """

    pull: Pull
    policy: Policy
    outcome: Outcome
    decision: Decision | None
    steps: Steps
    trace: str = ""


def record(told: Told) -> Record:
    """Return the record of one decision.

    Returns:
        ``time`` (RFC 3339, UTC), ``image``, ``namespace``, ``runtimeHandler``, ``result`` (``rewrite``,
        ``pass-through`` or ``refuse``), ``reason`` (a ``Reason`` or an error's code), ``why`` (a sentence), ``mode``,
        ``rule``, ``notes``, ``index`` (digest or None), ``chosen`` (of the entry, where one was: in mode observe and
        where containerd takes it anyway, too), ``decidedBy``, ``ms`` by step, ``trace``, ``entries`` (at most 32, best
        first) and ``more``, the number of entries left out.
    """
    decision = told.decision
    result, reason, why = _outcome(told.outcome, decision)
    entries = summary(decision) if decision else []
    return _cleared(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "image": told.pull.image,
            "namespace": told.pull.namespace,
            "runtimeHandler": told.pull.runtime_handler,
            "result": result,
            "reason": reason,
            "why": why,
            "mode": told.policy.mode,
            "rule": told.policy.rule,
            "notes": [*told.policy.notes, *(decision.notes if decision else ())],
            "index": decision.index_digest if decision else None,
            "chosen": _chosen(decision.chosen) if decision and decision.chosen else None,
            "decidedBy": decision.decided_by if decision else None,
            "ms": told.steps.milliseconds(),
            "trace": told.trace,
            "entries": entries,
            "more": len(decision.ranking) - len(entries) if decision else 0,
        }
    )


def _cleared(made: Record) -> Record:
    """Return a record with what others wrote cleared of what looks like a credential."""
    entries = [one | {"reason": telemetry.redacted(one["reason"])} for one in made["entries"]]
    notes = [telemetry.redacted(note) for note in made["notes"]]
    texts = {key: telemetry.redacted(made[key]) for key in ("image", "why", "rule")}
    return made | texts | {"notes": notes, "entries": entries}


def tell(told: Told, keep: Keep | None) -> None:
    """Log and count one decision and, where somebody keeps records, have it kept."""
    made = record(told)
    _log(made)
    _count(told, made)
    if keep is not None:
        keep(made)


def tell_again(told: Told, keep: Keep | None) -> None:
    """Log and keep what became of a pull that did not go as decided; what was decided has been counted."""
    made = record(told)
    _log(made)
    _count_fallback(told.outcome)
    if isinstance(told.outcome, Refuse):
        metrics.DECISIONS.add(result=made["result"], reason=made["reason"], image=made["image"])
    if keep is not None:
        keep(made)


def _outcome(outcome: Outcome, decision: Decision | None) -> tuple[str, str, str]:
    match outcome:
        case PassThrough(_, reason, why):
            return "pass-through", reason, why
        case Refuse(message, reason):
            return "refuse", reason, message
        case Rewrite():
            return "rewrite", Reason.CHOSEN, why_chosen(decision) if decision else ""
        case _:
            assert_never(outcome)


def _chosen(chosen: Ranked) -> dict[str, Any]:
    return {"position": chosen.position, "digest": chosen.descriptor.digest, "platform": platform_of(chosen)}


def _log(made: Record) -> None:
    fields = {name: made[name] for name in ("image", "result", "reason", "index") if made[name]}
    if made["chosen"]:
        chosen = made["chosen"]
        fields |= {"chosen": chosen["digest"], "position": chosen["position"], "platform": chosen["platform"]}
    fields |= {name: made[name] for name in ("why", "rule", "namespace", "trace") if made[name]}
    if made["mode"] != Mode.ENFORCE:
        fields["mode"] = made["mode"]
    if made["notes"]:
        fields["notes"] = "; ".join(made["notes"])
    fields |= {"ms" if step == "total" else f"{step}_ms": value for step, value in made["ms"].items()}
    if made["reason"] in _ROUTINE:
        log.info("decision", **fields)
    else:  # an error's code: something kept us from deciding
        log.warning("decision", **fields)


def _count(told: Told, made: Record) -> None:
    metrics.DECISIONS.add(result=made["result"], reason=made["reason"], image=made["image"])
    _count_fallback(told.outcome)
    for step, seconds in told.steps.seconds().items():
        metrics.STEP_SECONDS.observe(seconds, step=step)
    chosen = told.decision.chosen if told.decision else None
    if chosen is None or chosen.descriptor.platform is None:
        return
    platform = chosen.descriptor.platform
    dialects = sorted({one.document.dialect for one in chosen.verdict.documents if one.document.dialect})
    architecture, variant = normalize(platform.architecture, platform.variant)
    metrics.CHOSEN.add(architecture=architecture, variant=variant, dialect="+".join(dialects) or "none")


def _count_fallback(outcome: Outcome) -> None:
    """Count a pull that goes as asked because of an error."""
    match outcome:
        case PassThrough(_, reason) if reason not in _ROUTINE:
            metrics.FALLBACKS.add(reason=reason)
        case _:
            pass
