"""``imagefit doctor``: each step between a name and its content, what is wrong there, and what to do about it."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from builders import entry, index_bytes, to_bytes
from cli.conftest import COLUMNS, Imagefit
from fakes.registry import FakeRegistry
from harness.images import push_image, push_index
from harness.process import free_port
from harness.registry import Registry, RegistryOptions
from imagefit.cli.doctor.command import doctor
from imagefit.cli.doctor.configuration import observe_cache, observe_credentials, observe_hosts
from imagefit.cli.doctor.observation import Observation, State, as_data
from imagefit.cli.doctor.view import print_observations
from imagefit.cli.registries import Asking, Person
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import digest_of
from imagefit.registry.cache import ContentCache
from imagefit.registry.host import RegistryHost
from imagefit.registry.lookup import Found

USER, SECRET = "robot", "planted-s3cret"
REPOSITORY = "team/app"
INDEX = index_bytes(entry("a"), entry("b"))
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a doctor said."""

    code: int
    data: Json
    err: str

    def one(self, step: str, host: str = "") -> Json:
        """Return the only observation of a step, of any host or of one."""
        found: list[Json] = self.all(step, host)
        assert len(found) == 1, found
        return found[0]

    def all(self, step: str, host: str = "") -> list[Json]:
        return [one for one in self.data["steps"] if one["step"] == step and host in (one["host"] or "")]

    def states(self) -> list[str]:
        return [one["state"] for one in self.data["steps"]]


class Clinic:
    """A doctor for images of hosts that a folder configures."""

    def __init__(self, imagefit: Imagefit, config: Path) -> None:
        self._imagefit = imagefit
        self.config = config
        self.folders = config.parent / "certs.d"

    def hosts(self, domain: str, text: str) -> Path:
        """Write ``hosts.toml`` for a registry's name."""
        folder = self.folders / domain
        folder.mkdir(exist_ok=True)
        (folder / "hosts.toml").write_text(text)
        return folder

    def see(self, image: str, *options: str) -> Seen:
        ended = self._imagefit("doctor", image, *options, "-o", "json")
        assert SECRET not in ended.out + ended.err
        return Seen(ended.code, json.loads(ended.out), ended.err)


@pytest.fixture
def clinic(imagefit: Imagefit, config: Path) -> Clinic:
    return Clinic(imagefit, config)


@pytest.fixture(scope="module")
def private(folder: Path) -> Iterator[Registry]:
    """A real registry with TLS by an authority of its own, for one user."""
    with Registry(folder / "doctor", RegistryOptions({USER: SECRET}, tls=True)) as started:
        entries = [push_image(started, REPOSITORY, None, says, architecture="amd64") for says in ("a", "b")]
        push_index(started, REPOSITORY, "1", entries)
        push_image(started, REPOSITORY, "plain", "a")
        yield started


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        started.put(REPOSITORY, "1", OCI_INDEX, INDEX)
        yield started


@pytest.fixture
def other() -> Iterator[FakeRegistry]:
    """Another one, with the same image."""
    with FakeRegistry() as started:
        started.put(REPOSITORY, "1", OCI_INDEX, INDEX)
        yield started


def test_a_private_registry_in_good_order(clinic: Clinic, private: Registry) -> None:
    clinic.hosts(private.address, f'server = "{private.url}"\nca = "{private.authority}"\n')
    name = f"{private.address}/{REPOSITORY}:1"
    seen = clinic.see(name, "--creds", f"{USER}:{SECRET}")
    assert seen.code == 0
    assert (seen.data["image"], seen.data["reached"]) == (name, True)
    assert set(seen.states()) <= {"good", "note"}
    assert str(clinic.folders / private.address) in seen.one("configuration")["what"]
    assert seen.one("credentials")["facts"] == {private.address: f"user {USER}, from --creds"}
    presented = seen.one("connection")["facts"]
    assert presented["TLS"] == "TLSv1.3"
    assert presented["names"] == "127.0.0.1, localhost"
    assert presented["issuer"] == "CN=imagefit harness"
    assert seen.one("access")["what"] == "asks for user name and password"
    assert seen.one("content")["what"] == "an index of 2 entries"
    assert "for want of the referrers API" in seen.one("referrers")["what"]
    assert seen.one("resolve")["facts"]["digest"] in seen.one("image")["what"]
    assert seen.err == f"looking at {name} …\n"


