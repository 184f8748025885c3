"""The same by the legacy tables of containerd's own configuration, where it sets no ``config_path``.

What imagefit resolves by that file, containerd, which was started with it, pulls; credentials that stand there are used
where the request has none, and only there.
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from end_to_end.registry_cases import PASSWORD, USER, WRONG
from end_to_end.test_registries import push, resolved, told
from harness.containerd import BINARY, Containerd, major_version
from harness.cri import CriClient
from harness.daemon import Daemon
from harness.nginx import Nginx
from harness.registry import Registry, RegistryOptions
from imagefit.errors import RegistryDeniedError
from imagefit.model.credentials import AuthConfig
from imagefit.model.reference import ImageReference
from imagefit.registry.containerd_config import read_containerd_config
from imagefit.registry.lookup import Hosts
from imagefit.registry.sources import Sources

pytestmark = pytest.mark.skipif(major_version() > 1, reason="containerd 2 has no such tables any more")
SECTION = 'plugins."io.containerd.grpc.v1.cri".registry'


@dataclass(frozen=True, slots=True)
class Node:
    """A containerd with legacy tables, and the registries that they lead to by image names' domains."""

    containerd: Containerd
    registries: Mapping[str, Registry]
    private: str


@pytest.fixture(scope="module")
def node(folder: Path, registry: Registry) -> Iterator[Node]:
    with contextlib.ExitStack() as ending:
        private = ending.enter_context(Registry(folder / "lp", RegistryOptions({USER: PASSWORD}, tls=True)))
        mutual = ending.enter_context(Registry(folder / "lm", RegistryOptions(tls=True, wants_client=True)))
        broken = ending.enter_context(Nginx(folder / "lb", "return 502;"))
        location = 'if ($http_x_mirror != "yes") { return 403; } rewrite ^/images/(.*)$ /v2/$1 break;'
        mirror = ending.enter_context(Nginx(folder / "ln", f"{location} proxy_pass {registry.url};"))
        assert mutual.client is not None
        tables = f"""
[{SECTION}.mirrors."several.example.test"]
  endpoint = ["http://{broken.address}", "http://{mirror.address}"]
[{SECTION}.mirrors."path.example.test"]
  endpoint = ["http://{mirror.address}/images"]
[{SECTION}.mirrors."no-scheme.example.test"]
  endpoint = ["{registry.address}"]
[{SECTION}.mirrors."*"]
  endpoint = ["{registry.url}/v2"]
[{SECTION}.mirrors."{private.address}"]
  endpoint = ["{private.url}"]
[{SECTION}.configs."{private.address}".tls]
  ca_file = "{private.authority}"
[{SECTION}.configs."{private.address}".auth]
  username = "{USER}"
  password = "{PASSWORD}"
[{SECTION}.mirrors."localhost:{private.port}"]
  endpoint = ["https://localhost:{private.port}"]
[{SECTION}.configs."localhost:{private.port}".tls]
  insecure_skip_verify = true
[{SECTION}.configs."localhost:{private.port}".auth]
  auth = "dXNlcjpwbGFudGVkLXBhc3N3b3Jk"
[{SECTION}.mirrors."mutual.example.test"]
  endpoint = ["{mutual.url}"]
[{SECTION}.configs."{mutual.address}".tls]
  ca_file = "{mutual.authority}"
  cert_file = "{mutual.client.certificate}"
  key_file = "{mutual.client.key}"
[{SECTION}.headers]
  X-Mirror = ["yes"]
"""
        containerd = ending.enter_context(Containerd(folder / "lc", registries=tables))
        yield Node(
            containerd,
            {
                "several.example.test": registry,
                "path.example.test": registry,
                "no-scheme.example.test": registry,
                "any.example.test": registry,
                registry.address: registry,
                private.address: private,
                f"localhost:{private.port}": private,
                "mutual.example.test": mutual,
            },
            private.address,
        )


@pytest.fixture
def direct(node: Node) -> Iterator[CriClient]:
    with CriClient(node.containerd.socket) as client:
        yield client


