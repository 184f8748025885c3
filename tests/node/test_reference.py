"""The reference page is what the detectors say, and the table behind it is what they find."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.generators.facts import facts_page
from imagefit.model.facts import NFD_FEATURES, Facts
from imagefit.node.collect import collect
from imagefit.node.contract import HostView
from imagefit.node.detectors import DETECTORS
from imagefit.node.detectors.facts_d import parse_facts
from imagefit.node.reference import FEATURES

_ROOT = Path(__file__).parents[2]
_HOSTS = sorted((_ROOT / "tests/hosts").glob("*/"))


def test_the_page_is_up_to_date() -> None:
    assert (_ROOT / "docs/reference/facts.md").read_text() == facts_page(), "run `make docs`"


def test_the_facts_that_the_page_shows_can_be_stated() -> None:
    page = (_ROOT / "docs/reference/facts.md").read_text()
    shown = re.search(r"```toml\n(\[facts\].*?)```", page, re.DOTALL)
    assert shown
    facts = parse_facts(shown[1].encode())
    assert facts.attributes["operator.fact"] == {
        "com.example.licensed": "true",
        "org.supercontainers.mpi.version": "4.1.5",
    }
    assert facts.attributes["system.site"] == {"rack": "12"}
    assert facts.flags == {"site.queue": frozenset({"gpu", "long"})}
    assert facts.instances == {"example.fpga": ({"vendor": "10ee"},)}


def test_every_feature_of_every_detector_is_described_and_no_other() -> None:
    covered = {feature for detector in DETECTORS for feature in detector.features}
    assert covered - FEATURES.keys() == set()
    assert FEATURES.keys() - covered <= NFD_FEATURES.keys()


@pytest.mark.parametrize("feature", sorted(FEATURES.keys() & NFD_FEATURES.keys()))
def test_nfds_features_have_nfds_shape(feature: str) -> None:
    assert FEATURES[feature].shape == NFD_FEATURES[feature]


def test_every_detector_says_what_it_looks_for() -> None:
    assert [detector.name for detector in DETECTORS if not type(detector).__doc__] == []


def _found(facts: Facts) -> Iterator[tuple[str, str, set[str]]]:
    """Yield each feature with its shape and the elements that it has."""
    yield from ((feature, "flags", set()) for feature in facts.flags)
    yield from ((feature, "attributes", set(elements)) for feature, elements in facts.attributes.items())
    for feature, instances in facts.instances.items():
        yield feature, "instances", {element for one in instances for element in one}


@pytest.mark.parametrize("root", [Path("/"), *_HOSTS], ids=lambda root: root.name or "this-machine")
def test_what_detectors_find_is_what_is_described(root: Path) -> None:
    for feature, shape, elements in _found(collect(HostView(root)).node.facts):
        described = FEATURES.get(feature)
        if described is None:
            continue  # stated by the operator of this machine
        assert (feature, described.shape) == (feature, shape)
        if described.elements:
            assert elements - set(described.elements) == set(), feature
