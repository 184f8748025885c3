"""Fit: whether a node gives what a profile needs, check by check, each with what was seen.

Knows the three truths and how they combine. Leaves the order of those that fit to ``rank``.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from imagefit.model.decision import AlternativeVerdict, DocumentVerdict, Finding, Truth, Verdict
from imagefit.model.facts import Attributes, Facts, Node
from imagefit.model.microarchitecture import normalize, runs
from imagefit.model.ranges import is_exact, parse_version
from imagefit.model.requirement import (
    Alternative,
    Check,
    Document,
    EqualTo,
    HasFlag,
    HasInstance,
    HasValue,
    Includes,
    InRanges,
    Profile,
    RunsOn,
    Test,
)

Answer = tuple[Truth, str]
"""A truth and, in words, what was seen on the node."""

JudgeDocument = Callable[[Document, Node], DocumentVerdict]

_BOOLEANS = frozenset({"true", "false"})


def evaluate(profile: Profile, node: Node, judge_one: JudgeDocument | None = None) -> Verdict:
    """Judge one entry.

    Args:
        profile: what it needs.
        node: what there is.
        judge_one: how to judge a document, for callers that remember those they have judged.

    Returns:
        The verdict: no if a check or a document says no, else unknown if anything is not known, else yes.
    """
    findings = tuple(judge(check, node) for check in profile.checks)
    documents = tuple((judge_one or judge_document)(document, node) for document in profile.documents)
    # Those that decide come first: a document of which something is left rests on that.
    by_weight = sorted((verdict.document for verdict in documents), key=lambda document: bool(document.alternatives))
    problems = profile.problems + tuple(problem for document in by_weight for problem in document.problems)
    truths = [finding.truth for finding in findings] + [document.truth for document in documents]
    if profile.problems:
        truths.append(Truth.UNKNOWN)
    return Verdict(all_of(truths), findings, documents, problems)


def judge_document(document: Document, node: Node) -> DocumentVerdict:
    """Judge one piece of metadata: one alternative that holds is enough, and the best of those decides.

    A document of which nothing could be read is unknown; one that names no alternative asks for nothing.
    """
    alternatives = tuple(_judge_alternative(alternative, node) for alternative in document.alternatives)
    if not alternatives:
        return DocumentVerdict(document, Truth.YES if document.readable else Truth.UNKNOWN, (), None)
    truth = any_of(alternative.truth for alternative in alternatives)
    best = max(range(len(alternatives)), key=lambda number: (*_merit(alternatives[number]), -number))
    return DocumentVerdict(document, truth, alternatives, best)


def judge(check: Check, node: Node) -> Finding:
    """Answer one check from the node's facts."""
    truth, seen = _answer(check, node)
    if check.negated and truth is not Truth.UNKNOWN:
        truth = Truth.NO if truth is Truth.YES else Truth.YES
    return Finding(check, truth, seen)


def all_of(truths: Iterable[Truth]) -> Truth:
    """Combine truths of which all must be yes: no wins, then unknown."""
    found = set(truths)
    return next((truth for truth in (Truth.NO, Truth.UNKNOWN) if truth in found), Truth.YES)


def any_of(truths: Iterable[Truth]) -> Truth:
    """Combine truths of which one must be yes: yes wins, then unknown."""
    found = set(truths)
    return next((truth for truth in (Truth.YES, Truth.UNKNOWN) if truth in found), Truth.NO)


def _judge_alternative(alternative: Alternative, node: Node) -> AlternativeVerdict:
    findings = tuple(judge(check, node) for check in alternative.checks)
    return AlternativeVerdict(alternative, all_of(finding.truth for finding in findings), findings)


def _merit(verdict: AlternativeVerdict) -> tuple[int, int, int, int]:
    """Return what makes an alternative decide: its truth, its score, the CPU level it implies, the checks that hold."""
    tier = (Truth.NO, Truth.UNKNOWN, Truth.YES).index(verdict.truth)
    holding = [finding.check for finding in verdict.findings if finding.truth is Truth.YES]
    return tier, verdict.alternative.score, max((check.depth for check in holding), default=0), len(holding)