def test_a_single_manifest_and_a_digest_are_reached_too(clinic: Clinic, private: Registry) -> None:
    clinic.hosts(private.address, f'server = "{private.url}"\nca = "{private.authority}"\n')
    seen = clinic.see(f"{private.address}/{REPOSITORY}:plain", "--creds", f"{USER}:{SECRET}")
    assert seen.code == 0
    assert "single manifest" in seen.one("content")["what"]
    digest = seen.one("resolve")["facts"]["digest"]
    assert clinic.see(f"{private.address}/{REPOSITORY}@{digest}", "--creds", f"{USER}:{SECRET}").code == 0


@dataclass(frozen=True, slots=True)
class Break:
    """What is broken, and what is said of it: the step, words of what was seen, words of the advice."""

    step: str
    what: str
    advice: str
    hosts: str = 'server = "{url}"\nca = "{ca}"\n'
    tag: str = "1"
    user: str = f"{USER}:{SECRET}"


URL = 'server = "{url}"\n'
BREAKS = [
    pytest.param(Break("resolve", "wants a user name and a password", "--creds", user=""), id="no-credentials"),
    pytest.param(Break("resolve", "denied with status 401", "user name and password", user=f"{USER}:x"), id="wrong"),
    pytest.param(Break("resolve", "status 404", "spelling of repository and tag", tag="none"), id="missing-tag"),
    pytest.param(Break("connection", "certificate refused", "'ca'", URL), id="no-authority"),
    pytest.param(
        Break("configuration", "none.crt", "put it there, or take its name out", URL + 'ca = "none.crt"'),
        id="missing-authority",
    ),
    pytest.param(Break("certificates", "no certificate in PEM", "PEM", URL + 'ca = "hosts.toml"'), id="no-pem"),
    pytest.param(
        Break("certificates", "cannot be used", "readable PEM", URL + 'client = [["{ca}", "{key}"]]'), id="wrong-key"
    ),
    pytest.param(
        Break("connection", "connection refused", "listens", 'server = "http://127.0.0.1:{closed}"'), id="closed"
    ),
]


@pytest.mark.parametrize("case", BREAKS)
def test_what_is_broken_is_told_where_it_breaks_and_with_advice(clinic: Clinic, private: Registry, case: Break) -> None:
    key = private.root / "server.key"
    hosts = case.hosts.format(url=private.url, ca=private.authority, key=key, closed=free_port())
    clinic.hosts(private.address, hosts)
    creds = ("--creds", case.user) if case.user else ()
    seen = clinic.see(f"{private.address}/{REPOSITORY}:{case.tag}", *creds)
    assert (seen.code, seen.data["reached"]) == (2, False)
    first = next(one for one in seen.data["steps"] if one["state"] == "broken" and case.what in one["what"])
    assert first["step"] == case.step
    assert case.advice in first["advice"]
    assert seen.data["steps"][-1]["state"] == "broken"


def test_a_registry_that_wants_a_certificate_of_ours(clinic: Clinic, folder: Path) -> None:
    with Registry(folder / "doctor-client", RegistryOptions(tls=True, wants_client=True)) as registry:
        push_image(registry, REPOSITORY, "1", "a")
        name, hosts = f"{registry.address}/{REPOSITORY}:1", f'server = "{registry.url}"\nca = "{registry.authority}"\n'
        clinic.hosts(registry.address, hosts)
        seen = clinic.see(name)
        assert seen.code == 2
        assert "'client'" in seen.all("access")[0]["advice"]
        assert registry.client is not None
        pair = f'client = [["{registry.client.certificate}", "{registry.client.key}"]]\n'
        clinic.hosts(registry.address, hosts + pair)
        assert clinic.see(name).code == 0


