"""Ways to reach a registry, each with the servers that it needs and the ``hosts.toml`` that leads there.

Knows what containerd can be configured with. Leaves to ``test_registries`` what must come of it.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.nginx import HAS_IPV6, Nginx
from harness.process import free_port
from harness.registry import Registry
from harness.token_server import TokenServer
from imagefit.model.credentials import AuthConfig

USER, PASSWORD = "user", "planted-password"
BASIC = "dXNlcjpwbGFudGVkLXBhc3N3b3Jk"
AUTH = AuthConfig(username=USER, password=PASSWORD)
WRONG = AuthConfig(username=USER, password="planted-wrong")  # noqa: S106
NAME = "mirrored.example.test"
"""A name that no resolver knows: only a mirror can serve it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Real servers, each with a way of its own to be reached, and room for more.

    Attributes:
        plain: open to everybody, plain HTTP.
        private: TLS by a private authority, for one user.
        mutual: TLS, for clients of its authority.
        by_token: plain HTTP, for who has a token of ``tokens``.
        tokens: gives them to one user.
        folder: of the test's own.
        ending: ends what a case starts.
    """

    plain: Registry
    private: Registry
    mutual: Registry
    by_token: Registry
    tokens: TokenServer
    folder: Path
    ending: contextlib.ExitStack

    def nginx(self, location: str) -> Nginx:
        """Start an nginx that does this with every request."""
        return self.ending.enter_context(Nginx(self.folder, location))


@dataclass(slots=True)
class Setup:
    """One case.

    Attributes:
        registry: that has the image.
        hosts: the text of ``hosts.toml``; empty for none.
        directory: of that file; empty for one that is called as the registry.
        is_second: whether that stands in the second folder of ``config_path``.
        domain: the name; empty for the registry's own address.
        auth: of the pull.
        resolved: is called when imagefit has resolved, before containerd pulls.
        proof: is called in the end, and asserts that servers were asked as they should be.
    """

    registry: Registry
    hosts: str = ""
    domain: str = ""
    directory: str = ""
    is_second: bool = False
    auth: AuthConfig | None = None
    resolved: Callable[[], object] = lambda: None
    proof: Callable[[], object] = lambda: None

    @property
    def name(self) -> str:
        """The registry's name in image names."""
        return self.domain or self.registry.address


Case = Callable[[Stage], Setup]


def plain_http_of_loopback(stage: Stage) -> Setup:
    """Nothing is configured: a loopback host speaks plain HTTP."""
    return Setup(stage.plain)


def name_of_loopback(stage: Stage) -> Setup:
    return Setup(stage.plain, domain=f"localhost:{stage.plain.port}")


def server_only(stage: Stage) -> Setup:
    """A file that containerd 1.6 does not take, since it has no ``[host]``; what it names is the default host here."""
    return Setup(stage.plain, f'server = "{stage.plain.url}"\n')


def host_and_server(stage: Stage) -> Setup:
    url = stage.plain.url
    return Setup(stage.plain, f'server = "https://{NAME}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n', NAME)


def server_after_hosts_that_may_not(stage: Stage) -> Setup:
    """A host that may only push is not asked; containerd 1.6 asks it for content by digest all the same."""
    unused = stage.nginx("return 404;")
    hosts = f'server = "{stage.plain.url}"\n[host."http://{unused.address}"]\ncapabilities = ["push"]\n'

    def is_unused() -> None:
        assert unused.asked() == []

    return Setup(stage.plain, hosts, NAME, resolved=is_unused)


def private_authority_and_password(stage: Stage) -> Setup:
    private = stage.private
    return Setup(private, f'[host."{private.url}"]\nca = "{private.authority}"\n', auth=AUTH)


def any_certificate(stage: Stage) -> Setup:
    return Setup(stage.private, f'[host."{stage.private.url}"]\nskip_verify = true\n', auth=AUTH)


