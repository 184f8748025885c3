"""Credentials and pods' secrets appear nowhere: planted ones are looked for in everything that comes out."""

import base64
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from end_to_end.test_operating import decisions, until
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.images import push_image, push_index
from harness.process import free_port
from harness.proto import cri_client_pb2 as cri_messages
from harness.registry import Registry, RegistryOptions

PASSWORD = "planted-password"  # noqa: S105
WRONG = "planted-wrong"
TOKEN = "planted-identity-token"  # noqa: S105
ANNOTATION = "planted-annotation"
HEADER = "planted-header"
SECRETS = [PASSWORD, WRONG, TOKEN, ANNOTATION, HEADER]
CONFIG = """
[log]
format = "{form}"
level = "debug"
[metrics]
listen = "127.0.0.1:{port}"
images = true
"""


@pytest.fixture
def private(folder: Path, repository: str) -> Iterator[Registry]:
    """A registry that wants a name and a password."""
    with Registry(folder / f"s{repository.rpartition('-')[2]}", RegistryOptions(users={"user": PASSWORD})) as started:
        yield started


def run(daemon: Daemon, *arguments: str) -> str:
    """Return all that a command prints."""
    command = (sys.executable, "-m", "imagefit.cli.main", "--config", str(daemon.config_file), *arguments)
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_planted_secrets_come_out_nowhere(
    private: Registry, containerd: Containerd, folder: Path, repository: str, form: str
) -> None:
    certs = folder / f"c{form}" / private.address
    certs.mkdir(parents=True)
    (certs / "hosts.toml").write_text(f'server = "http://{private.address}"\n[header]\nx-secret = "{HEADER}"\n')
    port = free_port()
    daemon = Daemon(folder / f"x{form}", containerd.socket, CONFIG.format(form=form, port=port), certs.parent)
    unfit = push_image(private, repository, None, f"unfit of {repository}")
    unfit["platform"]["compatibilities"] = [{"oci.kernel.version": "<2.6"}]
    fits = push_image(private, repository, None, f"fits of {repository}")
    fits["platform"]["compatibilities"] = [{"oci.kernel.version": ">=2.6"}]
    push_index(private, repository, "1", [unfit, fits])
    push_index(private, repository, "none", [unfit])
    name, nothing = (f"{private.address}/{repository}:{tag}" for tag in ("1", "none"))
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    with daemon, CriClient(daemon.socket) as client:
        wrong = cri_messages.AuthConfig(username="user", password=WRONG)
        token = cri_messages.AuthConfig(identity_token=TOKEN, server_address=private.address)
        said = [_failure(client, name, auth) for auth in (wrong, token, None)]
        client.pull(name, cri_messages.AuthConfig(auth=basic), annotations={"vendor/secret": ANNOTATION})
        client.remove_image(name)
        said.append(_failure(client, nothing, cri_messages.AuthConfig(username="user", password=PASSWORD)))
        until(lambda: len(decisions(daemon)) == 5)
        said += [run(daemon, "decisions", "--entries", *output) for output in ([], ["-o", "json"])]
        said += [run(daemon, "explain", name), run(daemon, "config", "show")]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
            metrics = reply.read().decode()
    log = (daemon.root / "imagefit.log").read_text()
    reasons = [one["reason"] for one in decisions(daemon)]
    assert reasons == ["registry-denied"] * 3 + ["chosen", "no-match"]  # everything has been seen that could tell
    assert "registry-request" in log
    assert name in metrics
    everything = "\n".join([*said, log, metrics, (daemon.root / "decisions.jsonl").read_text()])
    for secret in (*SECRETS, basic, base64.b64encode(f"user:{WRONG}".encode()).decode()):
        assert secret not in everything
    for file in daemon.root.rglob("*"):
        if file.is_file():
            assert b"planted" not in file.read_bytes(), file


def _failure(client: CriClient, name: str, auth: cri_messages.AuthConfig | None) -> str:
    with pytest.raises(grpc.RpcError) as raised:
        client.pull(name, auth)
    return f"{raised.value.code()} {raised.value.details()}"