def test_plain_http_is_spoken_where_it_is_said(clinic: Clinic, registry: FakeRegistry) -> None:
    clinic.hosts(registry.address, f'server = "https://{registry.address}"')
    name = f"{registry.address}/{REPOSITORY}:1"
    seen = clinic.see(name)
    assert seen.code == 2
    assert "--plain-http" in seen.one("connection")["advice"]
    assert clinic.see(name, "--plain-http").code == 0
    assert [method for method, _ in registry.requests if method == "HEAD"] == ["HEAD"]


def test_plain_http_is_for_a_server_of_another_address_and_for_no_mirror(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    text = f'server = "https://{registry.address}"\n[host."https://{other.address}"]\n'
    clinic.hosts("registry.example", text)
    seen = clinic.see(f"registry.example/{REPOSITORY}:1", "--plain-http")
    assert seen.code == 0
    mirror, server = seen.one("hosts")["facts"].items()
    assert (mirror[0].split("/v2")[0], server[0].split("/v2")[0]) == (
        f"1. https://{other.address}",
        f"2. {registry.url}",
    )
    assert mirror[1].startswith("mirror, told the name")
    assert server[1].startswith("the registry itself, told the name")
    # What was done already is no advice.
    assert "'server'" in seen.one("connection", other.address)["advice"]
    assert "--plain-http" not in seen.one("connection", other.address)["advice"]


PLAIN = [
    pytest.param("r.example:5000", State.WARNING, id="elsewhere"),
    pytest.param("127.0.0.1:5000", State.GOOD, id="this-machine"),
]


@pytest.mark.parametrize(("host", "state"), PLAIN)
def test_a_person_on_the_wire_would_see_a_password_over_plain_http(host: str, state: State) -> None:
    auth = AuthConfig(username=USER, password=SECRET)
    (seen,) = observe_credentials(Asking((RegistryHost("http", host),), Found((), None), auth), "", [])
    assert (seen.state, "everybody on the way" in seen.what) == (state, state is State.WARNING)


def test_a_host_that_may_only_push_is_of_no_use() -> None:
    hosts = RegistryHost("https", "a.example", capabilities=frozenset({"push"})), RegistryHost("https", "b.example")
    seen = observe_hosts(hosts, by_tag=True)
    assert [value.rpartition(", ")[2] for _, value in seen.facts] == [
        "may do nothing that imagefit needs",
        "may pull and resolve",
    ]


def test_credentials_for_the_name_that_no_host_is_shown_are_told(
    clinic: Clinic, registry: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "docker").mkdir()
    saved = {"auths": {"registry.example": {"username": USER, "password": SECRET}}}
    (tmp_path / "docker/config.json").write_text(json.dumps(saved))
    clinic.hosts("registry.example", f'server = "{registry.url}"')
    seen = clinic.see(f"registry.example/{REPOSITORY}:1")
    unused = seen.all("credentials")[-1]
    assert unused["state"] == "warning"
    assert f"those for registry.example, from {tmp_path}/docker/config.json, are shown to nobody" in unused["what"]
    assert unused["advice"] == f"'docker login {registry.address}'"


def test_a_broken_file_of_containerd_itself_is_told(clinic: Clinic, registry: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "containerd.toml"
    file.write_text("nonsense")
    clinic.config.write_text(clinic.config.read_text().replace('config = ""', f'config = "{file}"'))
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert "could not start with it" in seen.all("configuration")[-1]["advice"]


def test_a_registry_that_never_answers_costs_its_time_and_no_more(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes connections, nobody reads them
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        clinic.hosts(address, f'server = "http://{address}"')
        code = doctor(f"{address}/{REPOSITORY}:1", clinic.config, Person(), "json", limit_seconds=0.2)
    seen = Seen(code, json.loads(capsys.readouterr().out), "")
    assert code == 2
    assert seen.one("connection")["state"] == "good"
    assert "no answer within 0.2 s" in seen.one("access")["what"]
    assert "firewalls" in seen.one("access")["advice"]
    assert seen.all("resolve") == []


def test_a_token_server_beside_the_registry_is_asked(clinic: Clinic, registry: FakeRegistry) -> None:
    registry.access.bearer, registry.access.username, registry.access.password = True, USER, SECRET
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1", "--creds", f"{USER}:{SECRET}")
    assert seen.code == 0
    assert seen.one("access")["facts"]["token server"] == registry.address
    assert "may see credentials" in seen.one("access")["what"]
    assert f"GET {registry.address}: 200" in seen.one("resolve")["facts"]["requests"]


@pytest.mark.parametrize("creds", [(), ("--creds", f"{USER}:{SECRET}")], ids=["anybody", "credentials"])
def test_a_token_server_of_another_site_is_told_and_sees_no_credentials(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry, creds: tuple[str, ...]
) -> None:
    registry.access.bearer = True
    registry.access.realm = f"http://localhost:{other.address.rpartition(':')[2]}/token"
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1", *creds)
    access = seen.one("access")
    assert (seen.code, access["state"]) == (2, "warning" if creds else "good")
    assert "another site" in access["what"]
    assert bool(access["advice"]) is bool(creds)
    assert [method for method, _ in other.requests] == ["GET"]
    assert "authorization" not in other.seen[0].headers


CHALLENGES = [
    pytest.param('Bearer realm="ftp://x/token"', "must not be asked", id="no-http"),
    pytest.param('Bearer realm="http://user@127.0.0.1/token"', "must not be asked", id="a-user-in-the-realm"),
    pytest.param("Bearer", "must not be asked", id="no-realm"),
    pytest.param("Negotiate", "proof of another kind: negotiate", id="another-scheme"),
    pytest.param(",,,", "proof of another kind: nothing", id="nonsense"),
]


@pytest.mark.parametrize(("challenge", "said"), CHALLENGES)
def test_a_challenge_that_cannot_be_met_is_told(
    clinic: Clinic, registry: FakeRegistry, challenge: str, said: str
) -> None:
    registry.access.username, registry.access.challenge = USER, challenge
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert (seen.code, seen.one("access")["state"]) == (2, "warning")
    assert said in seen.one("access")["what"]
    assert seen.one("resolve")["state"] == "broken"


def mirrored(clinic: Clinic, registry: FakeRegistry, mirror: FakeRegistry, more: str = "") -> str:
    """Put a mirror before a registry; returns the image's name."""
    clinic.hosts(registry.address, f'server = "{registry.url}"\n[host."{mirror.url}"]\n{more}\n')
    return f"{registry.address}/{REPOSITORY}:1"


def test_hosts_are_looked_at_in_the_order_in_which_they_are_asked(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    seen = clinic.see(mirrored(clinic, registry, other, 'header.X-Key = "planted-s3cret"'))
    assert seen.code == 0
    first, second = seen.one("hosts")["facts"].items()
    assert first[0].startswith(f"1. {other.url}/v2")
    assert "mirror" in first[1]
    assert "X-Key" in first[1]
    assert second[0].startswith(f"2. {registry.url}/v2")
    assert [one["host"] for one in seen.all("resolve")] == [other.url, registry.url]
    assert f"named by {other.url}" in seen.one("image")["what"]
    assert any("ns=" in one.query for one in other.seen)
    assert not any("ns=" in one.query for one in registry.seen)


def test_a_mirror_that_fails_is_told_and_the_next_host_gives_the_image(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    other.faults.statuses["*", "/manifests/"] = 500
    seen = clinic.see(mirrored(clinic, registry, other))
    assert seen.code == 0
    assert seen.one("resolve", other.url)["state"] == "broken"
    assert "its log" in seen.one("resolve", other.url)["advice"]
    assert f"named by {registry.url}" in seen.one("image")["what"]


def test_a_mirror_that_is_behind_is_told(clinic: Clinic, registry: FakeRegistry, other: FakeRegistry) -> None:
    behind = index_bytes(entry("old"))
    other.put(REPOSITORY, "1", OCI_INDEX, behind)
    seen = clinic.see(mirrored(clinic, registry, other))
    assert (seen.code, seen.one("image")["state"]) == (0, "warning")
    assert seen.one("image")["facts"] == {other.url: digest_of(behind), registry.url: digest_of(INDEX)}
    assert digest_of(behind) in seen.one("image")["what"]
    assert seen.one("content", registry.url)["state"] == "broken"


def test_a_mirror_that_may_not_resolve_is_not_asked_for_a_tag(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    seen = clinic.see(mirrored(clinic, registry, other, 'capabilities = ["pull"]'))
    assert seen.code == 0
    assert seen.all("resolve", other.url) == []
    assert seen.one("content", other.url)["state"] == "good"
    assert not any(path.endswith("/1") for _, path in other.requests)


def test_without_a_host_that_may_resolve_nothing_is_reached(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    clinic.hosts(registry.address, f'server = "{registry.url}"\ncapabilities = ["pull"]')
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert (seen.code, seen.one("hosts")["state"]) == (2, "broken")
    assert "'capabilities'" in seen.one("hosts")["advice"]
    assert clinic.see(f"{registry.address}/{REPOSITORY}@{digest_of(INDEX)}").code == 0


FAULTS = [
    pytest.param("wrong_body", "resolve", "good", id="wrong-content-does-not-show-in-its-name"),
    pytest.param("wrong_body", "content", "broken", id="wrong-content"),
    pytest.param("cut_off", "content", "broken", id="half-an-answer"),
]


@pytest.mark.parametrize(("fault", "step", "state"), FAULTS)
def test_content_that_is_wrong_is_told(
    clinic: Clinic, registry: FakeRegistry, fault: str, step: str, state: str
) -> None:
    setattr(registry.faults, fault, True)
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert seen.code == 2
    assert seen.one(step)["state"] == state


def test_an_index_that_cannot_be_read_is_told(clinic: Clinic, registry: FakeRegistry) -> None:
    registry.put(REPOSITORY, "bad", OCI_INDEX, b"[]")
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:bad")
    assert seen.code == 2
    assert "the index cannot be read" in seen.one("content")["what"]


@pytest.mark.parametrize("has_api", [True, False], ids=["api", "fallback-tag"])
def test_how_referrers_are_listed_is_told(clinic: Clinic, registry: FakeRegistry, has_api: object) -> None:
    registry.referrers.exists = bool(has_api)
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1").one("referrers")
    assert seen["what"].startswith("nothing refers to it")
    assert ("by the referrers API" in seen["what"], "for want of" in seen["what"]) == (has_api, not has_api)
    assert f"/v2/{REPOSITORY}/referrers/{digest_of(INDEX)}" in [path for _, path in registry.requests]


def public_key(config: Path) -> Path:
    """Make a key that may be trusted, beside a configuration."""
    path = config.with_name("key.pem")
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(public.public_bytes(*form))
    return path


TRUSTS = [
    pytest.param("", "are not believed", id="index"),
    pytest.param('trust = ["index", "referrers"]', "are believed", id="referrers"),
    pytest.param(
        'trust = ["index", "referrers"]\n[trust.referrers]\nrequire-signature = true\nkeys = ["{key}"]',
        *("are believed if they are signed: see 'imagefit explain'",),
        id="signed-referrers",
    ),
]


@pytest.mark.parametrize(("trust", "said"), TRUSTS)
def test_referrers_are_counted_by_type_and_whether_they_are_believed(
    clinic: Clinic, registry: FakeRegistry, trust: str, said: str
) -> None:
    registry.referrers.exists = True
    for number in range(2):
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.example",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
            "layers": [],
            "subject": {"mediaType": OCI_INDEX, "digest": digest_of(INDEX), "size": len(INDEX)},
            "annotations": {"number": str(number)},
        }
        registry.put(REPOSITORY, None, "application/vnd.oci.image.manifest.v1+json", to_bytes(manifest))
    clinic.config.write_text(f"{clinic.config.read_text()}[policy]\n{trust.format(key=public_key(clinic.config))}\n")
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1").one("referrers")
    assert seen["what"].startswith("2 refer to it (by the referrers API), and ")
    assert seen["what"].partition(" (trust)")[0].endswith(said)
    assert seen["facts"]["application/vnd.example"] == "2"


@pytest.mark.parametrize("trust", ["index", "referrers"])
def test_referrers_that_do_not_come_matter_to_those_who_believe_them(
    clinic: Clinic, registry: FakeRegistry, trust: str
) -> None:
    names = '["index", "referrers"]' if trust == "referrers" else '["index"]'
    clinic.config.write_text(f"{clinic.config.read_text()}[policy]\ntrust = {names}\n")
    registry.faults.statuses["GET", "/referrers/"] = 500
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert seen.code == 0
    assert seen.one("referrers")["state"] == ("warning" if trust == "referrers" else "note")


def test_credentials_that_were_saved_are_shown_to_their_host_only(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry, tmp_path: Path
) -> None:
    (tmp_path / "docker").mkdir()
    saved = {
        "auths": {registry.address: {"username": USER, "password": SECRET}},
        "credHelpers": {other.address: "none"},
    }
    (tmp_path / "docker/config.json").write_text(json.dumps(saved))
    registry.access.username, registry.access.password = USER, SECRET
    seen = clinic.see(mirrored(clinic, registry, other))
    assert seen.code == 0
    problem, credentials = seen.all("credentials")
    assert "there is no docker-credential-none in PATH" in problem["what"]
    assert credentials["facts"] == {registry.address: f"user {USER}, from {tmp_path}/docker/config.json"}
    assert not any("authorization" in one.headers for one in other.seen)


def test_credentials_that_are_given_are_for_every_host_as_those_of_a_pod(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry
) -> None:
    for one in (registry, other):
        one.access.username, one.access.password = USER, SECRET
    seen = clinic.see(mirrored(clinic, registry, other), "--creds", f"{USER}:{SECRET}")
    assert seen.code == 0
    assert list(seen.one("credentials")["facts"]) == [other.address, registry.address]
    assert {one["state"] for one in seen.all("resolve")} == {"good"}


def test_where_there_are_none_it_says_where_it_looked(clinic: Clinic, registry: FakeRegistry, tmp_path: Path) -> None:
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert seen.one("credentials")["state"] == "note"
    assert f"{tmp_path}/docker/config.json" in seen.one("credentials")["what"]


def test_a_hosts_file_that_containerd_ignores_is_told(clinic: Clinic, registry: FakeRegistry) -> None:
    folder = clinic.hosts(registry.address, "nonsense")
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    first, second = seen.all("configuration")
    assert (seen.code, first["state"], second["state"]) == (0, "good", "warning")
    assert str(folder / "hosts.toml") in second["what"]


def test_hosts_over_which_containerd_fails_end_the_look(clinic: Clinic, registry: FakeRegistry) -> None:
    (clinic.folders / registry.address / "hosts.toml").mkdir(parents=True)
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert (seen.code, seen.data["reached"]) == (2, False)
    assert seen.one("configuration")["state"] == "broken"
    assert registry.requests == []


def test_the_tables_of_containerds_own_file_are_named(
    clinic: Clinic, registry: FakeRegistry, other: FakeRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "containerd.toml"
    place = 'plugins."io.containerd.grpc.v1.cri".registry'
    file.write_text(
        f'version = 2\n[{place}.mirrors."{registry.address}"]\nendpoint = ["{other.url}"]\n'
        f'[{place}.configs."{other.address}".auth]\nusername = "{USER}"\npassword = "{SECRET}"\n'
    )
    clinic.config.write_text(clinic.config.read_text().replace('config = ""', f'config = "{file}"'))
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert seen.code == 0
    assert f"{file} counts" in seen.one("configuration")["what"]
    assert seen.one("credentials")["facts"] == {other.address: f"user {USER}, from containerd's configuration"}


def test_the_way_through_a_proxy_is_told_without_its_password(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://{USER}:{SECRET}@{proxy}")
    seen = clinic.see(f"registry.invalid/{REPOSITORY}:1")
    assert seen.code == 2
    assert f"through the proxy {proxy}" in next(iter(seen.one("hosts")["facts"].values()))
    assert proxy in seen.one("connection")["what"]
    assert seen.one("access")["state"] == "broken"


def test_the_cache_says_whether_it_has_the_image(clinic: Clinic, imagefit: Imagefit, registry: FakeRegistry) -> None:
    name, cache = f"{registry.address}/{REPOSITORY}:1", clinic.config.parent / "cache"
    cache.mkdir(0o700)
    assert clinic.see(name).one("cache")["facts"]["this image"] == "is not kept yet"
    imagefit("explain", name)
    assert clinic.see(name).one("cache")["facts"]["this image"] == "is kept"


CACHES = [
    pytest.param(0o700, "good", "is private", id="private"),
    pytest.param(0o755, "warning", "chmod 700", id="open-to-others"),
    pytest.param(None, "note", "not there yet", id="missing"),
    pytest.param(0, "note", "is done without", id="a-file"),
]


@pytest.mark.parametrize(("mode", "state", "said"), CACHES)
def test_the_cache_is_looked_at(tmp_path: Path, mode: int | None, state: str, said: str) -> None:
    folder = tmp_path / "cache"
    if mode == 0:
        folder.write_text("")
    elif mode is not None:
        folder.mkdir(mode)
        (folder / "content").write_text("x")
    seen = observe_cache(folder, "", "r.example/app")
    assert seen.state == state
    assert said in seen.what + seen.advice


def test_looking_at_the_cache_changes_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    digest = digest_of(b"whole")
    torn = ContentCache(tmp_path).path(digest, "r.example/app")
    torn.write_bytes(b"who")
    before = torn.stat()
    assert dict(observe_cache(tmp_path, digest, "r.example/app").facts)["this image"] == "is kept"
    assert dict(observe_cache(tmp_path, digest, "r.example/other").facts)["this image"] == "is not kept yet"
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert torn.stat() == before


def test_a_cache_of_another_user_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    seen = observe_cache(tmp_path, "", "r.example/app", user=tmp_path.stat().st_uid + 1)
    assert (seen.state, "belongs to another user" in seen.what) == (State.NOTE, True)


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_malformed_name_is_an_error(imagefit: Imagefit, output: str) -> None:
    ended = imagefit("doctor", "UPPER", "-o", output)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("imagefit: ")


def test_a_table_names_each_host_once_and_fits_the_terminal(
    clinic: Clinic, imagefit: Imagefit, registry: FakeRegistry, other: FakeRegistry
) -> None:
    other.faults.statuses["*", "/manifests/"] = 404
    ended = imagefit("doctor", mirrored(clinic, registry, other))
    lines = ended.out.splitlines()
    assert ended.code == 0
    assert max(map(len, lines)) <= COLUMNS
    assert [line for line in lines if line in {registry.url, other.url}] == [other.url, registry.url]
    assert any(line.startswith("broken   resolve: ") for line in lines)
    assert any(line.startswith("         → ") for line in lines)
    assert lines[-1].strip()


HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\u202e\u2028\r\n\x00\x7f[bold]"


def test_no_control_character_of_a_certificate_or_registry_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = [Observation(HOSTILE, state, HOSTILE, ((HOSTILE, HOSTILE),), HOSTILE, HOSTILE) for state in State]
    print_observations(seen)
    text = capsys.readouterr().out
    assert text.replace("\n", "").isprintable()
    assert "[bold]" in text
    assert json.dumps(as_data("x", seen, reached=False)).isprintable()


def test_a_long_sentence_hangs_below_its_begin(capsys: pytest.CaptureFixture[str]) -> None:
    print_observations([Observation("access", State.GOOD, "word " * 40)])
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("good     access: word")
    assert len(others) == 2
    assert all(line.startswith("         word") and len(line) <= COLUMNS for line in others)


def test_what_a_registry_says_at_length_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 10_000
    seen = [Observation("access", State.GOOD, long, ((long, long),))]
    print_observations(seen)
    assert capsys.readouterr().out.count("x") == 3 * 499
    assert json.dumps(as_data("i", seen, reached=True)).count("x") == 3 * 499


def test_the_data_has_the_same_keys_in_every_step(clinic: Clinic, registry: FakeRegistry) -> None:
    seen = clinic.see(f"{registry.address}/{REPOSITORY}:1")
    assert list(seen.data) == ["image", "reached", "steps"]
    for one in seen.data["steps"]:
        assert list(one) == ["step", "host", "state", "what", "facts", "advice"]
        assert one["state"] in set(State)
    order = ["configuration", "hosts", "credentials", "connection", "access", "resolve", "content", "referrers"]
    assert [one["step"] for one in seen.data["steps"]] == [*order, "cache", "image"]