@pytest.mark.parametrize("position", range(8))
def test_containerd_pulls_what_imagefit_resolved(node: Node, direct: CriClient, repository: str, position: int) -> None:
    domain, registry = list(node.registries.items())[position]
    push(registry, repository)
    index = resolved(Hosts((), node.containerd.config_file), ImageReference(domain, repository, tag="1"), None)
    direct.pull(f"{domain}/{repository}@{index.entries[0].digest}")
    direct.pull(f"{domain}/{repository}:1")
    assert node.containerd.records()[f"{domain}/{repository}:1"].digest == index.digest


@pytest.mark.parametrize("auth", [WRONG, AuthConfig()], ids=["wrong", "empty"])
def test_credentials_of_the_request_come_before_configured_ones(
    node: Node, direct: CriClient, repository: str, auth: AuthConfig
) -> None:
    push(node.registries[node.private], repository)
    reference = ImageReference(node.private, repository, tag="1")
    with pytest.raises(RegistryDeniedError):
        resolved(Hosts((), node.containerd.config_file), reference, auth)
    with pytest.raises(grpc.RpcError, match="401"):
        direct.pull(str(reference), told(auth))


def test_the_daemon_chooses_by_the_same_file(node: Node, folder: Path, repository: str) -> None:
    """And what stands there as a password shows nowhere."""
    push(node.registries[node.private], repository, "first", "second")
    containerd = node.containerd
    root = folder / "ld"
    config = f'[registry]\ncontainerd-config = "{containerd.config_file}"\ncache = "{root}/cache"\n'
    name = f"{node.private}/{repository}:1"
    with Daemon(root, containerd.socket, config) as daemon, CriClient(daemon.socket) as through:
        through.pull(name)
        log = daemon.log_text()
    assert f"event=decision image={name} result=rewrite" in log
    for file in root.rglob("*"):
        if file.is_file():
            assert b"planted" not in file.read_bytes(), file


FILES = {
    "version-1": {"c": '[plugins.cri.registry]\nconfig_path = "/x"'},
    "version-1-ignores-long-names": {"c": f'[{SECTION}]\nconfig_path = "/x"'},
    "version-2-ignores-short-names": {"c": 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nx = 1'},
    "version-2": {"c": f'version = 2\n[{SECTION}]\nconfig_path = "/x:/y"'},
    "nothing": {"c": "version = 2"},
    "auths": {"c": f'version = 2\n[{SECTION}.auths."https://h:5000"]\nusername = "u"\nidentitytoken = "t"'},
    "headers": {"c": f'version = 2\n[{SECTION}.headers]\nA = ["1", "2"]'},
    "a-later-section-stands-whole": {
        "c": f'version = 2\nimports = ["d/*.toml", "e"]\n[{SECTION}]\nconfig_path = "/x"',
        "d/a.toml": f'[{SECTION}.mirrors."a"]\nendpoint = ["http://a"]',
        "d/b.toml": f'[{SECTION}.mirrors."b"]\nendpoint = ["http://b"]',
        "e": '[plugins."io.containerd.internal.v1.opt"]\npath = "/opt"',
    },
    "an-import-may-say-the-version": {
        "c": f'imports = ["d"]\n[{SECTION}]\nconfig_path = "/x"',
        "d": "version = 2",
    },
}


@pytest.mark.parametrize("files", FILES.values(), ids=FILES)
def test_a_file_says_to_imagefit_what_it_says_to_containerd(tmp_path: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        # containerd 1.6 looks for patterns from where it was started, later ones from the file's folder.
        path.write_text(text.replace("d/*", f"{tmp_path}/d/*"))
    dumped = tmp_path / "dumped"
    command = (BINARY, "--config", str(tmp_path / "c"), "config", "dump")
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    dumped.write_text(re.sub("^imports = .*$", "", said, flags=re.MULTILINE))  # they have been taken in
    ours = read_containerd_config(tmp_path / "c", Sources())
    theirs = read_containerd_config(dumped, Sources())
    assert (ours.config_path or "") == theirs.config_path
    assert (ours.mirrors, ours.tls, ours.headers) == (theirs.mirrors, theirs.tls, theirs.headers)
    assert set(ours.auths) == set(theirs.auths)
