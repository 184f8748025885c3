"""Proposals H, I and J: lists of sets, their reserved keys, their values, and what a broken set costs."""

from typing import Any

import pytest

from builders import facts, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.model.facts import Node
from imagefit.model.requirement import Alternative, Document
from imagefit.model.truth import Truth
from imagefit.selection.match import judge_document


def _one(labels: dict[str, Any]) -> Alternative:
    document = parse(to_bytes([labels]))
    assert document.problems == ()
    return document.alternatives[0]


def _truth(document: Document, **values: str) -> Truth:
    """Judge by a node whose free facts are all known."""
    known = facts(attributes={"local.feature": values, "local.label": {}})
    return judge_document(document, Node("linux", "amd64", "v1", known)).truth


@pytest.mark.parametrize(
    ("content", "count"),
    [
        pytest.param(b"[]", 0, id="no sets"),
        pytest.param(b"[{}]", 1, id="empty set"),
        pytest.param(b' \n[{"a": "b"}, {"c": "d"}]\n', 2, id="bare list"),
        pytest.param(b'{"compatibilities": []}', 0, id="wrapped, no sets"),
        pytest.param(b' {"compatibilities": [{"a": "b"}]}', 1, id="wrapped"),
        pytest.param(
            b'{"schemaVersion": 2, "schema": "x", "mediaType": "y", "annotations": {}, "compatibilities": [{}]}',
            1,
            id="J with all its keys",
        ),
    ],
)
def test_a_list_of_sets_is_read_bare_or_wrapped(content: bytes, count: int) -> None:
    document = parse(content)
    assert (len(document.alternatives), document.problems) == (count, ())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"7", id="number"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b"{}", id="object without sets"),
        pytest.param(b'{"compatibilities": null}', id="sets that are null"),
        pytest.param(b"[{}", id="cut off"),
        pytest.param(b"[{}] x", id="trailing words"),
        pytest.param(b"[" * 100_000, id="nested deeply"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(to_bytes([{}] * 10_001), id="more than 10,000 sets"),
    ],
)
def test_what_is_no_list_of_sets_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidDocumentError):
        parse(content)


def test_a_place_points_at_its_set() -> None:
    bare = parse(to_bytes([{}, {}]))
    wrapped = parse(to_bytes({"compatibilities": [{}]}))
    assert [one.place for one in bare.alternatives] == ["/0", "/1"]
    assert [one.place for one in wrapped.alternatives] == ["/compatibilities/0"]


@pytest.mark.parametrize(
    ("labels", "score"),
    [
        pytest.param({}, 0, id="default"),
        pytest.param({"compatibility-score": 7}, 7, id="number"),
        pytest.param({"compatibility-score": "7"}, 7, id="text"),
        pytest.param({"oci.compatibility-score": "7"}, 7, id="with prefix"),
        pytest.param({"oci.compatibility-score": -7}, -7, id="negative number"),
        pytest.param({"compatibility-score": "-7"}, -7, id="negative text"),
        pytest.param({"compatibility-score": 999_999_999}, 999_999_999, id="highest"),
    ],
)
def test_a_set_has_a_score(labels: dict[str, Any], score: int) -> None:
    found = _one(labels)
    assert (found.score, found.needs) == (score, ())


@pytest.mark.parametrize(
    ("labels", "tags"),
    [
        pytest.param({}, (), id="none"),
        pytest.param({"tags": "gpu"}, ("gpu",), id="text"),
        pytest.param({"tags": ["gpu", "fast"]}, ("gpu", "fast"), id="list"),
        pytest.param({"tags": []}, (), id="empty list"),
    ],
)
def test_a_set_has_tags(labels: dict[str, Any], tags: tuple[str, ...]) -> None:
    found = _one(labels)
    assert (found.tags, found.needs) == (tags, ())


