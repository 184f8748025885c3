"""Indexes, descriptors and manifests: what is read, what is refused, and how content is checked."""

import base64
import json
from typing import Any

import pytest

from builders import MANIFEST_MEDIA_TYPE, descriptor, digest, entry, index, index_bytes, to_bytes, without_platform
from imagefit.errors import ContentInvalidError, InvalidDocumentError, InvalidIndexError
from imagefit.model.oci import (
    MAX_DOCUMENT_BYTES,
    MAX_ENTRIES,
    Descriptor,
    Platform,
    check_content,
    digest_of,
    parse_index,
    parse_manifest,
)

_ENTRY = {"digest": digest("x")}


def test_entries_stay_in_document_order() -> None:
    names = ["c", "a", "b"]
    assert [one.digest for one in index(*map(entry, names)).entries] == [digest(name) for name in names]


def test_an_index_keeps_the_digest_it_was_asked_by() -> None:
    assert parse_index(index_bytes(), digest("asked")).digest == digest("asked")


def test_everything_that_an_entry_says_is_kept() -> None:
    found = index(
        entry("x", "linux/arm64/v8", {"a": "b"}, **{"os.version": "10.0", "os.features": ["win32k"], "features": ["a"]})
    ).entries[0]
    assert found.platform is not None
    assert (found.media_type, found.size, found.annotations) == (MANIFEST_MEDIA_TYPE, 7, {"a": "b"})
    assert (found.platform.os, found.platform.architecture, found.platform.variant) == ("linux", "arm64", "v8")
    assert (found.platform.os_version, found.platform.os_features) == ("10.0", ("win32k",))
    assert json.loads(bytes(found.platform.features)) == ["a"]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"manifests": [_ENTRY]}, id="no media type"),
        pytest.param(
            {"mediaType": "application/vnd.docker.distribution.manifest.list.v2+json", "manifests": [_ENTRY]},
            id="Docker's list",
        ),
        pytest.param({"manifests": []}, id="no entries"),
        pytest.param({"manifests": [_ENTRY, _ENTRY]}, id="an entry twice"),
        pytest.param({"manifests": [_ENTRY | {"unknown": [1]}], "more": {}}, id="unknown keys"),
        pytest.param({"manifests": [_ENTRY | {"platform": {}}]}, id="empty platform"),
        pytest.param(
            {"manifests": [_ENTRY | {"platform": {"compat": 7, "features": "x"}}]}, id="metadata of any shape"
        ),
        pytest.param({"manifests": [{"digest": digest("x", "sha512")}]}, id="sha512"),
    ],
)
def test_an_index_is_read(document: dict[str, Any]) -> None:
    assert len(parse_index(to_bytes(document), digest("x")).entries) == len(document["manifests"])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no manifests"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(to_bytes({"manifests": {}}), id="manifests that are no list"),
        pytest.param(to_bytes({"manifests": [7]}), id="entry that is no object"),
        pytest.param(to_bytes({"manifests": [{}]}), id="entry without a digest"),
        pytest.param(to_bytes({"manifests": [{"digest": ""}]}), id="empty digest"),
        pytest.param(to_bytes({"manifests": [{"digest": "sha256:../../etc"}]}), id="digest that is a path"),
        pytest.param(to_bytes({"manifests": [{"digest": digest("x").upper()}]}), id="upper-case digest"),
        pytest.param(to_bytes({"manifests": [_ENTRY | {"size": "7"}]}), id="size that is text"),
        pytest.param(to_bytes({"manifests": [_ENTRY | {"platform": "linux"}]}), id="platform that is text"),
        pytest.param(to_bytes({"manifests": [_ENTRY | {"annotations": {"a": 1}}]}), id="annotation that is a number"),
        pytest.param(to_bytes({"mediaType": MANIFEST_MEDIA_TYPE, "manifests": []}), id="says that it is a manifest"),
        pytest.param(b'{"manifests":' + b"[" * 100_000, id="nested deeply"),
        pytest.param(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"manifests":[]}', id="nested deeply elsewhere"),
    ],
)
def test_what_is_no_index_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidIndexError) as caught:
        parse_index(content, digest("x"))
    assert len(caught.value.message) < 500


def test_an_index_has_at_most_10_000_entries() -> None:
    most = to_bytes({"manifests": [_ENTRY] * MAX_ENTRIES})
    assert len(parse_index(most, digest(most)).entries) == MAX_ENTRIES
    with pytest.raises(InvalidIndexError, match="10001 entries"):
        parse_index(to_bytes({"manifests": [_ENTRY] * (MAX_ENTRIES + 1)}), digest("x"))


