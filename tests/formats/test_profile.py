"""One profile per entry: what it needs, what it claims, and what could not be read of it."""

import pytest

from builders import Json, entry, index, without_platform
from imagefit.formats.profile import profile_of
from imagefit.model.requirement import HasFlag, Profile, RunsOn


def _profile(raw: dict[str, object]) -> Profile:
    return profile_of(index(raw).entries[0])


@pytest.mark.parametrize(
    ("platform", "question", "depth"),
    [
        pytest.param("linux/amd64", RunsOn("linux", "amd64", "v1"), 1, id="default variant"),
        pytest.param("linux/amd64/v3", RunsOn("linux", "amd64", "v3"), 3, id="variant"),
        pytest.param("Linux/X86_64", RunsOn("linux", "amd64", "v1"), 1, id="other spelling"),
        pytest.param("linux/s390x", RunsOn("linux", "s390x", ""), 0, id="no variants"),
        pytest.param("linux", RunsOn("linux", "", ""), 0, id="no architecture, which containerd never matches"),
        pytest.param("unknown/unknown", RunsOn("unknown", "unknown", ""), 0, id="attestation"),
    ],
)
def test_the_platform_is_the_first_need(platform: str, question: RunsOn, depth: int) -> None:
    check = _profile(entry("x", platform)).checks[0]
    assert (check.question, check.depth) == (question, depth)


def test_every_feature_of_the_system_and_of_the_cpu_is_a_need() -> None:
    keys: Json = {"os.features": ["win32k"], "features": ["avx2", "bmi2"]}
    profile = _profile(entry("x", **keys))
    assert [check.asked for check in profile.checks] == ["linux/amd64", "win32k", "avx2", "bmi2"]
    assert profile.checks[1].question == HasFlag(("os.features",), ("win32k",))


def test_annotations_are_claims_and_no_needs() -> None:
    profile = _profile(entry("x", annotations={"a": "b"}))
    assert profile.claims == {"a": "b"}
    assert len(profile.checks) == 1
    assert profile.problems == ()


def test_the_draft_s_misspelt_annotation_claims_too() -> None:
    profile = _profile(entry("x", annotations={"a": "b"}) | {"annotation": {"a": "c", "d": "e"}})
    assert profile.claims == {"a": "b", "d": "e"}


def test_a_unikernel_s_options_are_claims_beside_its_annotations() -> None:
    keys: Json = {"os.features": ["CONFIG_LIBVFSCORE=y"]}
    profile = _profile(entry("x", "kvm/x86_64", {"a": "b"}, **keys))
    assert profile.claims == {"CONFIG_LIBVFSCORE": "y", "a": "b"}
    assert [check.asked for check in profile.checks] == ["kvm/x86_64"]


def test_the_build_of_windows_is_a_need() -> None:
    keys: Json = {"os.version": "10.0.17763.1"}
    assert [check.asked for check in _profile(entry("x", "windows/amd64", **keys)).checks][1:] == ["10.0.17763.1"]
    assert len(_profile(entry("x", "linux/amd64", **keys)).checks) == 1


def test_an_entry_without_a_platform_is_a_problem_of_its_own() -> None:
    profile = _profile(without_platform("x", {"a": "b"}))
    assert (profile.checks, profile.claims, profile.documents) == ((), {"a": "b"}, ())
    assert len(profile.problems) == 1


@pytest.mark.parametrize("features", [7, "avx2", {}, [7], [""], ["a"] * 257])
def test_features_that_cannot_be_read_are_a_problem_and_the_other_needs_stay(features: object) -> None:
    keys: Json = {"features": features, "os.features": ["a"]}
    profile = _profile(entry("x", **keys))
    assert len(profile.problems) == 1
    assert profile.problems[0].place.startswith("platform.features")
    assert [check.asked for check in profile.checks] == ["linux/amd64", "a"]


@pytest.mark.parametrize("number", [4096, 4097])
def test_the_features_of_an_operating_system_are_bounded_and_the_platform_is_judged_all_the_same(number: int) -> None:
    raw = entry("a", "linux/amd64/v3", {"claim": "x"})
    raw["platform"]["os.features"] = [f"f{one}" for one in range(number)]
    profile = _profile(raw)
    assert profile.checks[0].question == RunsOn("linux", "amd64", "v3")
    assert profile.claims == {"claim": "x"}
    assert [problem.place for problem in profile.problems] == (["platform.os.features"] if number > 4096 else [])