def _answer(check: Check, node: Node) -> Answer:
    match check.question:
        case HasFlag(features, names):
            return _has_flag(node.facts, features, names)
        case HasValue(features, element, test):
            return _has_value(node.facts, features, element, test)
        case HasInstance(feature, tests):
            return _has_instance(node.facts, feature, tests)
        case RunsOn() as platform:
            return _runs_on(node, platform)
        case _:
            assert_never(check.question)


def _has_flag(facts: Facts, features: tuple[str, ...], names: tuple[str, ...]) -> Answer:
    for feature in features:
        for name in names:
            if name in facts.flags.get(feature, ()):
                return Truth.YES, f"{feature} has {name}"
    return _missing(facts, features, names[0])


def _has_value(facts: Facts, features: tuple[str, ...], element: str, test: Test) -> Answer:
    found = [
        (feature, elements[element])
        for feature in features
        if element in (elements := facts.attributes.get(feature, {}))
    ]
    if not found:
        return _missing(facts, features, element)
    truths = [_passes(test, value) for _, value in found]
    truth = any_of(truths)
    feature, value = found[truths.index(truth)]
    seen = f"{feature} {element} is {value}"
    if truth is Truth.NO and len(found) < len(features) and _missing(facts, features, element)[0] is Truth.UNKNOWN:
        return Truth.UNKNOWN, seen
    return truth, seen


def _has_instance(facts: Facts, feature: str, tests: tuple[tuple[str, Test], ...]) -> Answer:
    instances = facts.instances.get(feature, ())
    truths = [all_of(_attribute(instance, name, test) for name, test in tests) for instance in instances]
    truth = any_of(truths)
    if truth is Truth.YES:
        return truth, f"{feature} {_shown(instances[truths.index(truth)], tests)}"
    if truth is Truth.NO and not facts.covers(feature):
        return Truth.UNKNOWN, f"{feature} is not known"
    return truth, f"none of {len(instances)} {feature} instances"


def _attribute(instance: Attributes, name: str, test: Test) -> Truth:
    return _passes(test, instance[name]) if name in instance else Truth.NO


def _shown(instance: Mapping[str, str], tests: tuple[tuple[str, Test], ...]) -> str:
    return ".".join(instance[name] for name, _ in tests)


def _missing(facts: Facts, features: tuple[str, ...], name: str) -> Answer:
    """Answer for an absent fact: no only where every place it could be in has been looked at."""
    unseen = [feature for feature in features if not facts.covers(feature)]
    if unseen:
        return Truth.UNKNOWN, f"{unseen[0]} is not known"
    return Truth.NO, f"{features[0]} lacks {name}"


def _runs_on(node: Node, platform: RunsOn) -> Answer:
    if platform.os not in {"", node.os.lower()}:
        return Truth.NO, f"the node runs {node.os}"
    have = normalize(node.architecture, node.variant)
    seen = f"the node is {'/'.join(part for part in (node.architecture, node.variant) if part)}"
    match runs((have[0], node.variant and have[1]), (platform.architecture, platform.variant)):
        case None:
            return Truth.UNKNOWN, f"{seen}; whether it runs this is not known"
        case runs_it:
            return _truth(runs_it), seen


def _passes(test: Test, value: str) -> Truth:
    match test:
        case EqualTo(wanted, ignore_case):
            return _truth(any(_same(value, one, ignore_case=ignore_case) for one in wanted))
        case Includes(item):
            return _truth(item in {part.strip() for part in value.split(",")})
        case InRanges(ranges):
            version = parse_version(value)
            return Truth.UNKNOWN if version is None else _truth(ranges.holds(version))
        case _:
            assert_never(test)


def _same(left: str, right: str, *, ignore_case: bool) -> bool:
    fold: Callable[[str], str] = str.casefold if ignore_case or {left.lower(), right.lower()} <= _BOOLEANS else str
    if fold(left) == fold(right):
        return True
    return is_exact(left) and is_exact(right) and parse_version(left) == parse_version(right)


def _truth(holds: bool) -> Truth:  # noqa: FBT001 - a predicate's result is its only argument
    return Truth.YES if holds else Truth.NO
