"""NFD image compatibility: sets of NodeFeatureRules, of which one set has to hold with all its rules.

Knows sets, rules and terms. Leaves an expression to ``formats.expression``, what a rule asks of earlier ones to
``formats.backreferences`` and whether a term holds to ``selection.expressions``. Sources: NFD (v1alpha1)
``docs/usage/image-compatibility.md``, ``docs/usage/customization-guide.md``, ``api/nfd/v1alpha1/types.go``,
``pkg/apis/nfd/nodefeaturerule/rule.go``.

NFD's own reader ignores a key that it does not know, so that a misspelt ``matchFeature`` makes a rule that always
holds. Here such a key costs its set. NFD's keys for what becomes of a node (``labels``, ``taints``…) are accepted and,
but for ``labels`` and ``vars``, not read. An operator that can never hold of a flag (all but ``""``, ``Exists``,
``DoesNotExist``) is no fault, as it is none in NFD: features of flags may have attributes, too.

``rule.matched`` is settled while reading, never by the node. Of earlier rules of its own set, which must hold anyway, a
rule sees the names (``true``), ``labels`` and ``vars``; of rules of earlier sets only the names, each of which stands
for what that rule needs. NFD lets labels and vars leak from set to set, and knows no names. Templates are not executed:
to ask for what one of them might give is a fault.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imagefit.errors import InvalidDocumentError
from imagefit.formats.backreferences import EarlierSets, Given
from imagefit.formats.contract import Dialect
from imagefit.formats.expression import Allowance, read_expression, shown
from imagefit.formats.reading import (
    Faults,
    at,
    check_keys,
    each_alternative,
    list_of,
    object_of,
    score_of,
    text_of,
)
from imagefit.formats.syntax import Tree
from imagefit.model.facts import NFD_FEATURES
from imagefit.model.microarchitecture import depth_of_flag
from imagefit.model.operators import RULE_MATCHED
from imagefit.model.requirement import (
    Alternative,
    Check,
    Document,
    Expression,
    Group,
    MatchesTerm,
    Need,
    Op,
)

_NAME: Final = "nfd"
_SETS: Final = "compatibilities"
_RULES: Final = "rules"
_VERSION: Final = "v1alpha1"
_SET_KEYS: Final = (_RULES, "weight", "tag", "description")
_RULE_KEYS: Final = (
    "name",
    "matchFeatures",
    "matchAny",
    "vars",
    "varsTemplate",
    "labels",
    "labelsTemplate",
    "annotations",
    "taints",
    "extendedResources",
)
_TERM_KEYS: Final = ("feature", "matchExpressions", "matchName")
_MAX_PARTS: Final = 10_000
_CPU_FLAGS: Final = "cpu.cpuid"


def claims(tree: Tree) -> bool:
    """Tell whether a document is a list of sets below ``compatibilities`` of which one has a list of ``rules``."""
    if not isinstance(tree, dict):
        return False
    sets = tree.get(_SETS)
    return isinstance(sets, list) and any(isinstance(one, dict) and isinstance(one.get(_RULES), list) for one in sets)


def parse(tree: Tree) -> Document:
    """Read a document.

    Args:
        tree: ``{version, compatibilities: [{rules: [rule, …], weight?, tag?, description?}, …]}``.

    Returns:
        The sets that can be read as alternatives, in the author's order, and the problems of those that cannot.

    Raises:
        InvalidDocumentError: it is of another version, or beyond the limits.
    """
    document = object_of(tree)
    with at("version"):
        if document.get("version") not in (None, _VERSION):
            raise InvalidDocumentError(f"not the version {_VERSION} that is read")
    if _parts(tree) > _MAX_PARTS:
        raise InvalidDocumentError(f"more than {_MAX_PARTS} values")
    return each_alternative(_NAME, list_of(document.get(_SETS)), _Reader().read_set, _SETS)


def _parts(tree: Tree) -> int:
    match tree:
        case dict():
            return 1 + sum(map(_parts, tree.values()))
        case list():
            return 1 + sum(map(_parts, tree))
        case _:
            return 1


class _Reader:
    """Reads the sets of one document, each of which may refer to those before it."""

    def __init__(self) -> None:
        self._earlier = EarlierSets()
        self._allowance = Allowance()

    def read_set(self, tree: Tree, place: str) -> Alternative:
        """Read one set. Raises ``InvalidDocumentError`` for all its faults."""
        if not isinstance(tree, dict):
            raise InvalidDocumentError("not a set of rules")
        try:
            alternative, rules = self._read(tree, place)
        except InvalidDocumentError:
            self._earlier.add_unreadable(tree.get(_RULES))
            raise
        self._earlier.add(rules)
        return alternative

    def _read(self, tree: Mapping[str, Tree], place: str) -> tuple[Alternative, tuple[Group, ...]]:
        faults = Faults()
        score = 0
        tag = description = ""
        with faults.at():
            check_keys("a set", tree, _SET_KEYS)
        with faults.at("weight"):
            score = score_of("0" if tree.get("weight") is None else tree["weight"])
        with faults.at():
            tag = _text(tree, "tag")
        with faults.at():
            description = _text(tree, "description")
        rules = self._rules(tree, faults)
        faults.raise_all()
        return Alternative(rules, score, (tag,) if tag else (), description, place), rules

    def _rules(self, tree: Mapping[str, Tree], faults: Faults) -> tuple[Group, ...]:
        given = Given(self._earlier)
        groups: list[Group] = []
        with faults.at(_RULES):
            if not isinstance(tree.get(_RULES), list):
                raise InvalidDocumentError("expected a list of rules")
        for number, rule in enumerate(_list(tree, _RULES)):
            with faults.at(_RULES, number):
                groups.append(self._rule(_object(rule, "a rule"), given))
        return tuple(groups)

    def _rule(self, rule: Mapping[str, Tree], given: Given) -> Group:
        faults = Faults()
        name = ""
        needs: list[Need] = []
        with faults.at():
            check_keys("a rule", rule, _RULE_KEYS)
        with faults.at():
            name = _text(rule, "name")
        with faults.at():
            needs.extend(self._all_of(rule, given))
        with faults.at("matchAny"):
            needs.extend(self._any_of(list_of(rule.get("matchAny")), given))
        with faults.at():
            given.take(name, rule)
        faults.raise_all()
        return Group(any_of=False, members=tuple(needs), name=name)

    def _any_of(self, matchers: list[Tree], given: Given) -> Iterator[Need]:
        """Read ``matchAny``; one matcher that asks for nothing makes all of it ask for nothing."""
        faults = Faults()
        members: list[tuple[Need, ...]] = []
        for number, matcher in enumerate(matchers):
            with faults.at(number):
                one = _object(matcher, "an object with matchFeatures")
                check_keys("a member of matchAny", one, ("matchFeatures",))
                if "matchFeatures" not in one:
                    raise InvalidDocumentError("'matchFeatures' is missing")
                members.append(tuple(self._all_of(one, given)))
        faults.raise_all()
        if members and all(members):
            yield Group(any_of=True, members=tuple(_one(needs) for needs in members))

    def _all_of(self, matcher: Mapping[str, Tree], given: Given) -> Iterator[Need]:
        faults = Faults()
        needs: list[Need] = []
        with faults.at("matchFeatures"):
            for number, term in enumerate(list_of(matcher.get("matchFeatures"))):
                with faults.at("matchFeatures", number):
                    needs.extend(self._term(_object(term, "a term with a feature"), given))
        faults.raise_all()
        yield from needs

    def _term(self, term: Mapping[str, Tree], given: Given) -> Iterator[Need]:
        faults = Faults()
        elements: list[tuple[str, Expression]] = []
        feature, name = "", None
        with faults.at():
            check_keys("a term", term, _TERM_KEYS)
        with faults.at("feature"):
            feature = _feature(term.get("feature"))
        with faults.at("matchExpressions"):
            for element, expression in object_of(term.get("matchExpressions")).items():
                with faults.at("matchExpressions", element):
                    elements.append((element, read_expression(expression, self._allowance)))
        with faults.at("matchName"):
            if term.get("matchName") is not None:
                name = read_expression(term["matchName"], self._allowance, on_names=True)
        faults.raise_all()
        asked = None if term.get("matchExpressions") is None else tuple(elements)
        if feature == RULE_MATCHED:
            return _references(asked or (), name, given)
        return iter(_checks(MatchesTerm(feature, asked, name)))


def _references(elements: Iterable[tuple[str, Expression]], name: Expression | None, given: Given) -> Iterator[Need]:
    for element, expression in elements:
        with at("matchExpressions", element):
            yield given.element(element, expression)
    if name is not None:
        with at("matchName"):
            yield given.name(name)


def _checks(term: MatchesTerm) -> tuple[Check, ...]:
    """Return one check per expression where each is about another element, else one for the whole term."""
    if NFD_FEATURES.get(term.feature, "instances") == "instances" or not (term.elements or term.name):
        return (Check(term.feature, _shown(term), term),)
    checks = tuple(_check(term.feature, element, expression) for element, expression in term.elements or ())
    return checks if term.name is None else (*checks, _check_of_name(term.feature, term.name))


def _check(feature: str, element: str, expression: Expression) -> Check:
    depth = depth_of_flag(element) if feature == _CPU_FLAGS and expression.op is Op.EXISTS else 0
    term = MatchesTerm(feature, ((element, expression),))
    return Check(feature, _shown(term), term, depth=depth)


def _check_of_name(feature: str, expression: Expression) -> Check:
    term = MatchesTerm(feature, None, expression)
    return Check(feature, _shown(term), term)


def _shown(term: MatchesTerm) -> str:
    words = [f"{element} {shown(expression)}" for element, expression in term.elements or ()]
    words += [f"name {shown(term.name)}"] if term.name else []
    return ", ".join(words) or "known"


def _one(needs: tuple[Need, ...]) -> Need:
    return needs[0] if len(needs) == 1 else Group(any_of=False, members=needs)


def _feature(tree: Tree) -> str:
    name = "" if tree is None else text_of(tree).lower()
    if not name:
        raise InvalidDocumentError("a term needs a feature such as cpu.cpuid")
    return name


def _object(tree: Tree, what: str) -> Mapping[str, Tree]:
    if not isinstance(tree, dict):
        raise InvalidDocumentError(f"expected {what}")
    return tree


def _list(tree: Mapping[str, Tree], key: str) -> list[Tree]:
    found = tree.get(key)
    return found if isinstance(found, list) else []


def _text(tree: Mapping[str, Tree], key: str) -> str:
    with at(key):
        return "" if tree.get(key) is None else text_of(tree[key])


DIALECT: Final = Dialect(_NAME, claims, parse)
