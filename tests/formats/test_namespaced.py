"""Groups of keys: flat or below annotations; every fault has its place; keys of one device go together."""

import pytest

from builders import node
from imagefit.errors import InvalidDocumentError
from imagefit.formats.namespaced import all_needed, needs_of_group, needs_of_groups, needs_of_metadata
from imagefit.formats.reading import MAX_CHECKS
from imagefit.formats.syntax import Tree
from imagefit.model.facts import ANYWHERE
from imagefit.model.requirement import Alternative, Check, Document, EqualTo, HasInstance, HasValue, Need
from imagefit.selection.match import judge_document

_CORE = "org.opencontainers"


def _places(error: InvalidDocumentError) -> list[str]:
    return [one.place for one in (error, *error.others)]


def _labels(needs: tuple[Need, ...]) -> list[str]:
    return [need.label for need in needs if isinstance(need, Check)]


def test_keys_of_a_device_are_one_need_that_one_device_must_answer() -> None:
    keys: dict[str, Tree] = {
        "hardware.pci.class-id": "0x0302",
        "kernel.version": ">=5",
        "hardware.pci.vendor-id": "10DE",
    }
    needs = needs_of_group(_CORE, keys)
    assert _labels(needs) == ["org.opencontainers.kernel.version", "org.opencontainers.hardware.pci"]
    asked = needs[1]
    assert isinstance(asked, Check)
    assert asked.question == HasInstance("pci.device", (("class", EqualTo(("0302",))), ("vendor", EqualTo(("10de",)))))
    assert asked.asked == "class 0302, vendor 10de"


@pytest.mark.parametrize(
    ("devices", "truth"),
    [
        pytest.param([{"class": "0302", "vendor": "10de"}], "yes", id="one device with both"),
        pytest.param([{"class": "0302", "vendor": "1002"}, {"class": "0200", "vendor": "10de"}], "no", id="two halves"),
        pytest.param([], "no", id="no device"),
    ],
)
def test_two_devices_do_not_add_up(devices: list[dict[str, str]], truth: str) -> None:
    needs = needs_of_group(f"{_CORE}.hardware.pci", {"class-id": "0302", "vendor-id": "10de"})
    where = node(instances={"pci.device": devices})
    assert judge_document(Document("", (Alternative(needs),)), where).truth == truth


@pytest.mark.parametrize("value", ["380", "038000", "0x", "xxxx", ""])
def test_a_number_of_a_device_has_four_hexadecimal_digits(value: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        needs_of_group(_CORE, {"hardware.pci.class-id": value})
    assert caught.value.place == "/hardware.pci.class-id"


def test_values_are_strings_numbers_and_booleans_and_all_faults_are_named() -> None:
    keys: dict[str, Tree] = {"a": None, "b": "c", "d/e": ["f"], "g": {}, "": "h", "i": True}
    with pytest.raises(InvalidDocumentError) as caught:
        needs_of_group("org.example", keys)
    assert _places(caught.value) == ["/a", "/d~1e", "/g", "/"]


def test_a_boolean_is_compared_as_its_word() -> None:
    (need,) = needs_of_group("org.example", {"a": True})
    assert isinstance(need, Check)
    features = ("operator.fact", "local.feature", "local.label", ANYWHERE)
    assert need.question == HasValue(features, "org.example.a", EqualTo(("true",)))


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param({"a": "b"}, id="flat"),
        pytest.param({"annotations": {"a": "b"}}, id="annotations"),
        pytest.param({"version": "1.0.0", "annotations": {"a": "b"}}, id="annotations beside a version"),
        pytest.param({"version": "1.0.0", "attributes": {"a": "b"}}, id="attributes"),
    ],
)
def test_a_group_is_flat_or_has_its_keys_below_annotations(tree: Tree) -> None:
    assert needs_of_metadata("org.example", tree) == needs_of_group("org.example", {"a": "b"})


def test_a_flat_group_may_have_a_key_version() -> None:
    needs = needs_of_metadata("org.supercontainers.mpi", {"implementation": "openmpi", "version": "4.2.1"})
    assert _labels(needs) == ["org.supercontainers.mpi.implementation", "org.supercontainers.mpi.version"]


def test_both_annotations_and_attributes_are_needed() -> None:
    needs = needs_of_metadata("org.example", {"attributes": {"a": "b"}, "annotations": {"c": "d"}})
    assert sorted(_labels(needs)) == ["org.example.a", "org.example.c"]


@pytest.mark.parametrize(
    ("tree", "places"),
    [
        pytest.param({"annotations": {"a": "b"}, "annotation": {}}, ["/annotation"], id="an unknown key"),
        pytest.param({"version": "1", "annotations": {"a": None}}, ["/annotations/a"], id="a value"),
        pytest.param({"annotations": [{"a": "b"}]}, ["/annotations"], id="a list"),
        pytest.param("a", [""], id="text"),
    ],
)
def test_a_fault_in_a_group_has_its_place(tree: Tree, places: list[str]) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        needs_of_metadata("org.example", tree)
    assert _places(caught.value) == places


def test_groups_are_all_needed_and_all_their_faults_are_named() -> None:
    assert _labels(needs_of_groups({"org.a": {"b": "c"}, "org.d": {"e": "f"}})) == ["org.a.b", "org.d.e"]
    with pytest.raises(InvalidDocumentError) as caught:
        needs_of_groups({"org.a": {"b": None}, "org.c": "d", " ": {}})
    assert _places(caught.value) == ["/org.a/b", "/org.c", "/ "]


def test_a_document_of_too_many_checks_is_refused() -> None:
    check = needs_of_group("org.example", {"a": "b"})
    assert len(all_needed("x", check * MAX_CHECKS).alternatives) == 1
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks"):
        all_needed("x", check * (MAX_CHECKS + 1))


def test_a_group_of_too_many_keys_is_refused_before_all_are_read() -> None:
    keys: dict[str, Tree] = {f"k{number}": "true" for number in range(MAX_CHECKS + 1)}
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks"):
        needs_of_group("org.example", keys)
    halves: dict[str, Tree] = {"org.a": dict(list(keys.items())[:6000]), "org.b": dict(list(keys.items())[:6000])}
    with pytest.raises(InvalidDocumentError, match=f"more than {MAX_CHECKS} checks"):
        needs_of_groups(halves)


def test_the_name_of_a_group_is_bounded() -> None:
    assert needs_of_group("x" * 1024, {"k": "v"})
    with pytest.raises(InvalidDocumentError, match="more than 1024 characters"):
        needs_of_group("x" * 1025, {"k": "v"})
