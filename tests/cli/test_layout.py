"""``imagefit explain`` on an OCI image layout: all of its metadata is judged, referrers only if they are believed."""

import json
from pathlib import Path
from typing import Any

import pytest

from builders import (
    INDEX_MEDIA_TYPE,
    MANIFEST_MEDIA_TYPE,
    Json,
    descriptor,
    digest,
    entry,
    index_bytes,
    node,
    to_bytes,
)
from cli.conftest import Imagefit
from imagefit.formats.node_profile import format_profile

NFD = "application/vnd.nfd.image-compatibility.v1alpha1"
FLAT_LAYER = "application/vnd.oci.image-compatibility.spec.v1+json"
MISFITS = to_bytes({"compatibilities": [{"oci.kernel.version": ">=7"}]})
INDEX = index_bytes(entry("a", "linux/amd64/v2"), entry("b", "linux/amd64"))


def referring(subject: str) -> bytes:
    """Return an artifact that says that its subject needs a newer kernel."""
    return to_bytes(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "artifactType": NFD,
            "config": descriptor(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [descriptor(MISFITS, FLAT_LAYER)],
            "subject": {"mediaType": MANIFEST_MEDIA_TYPE, "digest": subject, "size": 7},
        }
    )


def write_layout(root: Path, named: dict[str, bytes], *more: bytes) -> Path:
    """Write a layout with one index per name, and manifests beside them."""
    (root / "blobs/sha256").mkdir(parents=True)
    (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    tops: list[Json] = []
    for name, content in named.items():
        tops.append(descriptor(content, INDEX_MEDIA_TYPE, annotations={"org.opencontainers.image.ref.name": name}))
    tops += [descriptor(one, MANIFEST_MEDIA_TYPE) for one in more]
    (root / "index.json").write_bytes(index_bytes(*tops))
    for content in (*named.values(), *more, MISFITS, b"{}"):
        (root / "blobs/sha256" / digest(content).removeprefix("sha256:")).write_bytes(content)
    return root


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "node.json"
    path.write_bytes(format_profile(node("linux/amd64/v3", attributes={"kernel.version": {"full": "6.1.0"}})))
    return str(path)


def chosen(imagefit: Imagefit, profile: str, *arguments: str) -> Any:
    ended = imagefit("explain", *arguments, "--node", profile, "-o", "json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)["chosen"]["position"]


def test_the_only_index_of_a_layout_needs_no_name(imagefit: Imagefit, tmp_path: Path, profile: str) -> None:
    layout = write_layout(tmp_path / "l", {"1.0": INDEX})
    assert chosen(imagefit, profile, str(layout)) == chosen(imagefit, profile, f"{layout}:1.0") == 0


def test_what_refers_to_an_entry_counts_only_where_it_is_believed(
    imagefit: Imagefit, tmp_path: Path, profile: str
) -> None:
    layout = str(write_layout(tmp_path / "l", {"1.0": INDEX}, referring(digest("a")), referring(digest("elsewhere"))))
    assert chosen(imagefit, profile, layout) == 0
    assert chosen(imagefit, profile, layout, "--referrers") == 1


def test_of_several_indexes_one_has_to_be_named(imagefit: Imagefit, tmp_path: Path, profile: str) -> None:
    layout = write_layout(tmp_path / "l", {"1.0": INDEX, "2.0": index_bytes(entry("c"))})
    for argument in (str(layout), f"{layout}:3.0"):
        ended = imagefit("explain", argument, "--node", profile)
        assert (ended.code, ended.out) == (2, "")
        assert f"{layout}:1.0, {layout}:2.0" in ended.err
    assert chosen(imagefit, profile, f"{layout}:2.0") == 0


def test_a_fallback_tag_is_no_index_to_choose_but_lists_referrers(
    imagefit: Imagefit, tmp_path: Path, profile: str
) -> None:
    artifact = referring(digest("a"))
    tag = digest("a").replace(":", "-")
    layout = write_layout(tmp_path / "l", {"1.0": INDEX, tag: index_bytes(descriptor(artifact, MANIFEST_MEDIA_TYPE))})
    (layout / "blobs/sha256" / digest(artifact).removeprefix("sha256:")).write_bytes(artifact)
    assert chosen(imagefit, profile, str(layout)) == 0
    assert chosen(imagefit, profile, str(layout), "--referrers") == 1


def test_a_folder_may_have_a_colon_in_its_name(imagefit: Imagefit, tmp_path: Path, profile: str) -> None:
    layout = write_layout(tmp_path / "a:b", {"1.0": INDEX})
    assert chosen(imagefit, profile, str(layout)) == chosen(imagefit, profile, f"{layout}:1.0") == 0


def test_a_single_image_leaves_nothing_to_choose(imagefit: Imagefit, tmp_path: Path, profile: str) -> None:
    layout = write_layout(tmp_path / "l", {})
    single = descriptor(b"{}", MANIFEST_MEDIA_TYPE, annotations={"org.opencontainers.image.ref.name": "1.0"})
    (layout / "index.json").write_bytes(index_bytes(single))
    ended = imagefit("explain", f"{layout}:1.0", "--node", profile)
    assert (ended.code, ended.out.partition(": ")[2]) == (
        0,
        "it is a single manifest, not an index: there is nothing to choose\n",
    )
    assert imagefit("explain", str(layout), "--node", profile).code == 2


def test_a_layout_whose_top_lists_the_builds_is_an_index_itself(
    imagefit: Imagefit, tmp_path: Path, profile: str
) -> None:
    layout = write_layout(tmp_path / "l", {})
    (layout / "index.json").write_bytes(INDEX)
    assert chosen(imagefit, profile, str(layout)) == 0


def test_a_blob_that_is_not_what_its_name_says_is_an_error(imagefit: Imagefit, tmp_path: Path, profile: str) -> None:
    layout = write_layout(tmp_path / "l", {"1.0": INDEX})
    (layout / "blobs/sha256" / digest(INDEX).removeprefix("sha256:")).write_bytes(INDEX + b" ")
    ended = imagefit("explain", str(layout), "--node", profile)
    assert (ended.code, ended.out) == (2, "")
    assert digest(INDEX) in ended.err


def test_metadata_that_is_missing_or_changed_leaves_its_entry_unknown(
    imagefit: Imagefit, tmp_path: Path, profile: str
) -> None:
    document = descriptor(MISFITS, "application/vnd.oci.image.compatibilities.v1+json")
    layout = write_layout(tmp_path / "l", {"1.0": index_bytes(entry("a", compatibilities=document))})
    blob = layout / "blobs/sha256" / digest(MISFITS).removeprefix("sha256:")
    for damage in (lambda: blob.write_bytes(b"[]"), blob.unlink):
        damage()
        assert imagefit("explain", str(layout), "--node", profile).code == 3
