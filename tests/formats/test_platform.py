"""The platform object: what a build runs on, Windows builds, features of the system, and unikernels."""

from typing import Final

import pytest

from builders import Json, facts, node, to_bytes
from imagefit.errors import InvalidDocumentError
from imagefit.formats.catalog import parse
from imagefit.formats.dialects.platform import checks_of_platform, claims_of_platform
from imagefit.model.facts import Node
from imagefit.model.oci import Platform
from imagefit.model.requirement import Check, HasFlag, HasValue, RunsOn, SameBuild
from imagefit.selection.match import judge_document

_LINUX: Final = node("linux/amd64/v3", flags={"cpu.cpuid": ["AVX2"], "os.features": ["sse"]})
_WINDOWS: Final = Node(
    "windows",
    "amd64",
    "v3",
    facts({"os.features": ["win32k"]}, {"os.version": {"full": "10.0.17763.5458"}}),
)


def _truth(where: Node, **keys: object) -> str:
    raw: Json = {name.replace("os_", "os."): value for name, value in keys.items()}
    return judge_document(parse(to_bytes(raw)), where).truth


@pytest.mark.parametrize(
    ("keys", "truth"),
    [
        pytest.param({"os": "linux", "architecture": "amd64"}, "yes", id="the same"),
        pytest.param({"os": "Linux", "architecture": "x86_64"}, "yes", id="other spelling"),
        pytest.param({"os": "linux", "architecture": "amd64", "variant": "v3"}, "yes", id="the variant"),
        pytest.param({"os": "linux", "architecture": "amd64", "variant": "v4"}, "no", id="a higher variant"),
        pytest.param({"os": "linux", "architecture": "arm64"}, "no", id="another architecture"),
        pytest.param({"os": "windows", "architecture": "amd64"}, "no", id="another system"),
        pytest.param({"os": "qemu", "architecture": "x86_64"}, "no", id="a unikernel's monitor"),
        pytest.param({"os": "unknown", "architecture": "unknown"}, "no", id="an attestation"),
        pytest.param({"os": "linux", "architecture": "amd64", "features": ["avx2"]}, "yes", id="CPU feature"),
        pytest.param({"os": "linux", "architecture": "amd64", "features": ["avx2", "bmi2"]}, "no", id="one of two"),
        pytest.param({"os": "linux", "architecture": "amd64", "features": None}, "yes", id="null features"),
        pytest.param({"os": "linux", "architecture": "amd64", "os_features": ["sse"]}, "yes", id="system's feature"),
        pytest.param({"os": "linux", "architecture": "amd64", "os_features": ["sse", "b"]}, "no", id="and another"),
        pytest.param({"os": "linux", "architecture": "amd64", "os_version": "7"}, "yes", id="a version of Linux"),
        pytest.param({"os": "linux", "architecture": "amd64", "variant": None}, "yes", id="null variant"),
    ],
)
def test_a_platform_by_itself_is_judged_like_that_of_an_entry(keys: dict[str, object], truth: str) -> None:
    assert _truth(_LINUX, **keys) == truth


@pytest.mark.parametrize(
    ("version", "truth"),
    [
        ("10.0.17763.5458", "yes"),
        ("10.0.17763.1", "yes"),
        ("10.0.17763", "yes"),
        ("10.0.20348.1", "no"),
        ("10.1.17763.5458", "no"),
        ("", "yes"),
    ],
)
def test_windows_runs_what_has_its_build(version: str, truth: str) -> None:
    assert _truth(_WINDOWS, os="windows", architecture="amd64", os_version=version) == truth


def test_a_windows_node_without_a_known_version_does_not_know() -> None:
    where = Node("windows", "amd64", "v3")
    assert _truth(where, os="Windows", architecture="amd64", os_version="10.0.17763.1") == "unknown"


def test_features_of_windows_are_needed() -> None:
    assert _truth(_WINDOWS, os="windows", architecture="amd64", os_features=["win32k"]) == "yes"
    assert _truth(_WINDOWS, os="windows", architecture="amd64", os_features=["other"]) == "no"


def test_checks_stand_in_the_order_of_the_specification() -> None:
    platform = Platform("windows", "amd64", "v2", "10.0.17763.1", ("win32k", "win32k"))
    assert checks_of_platform(platform) == (
        Check("platform", "windows/amd64/v2", RunsOn("windows", "amd64", "v2"), depth=2),
        Check("os.version", "10.0.17763.1", HasValue(("os.version",), "full", SameBuild("10.0.17763.1"))),
        Check("os.features", "win32k", HasFlag(("os.features",), ("win32k",))),
    )


@pytest.mark.parametrize("monitor", ["qemu", "fc", "kvm", "xen", "KVM"])
def test_the_options_of_a_unikernel_are_claims_and_no_needs(monitor: str) -> None:
    options = ("CONFIG_LIBVFSCORE=y", "CONFIG_NAME=", "CONFIG_BARE", "other")
    platform = Platform(monitor, "x86_64", os_features=options)
    assert claims_of_platform(platform) == {"CONFIG_LIBVFSCORE": "y", "CONFIG_NAME": "", "CONFIG_BARE": ""}
    assert [check.asked for check in checks_of_platform(platform)] == [f"{monitor}/x86_64", "other"]


def test_options_of_another_system_are_needs_and_no_claims() -> None:
    platform = Platform("linux", "amd64", os_features=("CONFIG_PREEMPT=y",))
    assert claims_of_platform(platform) == {}
    assert [check.asked for check in checks_of_platform(platform)] == ["linux/amd64", "CONFIG_PREEMPT=y"]


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        pytest.param({"os": "linux", "architecture": []}, ["/architecture"], id="a list"),
        pytest.param({"os": "linux", "os.version": {}, "variant": ["v3"]}, ["/variant", "/os.version"], id="two"),
        pytest.param({"os": "linux", "os.features": {}}, ["/os.features"], id="features of an object"),
        pytest.param({"os": "linux", "os.features": [7, []]}, ["/os.features"], id="features that are no text"),
        pytest.param({"os": "linux", "features": "avx2"}, ["/features"], id="text"),
        pytest.param({"os": "linux", "features": ["avx2", 7, ""]}, ["/features/1", "/features/2"], id="names"),
        pytest.param({"os": "linux", "compat": {"digest": "x"}}, ["/compat"], id="carried metadata"),
    ],
)
def test_a_platform_that_cannot_be_read_is_refused(keys: Json, places: list[str]) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse(to_bytes(keys))
    assert [one.place for one in (caught.value, *caught.value.others)] == places
