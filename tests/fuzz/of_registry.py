"""Targets: containerd's configuration of registries, credentials, and what registries and token servers answer."""

import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from fuzz.contract import Target, parts_of, text_of
from imagefit.cli.docker_config import read_docker_config
from imagefit.cli.doctor.x509 import read_der, read_pem
from imagefit.errors import ContentInvalidError, ImagefitError, InvalidConfigurationError, RegistryError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES, parse_index
from imagefit.model.reference import ImageReference
from imagefit.registry.asking import Asker, Question
from imagefit.registry.containerd_config import read_containerd_config
from imagefit.registry.credentials import Credentials, credentials_for, is_usable_realm, may_see_credentials
from imagefit.registry.credentials import parse_challenges as read_challenges
from imagefit.registry.exchange import Request, Response, content_length, origin_of, shown_host
from imagefit.registry.host import RegistryHost
from imagefit.registry.hosts_file import parse_hosts
from imagefit.registry.mirrors import mirror_hosts
from imagefit.registry.proxies import proxy_for
from imagefit.registry.referrers import Referrers
from imagefit.registry.sources import MAX_FILE_BYTES, Sources
from imagefit.registry.tokens import Access, Authorizer
from imagefit.registry.transport import Transport

_HOST: Final = RegistryHost("https", "registry.example.org")
_REFERENCE: Final = ImageReference("registry.example.org", "team/solver", "1.0")
_DIGEST: Final = "sha256:" + "a" * 64
_CREDENTIALS: Final = Credentials("robot", "secret")
_TOML: Final = (b"[a.b]\n", b"[[x]]\n", b" = [", b'"""', b"'''", b" = {", b"1979-05-27", b"\\u0000", b"inf", b"true\n")
_HOSTS_TOKENS: Final = (
    *_TOML,
    *(b'[host."https://', b"server = ", b"capabilities = ", b'"pull"', b"ca = ", b"client = [[", b"skip_verify = "),
    *(b"dial_timeout = ", b'"1h2m3s"', b"override_path = ", b".header]\n"),
)
_CONFIG_TOKENS: Final = (
    *_TOML,
    *(b"version = 2\n", b"version = 3\n", b'imports = ["', b'[plugins."io.containerd.grpc.v1.cri".registry'),
    *(b'[plugins."io.containerd.cri.v1.images".registry', b"[plugins.cri.registry", b".mirrors.", b".configs."),
    *(b".auths.", b"endpoint = [", b"config_path = ", b".tls]\n", b".auth]\n", b"\n===\n"),
)
_DOCKER_TOKENS: Final = (b'"auths"', b'"credHelpers"', b'"credsStore"', b'"identitytoken"', b'{"auth":"', b"dTpw")
_CHALLENGE_TOKENS: Final = (b'Bearer realm="', b"Basic ", b'scope="', b'service="', b"https://", b"\\", b", ")
_REPLY_TOKENS: Final = (b"\n===\n", b'"token"', b'"access_token"', b'"expires_in"', b'"nan"', b"-1", b"1e999")
_LIST_TOKENS: Final = (
    *(b"<", b'>; rel="next"', b"?last=", b"%00", b"\n===\n", b'"manifests"', b'"artifactType"', b'"annotations"'),
)
_ROOT: Final = Path("/etc/containerd")


class _Files(Sources):
    """Files in memory: the first part of an input is the main file, the next ones are what it imports."""

    def __init__(self, parts: list[bytes]) -> None:
        super().__init__()
        self._parts = dict(zip(("config.toml", "a.toml", "b.toml"), parts, strict=True))

    def read(self, path: Path) -> bytes | None:
        content = self._parts.get(path.name)
        if content is not None and len(content) > MAX_FILE_BYTES:
            raise OSError(0, "too large")
        return content

    def exists(self, path: Path) -> bool:
        return True

    def names(self, directory: Path) -> list[str]:
        return list(self._parts)


def _finished(work: Coroutine[Any, Any, object]) -> None:
    """Run what waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


class _Wire:
    """Answers every request with the same; stands for transport and asker."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def send(self, host: RegistryHost, request: Request) -> Response:
        assert is_usable_realm(request.url, host.origin)
        return self._response

    async def exchange(self, host: RegistryHost, question: Question, method: str) -> Response:
        question.request(host, method, None)
        return self._response

    async def first(
        self, question: Question, ask: Callable[[RegistryHost, Question], Awaitable[list[Any]]]
    ) -> list[Any]:
        return await ask(_HOST, question)


