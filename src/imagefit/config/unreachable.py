"""What has no effect: rules that no pull can reach, keys that nobody looks at. Worth a warning and no fault.

Knows which patterns take all that others take. Leaves the shape of image names to ``names``.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from imagefit.config.names import can_be_a_name, what_was_meant
from imagefit.config.settings import Config
from imagefit.model.glob import Glob
from imagefit.model.policy import ImageRule
from imagefit.model.reference import DEFAULT_DOMAIN

MAX_TOLD: Final = 20
"""Most rules that are told at once."""
_SHAPE: Final = "expected host/path:tag or host/path@digest, with * for what may be anything"
_TRUSTED: Final = "[trust.referrers]"
_LOCALHOST: Final = "localhost"
_NO_SHORT_NAME: Final = frozenset(".[*?")


class Unreachable(msgspec.Struct, frozen=True):
    """One rule, or table, without effect.

    Attributes:
        number: of the ``[[image]]``, from 1; 0 for another table.
        rule: its name, as decisions give it.
        why: follows the name in a sentence.
        advice: what the operator can do about it.
    """

    number: int
    rule: str
    why: str
    advice: str

    def __str__(self) -> str:
        """Return all of it as a sentence."""
        return f"{self.rule} {self.why} ({self.advice})"


def unreachable_rules(config: Config) -> tuple[Unreachable, ...]:
    """Return the ``[[image]]`` rules that are for no pull, or hardly for those that were meant; then what else is idle.

    A thousand rules take up to some seconds: not for an event loop.
    """
    return tuple(_found(config))


def _found(config: Config) -> Iterator[Unreachable]:
    rules = config.policies.rules
    for number, (written, rule) in enumerate(zip(config.image, rules, strict=True), 1):
        why, advice = ("", "") if written.match is UNSET else _wrong_match(written.match)
        if not why:
            why, advice = _taken_before(rule, rules[: number - 1])
        if why:
            yield Unreachable(number, rule.policy.rule, why, advice)
    yield from _idle_keys(config)


def _idle_keys(config: Config) -> Iterator[Unreachable]:
    trusted = config.trust.referrers
    policies = (config.policies.default, *(rule.policy for rule in config.policies.rules))
    if not trusted.require_signature and (trusted.keys or trusted.repository):
        why = "names keys, and no signature is asked for: what nobody signed counts, too"
        yield Unreachable(0, _TRUSTED, why, "set require-signature = true")
    elif trusted.require_signature and not any(policy.trust_referrers for policy in policies):
        why = "asks for signatures of referrers, and no policy trusts referrers"
        yield Unreachable(0, _TRUSTED, why, 'set trust = ["index", "referrers"] under [policy] or an [[image]]')


def _wrong_match(pattern: str) -> tuple[str, str]:
    """Return why a pattern is for other images than those that were meant, and what to do; empty where it is not."""
    host, slash, path = pattern.partition("/")
    name, colon, tag = pattern.partition(":")
    if not can_be_a_name(pattern):
        meant = what_was_meant(pattern)
        return "matches no image: names are always full", f"did you mean '{meant}'?" if meant else _SHAPE
    if slash and host != host.lower():
        return "is only for pulls that write the host with these capitals", f"did you mean '{host.lower()}/{path}'?"
    if colon and not slash and name != _LOCALHOST and not _NO_SHORT_NAME & set(name):
        meant = f"{DEFAULT_DOMAIN}/library/{name.lower()}:{tag}"
        return f"is for a registry host called {name}", f"did you mean '{meant}'? for that host write '{pattern}/*'"
    return "", ""


def _taken_before(rule: ImageRule, earlier: Sequence[ImageRule]) -> tuple[str, str]:
    before = next((one for one in earlier if _takes_all_of(one, rule)), None)
    if before is None:
        return "", ""
    return f"is never reached: {before.policy.rule} takes all that it takes", "put it before that one, or remove it"


def _takes_all_of(one: ImageRule, other: ImageRule) -> bool:
    return (
        _covers(one.image, other.image)
        and _covers(one.namespace, other.namespace)
        and _covers(one.runtime_handler, other.runtime_handler)
    )


def _covers(one: Glob, other: Glob) -> bool:
    """Tell whether one pattern surely takes all that another takes.

    It does where it matches the other's text, as no pattern has a * or ? that stands for itself; but a ? of the one
    must not stand for a * of the other.
    """
    return one.text == other.text or (one.matches(other.text) and not ("?" in one.text and "*" in other.text))
