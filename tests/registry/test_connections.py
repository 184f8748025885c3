"""TLS settings on real connections, the proxy, and what is imported when."""

import asyncio
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.registry import FakeRegistry
from imagefit.errors import ContentInvalidError, RegistryUnreachableError
from imagefit.model.oci import Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost

CONTENT = b"{}"
DESCRIPTOR = Descriptor(digest_of(CONTENT), "application/json", len(CONTENT))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One PEM file: key and self-signed certificate of 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is not installed: run `make test` as root", pytrace=False)
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fake"
    extension = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run([*command.split(), *extension], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[FakeRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    with FakeRegistry(tls=context) as started:
        yield started


def fetch(host: RegistryHost) -> bytes:
    async def run() -> bytes:
        client = RegistryClient(lambda _: (host,), None, "imagefit/test")
        try:
            return await client.fetch(ImageReference(host.host, "app", tag="v1"), DESCRIPTOR, None, kind="blobs")
        finally:
            await client.close()

    return asyncio.run(run())


def test_a_certificate_must_be_trusted(secure: FakeRegistry, certificate: Path) -> None:
    secure.put("app", None, "application/json", CONTENT)
    host = RegistryHost("https", secure.address)
    with pytest.raises(RegistryUnreachableError, match="certificate refused"):
        fetch(host)
    assert fetch(replace(host, ca_files=(certificate,))) == CONTENT
    assert fetch(replace(host, skip_verify=True)) == CONTENT
    assert fetch(replace(host, ca_files=(certificate,), client_pairs=((certificate, None),))) == CONTENT


def test_a_certificate_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("nonsense")
    host = RegistryHost("https", "127.0.0.1:1")
    for name in ("bad.pem", "missing.pem"):
        with pytest.raises(RegistryUnreachableError, match=name):
            fetch(replace(host, ca_files=(tmp_path / name,)))
        with pytest.raises(RegistryUnreachableError, match=name):
            fetch(replace(host, client_pairs=((tmp_path / name, None),)))


def test_no_redirect_leads_from_https_to_http(secure: FakeRegistry, registry: FakeRegistry) -> None:
    for one in (secure, registry):
        one.put("app", None, "application/json", CONTENT)
    secure.faults.redirect_to = registry.url
    with pytest.raises(ContentInvalidError, match="redirect to no place"):
        fetch(RegistryHost("https", secure.address, skip_verify=True))
    assert registry.seen == []


def test_a_plain_http_host_spoken_to_in_tls(registry: FakeRegistry) -> None:
    with pytest.raises(RegistryUnreachableError):
        fetch(RegistryHost("https", registry.address))


def test_a_request_goes_through_the_proxy(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.put("app", None, "application/json", CONTENT)
    monkeypatch.setenv("HTTP_PROXY", f"http://user:p%40ss@{registry.address}")
    assert fetch(RegistryHost("http", "registry.example.com")) == CONTENT
    seen = registry.seen[0].headers
    assert (seen["host"], seen["proxy-authorization"]) == ("registry.example.com", "Basic dXNlcjpwQHNz")
    monkeypatch.setenv("HTTP_PROXY", "socks5://user:planted@proxy")
    with pytest.raises(RegistryUnreachableError, match="proxy is of another kind") as caught:
        fetch(RegistryHost("http", "registry.example.com"))
    assert "planted" not in str(caught.value)


def test_the_proxy_of_a_tunnel_alone_sees_its_password(secure: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        monkeypatch.setenv("HTTPS_PROXY", f"http://u:p@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = RegistryClient(lambda _: (RegistryHost("https", "r.example.com"),), None, "imagefit/test")
        async with server:
            with pytest.raises(RegistryUnreachableError):
                await client.resolve(ImageReference("r.example.com", "app", tag="v1"), None)
        await client.close()

    asyncio.run(run())
    assert heads[0].startswith(b"CONNECT r.example.com:443 ")
    assert b"Proxy-Authorization: Basic dTpw" in heads[0]


def test_idle_pools_are_few() -> None:
    async def run() -> None:
        client = RegistryClient(lambda _: (), None, "imagefit/test")
        connections = client._transport._connections
        for number in range(40):
            host = RegistryHost("https", "h", skip_verify=bool(number % 2), ca_files=())
            async with connections.session(replace(host, client_pairs=())):
                pass
        assert len(connections._pools) == 2
        await client.close()
        assert not connections._pools

    asyncio.run(run())


def test_aiohttp_is_imported_with_the_first_request_only() -> None:
    code = "import imagefit.registry.client, sys; sys.exit('aiohttp' in sys.modules or 'yarl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
