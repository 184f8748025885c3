"""``imagefit explain`` of images in private registries: real ones, with passwords, tokens and their own authorities."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cli.conftest import Ended, Imagefit
from fakes.registry import FakeRegistry
from harness.images import push_image, push_index
from harness.process import free_port
from harness.registry import Registry, RegistryOptions
from harness.token_server import TokenServer

USER, SECRET = "robot", "planted-s3cret"
REPOSITORY = "team/app"


@pytest.fixture(scope="module")
def private(folder: Path) -> Iterator[Registry]:
    with Registry(folder / "explain", RegistryOptions({USER: SECRET}, tls=True)) as started:
        push(started)
        yield started


def push(registry: Registry) -> None:
    entries = [push_image(registry, REPOSITORY, None, says, architecture="amd64") for says in ("a", "b")]
    push_index(registry, REPOSITORY, "1", entries)


@pytest.fixture
def name(private: Registry, config: Path) -> str:
    """The image's name, and its registry's authority where containerd looks for it."""
    folder = config.parent / "certs.d" / private.address
    folder.mkdir()
    (folder / "hosts.toml").write_text(f'server = "{private.url}"\nca = "{private.authority}"\n')
    return f"{private.address}/{REPOSITORY}:1"


def check(ended: Ended, code: int, said: str) -> None:
    assert ended.code == code
    assert said in ended.out + ended.err
    assert SECRET not in ended.out + ended.err


def test_without_credentials_it_is_denied(imagefit: Imagefit, profile: Path, name: str) -> None:
    ended = imagefit("explain", name, "--node", str(profile))
    check(ended, 2, "wants a user name and a password")


@pytest.mark.parametrize(("password", "code"), [(SECRET, 0), ("x", 2)], ids=["right", "wrong"])
def test_credentials_that_are_given_are_shown(
    imagefit: Imagefit, profile: Path, config: Path, name: str, password: str, code: int
) -> None:
    ended = imagefit("explain", name, "--node", str(profile), "--creds", f"{USER}:{password}")
    check(ended, code, "is chosen" if code == 0 else "denied with status 401")
    kept = (path.read_bytes() for path in (config.parent / "cache").glob("*"))
    assert not any(SECRET.encode() in content for content in kept)


def test_credentials_may_come_by_standard_input(profile: Path, config: Path, name: str) -> None:
    arguments = ("--config", str(config), "explain", name, "--node", str(profile), "--creds", "-")
    ended = subprocess.run(
        (sys.executable, "-m", "imagefit.cli.main", *arguments),
        input=f"{USER}:{SECRET}\n",
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    check(Ended(ended.returncode, ended.stdout, ended.stderr), 0, "is chosen")


def save(config: Path, **content: object) -> None:
    (config.parent / "docker").mkdir()
    (config.parent / "docker/config.json").write_text(json.dumps(content))


def test_credentials_that_docker_login_saved_are_shown(
    imagefit: Imagefit, profile: Path, config: Path, private: Registry, name: str
) -> None:
    auth = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
    save(config, auths={private.address: {"auth": auth}})
    check(imagefit("explain", name, "--node", str(profile)), 0, "is chosen")


def test_those_of_another_host_are_not(imagefit: Imagefit, profile: Path, config: Path, name: str) -> None:
    save(config, auths={"registry.example.org": {"username": USER, "password": SECRET}})
    check(imagefit("explain", name, "--node", str(profile)), 2, "wants a user name and a password")


HELPERS = [
    pytest.param(f'echo \'{{"Username": "{USER}", "Secret": "{SECRET}"}}\'', 0, "is chosen", id="has-them"),
    pytest.param("echo $0 $1 >&2; exit 1", 2, "left out: docker-credential-test ends with status 1", id="fails"),
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that can be called by name."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


@pytest.fixture
def explained(imagefit: Imagefit, profile: Path, name: str) -> Imagefit:
    """Explain the image, with options."""
    return partial(imagefit, "explain", name, "--node", str(profile))


@pytest.mark.parametrize(("script", "code", "said"), HELPERS)
def test_a_credential_helper_is_asked(
    explained: Imagefit, config: Path, programs: Path, script: str, code: int, said: str
) -> None:
    program = programs / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    save(config, credsStore="test")
    check(explained(), code, said)


def test_a_token_server_changes_credentials_into_a_token(imagefit: Imagefit, profile: Path, folder: Path) -> None:
    users = {USER: SECRET}
    with (
        TokenServer(folder / "explain-tokens", users) as tokens,
        Registry(folder / "explain-bearer", RegistryOptions(tokens=tokens)) as registry,
    ):
        push(registry)
        name = f"{registry.address}/{REPOSITORY}:1"
        check(imagefit("explain", name, "--node", str(profile), "--creds", f"{USER}:{SECRET}"), 0, "is chosen")
        check(imagefit("explain", name, "--node", str(profile), "--creds", f"{USER}:x"), 2, "denied")


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--plain-http",), 0)], ids=["https", "plain-http"])
def test_plain_http_is_spoken_where_it_is_said(
    imagefit: Imagefit, profile: Path, config: Path, options: tuple[str, ...], code: int
) -> None:
    with FakeRegistry() as registry:
        folder = config.parent / "certs.d" / registry.address
        folder.mkdir()
        (folder / "hosts.toml").write_text(f'server = "https://{registry.address}"\n')
        registry.put(REPOSITORY, "1", "application/vnd.oci.image.manifest.v1+json", b"{}")
        ended = imagefit("explain", f"{registry.address}/{REPOSITORY}:1", "--node", str(profile), *options)
        check(ended, code, "nothing to choose" if code == 0 else registry.address)


@pytest.mark.parametrize("options", [("--creds", f"{USER}:{SECRET}"), ("--plain-http",)], ids=["creds", "plain-http"])
@pytest.mark.parametrize("image", ["./index.json", "index.json"])
def test_nobody_is_asked_for_a_file(imagefit: Imagefit, image: str, options: tuple[str, ...]) -> None:
    check(imagefit("explain", image, *options), 2, "say how a registry is asked")


def test_an_error_of_a_registry_says_where_to_look_on(imagefit: Imagefit, profile: Path) -> None:
    name = f"127.0.0.1:{free_port()}/{REPOSITORY}:1"
    ended = imagefit("explain", name, "--node", str(profile))
    check(ended, 2, "connection refused")
    assert ended.err.endswith(f"  'imagefit doctor {name}' shows where it fails\n")


def test_half_credentials_are_refused_before_anybody_is_asked(
    imagefit: Imagefit, profile: Path, private: Registry, name: str
) -> None:
    private.clear_requests()
    for text in ("", ":" + SECRET, f"{USER}:"):
        ended = imagefit("explain", name, "--node", str(profile), "--creds", text)
        check(ended, 2, "--creds: there is no")
        assert ended.out == ""
    assert private.requests() == []
