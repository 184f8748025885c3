"""Hostile indexes: a named problem in the log, and the pull never worse than without imagefit."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.conftest import failure
from fakes.registry import FakeRegistry
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import OCI_INDEX, OCI_MANIFEST

Index = Callable[[FakeRegistry, str], bytes]
MEBIBYTE = 1024 * 1024
PLATFORM = {"os": "linux", "architecture": "amd64"}


def _index(*entries: object, **more: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}).encode()


def _entry(number: int, **in_platform: object) -> dict[str, Any]:
    platform = PLATFORM | in_platform
    return {"mediaType": OCI_MANIFEST, "digest": f"sha256:{number:064x}", "size": 7, "platform": platform}


def _descriptor(digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": size}


def _too_large(registry: FakeRegistry, repository: str) -> bytes:
    return _index(_entry(1, variant="v2"), annotations={"x": "y" * (4 * MEBIBYTE)})


def _too_many(registry: FakeRegistry, repository: str) -> bytes:
    return json.dumps({"mediaType": OCI_INDEX, "manifests": [{"digest": f"sha256:{1:064x}"}] * 10_001}).encode()


def _not_json(registry: FakeRegistry, repository: str) -> bytes:
    return b"\x1f\x8b not json"


def _nested(registry: FakeRegistry, repository: str) -> bytes:
    return b'{"manifests":' + b"[" * 100_000


def _no_digests(registry: FakeRegistry, repository: str) -> bytes:
    return _index({"mediaType": OCI_MANIFEST, "digest": "sha256:../../etc/passwd", "size": 1})


REFUSED = [
    pytest.param(_too_large, "content-invalid", id="over-4-mebibytes"),
    pytest.param(_too_many, "invalid-index", id="more-than-10000-entries"),
    pytest.param(_not_json, "invalid-index", id="not-json"),
    pytest.param(_nested, "invalid-index", id="nested-100000-deep"),
    pytest.param(_no_digests, "invalid-index", id="digest-that-is-none"),
]


@pytest.fixture
def hostile() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture
def direct(cri: CriClient, hostile: FakeRegistry, request: pytest.FixtureRequest) -> CriClient:
    """Containerd's own socket, with the hostile registry configured as one of plain HTTP."""
    containerd = request.getfixturevalue("containerd")
    containerd.configure_host(
        hostile.address, f'server = "http://{hostile.address}"\n[host."http://{hostile.address}"]\n'
    )
    return cri


@pytest.mark.parametrize(("make", "code"), REFUSED)
def test_an_index_that_cannot_be_used_is_named_and_left_to_containerd(
    hostile: FakeRegistry, direct: CriClient, daemon: Daemon, make: Index, code: str
) -> None:
    hostile.put("hostile/image", "1", OCI_INDEX, make(hostile, "hostile/image"))
    name = f"{hostile.address}/hostile/image:1"
    with CriClient(daemon.socket) as through:
        assert failure(through, name) == failure(direct, name)
    assert f"event=decision image={name} result=pass-through reason={code}" in daemon.log_text()


def test_an_index_with_another_digest_is_named_and_left_to_containerd(
    hostile: FakeRegistry, direct: CriClient, daemon: Daemon
) -> None:
    hostile.put("hostile/image", "1", OCI_INDEX, _index(_entry(1)))
    hostile.faults.wrong_body = True
    name = f"{hostile.address}/hostile/image:1"
    with CriClient(daemon.socket) as through:
        # The digest that containerd found instead is in its message; it is the same both times.
        assert failure(through, name) == failure(direct, name)
    assert "reason=content-invalid" in daemon.log_text()


def _self_config(registry: FakeRegistry, repository: str) -> dict[str, Any]:
    """Return a descriptor whose manifest names itself as its config: the digest lies, or the circle never closes."""
    manifest = {"config": {"digest": f"sha256:{5:064x}", "size": 1}, "layers": []}
    content = json.dumps(manifest).encode()
    digest = registry.put(repository, None, OCI_MANIFEST, content)
    return _descriptor(digest, len(content))


