"""Proposal B: an edge is an implication, a graph is its roots and edges, criteria say which graphs count."""

import itertools
from collections.abc import Iterable

import pytest

from builders import Json, node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.formats.reading import MAX_CHECKS
from imagefit.model.facts import Node
from imagefit.model.requirement import Group
from imagefit.selection.match import judge_document


def _set(name: str, *keys: str) -> Json:
    return {"id": name, "domain": "org.example", "attributes": dict.fromkeys(keys or (name,), "true")}


def _edge(source: str, targets: Iterable[str], condition: str = "allOf", key: str = "compatibilities") -> Json:
    return {"from": source, "to": {key: list(targets), "condition": condition}}


def _graph(*edges: Json) -> Json:
    return {"edges": list(edges)}


def _spec(sets: Iterable[Json], graphs: Json | None = None, *criteria: Json, **more: object) -> bytes:
    spec: Json = {"compatibilities": list(sets)}
    if graphs is not None:
        spec["relations"] = {"graphs": graphs}
        if criteria:
            spec["relations"]["validationCriteria"] = list(criteria)
    return to_bytes({"spec": spec | more})


def _node(holding: str, failing: str = "") -> Node:
    """Return a node where facts hold and others do not; facts that are in neither are unknown."""
    facts = {**dict.fromkeys(holding.split(), "true"), **dict.fromkeys(failing.split(), "false")}
    return node(attributes={"operator.fact": {f"org.example.{name}": value for name, value in facts.items()}})


def _truth(content: bytes, holding: str, failing: str = "") -> str:
    return judge_document(parse(content), _node(holding, failing)).truth


def _places(content: bytes) -> list[str]:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(content)
    return [one.place for one in (caught.value, *caught.value.others)]


_ABC = [_set("a"), _set("b"), _set("c")]


@pytest.mark.parametrize(
    ("holding", "failing", "truth"),
    [("a b c", "", "yes"), ("a b", "c", "no"), ("a b", "", "unknown"), ("", "a b c", "no")],
)
def test_without_relations_every_set_is_needed(holding: str, failing: str, truth: str) -> None:
    assert _truth(_spec(_ABC), holding, failing) == truth
    assert _truth(_spec(_ABC, {}), holding, failing) == truth


def test_all_attributes_of_a_set_are_needed() -> None:
    content = _spec([_set("a", "x", "y")])
    assert [_truth(content, "x y"), _truth(content, "x", "y")] == ["yes", "no"]


@pytest.mark.parametrize(
    ("condition", "holding", "failing", "truth"),
    [
        ("allOf", "a b c", "", "yes"),
        ("allOf", "a b", "c", "no"),
        ("allOf", "b c", "a", "no"),
        ("allOf", "a b", "", "unknown"),
        ("oneOf", "a b c", "", "yes"),
        ("oneOf", "a c", "b", "yes"),
        ("oneOf", "a", "b c", "no"),
        ("oneOf", "a c", "", "yes"),
        ("noneOf", "a", "b c", "yes"),
        ("noneOf", "a b", "c", "no"),
        ("noneOf", "a", "b", "unknown"),
    ],
)
def test_a_root_must_hold_and_what_it_leads_to_as_the_condition_says(
    condition: str, holding: str, failing: str, truth: str
) -> None:
    content = _spec(_ABC, {"g": _graph(_edge("a", ["b", "c"], condition))})
    assert _truth(content, holding, failing) == truth


@pytest.mark.parametrize(
    ("holding", "failing", "truth"),
    [
        pytest.param("a b d", "c", "yes", id="the edge of the set that does not hold asks nothing"),
        pytest.param("a c", "b d", "yes", id="nor does it here"),
        pytest.param("a b c", "d", "no", id="the edge of the set that holds does"),
        pytest.param("a d", "b c", "no", id="one of both is needed"),
        pytest.param("a c", "b", "yes", id="what is not needed need not be known"),
        pytest.param("a b", "c", "unknown", id="what is needed must be known"),
    ],
)
def test_an_edge_asks_only_where_its_source_holds(holding: str, failing: str, truth: str) -> None:
    graph = _graph(_edge("a", ["b", "c"], "oneOf"), _edge("b", ["d"]))
    assert _truth(_spec([*_ABC, _set("d")], {"g": graph}), holding, failing) == truth


