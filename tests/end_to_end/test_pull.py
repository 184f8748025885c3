"""The main job on real parts: a pull through imagefit brings the best manifest, and nothing else changes."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from end_to_end.conftest import Start, failure
from harness import images
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import (
    compatibility_descriptor_i,
    compatibility_descriptor_j,
    push_image,
    push_index,
    push_nfd_artifact,
)
from harness.registry import Registry
from imagefit.node.collect import collect
from imagefit.node.contract import HostView

NODE = collect(HostView()).node
KERNEL = NODE.facts.attributes["kernel.version"]["full"]
FITS = {"oci.kernel.version": ">=2.6", "oci.cpu.features": "sse2,"}
FAILS = {"oci.kernel.version": "<2.6"}

Json = dict[str, Any]


def says(registry: Registry, repository: str, text: str, variant: str = "", **platform: object) -> Json:
    """Push a child that no other test has and return its entry with more keys in its platform."""
    entry = push_image(registry, repository, None, f"{text} of {repository}", variant=variant)
    entry["platform"] |= platform
    return entry


def foreign(registry: Registry, repository: str) -> Json:
    return push_image(registry, repository, None, "foreign", architecture="s390x")


def seen_by(cri: CriClient, names: Iterable[str]) -> list[Any]:
    """Return what a kubelet would learn of an image under each name, and the list of the images."""
    wanted = [cri.image_status(name) for name in names]
    return [*wanted, [image for image in cri.list_images() if wanted[0] and image.id == wanted[0].id]]


def run(cri: CriClient, image: str) -> str:
    pod = cri.run_pod("says")
    try:
        return cri.run_container(pod, image).text.partition(" of ")[0]
    finally:
        cri.remove_pod(pod.id)


def test_the_best_entry_is_pulled_and_runs_under_its_tag(
    registry: Registry, repository: str, cri: CriClient, through: CriClient
) -> None:
    sets = [FITS | {"oci.kernel.version": f"={KERNEL.split('-')[0]}", "oci.compatibility-score": 5}]
    entries = [
        says(registry, repository, "plain"),
        says(registry, repository, "does not fit", compatibilities=[FAILS | {"compatibility-score": 99}]),
        foreign(registry, repository),
        says(registry, repository, "fits", compatibilities=compatibility_descriptor_i(registry, repository, sets)),
    ]
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    through.pull(name)
    assert run(cri, name) == "fits"


CARRIERS = ["inline", "compat", "i-config", "i-top", "j"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("media_type", [images.OCI_INDEX, images.DOCKER_INDEX], ids=["oci", "docker"])
def test_every_carrier_is_read(
    registry: Registry, repository: str, through: CriClient, carrier: str, media_type: str
) -> None:
    carriers: dict[str, Callable[[list[Json]], Any]] = {
        "inline": lambda sets: sets,
        "compat": lambda sets: sets,
        "i-config": lambda sets: compatibility_descriptor_i(registry, repository, sets),
        "i-top": lambda sets: compatibility_descriptor_i(registry, repository, sets, "top"),
        "j": lambda sets: compatibility_descriptor_j(registry, repository, sets),
    }
    carried = carriers[carrier]
    key = "compat" if carrier == "compat" else "compatibilities"
    entries = [
        says(registry, repository, "first", **{key: carried([FAILS])}),
        says(registry, repository, "second", **{key: carried([FAILS, FITS])}),
    ]
    push_index(registry, repository, "1", entries, media_type)
    through.pull(f"{registry.address}/{repository}:1")
    assert run(through, f"{registry.address}/{repository}:1") == "second"


NFD_RULES = b"""
version: v1alpha1
compatibilities:
- rules:
  - name: a kernel that nobody has
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: Gt, value: ["99"]}
"""


def test_an_artifact_of_nfd_in_the_index_keeps_its_image_from_being_chosen(
    registry: Registry, repository: str, through: CriClient
) -> None:
    entries = [says(registry, repository, "first"), says(registry, repository, "second")]
    artifact = push_nfd_artifact(registry, repository, NFD_RULES, entries[0])
    push_index(registry, repository, "1", [*entries, artifact])
    through.pull(f"{registry.address}/{repository}:1")
    assert run(through, f"{registry.address}/{repository}:1") == "second"


LEAVES = ["tag", "digest", "tag-and-digest"]


@pytest.mark.parametrize("by", LEAVES)
def test_afterwards_containerd_shows_what_a_plain_pull_would_have_left(
    registry: Registry, repository: str, containerd: Containerd, cri: CriClient, start: Start, *, by: str
) -> None:
    """The same child is first pulled plainly, as the only one of its index, then chosen among others."""
    chosen = says(registry, repository, "chosen", compatibilities=[FITS])
    name = f"{registry.address}/{repository}"
    entries = [says(registry, repository, "other", compatibilities=[FAILS]), chosen]

    def names(digest: str) -> dict[str, str]:
        return {"tag": f"{name}:1", "digest": f"{name}@{digest}", "tag-and-digest": f"{name}:1@{digest}"}

    plain_digest = push_index(registry, repository, "1", [chosen])
    plain = names(plain_digest)
    image_id = cri.pull(plain[by])
    before = seen_by(cri, [plain[by], plain["digest"], image_id])
    # containerd counts the document that a name points at; here that is the index, after a choice it is the manifest.
    index_bytes = len(registry.fetch(f"/v2/{repository}/manifests/{plain_digest}", images.OCI_INDEX))
    for image in [*before[:-1], *before[-1]]:
        image.size -= index_bytes
    plain_records = _records(containerd, name, image_id)
    cri.remove_image(image_id)
    assert cri.image_status(plain[by]) is None

    index_digest = push_index(registry, repository, "1", entries)
    with CriClient(start().socket) as through:
        asked = names(index_digest)
        assert through.pull(asked[by]) == image_id
        for client in (cri, through):
            after = seen_by(client, [asked[by], asked["digest"], image_id])
            assert str(after).replace(index_digest, plain_digest) == str(before)
        records = _records(containerd, name, image_id)
        assert {key.replace(index_digest, plain_digest) for key in records} == set(plain_records)
        assert {record.digest for record in records.values()} == {chosen["digest"]}
        for record in records.values():
            assert (record.media_type, record.size) == (chosen["mediaType"], chosen["size"])
            assert record.labels == {"io.cri-containerd.image": "managed"}
        through.remove_image(asked[by])
    assert cri.image_status(image_id) is None
    assert not _records(containerd, name, image_id)


def _records(containerd: Containerd, repository: str, image_id: str) -> dict[str, Any]:
    return {
        name: record for name, record in containerd.records().items() if name.startswith(repository) or name == image_id
    }


def test_a_restart_of_containerd_changes_nothing(
    registry: Registry, repository: str, containerd: Containerd, daemon: Daemon
) -> None:
    chosen = says(registry, repository, "chosen", compatibilities=[FITS])
    digest = push_index(registry, repository, "1", [says(registry, repository, "x", compatibilities=[FAILS]), chosen])
    names = [f"{registry.address}/{repository}:1", f"{registry.address}/{repository}@{digest}"]
    with CriClient(daemon.socket) as through:
        image_id = through.pull(names[0])
        before = seen_by(through, [*names, image_id])
        containerd.restart()
        assert str(seen_by(through, [*names, image_id])) == str(before)
        through.pull(names[0])
        assert str(seen_by(through, [*names, image_id])) == str(before)


def test_a_child_that_was_there_under_its_own_digest_stays_there(
    registry: Registry, repository: str, cri: CriClient, through: CriClient
) -> None:
    chosen = says(registry, repository, "chosen", compatibilities=[FITS])
    push_index(registry, repository, "1", [says(registry, repository, "x", compatibilities=[FAILS]), chosen])
    own_name = f"{registry.address}/{repository}@{chosen['digest']}"
    through.pull(own_name)
    through.pull(f"{registry.address}/{repository}:1")
    assert cri.image_status(own_name) is not None


def test_pulls_of_one_child_at_the_same_time_all_succeed_and_leave_the_names_of_plain_pulls(
    registry: Registry, repository: str, containerd: Containerd, daemon: Daemon
) -> None:
    chosen = says(registry, repository, "chosen", compatibilities=[FITS])
    other = says(registry, repository, "other", compatibilities=[FAILS])
    digests = [
        push_index(registry, repository, tag, entries)
        for tag, entries in (("1", [other, chosen]), ("2", [other, other, chosen]))
    ]
    name = f"{registry.address}/{repository}"

    def pull(number: int) -> str:
        time.sleep(number * 0.02)
        with CriClient(daemon.socket) as client:
            return client.pull(f"{name}:{1 + number % 2}")

    with ThreadPoolExecutor(16) as pool:
        started = time.monotonic()
        (image_id,) = set(pool.map(pull, range(24)))
    assert time.monotonic() - started < 9, "a wait for a name ran into its limit"
    left = {f"{name}:1", f"{name}:2", *(f"{name}@{digest}" for digest in digests), image_id}
    assert set(_records(containerd, name, image_id)) == left


def test_a_moved_tag_moves_the_record(
    registry: Registry, repository: str, containerd: Containerd, through: CriClient
) -> None:
    name = f"{registry.address}/{repository}:1"
    for text in ("old", "new"):
        chosen = says(registry, repository, text, compatibilities=[FITS])
        push_index(registry, repository, "1", [says(registry, repository, "x", compatibilities=[FAILS]), chosen])
        through.pull(name)
        assert containerd.records()[name].digest == chosen["digest"]


def test_where_nothing_fits_the_pull_fails_at_once_and_says_why(
    registry: Registry, repository: str, through: CriClient, cri: CriClient
) -> None:
    entries = [says(registry, repository, "x", compatibilities=[FAILS]), foreign(registry, repository)]
    push_index(registry, repository, "1", entries)
    registry.clear_requests()
    with pytest.raises(grpc.RpcError) as refused:
        through.pull(f"{registry.address}/{repository}:1")
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    details = refused.value.details() or ""
    assert f"oci.kernel.version <2.6: kernel.version full is {KERNEL}" in details
    assert entries[0]["digest"][:19] in details
    assert details.index("linux/amd64") < details.index("linux/s390x")
    assert len(details.encode()) < 1024
    assert not [request for request in registry.requests() if "/blobs/" in request.path]
    assert cri.image_status(f"{registry.address}/{repository}:1") is None


def test_what_needs_no_choice_is_as_without_imagefit(
    registry: Registry, repository: str, containerd: Containerd, cri: CriClient, through: CriClient
) -> None:
    plain = push_image(registry, repository, "plain", "plain")
    push_index(registry, repository, "bare", [foreign(registry, repository), plain])
    name = f"{registry.address}/{repository}"
    cases = [f"{name}:plain", f"{name}:bare", f"{name}:missing", f"{name}-missing:1", f"{name}@{plain['digest']}"]
    cases += [f"{name}:UPPER/case", "sha256:" + "0" * 64, f"{name}@sha256:{'0' * 64}", "", "127.0.0.1:1/refused/x:1"]
    for case in cases:
        outcomes = []
        for client in (cri, through):
            ended = failure(client, case)
            outcomes.append((ended, sorted(containerd.records())))
            if isinstance(ended, str):
                cri.remove_image(ended)
        assert outcomes[0] == outcomes[1], case


def test_a_registry_that_is_down_is_as_without_imagefit(
    registry: Registry, repository: str, cri: CriClient, through: CriClient
) -> None:
    name = f"{registry.address}/{repository}:1"
    push_index(registry, repository, "1", [says(registry, repository, "x", compatibilities=[FAILS])])
    registry.pause()
    try:
        assert failure(through, name) == failure(cri, name)
        assert isinstance(failure(cri, name), tuple)
    finally:
        registry.restart()


def counts(registry: Registry) -> dict[tuple[str, str], int]:
    """Return how often each kind of manifest or metadata request was made since the log was cleared."""
    found: dict[tuple[str, str], int] = {}
    for request in registry.requests():
        part = "manifests" if "/manifests/" in request.path else "blobs" if "/blobs/" in request.path else "other"
        found[request.method, part] = found.get((request.method, part), 0) + 1
    return found


# Carrier, and how many manifests and blobs more are fetched than by plain containerd, for two distinct descriptors.
COSTS = [
    pytest.param(("inline", 0, 0), id="inline"),
    pytest.param(("i", 2, 2), id="proposal-i-two-gets-a-descriptor"),
    pytest.param(("j", 0, 2), id="proposal-j-one-get-a-descriptor"),
]


@pytest.mark.parametrize("cost", COSTS)
def test_requests_beyond_those_of_plain_containerd(
    registry: Registry,
    repository: str,
    start: Start,
    cri: CriClient,
    cost: tuple[str, int, int],
) -> None:
    """Three entries carry two distinct pieces of metadata; plain containerd is given the same index to pull."""
    carrier, more_manifests, more_blobs = cost

    def carried(sets: list[Json]) -> Any:
        if carrier == "inline":
            return sets
        push = compatibility_descriptor_i if carrier == "i" else compatibility_descriptor_j
        return push(registry, repository, sets)

    fails, fits = carried([FAILS]), carried([FITS])
    entries = [
        says(registry, repository, "chosen", compatibilities=fits),
        says(registry, repository, "b", "v2", compatibilities=fits),
        says(registry, repository, "c", "v2", compatibilities=fails),
        says(registry, repository, "d", "v4", compatibilities=fails) | {"annotations": {}},
    ]
    entries[0]["annotations"] = {"best": "yes"}
    push_index(registry, repository, "1", entries)
    name = f"{registry.address}/{repository}:1"
    registry.clear_requests()
    image_id = cri.pull(name)
    plain = counts(registry)
    cri.remove_image(image_id)
    with CriClient(start().socket) as through:
        registry.clear_requests()
        chosen_id = through.pull(name)
        first = counts(registry)
        registry.clear_requests()
        through.pull(name)
        second = counts(registry)
    assert first["HEAD", "manifests"] == plain["HEAD", "manifests"] + 1
    assert second == {("HEAD", "manifests"): 2}
    assert first["GET", "manifests"] == plain["GET", "manifests"] + more_manifests
    assert first["GET", "blobs"] == plain["GET", "blobs"] + more_blobs
    cri.remove_image(chosen_id)


def test_an_operators_preference_ranks(registry: Registry, repository: str, start: Start) -> None:
    entries = [says(registry, repository, text) for text in ("first", "second")]
    entries[1]["annotations"] = {"org.example.mpi": "mpich"}
    push_index(registry, repository, "1", entries)
    config = '[[prefer]]\nannotation = "org.example.mpi"\nvalue = "mpich"\nweight = 3\n'
    with CriClient(start(config).socket) as through:
        through.pull(f"{registry.address}/{repository}:1")
        assert run(through, f"{registry.address}/{repository}:1") == "second"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param('mode = "observe"', "plain", id="observe-pulls-as-asked"),
        pytest.param('mode = "off"', "plain", id="off-pulls-as-asked"),
        pytest.param('mode = "enforce"', "fits", id="enforce-pulls-the-best"),
    ],
)
def test_modes(registry: Registry, repository: str, start: Start, policy: str, expected: str) -> None:
    entries = [says(registry, repository, "plain"), says(registry, repository, "fits", compatibilities=[FITS])]
    push_index(registry, repository, "1", entries)
    with CriClient(start(f"[policy]\n{policy}\n").socket) as through:
        through.pull(f"{registry.address}/{repository}:1")
        assert run(through, f"{registry.address}/{repository}:1") == expected


def test_no_match_may_pass_through(registry: Registry, repository: str, start: Start) -> None:
    push_index(registry, repository, "1", [says(registry, repository, "unfit", compatibilities=[FAILS])])
    with CriClient(start('[policy]\nno-match = "pass-through"\n').socket) as through:
        through.pull(f"{registry.address}/{repository}:1")
        assert run(through, f"{registry.address}/{repository}:1") == "unfit"


def test_entries_of_which_nothing_is_known_may_be_refused(registry: Registry, repository: str, start: Start) -> None:
    entries = [says(registry, repository, "x", compatibilities=[{"org.example.nobody-knows": "1"}])]
    push_index(registry, repository, "1", entries)
    with CriClient(start('[policy]\nunknown = "reject"\n').socket) as through:
        ended = failure(through, f"{registry.address}/{repository}:1")
    assert isinstance(ended, tuple)
    assert ended[0] is grpc.StatusCode.FAILED_PRECONDITION
    assert "org.example.nobody-knows" in ended[1]


def test_errors_may_fail_the_pull(registry: Registry, repository: str, start: Start) -> None:
    with CriClient(start('[policy]\non-error = "fail"\n').socket) as through:
        ended = failure(through, f"{registry.address}/{repository}:missing")
    assert isinstance(ended, tuple)
    assert ended[0] is grpc.StatusCode.UNAVAILABLE
    assert "imagefit" in ended[1]


def test_a_broken_document_costs_only_its_entry(registry: Registry, repository: str, daemon: Daemon) -> None:
    entries = [
        says(registry, repository, "broken", "v2", compatibilities="nonsense"),
        says(registry, repository, "fits", compatibilities=[FITS]),
    ]
    push_index(registry, repository, "1", entries)
    with CriClient(daemon.socket) as through:
        through.pull(f"{registry.address}/{repository}:1")
        assert run(through, f"{registry.address}/{repository}:1") == "fits"
