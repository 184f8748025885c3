"""What somebody attached to an image decides over a pull if a trusted key signed it, and only then."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from end_to_end.conftest import Start, failure
from harness.attaching import attach, sign_under_tag, sign_with_bundle
from harness.cri import CriClient
from harness.images import HOST_ARCHITECTURE, NFD_ARTIFACT, NFD_LAYER, Json, push_image, push_index
from harness.registry import Registry
from harness.signing import Signer, p256

# No kernel is that new, so what this is attached to fits nowhere.
FITS_NOWHERE = b"""\
version: v1alpha1
compatibilities:
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: Gt, value: ["9999"]}
"""
CONFIG = """\
[policy]
trust = ["index", "referrers"]
[trust.referrers]
require-signature = true
keys = ["%s"]
"""

Sign = Callable[[Registry, str, Json, Signer], object]


@pytest.mark.parametrize(
    "sign",
    [
        lambda registry, repository, artifact, signer: sign_under_tag(registry, repository, artifact["digest"], signer),
        sign_with_bundle,
    ],
    ids=["tag", "bundle"],
)
def test_only_what_a_trusted_key_signed_decides(
    start: Start, registry: Registry, repository: str, tmp_path: Path, sign: Sign
) -> None:
    signer, key, name = p256(), tmp_path / "k.pub", f"{registry.address}/{repository}:1"
    key.write_bytes(signer.pem)
    builds = [push_image(registry, repository, None, one, architecture=one) for one in (HOST_ARCHITECTURE, "s390x")]
    push_index(registry, repository, "1", builds)
    artifact = attach(registry, repository, builds[0], NFD_ARTIFACT, (FITS_NOWHERE, NFD_LAYER))
    sign(registry, repository, artifact, p256())
    daemon = start(CONFIG % key)
    with CriClient(daemon.socket) as client:
        assert isinstance(failure(client, name), str)
        assert f"referrer {artifact['digest']} is left out: its signature does not vouch for it" in daemon.log_text()
        sign(registry, repository, artifact, signer)
        ended = failure(client, name)
        assert isinstance(ended, tuple)
        assert ended[0] is grpc.StatusCode.FAILED_PRECONDITION
        assert "kernel.version major" in ended[1]
        key.write_bytes(p256().pem)  # no reload is needed
        assert isinstance(failure(client, name), str)


def test_a_daemon_that_cannot_check_what_it_must_does_not_start(start: Start, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"missing\.pub cannot be read: No such file or directory"):
        start(CONFIG % (tmp_path / "missing.pub"))