def _hosts(content: bytes) -> None:
    hosts = parse_hosts(content, _ROOT / "certs.d/registry.example.org", "registry.example.org")
    assert hosts
    for host in hosts:
        urlsplit(f"{host.origin}{host.path}/")


def _containerd(content: bytes) -> None:
    registries = read_containerd_config(_ROOT / "config.toml", _Files(parts_of(content, 3)))
    assert isinstance(registries.config_paths, tuple)
    assert registries.is_legacy in {True, False}
    for domain in (*registries.mirrors, "docker.io", "localhost:5000"):
        assert mirror_hosts(registries, domain)


def _docker(content: bytes) -> None:
    file = os.memfd_create("docker-config")
    try:
        os.write(file, content)
        found = read_docker_config(Path(f"/proc/self/fd/{file}"))
    finally:
        os.close(file)
    assert found is not None
    found.names("registry.example.org", "team/solver")
    for auth in found.entries.values():
        _shown(credentials_for(auth, "registry.example.org"))


def _cri_auth(content: bytes) -> None:
    fields = [text_of(part) for part in parts_of(content, 5, b"\n")]
    _shown(credentials_for(AuthConfig(*fields), "registry.example.org"))


def _shown(credentials: Credentials | None) -> None:
    if credentials is not None:
        assert credentials.secret
        assert credentials.basic().isascii()


def _challenges(content: bytes) -> None:
    for challenge in read_challenges(text_of(content).split("\n")):
        assert challenge.scheme == challenge.scheme.lower()
        assert isinstance(challenge.scopes, tuple)
        if is_usable_realm(challenge.realm, _HOST.origin):
            may_see_credentials(challenge.realm, _HOST.origin)
            shown_host(challenge.realm)
            origin_of(challenge.realm)


def _token(content: bytes) -> None:
    challenge, body = parts_of(content, 2)
    wire = cast("Transport", _Wire(Response(200, {}, (), body, is_elsewhere=False)))
    authorizer = Authorizer(wire, clock=lambda: 1000.0)
    access = Access(_HOST, "repository:team/solver:pull", _CREDENTIALS)
    _finished(authorizer.answer(access, text_of(challenge).split("\n"), None))
    grant = authorizer.known(access)
    assert grant is None or 1000.0 < grant.expires_at <= 1000.0 + 3600.0


def _referrers(content: bytes) -> None:
    link, body = parts_of(content, 2)
    headers = {"link": text_of(link), "content-type": "application/vnd.oci.image.index.v1+json"}
    wire = cast("Asker", _Wire(Response(200, headers, (), body, is_elsewhere=False)))
    _finished(_listed(Referrers(wire)))


async def _listed(referrers: Referrers) -> None:
    listed = await referrers.listed(_REFERENCE, _DIGEST, None)
    try:
        parse_index(listed, _DIGEST)
    except ImagefitError as error:
        assert error.code == "invalid-index"  # noqa: PT017 - what is listed is read again, with its own error


def _proxy(content: bytes) -> None:
    no_proxy, https_proxy = map(text_of, parts_of(content, 2))
    proxy_for("https://registry.example.org:5000/v2/", {"NO_PROXY": no_proxy, "HTTPS_PROXY": https_proxy})
    content_length(no_proxy)


def _certificates(content: bytes) -> None:
    (read_pem if content.startswith(b"-") else read_der)(content)


def targets() -> Iterator[Target]:
    """Yield the targets."""
    yield Target("hosts-toml", _hosts, (InvalidConfigurationError,), _HOSTS_TOKENS, MAX_FILE_BYTES)
    yield Target("containerd-config", _containerd, (InvalidConfigurationError,), _CONFIG_TOKENS, MAX_FILE_BYTES)
    yield Target("docker-config", _docker, (InvalidConfigurationError,), _DOCKER_TOKENS, MAX_DOCUMENT_BYTES)
    yield Target("cri-auth", _cri_auth, (), (b"dTpw", b"https://registry.example.org/v2/"), 1024 * 1024)
    yield Target("challenges", _challenges, (), _CHALLENGE_TOKENS, 32 * 1024)
    yield Target("token-reply", _token, (RegistryError,), (*_CHALLENGE_TOKENS, *_REPLY_TOKENS), 256 * 1024)
    yield Target("referrers", _referrers, (ContentInvalidError,), _LIST_TOKENS, MAX_DOCUMENT_BYTES)
    yield Target("proxy", _proxy, (), (b"10.0.0.0/8", b"[::1]:", b"*.", b",", b":443", b"\n===\n"), 64 * 1024)
    yield Target("certificate", _certificates, (ValueError,), (b"-----BEGIN CERTIFICATE-----\n",), 16 * 1024)
