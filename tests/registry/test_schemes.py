"""Whether a host is asked over HTTPS or plain HTTP, where containerd asks it in either way."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.registry import FakeRegistry
from imagefit.registry.host import RegistryHost, default_host
from imagefit.registry.schemes import Schemes, speaks_tls

HOST = RegistryHost("http", "127.0.0.1:5000", skip_verify=True, tls_first=True)


@dataclass
class Greeted:
    """Answers as it is told to, and remembers who was greeted."""

    answer: bool | OSError = True
    hosts: list[tuple[str, int]] = field(default_factory=list)
    now: float = 0.0

    def __call__(self, hostname: str, port: int, timeout_seconds: float) -> bool:
        assert 0 < timeout_seconds < 1
        self.hosts.append((hostname, port))
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    def schemes(self, **environment: str) -> Schemes:
        return Schemes(self, environment, lambda: self.now)


@pytest.mark.parametrize(
    ("answer", "scheme"),
    [(True, "https"), (False, "http"), (ConnectionRefusedError(), "http"), (TimeoutError(), "http")],
    ids=["tls", "plain", "refused", "silent"],
)
def test_what_a_host_speaks_decides(answer: bool | OSError, scheme: str) -> None:  # noqa: FBT001
    settled = Greeted(answer).schemes().settled(HOST)
    assert settled.scheme == scheme
    assert (settled.host, settled.skip_verify) == (HOST.host, HOST.skip_verify)


@pytest.mark.parametrize(
    "host", [RegistryHost("http", "h:5000"), RegistryHost("https", "h", skip_verify=True), default_host("localhost:80")]
)
def test_a_host_of_which_it_is_known_is_not_greeted(host: RegistryHost) -> None:
    greeted = Greeted()
    assert greeted.schemes().settled(host) is host
    assert greeted.hosts == []


def test_who_is_greeted() -> None:
    greeted = Greeted()
    for name in ("localhost", "127.0.0.1:5000", "[::1]:5000", "registry.example.com:8080"):
        greeted.schemes().settled(RegistryHost("http", name, tls_first=True))
    assert greeted.hosts == [("localhost", 443), ("127.0.0.1", 5000), ("::1", 5000), ("registry.example.com", 8080)]


def test_a_host_behind_a_proxy_is_asked_as_it_is_written() -> None:
    greeted = Greeted()
    host = RegistryHost("http", "registry.example.com:8080", tls_first=True)
    assert greeted.schemes(https_proxy="http://proxy:3128").settled(host) is host
    assert greeted.hosts == []
    assert greeted.schemes(https_proxy="http://proxy:3128").settled(HOST).scheme == "https"  # loopback has no proxy


@pytest.mark.parametrize(
    ("answer", "seconds"), [(True, 10), (False, 10), (TimeoutError(), 30)], ids=["tls", "plain", "silent"]
)
def test_an_answer_is_believed_for_a_while(answer: bool | OSError, seconds: float) -> None:  # noqa: FBT001
    greeted = Greeted(answer)
    schemes = greeted.schemes()
    for now, times in ((0, 1), (seconds - 1, 1), (seconds + 1, 2)):
        greeted.now = now
        schemes.settled(HOST)
        assert len(greeted.hosts) == times


def test_that_nobody_listens_is_not_remembered() -> None:
    greeted = Greeted(ConnectionRefusedError())
    schemes = greeted.schemes()
    schemes.settled(HOST)
    greeted.answer = True
    assert schemes.settled(HOST).scheme == "https"


def test_what_is_remembered_is_bounded() -> None:
    schemes = Greeted().schemes()
    for port in range(1, 1000):
        schemes.settled(RegistryHost("http", f"127.0.0.1:{port}", tls_first=True))
    assert len(schemes._known) <= 256


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One PEM file: key and self-signed certificate."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is not installed: run `make test` as root", pytrace=False)
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fake"
    said = subprocess.run([*command.split(), "-keyout", str(path)], check=True, capture_output=True).stdout
    path.write_bytes(path.read_bytes() + said)
    return path


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("clients", [ssl.CERT_NONE, ssl.CERT_REQUIRED], ids=["anybody", "clients-with-certificates"])
def test_a_server_of_tls(certificate: Path, newest: ssl.TLSVersion, clients: ssl.VerifyMode) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.maximum_version, context.verify_mode = newest, clients
    with FakeRegistry(tls=context) as server:
        hostname, _, port = server.address.partition(":")
        assert speaks_tls(hostname, int(port), 5)
        assert server.seen == []


def test_a_server_of_plain_http(registry: FakeRegistry) -> None:
    hostname, _, port = registry.address.partition(":")
    assert not speaks_tls(hostname, int(port), 5)
    assert registry.seen == []


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """Do this with one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: answer(listener.accept()[0]))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_a_server_that_hangs_up() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.close()

    with serving(hang_up) as port:
        assert not speaks_tls("127.0.0.1", port, 5)


def test_a_server_that_is_silent_costs_no_more_than_the_time() -> None:
    done = threading.Event()

    def wait(connection: socket.socket) -> None:
        with connection:
            done.wait(10)

    with serving(wait) as port:
        with pytest.raises(TimeoutError):
            speaks_tls("127.0.0.1", port, 0.05)
        done.set()