def _index_as_descriptor(registry: FakeRegistry, repository: str) -> dict[str, Any]:
    content = _index(_entry(1))
    return _descriptor(registry.put(repository, None, OCI_INDEX, content), len(content))


def _never_there(registry: FakeRegistry, repository: str) -> dict[str, Any]:
    return _descriptor(f"sha256:{6:064x}", 100)


def _huge(registry: FakeRegistry, repository: str) -> dict[str, Any]:
    return _descriptor(f"sha256:{7:064x}", 1 << 62)


BROKEN = [
    pytest.param(lambda *_: "nonsense", "neither a list of sets nor a descriptor", id="text"),
    pytest.param(lambda *_: [{"oci.kernel.version": ">=x"}], "is not a version", id="no-set-can-be-read"),
    pytest.param(lambda *_: {"mediaType": "text/html", "digest": "x"}, "holds no sets", id="foreign-media-type"),
    pytest.param(_self_config, "not read", id="circle"),
    pytest.param(_index_as_descriptor, "not an image manifest", id="index-in-place-of-a-manifest"),
    pytest.param(_never_there, "not read", id="missing"),
    pytest.param(_huge, "not read", id="size-beyond-all-limits"),
]


@pytest.mark.parametrize(("make", "problem"), BROKEN)
def test_broken_metadata_costs_its_own_entry_and_the_problem_is_named(
    hostile: FakeRegistry, daemon: Daemon, make: Callable[..., Any], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Judged by ``explain``, which decides as the daemon does: the good entry wins, the broken one is unknown."""
    from imagefit.cli.main import main

    repository = "hostile/image"
    good = _entry(1, variant="v2", compatibilities=[{"oci.kernel.version": ">=2.6"}])
    broken = _entry(2, variant="v3", compatibilities=make(hostile, repository))
    hostile.put(repository, "1", OCI_INDEX, _index(broken, good))
    assert (
        main(["--config", str(daemon.config_file), "explain", f"{hostile.address}/{repository}:1", "-o", "json"]) == 0
    )
    shown = json.loads(capsys.readouterr().out)
    assert shown["chosen"]["digest"] == good["digest"]
    assert [entry["verdict"] for entry in shown["entries"]] == ["unknown", "yes"]
    assert problem in json.dumps(shown["entries"][0]["problems"])


def test_a_registry_that_hangs_costs_the_time_budget_and_no_more(
    hostile: FakeRegistry, direct: CriClient, start: Callable[[str], Daemon]
) -> None:
    hostile.put("hostile/image", "1", OCI_INDEX, _index(_entry(1)))
    hostile.faults.drip_seconds = 60
    daemon = start("[policy]\ntime-budget = 0.5\n")
    hostile_name = f"{hostile.address}/hostile/image:1"
    with CriClient(daemon.socket) as through:
        outcome = failure(through, hostile_name, timeout_seconds=3)
    assert isinstance(outcome, tuple)
    assert "reason=budget-spent" in daemon.log_text()


def test_memory_stays_bounded(hostile: FakeRegistry, direct: CriClient, daemon: Daemon) -> None:
    """Twenty pulls of the largest index that is read cost at most forty times its size, not twenty times more."""
    entries = [_entry(number, compatibilities=[{"x": "y" * 250}]) for number in range(8000)]
    content = _index(*entries)
    assert 3 * MEBIBYTE < len(content) < 4 * MEBIBYTE
    name = f"{hostile.address}/hostile/image"
    with CriClient(daemon.socket) as through:
        failure(through, f"{name}:none")
        before = _resident_bytes(daemon.pid)
        for number in range(20):
            hostile.put("hostile/image", f"{number}", OCI_INDEX, content + b" " * number)
            failure(through, f"{name}:{number}")
    assert _resident_bytes(daemon.pid) - before < 40 * len(content)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