_TWO = {"g": _graph(_edge("a", ["b"])), "h": _graph(_edge("c", ["b"]))}


@pytest.mark.parametrize(
    ("criteria", "holding", "failing", "truth"),
    [
        pytest.param([], "a b", "c", "no", id="without criteria every graph counts"),
        pytest.param([], "a b c", "", "yes", id="and every one holds"),
        pytest.param([{"graphs": ["g"], "condition": "allOf"}], "a b", "c", "yes", id="only what is named counts"),
        pytest.param([{"graphs": ["g", "h"], "condition": "allOf"}], "a b", "c", "no", id="all of two"),
        pytest.param([{"graphs": ["g", "h"], "condition": "oneOf"}], "a b", "c", "yes", id="one of two"),
        pytest.param([{"graphs": ["g", "h"], "condition": "oneOf"}], "a b c", "", "yes", id="one means at least one"),
        pytest.param([{"graphs": ["g", "h"], "condition": "oneOf"}], "b", "a c", "no", id="none of two"),
        pytest.param(
            [{"graphs": ["g"], "condition": "oneOf"}, {"graphs": ["h"], "condition": "allOf"}],
            "a b",
            "c",
            "no",
            id="all criteria",
        ),
    ],
)
def test_criteria_say_which_graphs_count(criteria: list[Json], holding: str, failing: str, truth: str) -> None:
    assert _truth(_spec(_ABC, _TWO, *criteria), holding, failing) == truth
    assert _truth(_spec(_ABC, _TWO, validationCriteria=criteria), holding, failing) == truth


def test_a_set_that_no_graph_mentions_is_not_needed() -> None:
    assert _truth(_spec([*_ABC, _set("d")], {"g": _graph(_edge("a", ["b"]))}), "a b", "c d") == "yes"


def test_the_draft_s_misspelling_is_read_wherever_it_stands() -> None:
    content = _spec(_ABC, {"g": _graph(_edge("a", ["b"], key="compatibilties"))})
    assert [_truth(content, "a b"), _truth(content, "a", "b")] == ["yes", "no"]
    misspelt = to_bytes({"spec": {"compatibilties": _ABC}})
    assert [_truth(misspelt, "a b c"), _truth(misspelt, "a b", "c")] == ["yes", "no"]


def test_an_id_in_another_case_is_read_if_only_one_set_can_be_meant() -> None:
    content = _spec([_set("a"), _set("nvidiaGPU", "x")], {"g": _graph(_edge("a", ["nvidiaGpu"]))})
    assert [_truth(content, "a x"), _truth(content, "a", "x")] == ["yes", "no"]


def test_an_id_as_written_wins_over_one_in_another_case() -> None:
    content = _spec([_set("a"), _set("B", "x"), _set("b", "y")], {"g": _graph(_edge("a", ["b"]))})
    assert [_truth(content, "a y", "x"), _truth(content, "a x", "y")] == ["yes", "no"]


def test_sets_and_graphs_are_groups_with_the_author_s_names() -> None:
    (alternative,) = parse(_spec(_ABC)).alternatives
    assert [need.name for need in alternative.needs if isinstance(need, Group)] == ["a", "b", "c"]
    (alternative,) = parse(_spec(_ABC, _TWO)).alternatives
    assert [need.name for need in alternative.needs if isinstance(need, Group)] == ["g", "h"]


def test_a_set_without_attributes_holds() -> None:
    content = _spec([{"id": "a", "domain": "org.example", "attributes": {}, "annotations": {"b": "c"}}])
    assert _truth(content, "") == "yes"


_G = "/spec/relations/graphs/g"
_C = "/spec/relations/validationCriteria/0"


