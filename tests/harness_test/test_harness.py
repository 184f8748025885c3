"""The harness itself: real parts start, do what the tests rely on, and leave nothing behind."""

import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import grpc
import pytest

from harness.containerd import Containerd
from harness.cri import CGROUP_PARENT, CriClient
from harness.images import (
    DOCKER_INDEX,
    HOST_ARCHITECTURE,
    OCI_INDEX,
    OCI_MANIFEST,
    Json,
    compatibility_descriptor_i,
    compatibility_descriptor_j,
    push_image,
    push_index,
    push_pause,
)
from harness.process import HarnessError
from harness.proto import cri_client_pb2 as messages
from harness.registry import Registry, RegistryOptions

PASSWORD = "secret"  # noqa: S105 (of a registry that lives for one test)


@pytest.fixture
def private(folder: Path) -> Iterator[Registry]:
    """A registry with TLS that only one user may use."""
    with Registry(folder / "private", RegistryOptions({"user": PASSWORD}, tls=True)) as started:
        yield started


def test_a_pod_runs_what_was_pushed(registry: Registry, cri: CriClient, repository: str) -> None:
    push_image(registry, repository, "v1", "first")
    push_image(registry, repository, "v2", "second", extra_layer_bytes=100_000)
    pod = cri.run_pod("pod")
    for tag, says in (("v1", "first\n"), ("v2", "second\n")):
        name = f"{registry.address}/{repository}:{tag}"
        image_id = cri.pull(name)
        outcome = cri.run_container(pod, name)
        assert (outcome.exit_code, outcome.text) == (0, says)
        status = cri.image_status(name)
        assert status is not None
        assert status.id == image_id
        assert name in status.repo_tags


def test_images_are_removed(registry: Registry, cri: CriClient, repository: str) -> None:
    push_image(registry, repository, "v1", "to be removed")
    name = f"{registry.address}/{repository}:v1"
    image_id = cri.pull(name)
    assert image_id in {image.id for image in cri.list_images()}
    cri.remove_image(name)
    assert cri.image_status(name) is None


def test_containerd_takes_the_first_entry_that_matches(
    registry: Registry, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    # What imagefit is for: an index is pulled by platform alone, and the record points at the index.
    entries = [push_image(registry, repository, None, says) for says in ("one", "two")]
    index = push_index(registry, repository, "both", entries)
    name = f"{registry.address}/{repository}:both"
    cri.pull(name)
    assert cri.run_container(cri.run_pod("pod"), name).text == "one\n"
    record = containerd.records()[name]
    assert (record.digest, record.media_type) == (index, OCI_INDEX)
    assert record.size > 0
    assert record.labels["io.cri-containerd.image"] == "managed"
    assert containerd.records()[f"{registry.address}/{repository}@{index}"].digest == index


def test_restart_keeps_records_and_crash_too(registry: Registry, containerd: Containerd, repository: str) -> None:
    push_image(registry, repository, "v1", "kept")
    name = f"{registry.address}/{repository}:v1"
    with CriClient(containerd.socket) as cri:
        cri.pull(name)
    containerd.restart()
    assert name in containerd.records()
    containerd.kill()
    containerd.start()
    assert name in containerd.records()


def test_nothing_is_left_behind(folder: Path, registry: Registry, repository: str) -> None:
    # With a pod alive, stopped or crashed before; and stopping twice does no harm.
    for number, crash in enumerate((False, True)):
        containerd = Containerd(folder / f"gone{number}", sandbox_image=push_pause(registry, repository))
        containerd.start()
        with CriClient(containerd.socket) as cri:
            pod = _pod_left(cri, folder)
            sockets = _shim_sockets(containerd)
            assert len(containerd.shims()) == 1
            assert _cgroups(pod)
        if crash:
            containerd.kill()
        containerd.stop()
        containerd.stop()
        assert containerd.shims() == []
        assert str(containerd.root) not in Path("/proc/self/mountinfo").read_text()
        assert not containerd.root.exists()
        assert len(sockets) == 1
        assert not sockets[0].exists()
        assert _cgroups(pod) == []
        running = subprocess.run(("ps", "-eo", "args"), check=True, capture_output=True, text=True).stdout
        assert str(containerd.root) not in running


def test_start_is_quick(folder: Path) -> None:
    # Session-scoped parts may cost 5 s together on a slow machine; here a tenth of it is usual.
    before = time.monotonic()
    with Registry(folder / "quick-r"), Containerd(folder / "quick-c"):
        assert time.monotonic() - before < 5


def test_a_part_that_cannot_start_shows_its_log(folder: Path) -> None:
    with pytest.raises(HarnessError, match="ended early"):
        _broken(folder).start()


def test_the_registry_remembers_requests(registry: Registry, repository: str) -> None:
    pushed = push_image(registry, repository, "v1", "asked for")
    registry.clear_requests()
    path = f"/v2/{repository}/manifests/v1"
    registry.fetch(path, OCI_MANIFEST)
    with pytest.raises(HarnessError, match="404"):
        registry.fetch(f"/v2/{repository}/manifests/none")
    asked = [(request.method, request.path, request.status) for request in registry.requests()]
    assert asked == [("GET", path, 200), ("GET", f"/v2/{repository}/manifests/none", 404)]
    registry.clear_requests()
    assert registry.requests() == []
    registry.restart()
    assert registry.fetch(f"/v2/{repository}/manifests/{pushed['digest']}", OCI_MANIFEST)
    assert len(registry.requests()) == 1


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX], ids=["oci", "docker"])
def test_indexes_are_stored_verbatim(registry: Registry, repository: str, media_type: str) -> None:
    # Compatibility metadata has keys in `platform` that the registry does not know.
    entry = push_image(registry, repository, None, "inline", variant="v3")
    inline: list[Json] = [{"oci.cpu.features": "AVX2,"}]
    entry["platform"] |= {"compatibilities": inline, "features": ["avx2"]}
    entry["annotations"] = {"a": "b"}
    digest = push_index(registry, repository, "tag", [entry], media_type)
    content = registry.fetch(f"/v2/{repository}/manifests/{digest}", media_type)
    assert b"oci.cpu.features" in content
    assert content == registry.fetch(f"/v2/{repository}/manifests/tag", media_type)


