"""What an NFD rule may ask of earlier rules of its document (``rule.matched``), settled while reading.

Knows what a rule gives to those after it and what is left of an expression on that: a check that no node decides, or
what the other rule needs. Leaves to the dialect where rules and terms stand. Source: NFD
``docs/usage/customization-guide.md`` ("Backreferences"); what differs is said by the dialect.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.formats.expression import shown
from imagefit.formats.reading import MAX_CHECKS, at, object_of, text_of
from imagefit.formats.syntax import Tree
from imagefit.model.operators import RULE_MATCHED, passes
from imagefit.model.requirement import Check, Expression, Group, MatchesTerm, Need, Op, negated
from imagefit.model.truth import Truth

_TEMPLATES: Final = ("labelsTemplate", "varsTemplate")
_MATCHED: Final = "true"
_MAX_NESTING: Final = 24


def _settled(element: str, asked: str, *, holds: bool) -> Check:
    """Return what is left of a reference that no node decides."""
    return Check(f"{RULE_MATCHED} {element}".rstrip(), asked, MatchesTerm(RULE_MATCHED, ()), negated=not holds)


class _Rule(msgspec.Struct, frozen=True):
    """A rule of an earlier set: what it needs, how many needs these are, and how deep they are nested."""

    group: Group
    size: int
    nesting: int


class EarlierSets:
    """Rules of sets that have been read, by name; what all references to them bring in is bounded."""

    def __init__(self) -> None:
        """Start without any."""
        self._rules: dict[str, list[_Rule]] = {}
        self._unreadable: set[str] = set()
        self._left = MAX_CHECKS

    def add(self, groups: Iterable[Group]) -> None:
        """Remember the rules of a set that has been read."""
        for group in groups:
            self._rules.setdefault(group.name, []).append(_Rule(group, *_extent(group)))

    def add_unreadable(self, rules: Tree) -> None:
        """Remember the names of rules of a set that cannot be read, as far as they can be."""
        for rule in rules if isinstance(rules, list) else ():
            name = rule.get("name") if isinstance(rule, dict) else None
            if isinstance(name, str):
                self._unreadable.add(name)

    def names(self) -> Iterable[str]:
        """Return the names of all rules. Raises ``InvalidDocumentError`` where that has been asked too often."""
        self.spend(len(self._rules) + len(self._unreadable))
        return (*self._rules, *self._unreadable)

    def need(self, name: str) -> Need | None:
        """Return what has to hold for a rule to have matched; None where no earlier set has a rule of that name.

        Raises:
            InvalidDocumentError: the rule cannot be read, or references bring in too much.
        """
        if name in self._unreadable:
            raise InvalidDocumentError(f"it refers to the rule {name[:80]!r}, which cannot be read")
        rules = self._rules.get(name)
        if rules is None:
            return None
        self.spend(sum(rule.size for rule in rules))
        if any(rule.nesting > _MAX_NESTING for rule in rules):
            raise InvalidDocumentError("rules refer to one another through too many sets")
        members = tuple(rule.group for rule in rules)
        if not all(group.members for group in members):
            return _settled(name, "is a rule that asks for nothing", holds=True)
        return members[0] if len(members) == 1 else Group(any_of=True, members=members, name=name)

    def spend(self, needs: int) -> None:
        """Take what a reference costs. Raises ``InvalidDocumentError`` where too little is left."""
        self._left -= needs
        if self._left < 0:
            raise InvalidDocumentError(f"references to rules of other sets bring in more than {MAX_CHECKS} checks")


def _extent(need: Need) -> tuple[int, int]:
    """Return how many needs there are in one, itself included, and how deep they are nested."""
    if isinstance(need, Check):
        return 1, 1
    inside = [_extent(member) for member in need.members]
    return 1 + sum(size for size, _ in inside), 1 + max((nesting for _, nesting in inside), default=0)


class Given(msgspec.Struct):
    """What a rule can refer to: elements that earlier rules of its set give, and rules of earlier sets."""

    earlier: EarlierSets
    names: dict[str, str] = msgspec.field(default_factory=dict)
    values: dict[str, str] = msgspec.field(default_factory=dict)
    templated: bool = False

    def take(self, name: str, rule: Mapping[str, Tree]) -> None:
        """Add what a rule gives to those after it; vars win over labels, later over earlier.

        Raises:
            InvalidDocumentError: its labels or vars are no texts by name.
        """
        for key in ("labels", "vars"):
            with at(key):
                for element, value in object_of(rule.get(key)).items():
                    with at(element):
                        self.values[element] = "" if value is None else text_of(value)
        self.names[name] = _MATCHED
        self.templated = self.templated or any(rule.get(key) not in (None, "") for key in _TEMPLATES)

    def element(self, name: str, expression: Expression) -> Need:
        """Return what is left of an expression on one element.

        Raises:
            InvalidDocumentError: a template may give it, it is no number where one is asked for, or as ``need`` does.
        """
        value = self.values.get(name, self.names.get(name))
        if value is None and self.templated and expression.op is not Op.ANY:
            raise InvalidDocumentError(f"{name[:80]!r} may come from a template, and templates are not executed")
        need = None if value is not None else self.earlier.need(name)
        if need is None:
            truth = passes(expression, value, exists=value is not None)
            return _settled(name, shown(expression), holds=_known(truth, value))
        present = _known(passes(expression, _MATCHED), _MATCHED)
        absent = _known(passes(expression, None, exists=False), None)
        if present is absent or isinstance(need, Check):
            return _settled(name, shown(expression), holds=present)
        asked = need if present else negated(need)
        return Group(any_of=False, members=(asked,), name=f"{RULE_MATCHED} {name} {shown(expression)}")

    def name(self, expression: Expression) -> Need:
        """Return what is left of an expression on the names of elements.

        Raises:
            InvalidDocumentError: a template may give one, or as ``EarlierSets.need`` does.
        """
        given = (*self.names, *self.values)
        self.earlier.spend(len(given))
        if any(passes(expression, name) is Truth.YES for name in given):
            return _settled("name", shown(expression), holds=True)
        if self.templated:
            raise InvalidDocumentError("a name may come from a template, and templates are not executed")
        passing = [name for name in self.earlier.names() if passes(expression, name) is Truth.YES]
        needs = tuple(need for need in map(self.earlier.need, passing) if need is not None)
        if not needs:
            return _settled("name", shown(expression), holds=False)
        return Group(any_of=True, members=needs, name=f"{RULE_MATCHED} name {shown(expression)}")


def _known(truth: Truth, value: str | None) -> bool:
    if truth is Truth.UNKNOWN:
        raise InvalidDocumentError(f"it compares numbers, and an earlier rule gives {(value or '')[:80]!r}")
    return truth is Truth.YES