def test_a_set_has_a_description() -> None:
    found = _one({"description": "for old kernels"})
    assert (found.description, found.needs) == ("for old kernels", ())


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        pytest.param({"compatibility-score": 1.5}, "/compatibility-score", id="score that is no whole number"),
        pytest.param({"compatibility-score": "high"}, "/compatibility-score", id="score that is a word"),
        pytest.param({"compatibility-score": ""}, "/compatibility-score", id="score that is empty"),
        pytest.param({"compatibility-score": "7\n"}, "/compatibility-score", id="score and a newline"),
        pytest.param({"compatibility-score": "٣"}, "/compatibility-score", id="score outside ASCII"),
        pytest.param({"compatibility-score": True}, "/compatibility-score", id="score that is a boolean"),
        pytest.param({"compatibility-score": None}, "/compatibility-score", id="score that is null"),
        pytest.param({"compatibility-score": [7]}, "/compatibility-score", id="score that is a list"),
        pytest.param({"oci.compatibility-score": 10**9}, "/oci.compatibility-score", id="score of ten digits"),
        pytest.param({"tags": True}, "/tags", id="tags that are a boolean"),
        pytest.param({"tags": ["a", None]}, "/tags", id="tags with a null"),
        pytest.param({"tags": {}}, "/tags", id="tags that are an object"),
        pytest.param({"description": None}, "/description", id="description that is null"),
        pytest.param({"description": ["a"]}, "/description", id="description that is a list"),
        pytest.param({"a": None}, "/a", id="value that is null"),
        pytest.param({"a": ["b"]}, "/a", id="value that is a list"),
        pytest.param({"a": {}}, "/a", id="value that is an object"),
        pytest.param({"a/b~c": None}, "/a~1b~0c", id="pointer characters in a label"),
        pytest.param({"": "a"}, "/", id="empty label"),
        pytest.param({" ": "a"}, "/ ", id="blank label"),
        pytest.param({"a": "x" * 16_385}, "/a", id="value too long"),
        pytest.param({"a": ">=one"}, "/a", id="broken range"),
        pytest.param({"a": ","}, "/a", id="list without items"),
        pytest.param({"oci.kernel.version": "new"}, "/oci.kernel.version", id="version that is a word"),
        pytest.param({"oci.kernel.version": ""}, "/oci.kernel.version", id="empty version"),
        pytest.param({"oci.os.glibc": "[2.37, 2.31]"}, "/oci.os.glibc", id="empty interval"),
        pytest.param({"oci.pci.devices": "10de"}, "/oci.pci.devices", id="vendor without device"),
        pytest.param({"oci.pci.devices": "10de.233g"}, "/oci.pci.devices", id="no hexadecimal id"),
        pytest.param({"oci.pci.devices": "10de.2336\n.2336"}, "/oci.pci.devices", id="newline in an id"),
        pytest.param({"oci.kernel.configurations": "A-B"}, "/oci.kernel.configurations", id="no kernel option"),
        pytest.param({"oci.kernel.configurations": " , "}, "/oci.kernel.configurations", id="no kernel options"),
        pytest.param({"oci.kernel.modules": ""}, "/oci.kernel.modules", id="no modules"),
        pytest.param({"oci.cpu.features": ",,"}, "/oci.cpu.features", id="no features"),
    ],
)
def test_a_broken_set_costs_itself_only_and_says_where(labels: dict[str, Any], place: str) -> None:
    document = parse(to_bytes([{"good": "1"}, labels, {"good": "2"}]))
    assert [one.place for one in document.alternatives] == ["/0", "/2"]
    assert [problem.place for problem in document.problems] == [f"/1{place}"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"7", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"a": ' + b"9" * 100_000 + b"}", id="number of 100,000 digits"),
    ],
)
def test_what_is_no_set_costs_itself_only(broken: bytes) -> None:
    document = parse(b'[{"good": "1"}, ' + broken + b"]")
    assert [one.place for one in document.alternatives] == ["/0"]
    assert [problem.place.removesuffix("/a") for problem in document.problems] == ["/1"]


def test_an_empty_list_of_sets_asks_for_nothing() -> None:
    assert _truth(parse(b"[]")) is Truth.YES


def test_an_empty_set_holds() -> None:
    assert _truth(parse(b"[{}]")) is Truth.YES
    assert _truth(parse(to_bytes([{"tags": "a", "description": "b", "compatibility-score": 1}]))) is Truth.YES


def test_one_set_that_holds_is_enough() -> None:
    document = parse(to_bytes([{"a": "1"}, {"a": "2"}]))
    assert _truth(document, a="2") is Truth.YES
    assert _truth(document, a="3") is Truth.NO


def test_every_label_of_a_set_must_hold() -> None:
    document = parse(to_bytes([{"a": "1", "b": "2"}]))
    assert _truth(document, a="1", b="2") is Truth.YES
    assert _truth(document, a="1") is Truth.UNKNOWN
    assert _truth(document, a="1", b="1") is Truth.NO


def test_a_broken_set_does_not_keep_another_from_holding() -> None:
    assert _truth(parse(to_bytes([{"a": None}, {"a": "1"}])), a="1") is Truth.YES
    assert _truth(parse(to_bytes([{"a": "1"}, {"a": "1", "b": []}])), a="1") is Truth.YES


def test_where_no_set_can_be_read_it_is_not_known_whether_one_holds() -> None:
    assert _truth(parse(to_bytes([{"a": None}, 7])), a="1") is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        pytest.param("1", "1", id="text"),
        pytest.param(" 1 ", "1", id="space around"),
        pytest.param(4, "4", id="number"),
        pytest.param(4, "4.0", id="whole number and dotted"),
        pytest.param(2.5, "2.5", id="fraction"),
        pytest.param(True, "true", id="true"),
        pytest.param(False, "false", id="false"),
        pytest.param("true", "True", id="booleans have any case"),
        pytest.param(">=2, <3", "2.5", id="range"),
        pytest.param("[1,2), [3,4]", "3", id="discontinuous range"),
        pytest.param("<2 || >=3", "4", id="range of alternatives"),
        pytest.param("b,a", "a,b,c", id="list"),
        pytest.param("a, b,", "a, b", id="list with spaces and a trailing comma"),
        pytest.param("a,", "a", id="list of one"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_value_holds(asked: object, has: str) -> None:
    assert _truth(parse(to_bytes([{"fact": asked}])), fact=has) is Truth.YES


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        pytest.param("1", "2", id="text"),
        pytest.param("a", "A", id="text in another case"),
        pytest.param("a", "a,b", id="a plain value is no item"),
        pytest.param(4, "4.1", id="number"),
        pytest.param(4, "four", id="word for a number"),
        pytest.param(True, "false", id="true"),
        pytest.param(True, "1", id="a boolean is no number"),
        pytest.param(1, "true", id="a number is no boolean"),
        pytest.param(">=2, <3", "3", id="range"),
        pytest.param("[1,2), [3,4]", "2", id="discontinuous range"),
        pytest.param("a,b", "a", id="list with one item missing"),
        pytest.param("a,", "ab", id="an item is no prefix"),
        pytest.param("", "x", id="empty"),
    ],
)
def test_a_value_does_not_hold(asked: object, has: str) -> None:
    assert _truth(parse(to_bytes([{"fact": asked}])), fact=has) is Truth.NO


def test_a_range_of_what_is_no_version_is_not_known() -> None:
    assert _truth(parse(to_bytes([{"fact": ">=2"}])), fact="new") is Truth.UNKNOWN
