"""One question, answered from a node's facts: a truth, and in words what was seen.

Knows what each kind of question compares. Leaves NFD's expressions to ``expressions``.
"""

from collections.abc import Mapping
from typing import Final, assert_never

from imagefit.model.facts import ANYWHERE, Attributes, Facts, Node, platform_name
from imagefit.model.microarchitecture import normalize, runs
from imagefit.model.ranges import is_exact, parse_version
from imagefit.model.requirement import (
    EqualTo,
    HasFlag,
    HasInstance,
    HasValue,
    Includes,
    InRanges,
    MatchesTerm,
    Question,
    RunsOn,
    SameBuild,
    Test,
)
from imagefit.model.truth import Truth, all_of, any_of, truth_of
from imagefit.selection.expressions import Answer, matches

_BOOLEANS: Final = frozenset({"true", "false"})
_WINDOWS_BUILD_PARTS: Final = 3


def answer(question: Question, node: Node) -> Answer:
    """Answer one question from a node's facts; a missing fact is no only where a detector that covers it looked."""
    match question:
        case HasFlag(features, names):
            return _has_flag(node.facts, features, names)
        case HasValue(features, element, test):
            return _has_value(node.facts, features, element, test)
        case HasInstance(feature, tests):
            return _has_instance(node.facts, feature, tests)
        case RunsOn() as platform:
            return _runs_on(node, platform)
        case MatchesTerm():
            return matches(question, node.facts)
        case _:
            assert_never(question)


def _has_flag(facts: Facts, features: tuple[str, ...], names: tuple[str, ...]) -> Answer:
    for feature in features:
        for name in names:
            if name in facts.flags.get(feature, ()):
                return Truth.YES, f"{feature} has {name}"
    return _missing(facts, features, names[0])


def _has_value(facts: Facts, features: tuple[str, ...], element: str, test: Test) -> Answer:
    attributes = facts.attributes
    found = [feature for feature in features if feature in attributes and element in attributes[feature]]
    if not found:
        return _missing(facts, features, element)
    if ANYWHERE in features:
        del found[1:]  # of declared facts the first place counts: what the operator states comes before files
    truths = [_passes(test, attributes[feature][element]) for feature in found]
    truth = any_of(truths)
    feature = found[truths.index(truth)]
    return truth, f"{feature} {element} is {attributes[feature][element]}"


def _has_instance(facts: Facts, feature: str, tests: tuple[tuple[str, Test], ...]) -> Answer:
    instances = facts.instances.get(feature, ())
    truths = [_all_pass(instance, tests) for instance in instances]
    truth = any_of(truths)
    if truth is Truth.YES:
        return truth, f"{feature} {_shown(instances[truths.index(truth)], tests)}".rstrip()
    if truth is Truth.NO and not facts.covers(feature):
        return Truth.UNKNOWN, f"{feature} is not known"
    return truth, f"none of {len(instances)} {feature} instances"


def _all_pass(instance: Attributes, tests: tuple[tuple[str, Test], ...]) -> Truth:
    """Tell whether an instance passes every test; most fail the first."""
    return all_of(_passes(test, instance[name]) if name in instance else Truth.NO for name, test in tests)


def _shown(instance: Mapping[str, str], tests: tuple[tuple[str, Test], ...]) -> str:
    return ".".join(instance[name] for name, _ in tests)


def _missing(facts: Facts, features: tuple[str, ...], name: str) -> Answer:
    """Answer for an absent fact: no only where every place it could be in has been looked at."""
    unseen = [feature for feature in features if not facts.covers(feature)]
    if ANYWHERE in unseen:
        return Truth.UNKNOWN, f"nothing on the node declares {name}"
    if unseen:
        return Truth.UNKNOWN, f"{unseen[0]} is not known"
    return Truth.NO, f"{features[0]} lacks {name}"


def _runs_on(node: Node, platform: RunsOn) -> Answer:
    if node.also_runs and (name := platform_name(platform.os, platform.architecture)) in node.also_runs:
        return Truth.YES, f"the runtime handler runs {name}"
    if platform.os not in {"", node.os.lower()}:
        return Truth.NO, f"the node runs {node.os}"
    if not node.architecture:
        return Truth.UNKNOWN, "the node's architecture is not known"
    have = normalize(node.architecture, node.variant)
    seen = f"the node is {'/'.join(part for part in (node.architecture, node.variant) if part)}"
    match runs((have[0], node.variant and have[1]), (platform.architecture, platform.variant)):
        case None:
            return Truth.UNKNOWN, f"{seen}; whether it runs this is not known"
        case runs_it:
            return truth_of(runs_it), seen


def _passes(test: Test, value: str) -> Truth:
    match test:
        case InRanges(ranges):
            version = parse_version(value)
            return Truth.UNKNOWN if version is None else truth_of(ranges.holds(version))
        case EqualTo(wanted, ignore_case):
            return truth_of(any(_same(value, one, ignore_case=ignore_case) for one in wanted))
        case Includes(item):
            return truth_of(item in {part.strip() for part in value.split(",")})
        case SameBuild(wanted):
            return truth_of(_build(value) == _build(wanted))
        case _:
            assert_never(test)


def _same(left: str, right: str, *, ignore_case: bool) -> bool:
    if left == right:
        return True
    if (ignore_case or {left.lower(), right.lower()} <= _BOOLEANS) and left.casefold() == right.casefold():
        return True
    return is_exact(left) and is_exact(right) and parse_version(left) == parse_version(right)


def _build(windows_version: str) -> list[str]:
    return windows_version.split(".")[:_WINDOWS_BUILD_PARTS]
