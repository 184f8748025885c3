"""Where metadata sits below an entry's platform, and the way from there to its bytes."""

from typing import Any

import pytest

from builders import (
    CONFIG_MEDIA_TYPE,
    DOCUMENT_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    descriptor,
    digest,
    entry,
    index,
    manifest_of,
    to_bytes,
)
from imagefit.formats.carriers import FAMILIES, artifact_types, carried_by, follow, newest_first
from imagefit.formats.contract import Carried, Fragment, Locator
from imagefit.model.oci import Descriptor, Platform
from imagefit.model.requirement import Problem

_SETS = [{"oci.kernel.version": ">=5.10"}]
_CONFIG = to_bytes({"config": {"compatibilities": _SETS}, "rootfs": {}})
_MANIFEST = manifest_of(_CONFIG)
_DOCUMENT = to_bytes({"schemaVersion": 2, "compatibilities": _SETS})


def _platform(**keys: Any) -> Platform | None:
    return index(entry("x", **keys)).entries[0].platform


def _carried(**keys: Any) -> Carried:
    (carried,) = carried_by(_platform(**keys))
    return carried


@pytest.mark.parametrize(
    "platform",
    [
        pytest.param(None, id="no platform"),
        pytest.param(_platform(), id="neither key"),
        pytest.param(_platform(compatibilities=None), id="null"),
    ],
)
def test_most_entries_carry_nothing(platform: Platform | None) -> None:
    assert carried_by(platform) == ()


@pytest.mark.parametrize("key", ["compatibilities", "compat"])
def test_a_list_stands_in_the_index_itself(key: str) -> None:
    assert _carried(**{key: _SETS}) == Fragment(to_bytes(_SETS), f"platform.{key}")


def test_an_entry_may_carry_both_keys() -> None:
    platform = _platform(compat=[], compatibilities=_SETS)
    assert carried_by(platform) == (
        Fragment(to_bytes(_SETS), "platform.compatibilities"),
        Fragment(b"[]", "platform.compat"),
    )


@pytest.mark.parametrize("key", ["compatibilities", "compat"])
@pytest.mark.parametrize(
    ("content", "media_type", "kind"),
    [
        pytest.param(_MANIFEST, MANIFEST_MEDIA_TYPE, "manifest", id="I"),
        pytest.param(
            _MANIFEST, "application/vnd.docker.distribution.manifest.v2+json", "manifest", id="I with Docker's manifest"
        ),
        pytest.param(_DOCUMENT, DOCUMENT_MEDIA_TYPE, "document", id="J"),
        pytest.param(_DOCUMENT, "application/vnd.oci.image.compatibility.v1+json", "document", id="J as reviewed"),
    ],
)
def test_a_descriptor_has_to_be_fetched(key: str, content: bytes, media_type: str, kind: str) -> None:
    found = _carried(**{key: descriptor(content, media_type)})
    assert isinstance(found, Locator)
    assert (found.digest, found.size_bytes, found.kind) == (digest(content), len(content), kind)
    assert found.place == f"platform.{key}"
    assert (found.descriptor.digest, found.descriptor.size) == (digest(content), len(content))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(7, id="number"),
        pytest.param("x", id="text"),
        pytest.param(True, id="boolean"),
        pytest.param({}, id="empty object"),
        pytest.param({"kernel": {"version": "5"}}, id="object that is no descriptor"),
        pytest.param({"digest": 7}, id="digest that is a number"),
        pytest.param(descriptor(_DOCUMENT, ""), id="no media type"),
        pytest.param(descriptor(_DOCUMENT, CONFIG_MEDIA_TYPE), id="foreign media type"),
        pytest.param(descriptor(_DOCUMENT, "application/vnd.oci.image.index.v1+json"), id="index"),
        pytest.param(descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, digest="sha256:x"), id="no digest"),
        pytest.param(descriptor(_MANIFEST, MANIFEST_MEDIA_TYPE, digest="../../x"), id="digest that is a path"),
        pytest.param(descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, size="7"), id="size that is text"),
        pytest.param(descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, data="!"), id="data that is not base64"),
        pytest.param(descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, data="é"), id="data that is not ASCII"),
        pytest.param(descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, data="YWJj"), id="data of another size"),
        pytest.param(
            descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, embed=True, digest=digest("other")), id="data of another digest"
        ),
        pytest.param(
            descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, embed=True, size=7), id="data with another size declared"
        ),
        pytest.param(descriptor(b"7", MANIFEST_MEDIA_TYPE, embed=True), id="embedded manifest that is none"),
    ],
)
def test_what_leads_nowhere_is_a_problem_with_its_place(value: object) -> None:
    found = _carried(compatibilities=value)
    assert isinstance(found, Problem)
    assert found.place == "platform.compatibilities"
    assert found.message


def test_embedded_content_is_used_and_not_fetched() -> None:
    found = _carried(compat=descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE, embed=True))
    assert found == Fragment(_DOCUMENT, "platform.compat")