@pytest.mark.parametrize("where", ["config", "top"])
def test_compatibility_descriptors_of_proposal_i(
    registry: Registry, repository: str, where: Literal["config", "top"]
) -> None:
    sets: list[Json] = [{"oci.kernel.version": ">=5.4"}]
    descriptor = compatibility_descriptor_i(registry, repository, sets, where)
    manifest = registry.fetch(f"/v2/{repository}/manifests/{descriptor['digest']}", OCI_MANIFEST)
    assert (b'"layers": []' in manifest, len(manifest)) == (True, descriptor["size"])
    entry = push_image(registry, repository, None, "described")
    entry["platform"]["compatibilities"] = descriptor
    assert push_index(registry, repository, f"i-{where}", [entry])


def test_compatibility_descriptors_of_proposal_j(registry: Registry, repository: str) -> None:
    descriptor = compatibility_descriptor_j(registry, repository, [{"oci.kernel.version": ">=5.4"}])
    content = registry.fetch(f"/v2/{repository}/blobs/{descriptor['digest']}")
    assert b"oci.kernel.version" in content
    assert len(content) == descriptor["size"]


def test_images_are_reproducible(registry: Registry, repository: str) -> None:
    first = push_image(registry, repository, "a", "same", extra_layer_bytes=100)
    assert push_image(registry, repository, "b", "same", extra_layer_bytes=100) == first
    assert first["platform"] == {"architecture": HOST_ARCHITECTURE, "os": "linux"}
    assert push_image(registry, repository, None, "other")["digest"] != first["digest"]


def test_a_private_registry_wants_credentials_and_its_authority(
    private: Registry, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    push_image(private, repository, "v1", "private")
    name = f"{private.address}/{repository}:v1"
    containerd.configure_host(private.address, f'[host."{private.url}"]\nca = "{private.authority}"\n')
    with pytest.raises(grpc.RpcError):
        cri.pull(name)
    assert cri.pull(name, messages.AuthConfig(username="user", password=PASSWORD))
    assert {request.status for request in private.requests()} >= {200, 401}
    trusting = ssl.create_default_context(cafile=private.authority)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"{private.url}/v2/", context=trusting)  # noqa: S310 (its own URL)
    refused.value.close()


def test_authors_push_with_oras(private: Registry, folder: Path, repository: str) -> None:
    (folder / "notes.txt").write_text("attached")
    client = private.oras()
    client.push(
        f"{private.address}/{repository}:notes", files=[str(folder / "notes.txt")], disable_path_validation=True
    )
    assert b"notes.txt" in private.fetch(f"/v2/{repository}/manifests/notes", OCI_MANIFEST)


def test_any_method_can_be_called_with_bytes(containerd: Containerd, cri: CriClient) -> None:
    reply = messages.VersionResponse.FromString(cri.raw("/runtime.v1.RuntimeService/Version", b""))
    assert reply.runtime_name == "containerd"
    assert cri.image_fs_info()[0].fs_id.mountpoint.startswith(str(containerd.root))
    with pytest.raises(grpc.RpcError):
        cri.raw("/runtime.v1.ImageService/NoSuchMethod", b"")


def _broken(folder: Path) -> Containerd:
    containerd = Containerd(folder / "broken")
    containerd.sandbox_image = '"'  # ends the string in the configuration
    return containerd


def _pod_left(cri: CriClient, logs: Path) -> str:
    # Without the client remembering it: as a test that fails in the middle leaves it.
    node = messages.NamespaceOption(network=messages.NODE)
    config = messages.PodSandboxConfig(
        metadata=messages.PodSandboxMetadata(name="left", uid="left", namespace="default"),
        log_directory=str(logs),
        linux=messages.LinuxPodSandboxConfig(
            cgroup_parent=CGROUP_PARENT,
            security_context=messages.LinuxSandboxSecurityContext(namespace_options=node),
        ),
    )
    request = messages.RunPodSandboxRequest(config=config).SerializeToString()
    reply = cri.raw("/runtime.v1.RuntimeService/RunPodSandbox", request)
    return messages.RunPodSandboxResponse.FromString(reply).pod_sandbox_id


def _cgroups(pod: str) -> list[Path]:
    # Version 1 has a hierarchy per controller, version 2 one for all.
    root = Path("/sys/fs/cgroup")
    return [*root.glob(f"*{CGROUP_PARENT}/{pod}"), *root.glob(f"{CGROUP_PARENT[1:]}/{pod}")]


def _shim_sockets(containerd: Containerd) -> list[Path]:
    found = containerd.root.glob("state/io.containerd.runtime.v2.task/*/*/address")
    return [Path(address.read_text().removeprefix("unix://")) for address in found]
