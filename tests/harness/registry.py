"""A real registry (docker-registry, the CNCF distribution) on loopback, which remembers what it was asked.

Knows the OCI distribution API's way to push, and the registry's configuration and access log. Leaves to ``images``
what is pushed.
"""

import base64
import hashlib
import http.client
import re
import shutil
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import bcrypt
import oras.provider

from harness.certificates import ClientCertificate, ServerCertificate, make_certificate, make_client_certificate
from harness.process import ChildProcess, HarnessError, connects, free_port
from harness.token_server import TokenServer

BINARY = "docker-registry"
_ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) \d+ "[^"]*" "(?P<agent>[^"]*)"')
_REPOSITORY = re.compile(r"/v2/(.+)/(?:blobs|manifests)/")
_MARKER = "imagefit-harness-marker"


@dataclass(frozen=True, slots=True)
class Request:
    """One request that the registry answered."""

    method: str
    path: str
    status: int
    user_agent: str


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """How a registry differs from an open one that speaks plain HTTP.

    Attributes:
        users: name and password of everyone who may use it; empty means anybody.
        tls: speak HTTPS with a certificate that the private authority ``Registry.authority`` signed.
        wants_client: of that authority's clients only; ``Registry.client`` is one.
        tokens: let in who shows a token of this server.
    """

    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: bool = False
    wants_client: bool = False
    tokens: TokenServer | None = None


class Registry:
    """A registry whose content, configuration and logs stand in one folder, deleted when it stops."""

    def __init__(self, root: Path, options: RegistryOptions = RegistryOptions()) -> None:
        """Choose a port and write the configuration; ``root`` is made here if it is not there."""
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.options = options
        self.port = free_port()
        self._certificate: ServerCertificate | None = make_certificate(root) if options.tls else None
        self.client: ClientCertificate | None = None
        if self._certificate and options.wants_client:
            self.client = make_client_certificate(root, self._certificate)
        self._process = ChildProcess("the registry", root / "registry.log")
        self._access_log = root / "access.log"
        self._cleared_bytes = 0
        self._markers = 0
        self._write_configuration()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port, the domain of image names on this registry."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._certificate else 'http'}://{self.address}"

    @property
    def authority(self) -> Path | None:
        """PEM file of the authority to trust; None for a registry without TLS."""
        return self._certificate.authority if self._certificate else None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process.running

    def start(self) -> None:
        """Start it and wait until it listens, at most 20 s."""
        self._process.start((BINARY, "serve", str(self.root / "config.yml")), stdout=self._access_log)
        self._process.wait_until(lambda: connects(("127.0.0.1", self.port)))

    def pause(self) -> None:
        """End the process and keep content and port: ``start`` brings the same registry back."""
        self._process.stop()

    def kill(self) -> None:
        """End it at once, as a crash does: ``start`` brings it back with what it had."""
        self._process.kill()

    def restart(self) -> None:
        """Stop and start it with the same content on the same port."""
        self.pause()
        self.start()

    def stop(self) -> None:
        """End it and delete its folder. Stopping twice does no harm."""
        self._process.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def requests(self) -> list[Request]:
        """Return what was asked since the start or the last ``clear_requests``, in the order of the answers."""
        self._settle()
        with self._access_log.open("rb") as log:
            log.seek(self._cleared_bytes)
            found = _ACCESS.finditer(log.read().decode(errors="replace"))
            asked = [Request(hit["method"], hit["path"], int(hit["status"]), hit["agent"]) for hit in found]
        return [request for request in asked if not request.user_agent.startswith(_MARKER)]

    def clear_requests(self) -> None:
        """Forget what was asked so far."""
        self._settle()
        self._cleared_bytes = self._access_log.stat().st_size

    def push_blob(self, repository: str, content: bytes) -> str:
        """Push ``content`` and return its digest."""
        digest = _digest(content)
        opened, _ = self._send("POST", f"/v2/{repository}/blobs/uploads/", expected=202)
        place = urlsplit(opened["Location"])
        self._send("PUT", f"{place.path}?{place.query}&digest={digest}", content, expected=201)
        return digest

    def push_manifest(self, repository: str, reference: str | None, media_type: str, content: bytes) -> str:
        """Push these exact bytes as a manifest or index.

        Args:
            repository: the repository's path.
            reference: a tag or the digest; None means the digest.
            media_type: what it is.
            content: what it refers to has been pushed before, or the registry refuses it.

        Returns:
            Its digest.
        """
        digest = _digest(content)
        path = f"/v2/{repository}/manifests/{reference or digest}"
        self._send("PUT", path, content, expected=201, headers={"Content-Type": media_type})
        return digest

    def fetch(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body of a GET, such as of ``/v2/<repository>/manifests/<tag>``."""
        _, body = self._send("GET", path, expected=200, headers={"Accept": accept})
        return body

    def oras(self) -> oras.provider.Registry:
        """Return oras's client for this registry, as image authors use it, with the first user's credentials."""
        client = oras.provider.Registry(
            self.address,
            insecure=self._certificate is None,
            tls_verify=str(self.authority) if self.authority else True,
            auth_backend="basic",
        )
        if self.options.users:
            client.auth.set_basic_auth(*next(iter(self.options.users.items())))
        return client

    def _send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        expected: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[http.client.HTTPMessage, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, body, {**self._credentials(path), **(headers or {})})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if expected is not None and response.status != expected:
            raise HarnessError(f"{method} {path} answered {response.status}: {content.decode(errors='replace')}")
        return response.headers, content

    def _connection(self) -> http.client.HTTPConnection:
        if self._certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        trusted = ssl.create_default_context(cafile=self._certificate.authority)
        if self.client:
            trusted.load_cert_chain(self.client.certificate, self.client.key)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=trusted)

    def _credentials(self, path: str) -> dict[str, str]:
        if self.options.tokens:
            found = _REPOSITORY.match(path)
            return {"Authorization": f"Bearer {self.options.tokens.token(found[1] if found else '')}"}
        for user, password in self.options.users.items():
            return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
        return {}

    def _settle(self) -> None:
        # A line is written when its request is over, which may be just after the client has its answer.
        # So one more request is made, and waited for in the log: the lines of all earlier ones are there then.
        if not self._process.running:
            return
        self._markers += 1
        marker = f"{_MARKER}-{self._markers}"
        self._send("GET", "/v2/", headers={"User-Agent": marker})
        deadline = time.monotonic() + 5
        while f'"{marker}"'.encode() not in self._access_log.read_bytes():
            if time.monotonic() > deadline:
                raise HarnessError("the registry writes no access log")
            time.sleep(0.001)

    def _write_configuration(self) -> None:
        text = (
            "version: 0.1\n"
            "log: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.root}/content}}, delete: {{enabled: true}},"
            " maintenance: {uploadpurging: {enabled: false}}}\n"
            f"http:\n  addr: 127.0.0.1:{self.port}\n  secret: harness\n"
        )
        if self._certificate:
            clients = f", clientcas: [{self._certificate.authority}]" if self.client else ""
            text += f"  tls: {{certificate: {self._certificate.certificate}, key: {self._certificate.key}{clients}}}\n"
        if self.options.tokens:
            text += f"auth: {{token: {self.options.tokens.registry_settings()}}}\n"
        elif self.options.users:
            users = self.root / "htpasswd"
            users.write_text("".join(_htpasswd_line(*user) for user in self.options.users.items()))
            text += f"auth: {{htpasswd: {{realm: harness, path: {users}}}}}\n"
        (self.root / "config.yml").write_text(text)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _htpasswd_line(user: str, password: str) -> str:
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()}\n"