def password_in_one_text(stage: Stage) -> Setup:
    hosts = f'[host."{stage.private.url}"]\nca = ["{stage.private.authority}"]\n'
    auth = AuthConfig(auth=BASIC, server_address=stage.private.url)
    return Setup(stage.private, hosts, auth=auth)


def client_certificate(stage: Stage) -> Setup:
    mutual = stage.mutual
    assert mutual.client is not None
    pair = f'client = [["{mutual.client.certificate}", "{mutual.client.key}"]]'
    return Setup(mutual, f'[host."{mutual.url}"]\nca = "{mutual.authority}"\n{pair}\n')


def tokens_for_a_password(stage: Stage) -> Setup:
    def proof() -> None:
        assert {one.authorization for one in stage.tokens.asked} == {f"Basic {BASIC}"}
        assert all(scope.endswith(":pull") for one in stage.tokens.asked for scope in one.scopes)

    stage.tokens.asked.clear()
    return Setup(stage.by_token, auth=AUTH, proof=proof)


def mirror_that_is_told_the_name(stage: Stage) -> Setup:
    location = f'if ($arg_ns != "{NAME}") {{ return 404; }} proxy_pass {stage.plain.url};'
    nginx = stage.nginx(location)

    def proof() -> None:
        assert {asked.namespace for asked in nginx.asked()} == {NAME}
        assert {asked.status for asked in nginx.asked()} == {200}

    return Setup(stage.plain, f'[host."http://{nginx.address}"]\n', NAME, proof=proof)


def default_folder(stage: Stage) -> Setup:
    """``_default`` is for every name that has no folder of its own."""
    return Setup(stage.plain, f'[host."{stage.plain.url}"]\n', "any.example.test:5000", "_default")


def directory_with_the_port_in_underscores(stage: Stage) -> Setup:
    return Setup(stage.plain, f'[host."{stage.plain.url}"]\n', f"{NAME}:5000", f"{NAME}_5000_")


def second_folder(stage: Stage) -> Setup:
    return Setup(stage.plain, f'[host."{stage.plain.url}"]\n', NAME, is_second=True)


def ipv6_literal(stage: Stage) -> Setup:
    """As a server: as a key of ``[host]``, and in image names, containerd 1.6 cannot read it."""
    nginx = stage.nginx(f"proxy_pass {stage.plain.url};")
    return Setup(stage.plain, f'server = "http://[::1]:{nginx.port}"\n[host]\n', NAME)


def header_for_a_host(stage: Stage) -> Setup:
    location = f'if ($http_x_mirror != "yes") {{ return 403; }} proxy_pass {stage.plain.url};'
    nginx = stage.nginx(location)
    url = f"http://{nginx.address}"
    return Setup(stage.plain, f'[host."{url}"]\n[host."{url}".header]\nX-Mirror = "yes"\n', NAME)


def path_of_its_own(stage: Stage) -> Setup:
    location = f"rewrite ^/images/(.*)$ /v2/$1 break; proxy_pass {stage.plain.url};"
    nginx = stage.nginx(location)
    return Setup(stage.plain, f'[host."http://{nginx.address}/images"]\noverride_path = true\n', NAME)


def path_before_the_api(stage: Stage) -> Setup:
    location = f"rewrite ^/hub/v2/(.*)$ /v2/$1 break; proxy_pass {stage.plain.url};"
    nginx = stage.nginx(location)
    return Setup(stage.plain, f'[host."http://{nginx.address}/hub"]\n', NAME)


def first_host_answers_502(stage: Stage) -> Setup:
    nginx = stage.nginx("return 502;")

    def proof() -> None:
        assert {asked.status for asked in nginx.asked()} == {502}

    hosts = f'[host."http://{nginx.address}"]\n[host."{stage.plain.url}"]\n'
    return Setup(stage.plain, hosts, NAME, proof=proof)


