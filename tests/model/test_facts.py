"""Facts and node profiles: what covered means, and which profiles are read."""

import pytest

from builders import facts, node, to_bytes
from imagefit.errors import InvalidProfileError
from imagefit.formats.node_profile import format_profile, parse_profile
from imagefit.model.facts import Facts, Node, platform_name

_FEATURES = {
    "flags": {"cpu.cpuid": {"elements": {"AVX2": {}}}, "kernel.loadedmodule": {"elements": {}}},
    "attributes": {"kernel.version": {"elements": {"full": "6.1.0-18-amd64", "major": "6"}}},
    "instances": {"pci.device": {"elements": [{"attributes": {"vendor": "10de", "device": "2336"}}]}},
}


def test_a_profile_is_read_in_the_words_of_nfd() -> None:
    content = to_bytes({"os": "linux", "architecture": "amd64", "variant": "v3", "features": _FEATURES})
    assert parse_profile(content) == node(
        "linux/amd64/v3",
        {"cpu.cpuid": ["AVX2"], "kernel.loadedmodule": []},
        {"kernel.version": {"full": "6.1.0-18-amd64", "major": "6"}},
        {"pci.device": [{"vendor": "10de", "device": "2336"}]},
    )


def test_variant_and_features_may_be_missing() -> None:
    assert parse_profile(to_bytes({"os": "linux", "architecture": "arm64"})) == Node("linux", "arm64")


def test_a_written_profile_reads_back() -> None:
    some = node("linux/arm64/v8.2", {"a.b": ["X", "Y"]}, {"c.d": {"k": "v", "é": '"\n'}}, {"e.f": [{}, {"k": "v"}]})
    assert parse_profile(format_profile(some)) == some


def test_equal_nodes_give_equal_bytes() -> None:
    one = node("linux/amd64", {"a": ["X", "Y"], "b": []}, {"c": {"k": "1", "l": "2"}})
    other = node("linux/amd64", {"b": [], "a": ["Y", "X"]}, {"c": {"l": "2", "k": "1"}})
    assert format_profile(one) == format_profile(other)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b"[" * 100_000, id="nested deeply"),
        pytest.param(to_bytes({"os": "linux"}), id="no architecture"),
        pytest.param(to_bytes({"architecture": "amd64"}), id="no system"),
        pytest.param(to_bytes({"os": "linux", "architecture": "amd64", "varaint": "v3"}), id="misspelt key"),
        pytest.param(to_bytes({"os": "linux", "architecture": "amd64", "features": []}), id="features that are a list"),
        pytest.param(
            to_bytes({"os": "linux", "architecture": "amd64", "features": {"flags": {"a": {"elements": ["X"]}}}}),
            id="flags that are a list",
        ),
        pytest.param(
            to_bytes(
                {"os": "linux", "architecture": "amd64", "features": {"attributes": {"a": {"elements": {"k": []}}}}}
            ),
            id="attribute that is a list",
        ),
        pytest.param(
            to_bytes({"os": "linux", "architecture": "amd64", "features": {"instances": {"a": {"elements": [7]}}}}),
            id="instance that is a number",
        ),
    ],
)
def test_what_is_no_profile_is_refused_with_advice(content: bytes) -> None:
    with pytest.raises(InvalidProfileError, match="not a node profile") as caught:
        parse_profile(content)
    assert "imagefit node" in str(caught.value)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        pytest.param("flag.feature", True, id="flags"),
        pytest.param("attribute.feature", True, id="attributes"),
        pytest.param("instance.feature", True, id="instances"),
        pytest.param("X", False, id="the name of a flag"),
        pytest.param("other.feature", False, id="another"),
    ],
)
def test_a_feature_is_covered_even_where_nothing_was_found(feature: str, expected: object) -> None:
    empty = facts({"flag.feature": []}, {"attribute.feature": {}}, {"instance.feature": []})
    assert empty.covers(feature) is expected


def test_merged_facts_are_both_together_and_of_one_element_the_other_wins() -> None:
    one = facts({"a": ["X"], "b": ["B"]}, {"c": {"k": "1", "m": "1"}, "e": {}}, {"d": [{"k": "1"}]})
    other = facts({"a": ["Y"]}, {"c": {"k": "2"}}, {"d": [{"l": "2"}], "f": []})
    together = facts(
        {"a": ["X", "Y"], "b": ["B"]}, {"c": {"k": "2", "m": "1"}, "e": {}}, {"d": [{"k": "1"}, {"l": "2"}], "f": []}
    )
    assert one.merged(other) == together
    assert one.merged(Facts()) == one


def test_what_is_stated_of_a_feature_that_nothing_could_look_at_does_not_cover_it() -> None:
    blind = Facts(unseen=frozenset({"a", "b"}))
    for together in (blind.merged(facts({"a": ["X"]})), facts({"a": ["X"]}).merged(blind)):
        assert (together.has("a"), together.covers("a"), together.has("b")) == (True, False, False)
        assert together.unseen == {"a", "b"}


@pytest.mark.parametrize(
    ("os", "architecture", "name"),
    [
        pytest.param("linux", "amd64", "linux/amd64", id="plain"),
        pytest.param("Linux", "X86_64", "linux/amd64", id="other spelling"),
        pytest.param("wasi", "wasm", "wasi/wasm", id="no machine"),
        pytest.param("", "wasm", "/wasm", id="no system"),
    ],
)
def test_a_platform_has_one_name_however_it_is_spelt(os: str, architecture: str, name: str) -> None:
    assert platform_name(os, architecture) == name


def test_a_node_runs_further_platforms_besides_its_own() -> None:
    more = node("linux/amd64/v3").with_platforms(["wasi/wasm", "Linux/x86_64"])
    assert more.also_runs == {"wasi/wasm"}
    assert more.with_platforms(["linux/aarch64"]).also_runs == {"wasi/wasm", "linux/arm64"}
    assert node().with_platforms([]) == node()
