"""Signatures in a real registry, which has no referrers API, through the client that the daemon has."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.attaching import attach, sign_under_tag, sign_with_bundle
from harness.images import NFD_ARTIFACT, NFD_LAYER, push_image
from harness.registry import Registry
from harness.signing import Json, p256
from imagefit.model.oci import Descriptor
from imagefit.model.reference import parse_reference
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost
from imagefit.service.metadata import Vouch
from imagefit.trust.rules import KeyRules
from imagefit.trust.vouching import voucher

SIGNER, STRANGER = p256(), p256()
Sign = Callable[[Registry, str, Json], object]


def vouched(registry: Registry, repository: str, subject: Json, artifact: Json, key: Path) -> tuple[int, str]:
    """Return how many artifacts are vouched for, and the notes."""

    async def run() -> tuple[int, str]:
        host = RegistryHost("http", registry.address)
        client = RegistryClient(lambda domain: (host,), None, "imagefit/test")
        try:
            found = voucher(client, KeyRules(files=(key,)))
            assert found is not None
            vouch: Vouch = found.vouch
            listed = Descriptor(
                artifact["digest"], artifact["mediaType"], artifact["size"], artifact_type=artifact["artifactType"]
            )
            reference = parse_reference(f"{registry.address}/{repository}")
            kept, notes = await vouch(reference, subject["digest"], (listed,), None)
            return len(kept), " ".join(notes)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.mark.parametrize(
    "sign",
    [
        lambda registry, repository, artifact: sign_under_tag(
            registry, repository, artifact["digest"], STRANGER, SIGNER
        ),
        lambda registry, repository, artifact: sign_with_bundle(registry, repository, artifact, SIGNER),
    ],
    ids=["tag", "bundle"],
)
def test_a_signature_in_a_registry_is_found(registry: Registry, repository: str, tmp_path: Path, sign: Sign) -> None:
    key = tmp_path / "k.pub"
    key.write_bytes(SIGNER.pem)
    image = push_image(registry, repository, None, "signed")
    artifact = attach(registry, repository, image, NFD_ARTIFACT, (b"version: v1alpha1", NFD_LAYER))
    left_out = f"referrer {artifact['digest']} is left out: it is not signed"
    assert vouched(registry, repository, image, artifact, key) == (0, left_out)
    sign(registry, repository, artifact)
    assert vouched(registry, repository, image, artifact, key) == (1, "")
    key.write_bytes(p256().pem)
    count, notes = vouched(registry, repository, image, artifact, key)
    assert count == 0
    assert "no key that is trusted made it" in notes
