"""The parts count what they do: one event, one more; no event, none."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes.containerd import ScriptedBackend
from fakes.images_api import SERVICE, FakeContainerd
from fakes.registry import FakeRegistry
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.backend import Backend
from imagefit.cri.records import Records
from imagefit.errors import RecordsError, RegistryUnreachableError
from imagefit.model.facts import Facts
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import ImageReference, parse_reference
from imagefit.node.contract import HostView
from imagefit.node.source import NodeSource
from imagefit.registry.build import Places, registry_client
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import default_host
from imagefit.telemetry import metrics

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
DESCRIPTOR = Descriptor(digest_of(INDEX), INDEX_TYPE, len(INDEX))


@pytest.fixture(autouse=True)
def _enabled(_metrics: None) -> None:
    metrics.enable()


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started


def counted(name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a name that are not 0, by the values of their labels in the order of their names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.exposition()[1].decode())
        for sample in family.samples
        if sample.name == name and sample.value
    }


def test_requests_to_registries(registry: FakeRegistry, tmp_path: Path) -> None:
    async def resolve() -> None:
        client = registry_client(Places(tmp_path))
        try:
            await client.resolve(ImageReference(registry.address, "app", tag="v1"), None)
            with pytest.raises(RegistryUnreachableError):
                await client.resolve(ImageReference("127.0.0.1:1", "app", tag="v1"), None)
        finally:
            await client.close()

    registry.put("app", "v1", INDEX_TYPE, INDEX)
    asyncio.run(resolve())
    assert counted("imagefit_registry_requests_total") == {
        (registry.address, "HEAD", "200"): 1,
        ("127.0.0.1:1", "HEAD", "registry-unreachable"): 1,
    }


def fetched_twice(registry: FakeRegistry, cache: ContentCache | None) -> None:
    async def fetch() -> None:
        client = RegistryClient(lambda domain: (default_host(domain),), cache, "imagefit/test")
        try:
            for _ in range(2):
                await client.fetch(ImageReference(registry.address, "app"), DESCRIPTOR, None, kind="manifests")
        finally:
            await client.close()

    registry.put("app", "v1", INDEX_TYPE, INDEX)
    asyncio.run(fetch())


def test_looks_into_the_cache(registry: FakeRegistry, tmp_path: Path) -> None:
    fetched_twice(registry, ContentCache(tmp_path))
    assert counted("imagefit_cache_lookups_total") == {("miss",): 1, ("hit",): 1}


def test_no_cache_is_not_looked_into(registry: FakeRegistry) -> None:
    fetched_twice(registry, None)
    assert counted("imagefit_cache_lookups_total") == {}


@dataclass
class Detector:
    """Looks at the node, or breaks."""

    name: str
    breaks: bool = False
    features: tuple[str, ...] = ()

    def detect(self, host: HostView) -> Facts:
        if self.breaks:
            raise RuntimeError("a defect")
        return Facts()


def test_detectors(tmp_path: Path) -> None:
    good, bad = Detector("good"), Detector("bad", breaks=True)

    async def detect() -> None:
        await NodeSource(HostView(tmp_path), detectors=(good, bad)).node()

    asyncio.run(detect())
    assert counted("imagefit_detector_ok") == {("good",): 1}
    assert set(counted("imagefit_detector_seconds")) == {("good",), ("bad",)}
    bad.breaks, good.breaks = False, True
    asyncio.run(detect())
    assert counted("imagefit_detector_ok") == {("bad",): 1}


CHILD = f"sha256:{2:064x}"
CHOSEN = Rewrite(parse_reference("app:1"), f"sha256:{1:064x}", CHILD)


def pulled(tmp_path: Path, *, hidden: bool) -> None:
    """Pull a chosen image from a containerd that shows its names or, if ``hidden``, does not."""
    scripted = ScriptedBackend(tmp_path / "c.sock")
    fake = FakeContainerd(scripted)
    fake.image_ids = {CHILD: "sha256:image"}
    fake.hidden = {"docker.io/library/app:1"} if hidden else set()

    async def pull() -> None:
        backend = Backend(scripted.socket)
        request = messages.PullImageRequest(
            image=messages.ImageSpec(image=CHOSEN.chosen_name.encode())
        ).SerializeToString()
        try:
            await Records(backend, 0.05).pulled(
                f"{SERVICE}PullImage", CHOSEN, lambda: backend.call(f"{SERVICE}PullImage", request)
            )
        finally:
            await backend.close()

    try:
        asyncio.run(pull())
    finally:
        scripted.stop()


def test_waits_for_records(tmp_path: Path) -> None:
    pulled(tmp_path, hidden=False)
    assert counted("imagefit_record_wait_seconds_count") == {(): 1}
    assert counted("imagefit_step_seconds_count") == {("records",): 1}
    assert counted("imagefit_record_wait_seconds_sum")[()] < 0.05
    assert counted("imagefit_containerd_calls_total")["OK", "containerd.services.images.v1.Images/Create"] == 2


def test_a_wait_in_vain_counts_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(RecordsError):
        pulled(tmp_path, hidden=True)
    assert counted("imagefit_record_wait_seconds_sum")[()] >= 0.05
    assert counted("imagefit_step_seconds_count") == {}