@pytest.mark.parametrize(
    ("graph", "places"),
    [
        pytest.param(_graph(_edge("x", ["b"])), [f"{_G}/edges/0/from"], id="no such source"),
        pytest.param(
            _graph(_edge("a", ["x", "b", "y"])),
            [f"{_G}/edges/0/to/compatibilities/0", f"{_G}/edges/0/to/compatibilities/2"],
            id="no such targets",
        ),
        pytest.param(_graph(_edge("a", [])), [f"{_G}/edges/0/to"], id="no target"),
        pytest.param(_graph(_edge("a", ["b"], "anyOf")), [f"{_G}/edges/0/to/condition"], id="no such condition"),
        pytest.param(
            _graph({"from": "a", "to": {"compatibilities": ["b"]}}), [f"{_G}/edges/0/to/condition"], id="no condition"
        ),
        pytest.param(
            _graph({"from": "a", "to": {"compatibilities": "b", "condition": "allOf"}}),
            [f"{_G}/edges/0/to/compatibilities"],
            id="a target that is in no list",
        ),
        pytest.param(
            _graph({"from": "a", "to": "b"}),
            [f"{_G}/edges/0/to", f"{_G}/edges/0/to/condition"],
            id="a word",
        ),
        pytest.param(_graph({"from": "a"}), [f"{_G}/edges/0/to/condition"], id="no end"),
        pytest.param(
            _graph({"from": "a", "to": {"compatibility": ["b"], "condition": "allOf"}}),
            [f"{_G}/edges/0/to/compatibility"],
            id="a misspelt key",
        ),
        pytest.param(_graph({"form": "a", "to": {}}), [f"{_G}/edges/0/form"], id="a misspelt source"),
        pytest.param(_graph("a"), [f"{_G}/edges/0"], id="an edge that is text"),  # type: ignore[arg-type]
        pytest.param(_graph(), [f"{_G}/edges"], id="no edge"),
        pytest.param({}, [f"{_G}/edges"], id="no edges"),
        pytest.param({"edge": []}, [f"{_G}/edge"], id="misspelt edges"),
        pytest.param([], [_G], id="a graph that is a list"),
        pytest.param(_graph(_edge("a", ["a"])), [_G], id="a circle of one"),
        pytest.param(_graph(_edge("a", ["b"]), _edge("b", ["c"]), _edge("c", ["a"])), [_G], id="a circle of three"),
        pytest.param(_graph(_edge("a", ["b"]), _edge("b", ["c"]), _edge("c", ["b"])), [_G], id="a circle after a root"),
    ],
)
def test_a_graph_that_cannot_be_read_costs_the_document(graph: Json, places: list[str]) -> None:
    assert _places(_spec(_ABC, {"g": graph})) == places


@pytest.mark.parametrize(
    ("criterion", "places"),
    [
        pytest.param({"graphs": ["x"], "condition": "allOf"}, [f"{_C}/graphs/0"], id="no such graph"),
        pytest.param({"graphs": ["G"], "condition": "allOf"}, [f"{_C}/graphs/0"], id="a name in another case"),
        pytest.param({"graphs": [], "condition": "allOf"}, [f"{_C}/graphs"], id="no graph"),
        pytest.param({"condition": "allOf"}, [f"{_C}/graphs"], id="no graphs"),
        pytest.param({"graphs": ["g"], "condition": "noneOf"}, [f"{_C}/condition"], id="a condition of edges"),
        pytest.param({"graphs": ["g"]}, [f"{_C}/condition"], id="no condition"),
        pytest.param({"graph": ["g"], "condition": "allOf"}, [f"{_C}/graph"], id="a misspelt key"),
        pytest.param("g", [_C], id="text"),
    ],
)
def test_a_criterion_that_cannot_be_read_costs_the_document(criterion: Json, places: list[str]) -> None:
    assert _places(_spec(_ABC, {"g": _graph(_edge("a", ["b"]))}, criterion)) == places