def test_an_index_has_at_most_4_mib() -> None:
    fits = index_bytes().ljust(MAX_DOCUMENT_BYTES)
    assert parse_index(fits, digest("x")).entries == ()
    with pytest.raises(InvalidIndexError, match="bytes"):
        parse_index(fits + b" ", digest("x"))


def test_content_has_the_digest_and_size_that_were_asked_for() -> None:
    check_content(b"abc", Descriptor(digest=digest(b"abc"), size=3))
    check_content(b"abc", Descriptor(digest=digest(b"abc", "sha512"), size=3))
    check_content(b"abc", Descriptor(digest=digest(b"abc")))


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(Descriptor(digest=digest(b"abd"), size=3), id="digest"),
        pytest.param(Descriptor(digest=digest(b"abd")), id="digest without a size"),
        pytest.param(Descriptor(digest=digest(b"abc"), size=4), id="size"),
        pytest.param(Descriptor(digest=digest(b"abc"), size=-3), id="negative size"),
        pytest.param(Descriptor(digest=digest(b"abd", "sha512"), size=3), id="digest of another algorithm"),
    ],
)
def test_other_content_is_refused(expected: Descriptor) -> None:
    with pytest.raises(ContentInvalidError):
        check_content(b"abc", expected)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_digest_names_its_algorithm(algorithm: str) -> None:
    assert digest_of(b"abc", algorithm) == digest(b"abc", algorithm)


def test_a_descriptor_may_carry_its_content() -> None:
    encoded = base64.b64encode(b"abc").decode()
    assert Descriptor(digest=digest(b"abc"), size=3, data=encoded).embedded() == b"abc"
    assert Descriptor(digest=digest(b""), data="").embedded() == b""
    assert Descriptor(digest=digest(b"abc")).embedded() is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("YWJj\n", id="newline"),
        pytest.param("YWJ", id="no padding"),
        pytest.param("YW!j", id="foreign character"),
        pytest.param("é", id="no ASCII"),
        pytest.param("YWJk", id="other content"),
        pytest.param("YWJjYWJj", id="content of another size"),
        pytest.param("", id="no content"),
    ],
)
def test_carried_content_is_checked(data: str) -> None:
    with pytest.raises(ContentInvalidError):
        Descriptor(digest=digest(b"abc"), size=3, data=data).embedded()


@pytest.mark.parametrize(
    ("platform", "text"),
    [
        pytest.param(Platform("linux", "amd64", "v3"), "linux/amd64/v3", id="all"),
        pytest.param(Platform("linux", "amd64"), "linux/amd64", id="no variant"),
        pytest.param(Platform(), "?/?", id="nothing"),
        pytest.param(Platform(architecture="arm"), "?/arm", id="no system"),
    ],
)
def test_a_platform_is_written_as_people_write_it(platform: Platform, text: str) -> None:
    assert str(platform) == text


def test_a_manifest_leads_to_its_config() -> None:
    config = descriptor(b"{}", "application/vnd.oci.image.config.v1+json")
    found = parse_manifest(to_bytes({"config": config, "layers": []}))
    assert (found.config.digest, found.config.size, found.layers) == (digest(b"{}"), 2, ())


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\xff", "", id="no text"),
        pytest.param(b"[" * 100_000, "", id="nested deeply"),
        pytest.param(to_bytes({"layers": []}), "", id="no config"),
        pytest.param(to_bytes({"config": digest("x")}), "", id="config that is no descriptor"),
        pytest.param(to_bytes({"config": {"digest": "sha256:x"}}), "/config/digest", id="config without a digest"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, place: str) -> None:
    with pytest.raises(InvalidDocumentError) as caught:
        parse_manifest(content)
    assert caught.value.place == place


def test_an_entry_need_not_have_a_platform() -> None:
    assert index(without_platform("x")).entries[0].platform is None


@pytest.mark.parametrize(
    ("members", "stated"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param({"annotations": {"a": "b"}}, {"a": "b"}, id="annotations"),
        pytest.param({"annotation": {"a": "b"}}, {"a": "b"}, id="the spelling of proposal A's example"),
        pytest.param({"annotation": {"a": "b", "c": "d"}, "annotations": {"a": "e"}}, {"a": "e", "c": "d"}, id="both"),
        pytest.param({"annotation": None}, {}, id="null"),
        pytest.param({"annotation": "a", "annotations": {"a": "b"}}, {"a": "b"}, id="a stranger's text"),
        pytest.param({"annotation": {"a": 7}}, {}, id="a stranger's numbers"),
    ],
)
def test_annotations_are_read_in_either_spelling(members: dict[str, Any], stated: dict[str, str]) -> None:
    assert index(entry("x") | members).entries[0].stated == stated