def first_host_has_nothing(stage: Stage) -> Setup:
    nginx = stage.nginx("return 404;")
    return Setup(stage.plain, f'[host."http://{nginx.address}"]\n[host."{stage.plain.url}"]\n', NAME)


def first_host_refuses_connections(stage: Stage) -> Setup:
    hosts = f'[host."http://127.0.0.1:{free_port()}"]\n[host."{stage.plain.url}"]\n'
    return Setup(stage.plain, hosts, NAME)


def first_host_swallows_connections(stage: Stage) -> Setup:
    """Imagefit gets past it in time; containerd 1.6, which waits 30 s, is let past it."""
    port = stage.ending.enter_context(black_hole())
    hosts = f'[host."http://127.0.0.1:{port}"]\ndial_timeout = "300ms"\n[host."{stage.plain.url}"]\n'
    return Setup(stage.plain, hosts, NAME, resolved=stage.ending.close)


CASES: Sequence[Case] = [
    plain_http_of_loopback,
    name_of_loopback,
    server_only,
    host_and_server,
    server_after_hosts_that_may_not,
    private_authority_and_password,
    any_certificate,
    password_in_one_text,
    client_certificate,
    tokens_for_a_password,
    mirror_that_is_told_the_name,
    default_folder,
    directory_with_the_port_in_underscores,
    second_folder,
    *([ipv6_literal] if HAS_IPV6 else []),
    header_for_a_host,
    path_of_its_own,
    path_before_the_api,
    first_host_answers_502,
    first_host_has_nothing,
    first_host_refuses_connections,
    first_host_swallows_connections,
]


def wrong_password(stage: Stage) -> Setup:
    hosts = f'[host."{stage.private.url}"]\nca = "{stage.private.authority}"\n'
    return Setup(stage.private, hosts, auth=WRONG)


def no_password(stage: Stage) -> Setup:
    return Setup(stage.private, f'[host."{stage.private.url}"]\nca = "{stage.private.authority}"\n')


def password_for_another_server(stage: Stage) -> Setup:
    auth = AuthConfig(username=USER, password=PASSWORD, server_address="https://other.example.test")
    hosts = f'[host."{stage.private.url}"]\nca = "{stage.private.authority}"\n'
    return Setup(stage.private, hosts, auth=auth)


def another_authority(stage: Stage) -> Setup:
    """The server is named, since containerd 2 takes any certificate of a loopback host that is not."""
    url, ca = stage.private.url, f'ca = "{stage.mutual.authority}"\n'
    return Setup(stage.private, f'server = "{url}"\n{ca}[host."{url}"]\n{ca}', auth=AUTH)


def no_client_certificate(stage: Stage) -> Setup:
    return Setup(stage.mutual, f'[host."{stage.mutual.url}"]\nca = "{stage.mutual.authority}"\n')


def no_token(stage: Stage) -> Setup:
    return Setup(stage.by_token)


def header_for_another_host(stage: Stage) -> Setup:
    nginx = stage.nginx(f'if ($http_x_mirror != "yes") {{ return 403; }} proxy_pass {stage.plain.url};')
    hosts = f'[host."http://{nginx.address}"]\n[host."http://127.0.0.1:1".header]\nX-Mirror = "yes"\n'
    return Setup(stage.plain, hosts, NAME)


def host_that_may_not_resolve(stage: Stage) -> Setup:
    return Setup(stage.plain, f'[host."{stage.plain.url}"]\ncapabilities = ["pull"]\n', NAME)


def missing_authority(stage: Stage) -> Setup:
    return Setup(stage.private, f'[host."{stage.private.url}"]\nca = "missing.pem"\n', auth=AUTH)


REFUSED: Sequence[Case] = [
    wrong_password,
    no_password,
    password_for_another_server,
    another_authority,
    no_client_certificate,
    no_token,
    header_for_another_host,
    host_that_may_not_resolve,
    missing_authority,
]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """Give a port on which no connection is completed any more: the queue of its listener is full."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        yield listener.getsockname()[1]