@pytest.mark.parametrize(
    ("sets", "places"),
    [
        pytest.param([_set("a"), _set("b"), _set("a")], ["/2/id"], id="an id twice"),
        pytest.param([{"domain": "b.c", "attributes": {}}], ["/0/id"], id="no id"),
        pytest.param([_set("a") | {"id": " "}], ["/0/id"], id="an empty id"),
        pytest.param([{"id": "a", "attributes": {}}], ["/0/domain"], id="no domain"),
        pytest.param([{"id": "a", "domain": "b.c"}], ["/0/attributes"], id="no attributes"),
        pytest.param([_set("a") | {"attributes": []}], ["/0/attributes"], id="attributes that are a list"),
        pytest.param([_set("a") | {"attributes": {"b": None}}], ["/0/attributes/b"], id="a value that is null"),
        pytest.param([_set("a") | {"attribute": {}}], ["/0/attribute"], id="a misspelt key"),
        pytest.param(["a", _set("b") | {"id": 7, "domain": None}], ["/0", "/1/domain"], id="faults in two sets"),
    ],
)
def test_a_set_that_cannot_be_read_costs_the_document(sets: list[Json], places: list[str]) -> None:
    assert _places(_spec(sets)) == [f"/spec/compatibilities{place}" for place in places]


def test_an_id_that_two_sets_may_be_meant_by_is_a_problem() -> None:
    sets = [_set("a"), _set("Gpu"), _set("GPU")]
    content = _spec(sets, {"g": _graph(_edge("a", ["gpu"]))})
    assert _places(content) == [f"{_G}/edges/0/to/compatibilities/0"]


@pytest.mark.parametrize(
    ("content", "places"),
    [
        pytest.param(to_bytes({"spec": {"compatibilities": {}}}), ["/spec/compatibilities"], id="sets of an object"),
        pytest.param(to_bytes({"spec": {"compatibilities": [], "graphs": {}}}), ["/spec/graphs"], id="an unknown key"),
        pytest.param(to_bytes({"spec": {"relations": {"graph": {}}}}), ["/spec/relations/graph"], id="in relations"),
        pytest.param(to_bytes({"spec": {"relations": []}}), ["/spec/relations"], id="relations that are a list"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused(content: bytes, places: list[str]) -> None:
    assert _places(content) == places


def test_shared_sets_do_not_multiply_beyond_the_limit() -> None:
    # 200 edges over a set of 100 checks ask for twice as many as there may be, in a document of a few kilobytes.
    sets = [_set("big", *(f"k{number}" for number in range(100))), *(_set(f"s{number}") for number in range(200))]
    graph = _graph(*(_edge(f"s{number}", ["big"]) for number in range(200)))
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks") as caught:
        parse(_spec(sets, {"g": graph}))
    assert caught.value.place == _G


def test_shared_graphs_do_not_multiply_beyond_the_limit() -> None:
    graph = _graph(*(_edge("a", [f"s{number}"]) for number in range(100)))
    criteria = [{"graphs": ["g"], "condition": "allOf"}] * 100
    sets = [_set("a"), *(_set(f"s{number}") for number in range(100))]
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks"):
        parse(_spec(sets, {"g": graph}, *criteria))


def test_sets_without_attributes_do_not_multiply_either() -> None:
    empty = [{"id": name, "domain": "org.example", "attributes": {}} for name in "ab"]
    graph = _graph(*[_edge("a", ["b"])] * 3000)
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks"):
        parse(_spec(empty, {"g": graph}, *[{"graphs": ["g"], "condition": "allOf"}] * 3000))


def test_a_long_chain_is_no_problem() -> None:
    names = [f"s{number}" for number in range(1000)]
    graph = _graph(*(_edge(one, [after]) for one, after in itertools.pairwise(names)))
    assert _truth(_spec(map(_set, names), {"g": graph}), " ".join(names)) == "yes"
    assert _truth(_spec(map(_set, names), {"g": graph}), " ".join(names[:-1]), names[-1]) == "no"