def test_an_embedded_manifest_leads_to_its_config() -> None:
    found = _carried(compat=descriptor(_MANIFEST, MANIFEST_MEDIA_TYPE, embed=True))
    assert isinstance(found, Locator)
    assert (found.digest, found.kind) == (digest(_CONFIG), "config")


def test_embedded_manifest_and_config_need_no_fetch() -> None:
    manifest = manifest_of(_CONFIG, embed=True)
    found = _carried(compat=descriptor(manifest, MANIFEST_MEDIA_TYPE, embed=True))
    assert isinstance(found, Fragment)
    assert found.content == to_bytes(_SETS)


def test_a_fetched_manifest_leads_to_its_config_and_the_config_to_its_sets() -> None:
    manifest = _carried(compat=descriptor(_MANIFEST, MANIFEST_MEDIA_TYPE))
    assert isinstance(manifest, Locator)
    config = _followed(manifest, _MANIFEST)
    assert isinstance(config, Locator)
    assert (config.digest, config.size_bytes, config.kind) == (digest(_CONFIG), len(_CONFIG), "config")
    sets = _followed(config, _CONFIG)
    assert isinstance(sets, Fragment)
    assert sets.content == to_bytes(_SETS)


def test_a_fetched_document_is_the_piece() -> None:
    found = _carried(compat=descriptor(_DOCUMENT, DOCUMENT_MEDIA_TYPE))
    assert isinstance(found, Locator)
    assert _followed(found, _DOCUMENT) == Fragment(_DOCUMENT, "platform.compat")


def _followed(locator: Locator, content: bytes) -> Carried:
    (followed,) = follow(locator, content)
    return followed


def _config_locator() -> Locator:
    return Locator(digest("config"), 0, "config", "config of platform.compat")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"config": {"compatibilities": _SETS}}, id="inside config"),
        pytest.param({"config": {"compatibilities": _SETS}, "rootfs": {}}, id="empty rootfs"),
        pytest.param({"config": {"compatibilities": _SETS}, "os": "linux", "history": []}, id="more keys"),
        pytest.param({"compatibilities": _SETS}, id="top level"),
        pytest.param({"compatibilities": _SETS, "config": None}, id="top level, config null"),
        pytest.param({"compatibilities": _SETS, "config": {"Env": []}}, id="top level beside another config"),
        pytest.param({"compatibilities": [], "config": {"compatibilities": _SETS}}, id="both: the inner one counts"),
    ],
)
def test_the_sets_stand_inside_config_or_at_top_level(config: dict[str, Any]) -> None:
    found = _followed(_config_locator(), to_bytes(config))
    assert isinstance(found, Fragment)
    assert found.content == to_bytes(_SETS)
    assert found.place.startswith("config of platform.compat/")


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no sets"),
        pytest.param(b'{"config": {}}', id="config without sets"),
        pytest.param(b'{"config": []}', id="config that is a list"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b'{"rootfs": ' + b"[" * 100_000, id="nested deeply"),
    ],
)
def test_a_config_without_sets_is_a_problem(config: bytes) -> None:
    found = _followed(_config_locator(), config)
    assert isinstance(found, Problem)
    assert found.place == "config of platform.compat"


@pytest.mark.parametrize(
    ("manifest", "place"),
    [
        pytest.param(b"", "platform.compat", id="empty"),
        pytest.param(b'{"layers": []}', "platform.compat", id="no config"),
        pytest.param(b'{"config": {"digest": "x"}}', "platform.compat/config/digest", id="config without a digest"),
    ],
)
def test_a_manifest_without_a_config_is_a_problem(manifest: bytes, place: str) -> None:
    found = _followed(Locator(digest("m"), 0, "manifest", "platform.compat"), manifest)
    assert isinstance(found, Problem)
    assert found.place == place


def test_the_place_does_not_tell_two_locators_apart() -> None:
    one, other = (Locator(digest("m"), 3, "manifest", place) for place in ("a", "b"))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Locator(digest("m"), 3, "config", "a")


def test_a_family_has_the_artifact_types_of_one_format() -> None:
    assert artifact_types(("oci",)) == {"application/vnd.oci.image-compatibility.v1"}
    assert artifact_types(("nfd", "compspec")) == {
        "application/vnd.nfd.image-compatibility.v1alpha1",
        "application/vnd.k8s.nfd.image-compatibility.v1",
        "application/org.compspec",
    }
    assert artifact_types(FAMILIES) == artifact_types(("oci",)) | artifact_types(("nfd", "compspec"))
    assert artifact_types(()) == frozenset()


def test_referrers_are_ordered_by_when_they_were_made() -> None:
    dates = {"a": "2024-01-01", "b": "", "c": "2025-01-01", "d": "no date", "e": "2025-01-01"}
    some = [
        Descriptor(name, annotations={"org.opencontainers.image.created": date} if date else None)
        for name, date in dates.items()
    ]
    assert "".join(one.digest for one in newest_first(some)) == "ceabd"
