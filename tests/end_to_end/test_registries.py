"""One table: what imagefit resolves by containerd's own configuration, containerd pulls by the same.

Each case is a way to reach a registry. imagefit resolves a tag and reads its index; containerd then pulls a child of
that index by digest, and the tag itself, from where the same files send it. What one refuses, so does the other.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from end_to_end.registry_cases import CASES, NAME, PASSWORD, REFUSED, USER, Case, Setup, Stage
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.images import push_image, push_index
from harness.proto import cri_client_pb2 as cri_messages
from harness.registry import Registry, RegistryOptions
from harness.token_server import TokenServer
from imagefit.errors import ContentMissingError, ImagefitError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import Descriptor, ImageIndex, parse_index
from imagefit.model.reference import ImageReference
from imagefit.registry.client import RegistryClient
from imagefit.registry.lookup import Hosts

Servers = tuple[Registry, Registry, Registry, Registry, TokenServer]


@pytest.fixture(scope="module")
def servers(folder: Path, registry: Registry) -> Iterator[Servers]:
    users = {USER: PASSWORD}
    with (
        TokenServer(folder / "tokens", users) as tokens,
        Registry(folder / "private", RegistryOptions(users, tls=True)) as private,
        Registry(folder / "mutual", RegistryOptions(tls=True, wants_client=True)) as mutual,
        Registry(folder / "by-token", RegistryOptions(tokens=tokens)) as by_token,
    ):
        yield registry, private, mutual, by_token, tokens


@pytest.fixture
def stage(servers: Servers, folder: Path, repository: str) -> Iterator[Stage]:
    with contextlib.ExitStack() as ending:
        yield Stage(*servers, folder / f"n{repository.rpartition('-')[2]}", ending)


@pytest.fixture
def hosts(containerd: Containerd) -> Iterator[Hosts]:
    """The hosts by containerd's own folders, which are empty after the test."""
    yield Hosts((containerd.certs_dir, containerd.more_certs_dir))
    containerd.forget_hosts()


def push(registry: Registry, repository: str, *says: str) -> None:
    """Push an index with one child, or with one for each that it says."""
    entries = [push_image(registry, repository, None, f"{one} of {repository}") for one in says or ("only",)]
    push_index(registry, repository, "1", entries)


def resolved(hosts: Hosts, reference: ImageReference, auth: AuthConfig | None) -> ImageIndex:
    """Return the index that the tag stands for."""

    async def run() -> ImageIndex:
        client = RegistryClient(hosts, None, "imagefit/test")
        try:
            async with asyncio.timeout(5):
                found = await client.resolve(reference, auth)
                described = Descriptor(found.digest, found.media_type, found.size_bytes)
                content = await client.fetch(reference, described, auth, kind="manifests")
        finally:
            await client.close()
        return parse_index(content, found.digest)

    return asyncio.run(run())


def told(auth: AuthConfig | None) -> cri_messages.AuthConfig | None:
    """Return credentials as kubelet sends them."""
    if auth is None:
        return None
    return cri_messages.AuthConfig(
        username=auth.username, password=auth.password, auth=auth.auth, server_address=auth.server_address
    )


def configured(case: Case, stage: Stage, containerd: Containerd) -> Setup:
    setup = case(stage)
    if setup.hosts:
        configure = containerd.configure_host_second if setup.is_second else containerd.configure_host
        configure(setup.directory or setup.name, setup.hosts)
    return setup


@pytest.mark.parametrize("case", CASES, ids=[case.__name__ for case in CASES])
def test_containerd_pulls_what_imagefit_resolved(
    case: Case, stage: Stage, hosts: Hosts, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    setup = configured(case, stage, containerd)
    push(setup.registry, repository)
    index = resolved(hosts, ImageReference(setup.name, repository, tag="1"), setup.auth)
    setup.resolved()
    name, child = f"{setup.name}/{repository}", index.entries[0].digest
    cri.pull(f"{name}@{child}", told(setup.auth))
    assert containerd.records()[f"{name}@{child}"].digest == child
    cri.pull(f"{name}:1", told(setup.auth))
    assert containerd.records()[f"{name}:1"].digest == index.digest
    setup.proof()


@pytest.mark.parametrize("case", REFUSED, ids=[case.__name__ for case in REFUSED])
def test_what_containerd_cannot_pull_imagefit_does_not_resolve(
    case: Case, stage: Stage, hosts: Hosts, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    setup = configured(case, stage, containerd)
    push(setup.registry, repository)
    with pytest.raises(ImagefitError):
        resolved(hosts, ImageReference(setup.name, repository, tag="1"), setup.auth)
    with pytest.raises(grpc.RpcError):
        cri.pull(f"{setup.name}/{repository}:1", told(setup.auth))


def test_a_change_counts_from_the_next_pull_on(
    stage: Stage, hosts: Hosts, containerd: Containerd, cri: CriClient, repository: str
) -> None:
    push(stage.plain, repository)
    reference = ImageReference(NAME, repository, tag="1")
    for url, has_it in ((f"http://{stage.nginx('return 404;').address}", False), (stage.plain.url, True)):
        containerd.configure_host(NAME, f'server = "{url}"\n[host."{url}"]\n')
        if has_it:
            index = resolved(hosts, reference, None)
            cri.pull(str(reference))
            assert containerd.records()[str(reference)].digest == index.digest
            continue
        with pytest.raises(ContentMissingError):
            resolved(hosts, reference, None)
        with pytest.raises(grpc.RpcError, match="not found"):
            cri.pull(str(reference))
