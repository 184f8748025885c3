"""Proposal B: named sets of attributes, and graphs that relate them.

Knows how sets are related. An edge asks: if ``from`` holds, then ``to`` holds under its condition. A graph holds when
its roots, the sets that no edge of it leads to, and all its edges do. Criteria name the graphs that count: ``oneOf``
means at least one. Without criteria every graph counts, and without graphs every set is needed; a set that no
counting graph mentions is not needed then. Leaves what an attribute asks to ``group_keys``, where the domain is the
group.

All sets decide together, so a fault anywhere costs the whole document. Source: proposal B of the OCI
image-compatibility working group. Where its text and its examples differ, both are read: ``compatibilties`` for
``compatibilities``; ``validationCriteria`` in ``spec`` or in ``relations``; an id in another case (``nvidiaGpu`` for
``nvidiaGPU``), if only one set can be meant.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from imagefit.errors import InvalidDocumentError
from imagefit.formats.contract import Dialect
from imagefit.formats.namespaced import needs_of_group
from imagefit.formats.reading import MAX_CHECKS, Faults, at, check_keys, list_of, object_of, text_of
from imagefit.formats.syntax import Tree
from imagefit.model.requirement import Alternative, Document, Group, Need, count_checks, negated

_NAME: Final = "relations"
_SPEC: Final = "spec"
# The second is the draft's own misspelling.
_SETS: Final = ("compatibilities", "compatibilties")
_RELATIONS: Final = "relations"
_GRAPHS: Final = "graphs"
_CRITERIA: Final = "validationCriteria"
_TELLING: Final = frozenset({*_SETS, _RELATIONS})
_CONDITIONS: Final = ("allOf", "oneOf", "noneOf")
_GRAPH_CONDITIONS: Final = ("allOf", "oneOf")
_ANNOTATIONS: Final = "annotations"
_SHOWN_CHARACTERS: Final = 80


class _Sized(msgspec.Struct, frozen=True):
    """A need and how much judging it costs: its checks wherever they stand, at least one."""

    need: Need
    checks: int


_NOTHING: Final = _Sized(Group(any_of=False, members=()), 1)


class _Edge(msgspec.Struct, frozen=True):
    source: str
    targets: tuple[str, ...]
    condition: str


def claims(tree: Tree) -> bool:
    """Tell whether a document has a ``spec`` of sets or relations."""
    spec = tree.get(_SPEC) if isinstance(tree, dict) else None
    return isinstance(spec, dict) and bool(_TELLING & spec.keys())


def parse(tree: Tree) -> Document:
    """Read sets and their relations as one alternative.

    Args:
        tree: ``{"spec": {"compatibilities": [{"id", "domain", "attributes"}], "relations": {"graphs", …}}}``.

    Raises:
        InvalidDocumentError: something of it cannot be read, an id is there twice or stands for nothing, a graph has a
            cycle, or relations multiply the checks beyond ``MAX_CHECKS``.
    """
    with at(_SPEC):
        spec = object_of(object_of(tree).get(_SPEC))
        check_keys("a spec", spec, (*_SETS, _RELATIONS, _CRITERIA, _ANNOTATIONS))
        sets = _Sets(_read_sets(spec))
        return Document(_NAME, (Alternative(_needs(spec, sets)),))


def _needs(spec: Mapping[str, Tree], sets: "_Sets") -> tuple[Need, ...]:
    with at(_RELATIONS):
        relations = object_of(spec.get(_RELATIONS))
        check_keys("relations", relations, (_GRAPHS, _CRITERIA, _ANNOTATIONS))
        graphs = _read_graphs(relations, sets)
    if not graphs:
        return _bounded(sets.all())
    faults = Faults()
    criteria: list[_Sized] = []
    with faults.at(_CRITERIA):
        criteria.extend(_read_criteria(spec.get(_CRITERIA), graphs))
    with faults.at(_RELATIONS, _CRITERIA):
        criteria.extend(_read_criteria(relations.get(_CRITERIA), graphs))
    faults.raise_all()
    return _bounded(criteria or graphs.values())


def _bounded(needs: Iterable[_Sized]) -> tuple[Need, ...]:
    """Return needs in their order. Raises ``InvalidDocumentError`` where judging them is too much."""
    found: list[Need] = []
    checks = 0
    for one in needs:
        found.append(one.need)
        checks += one.checks
        if checks > MAX_CHECKS:
            raise InvalidDocumentError(f"the relations ask for more than {MAX_CHECKS} checks")
    return tuple(found)


def _group(needs: Iterable[_Sized], name: str = "", *, any_of: bool = False) -> _Sized:
    members = tuple(needs)
    return _Sized(Group(any_of, _bounded(members), name), sum(one.checks for one in members))


class _Sets:
    """The sets of a document by their ids."""

    def __init__(self, by_id: Mapping[str, _Sized]) -> None:
        self._by_id = by_id
        self._negated: dict[str, _Sized] = {}
        self._by_folded: dict[str, list[str]] = {}
        for name in by_id:
            self._by_folded.setdefault(name.casefold(), []).append(name)

    def all(self) -> Iterable[_Sized]:
        return self._by_id.values()

    def resolve(self, tree: Tree) -> str:
        """Return the id that is meant, which may be written in another case if that leaves only one."""
        written = text_of(tree)
        if written in self._by_id:
            return written
        meant = self._by_folded.get(written.casefold(), [])
        if len(meant) != 1:
            several = f", which may be {' or '.join(meant)}" if meant else ""
            raise InvalidDocumentError(f"no compatibility has the id {written[:_SHOWN_CHARACTERS]!r}{several[:200]}")
        return meant[0]

    def get(self, name: str) -> _Sized:
        return self._by_id[name]

    def without(self, name: str) -> _Sized:
        """Return the need that a set does not hold, the same one every time."""
        if name not in self._negated:
            one = self._by_id[name]
            self._negated[name] = _Sized(negated(one.need), one.checks)
        return self._negated[name]


def _read_sets(spec: Mapping[str, Tree]) -> Mapping[str, _Sized]:
    faults = Faults()
    by_id: dict[str, _Sized] = {}
    for key in _SETS:
        with faults.at(key):
            _read_list(list_of(spec.get(key)), by_id)
    faults.raise_all()
    return by_id


def _read_list(trees: Iterable[Tree], by_id: dict[str, _Sized]) -> None:
    faults = Faults()
    for number, tree in enumerate(trees):
        with faults.at(number):
            members = object_of(tree)
            with at("id"):
                name = _word(members.get("id"))
                if name in by_id:
                    raise InvalidDocumentError(f"the id {name[:_SHOWN_CHARACTERS]!r} stands twice")
            by_id[name] = _NOTHING
            by_id[name] = _read_set(name, members)
    faults.raise_all()


def _read_set(name: str, members: Mapping[str, Tree]) -> _Sized:
    check_keys("a compatibility", members, ("id", "domain", "attributes", _ANNOTATIONS))
    with at("domain"):
        domain = _word(members.get("domain"))
    with at("attributes"):
        attributes = members.get("attributes")
        if not isinstance(attributes, dict):
            raise InvalidDocumentError("expected an object of attributes")
        needs = needs_of_group(domain, attributes)
    return _Sized(Group(any_of=False, members=needs, name=name), max(1, count_checks(needs)))


def _word(tree: Tree) -> str:
    word = text_of(tree)
    if not word.strip():
        raise InvalidDocumentError("expected a word")
    return word


def _read_graphs(relations: Mapping[str, Tree], sets: _Sets) -> Mapping[str, _Sized]:
    faults = Faults()
    graphs: dict[str, _Sized] = {}
    with faults.at(_GRAPHS):
        for name, tree in object_of(relations.get(_GRAPHS)).items():
            with faults.at(_GRAPHS, name):
                graphs[name] = _graph(name, _read_edges(tree, sets), sets)
    faults.raise_all()
    return graphs


def _read_edges(tree: Tree, sets: _Sets) -> tuple[_Edge, ...]:
    faults = Faults()
    edges: list[_Edge] = []
    graph = object_of(tree)
    check_keys("a graph", graph, ("edges", _ANNOTATIONS))
    with at("edges"):
        for number, edge in enumerate(list_of(graph.get("edges"))):
            with faults.at(number):
                edges.append(_read_edge(object_of(edge), sets))
        faults.raise_all()
        if not edges:
            raise InvalidDocumentError("expected at least one edge")
    return tuple(edges)


def _read_edge(edge: Mapping[str, Tree], sets: _Sets) -> _Edge:
    check_keys("an edge", edge, ("from", "to", _ANNOTATIONS))
    faults = Faults()
    source, condition = "", ""
    targets: list[str] = []
    with faults.at("from"):
        source = sets.resolve(edge.get("from"))
    to: Mapping[str, Tree] = {}
    with faults.at("to"):
        to = object_of(edge.get("to"))
        check_keys("the end of an edge", to, (*_SETS, "condition"))
    for key in _SETS:
        for number, target in enumerate(_list_at(faults, to, key)):
            with faults.at("to", key, number):
                targets.append(sets.resolve(target))
    with faults.at("to", "condition"):
        condition = _condition(to, _CONDITIONS)
    faults.raise_all()
    if not targets:
        raise InvalidDocumentError("expected at least one id", place="/to")
    return _Edge(source, tuple(dict.fromkeys(targets)), condition)


def _list_at(faults: Faults, to: Mapping[str, Tree], key: str) -> list[Tree]:
    with faults.at("to", key):
        return list_of(to.get(key))
    return []


def _condition(members: Mapping[str, Tree], allowed: Iterable[str]) -> str:
    condition = text_of(members.get("condition"))
    if condition not in allowed:
        raise InvalidDocumentError(f"{condition[:_SHOWN_CHARACTERS]!r} is none of {', '.join(allowed)}")
    return condition


def _graph(name: str, edges: Iterable[_Edge], sets: _Sets) -> _Sized:
    edges = tuple(edges)
    leads_to: dict[str, set[str]] = {}
    for edge in edges:
        leads_to.setdefault(edge.source, set()).update(edge.targets)
    _check_acyclic(leads_to)
    targets = set().union(*leads_to.values())
    roots = (sets.get(source) for source in leads_to if source not in targets)
    return _group((*roots, *(_implication(edge, sets) for edge in edges)), name)


def _check_acyclic(leads_to: Mapping[str, set[str]]) -> None:
    """Raise ``InvalidDocumentError`` where sets lead back to themselves."""
    coming = Counter(target for targets in leads_to.values() for target in targets)
    free = deque(source for source in leads_to if not coming[source])
    done = 0
    while free:
        done += 1
        for target in leads_to.get(free.popleft(), ()):
            coming[target] -= 1
            if not coming[target]:
                free.append(target)
    if done < len(leads_to.keys() | coming.keys()):
        stuck = next(source for source in leads_to if coming[source])
        raise InvalidDocumentError(f"the edges lead in a circle, before or after {stuck[:_SHOWN_CHARACTERS]!r}")


def _implication(edge: _Edge, sets: _Sets) -> _Sized:
    """Return what an edge asks: its source does not hold, or its targets do as the condition says."""
    if edge.condition == "noneOf":
        target = _group(sets.without(name) for name in edge.targets)
    else:
        target = _group((sets.get(name) for name in edge.targets), any_of=edge.condition == "oneOf")
    return _group((sets.without(edge.source), target), any_of=True)


def _read_criteria(tree: Tree, graphs: Mapping[str, _Sized]) -> tuple[_Sized, ...]:
    faults = Faults()
    criteria: list[_Sized] = []
    for number, criterion in enumerate(list_of(tree)):
        with faults.at(number):
            criteria.append(_read_criterion(object_of(criterion), graphs))
    faults.raise_all()
    return tuple(criteria)


def _read_criterion(criterion: Mapping[str, Tree], graphs: Mapping[str, _Sized]) -> _Sized:
    check_keys("a criterion", criterion, (_GRAPHS, "condition", _ANNOTATIONS))
    with at("condition"):
        condition = _condition(criterion, _GRAPH_CONDITIONS)
    faults = Faults()
    found: dict[str, _Sized] = {}
    for number, tree in enumerate(list_of(criterion.get(_GRAPHS))):
        with faults.at(_GRAPHS, number):
            name = text_of(tree)
            if name not in graphs:
                raise InvalidDocumentError(f"no graph has the name {name[:_SHOWN_CHARACTERS]!r}")
            found[name] = graphs[name]
    faults.raise_all()
    if not found:
        raise InvalidDocumentError("expected at least one graph", place=f"/{_GRAPHS}")
    return _group(found.values(), any_of=condition == "oneOf")


DIALECT: Final = Dialect(_NAME, claims, parse)
