"""Which configuration counts for a name, and that files are parsed again only when they have changed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.credentials import Credentials, credentials_for
from imagefit.registry.host import default_host
from imagefit.registry.lookup import CONFIG_PATHS, Hosts
from imagefit.registry.schemes import Schemes
from imagefit.registry.sources import Sources

NAME = "registry.example.com"
SECRET = "planted-5ecret"  # noqa: S105  # planted to be looked for
SECTION = 'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n'
MIRROR = 'mirrors."*".endpoint = ["https://legacy"]\n'


class Node:
    """A node's files, and the clock that tells which of them may change once more unseen."""

    def __init__(self, root: Path) -> None:
        self.now_ns: Callable[[], int] = time.time_ns
        self.config = root / "config.toml"
        self.ours, self.theirs = root / "ours", root / "theirs"
        self.problems: list[str] = []

    def hosts(self, *, with_ours: bool = False, with_config: bool = True) -> Hosts:
        return Hosts(
            (self.ours,) if with_ours else (),
            self.config if with_config else None,
            lambda problem: self.problems.append(str(problem)),
            Schemes(lambda *_: False, {}),
            lambda: Sources(self.now_ns),
        )

    def put(self, folder: Path, text: str, name: str = NAME) -> Path:
        file = folder / name / "hosts.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def later() -> int:
    return time.time_ns() + 10**12


def names(hosts: Hosts, name: str = NAME) -> list[str]:
    return [host.host for host in hosts(name)]


def test_containerds_config_path_counts_where_ours_is_not_given(node: Node) -> None:
    node.config.write_text(f'{SECTION}config_path = "{node.theirs}:/nowhere"')
    folder = node.put(node.theirs, 'server = "https://theirs"').parent
    node.put(node.ours, 'server = "https://ours"')
    assert names(node.hosts()) == ["theirs"]
    assert node.hosts().find(NAME).origin == folder
    assert node.hosts().find(NAME).config_paths == (node.theirs, Path("/nowhere"))
    assert names(node.hosts(with_ours=True)) == ["ours"]
    assert node.hosts(with_config=False).find(NAME).config_paths == CONFIG_PATHS


def test_ours_counts_alone_where_it_is_given(node: Node) -> None:
    node.config.write_text(f'{SECTION}config_path = "{node.theirs}"')
    node.put(node.theirs, 'server = "https://theirs"')
    assert names(node.hosts(with_ours=True)) == [NAME]
    assert node.hosts(with_ours=True).find(NAME).origin is None


def test_legacy_tables_count_where_no_folder_is_for_the_name(node: Node) -> None:
    node.config.write_text(SECTION + MIRROR)
    assert names(node.hosts()) == ["legacy", NAME]
    assert node.hosts().find(NAME).origin == node.config
    assert node.hosts().find(NAME).config_paths == ()  # as containerd, which reads no folders beside such tables
    assert names(node.hosts(with_ours=True)) == ["legacy", NAME]
    node.put(node.ours, 'server = "https://ours"')
    assert names(node.hosts(with_ours=True)) == ["ours"]
    assert names(node.hosts(with_ours=True), "another.example.com") == ["legacy", "another.example.com"]


def test_an_empty_config_path_is_one_that_reads_nothing(node: Node) -> None:
    node.config.write_text(f'{SECTION}config_path = ""')
    assert node.hosts().find("localhost:5000").config_paths == ()
    assert [(host.scheme, host.tls_first) for host in node.hosts().find("localhost:5000").hosts] == [("http", False)]


@pytest.mark.parametrize("text", [None, "", "version = 2", SECTION + 'configs.x.auth.username = "u"'])
def test_where_nothing_is_said_the_defaults_hold(node: Node, text: str | None) -> None:
    if text is not None:
        node.config.write_text(text)
    found = node.hosts().find(NAME)
    assert (found.hosts, found.origin, found.config_paths) == ((default_host(NAME),), None, CONFIG_PATHS)


def test_credentials_and_headers_hold_for_their_hosts_either_way(node: Node) -> None:
    more = f'configs."m:5000".auth = {{username = "u", password = "{SECRET}"}}\nheaders.X = ["{SECRET}"]\n'
    node.put(node.theirs, '[host."https://m:5000".header]\nY = "2"')
    for line in (f'config_path = "{node.theirs}"\n', f'mirrors."{NAME}".endpoint = ["https://m:5000"]\n'):
        node.config.write_text(SECTION + line + more)
        mirror, server = node.hosts()(NAME)
        assert mirror.auth == AuthConfig("u", SECRET)
        assert server.auth is None
        assert ("X", SECRET) in mirror.headers
        assert server.headers == (("X", SECRET),)
        assert SECRET not in repr(mirror)
        assert SECRET not in repr(node.hosts().find(NAME))


def test_configured_credentials_are_for_requests_that_bring_none() -> None:
    configured = AuthConfig("configured", SECRET)
    assert credentials_for(None, "h", configured) == Credentials("configured", SECRET)
    assert credentials_for(AuthConfig("own", "x"), "h", configured) == Credentials("own", "x")
    for own in (AuthConfig(), AuthConfig("own", "x", server_address="https://other")):
        assert credentials_for(own, "h", configured) is None
    assert credentials_for(None, "h") is None


def test_a_host_is_asked_in_what_it_speaks(node: Node) -> None:
    hosts = Hosts((node.ours,), None, None, Schemes(lambda *_: True, {}))
    assert [host.origin for host in hosts("localhost:5000")] == ["https://localhost:5000"]
    assert [host.origin for host in node.hosts()("localhost:5000")] == ["http://localhost:5000"]
    assert [host.tls_first for host in hosts.find("localhost:5000").hosts] == [True]


def test_a_change_counts_at_once(node: Node) -> None:
    hosts = node.hosts(with_ours=True)
    assert names(hosts) == [NAME]
    for number in range(20):  # faster than the file system's clock ticks, and of the same length
        node.put(node.ours, f'server = "https://h{number:02}"')
        assert names(hosts) == [f"h{number:02}"]
    (node.ours / NAME / "hosts.toml").unlink()
    (node.ours / NAME / "ca.crt").touch()
    assert hosts(NAME)[0].ca_files == (node.ours / NAME / "ca.crt",)
    (node.ours / NAME / "ca.crt").unlink()
    (node.ours / NAME).rmdir()
    assert names(hosts) == [NAME]
    node.config.write_text(SECTION + MIRROR)
    assert names(hosts) == ["legacy", NAME]
    node.config.unlink()
    assert names(hosts) == [NAME]


def test_what_has_not_changed_is_not_parsed_again(node: Node) -> None:
    node.config.write_text(SECTION + MIRROR)
    node.put(node.ours, 'server = "https://ours"')
    node.now_ns = later
    hosts = node.hosts(with_ours=True)
    first = hosts.find(NAME)
    assert hosts.find(NAME) is first
    # Nothing of it is even looked into: the same length at another time is a change, and only then it is.
    os.utime(node.ours / NAME / "hosts.toml")
    assert hosts.find(NAME) is not first


def test_a_problem_is_told_once_per_change(node: Node) -> None:
    file = node.put(node.ours, 'capabilities = ["read"]')
    node.config.write_text("nonsense")
    node.now_ns = later
    hosts = node.hosts(with_ours=True)
    for _ in range(3):
        assert names(hosts) == [NAME]
    assert [problem.partition(":")[0] for problem in node.problems] == [str(node.config), str(file)]
    file.write_text('capabilities = ["write"]')
    for _ in range(3):
        hosts(NAME)
    assert len(node.problems) == 3


def test_a_file_of_containerds_that_is_broken_leaves_what_it_said(node: Node) -> None:
    node.config.write_text(SECTION + MIRROR)
    hosts = node.hosts()
    assert names(hosts) == ["legacy", NAME]
    node.config.write_text("nonsense")
    assert names(hosts) == ["legacy", NAME]
    assert len(node.problems) == 1


@pytest.mark.parametrize(
    "line", ['ca = "missing.pem"', 'client = "missing.pem"', 'client = [["missing.pem", "ca.pem"]]']
)
def test_a_missing_certificate_fails_every_pull_of_the_name(node: Node, line: str) -> None:
    folder = node.put(node.ours, f'[host."https://m"]\n{line}').parent
    (folder / "ca.pem").touch()
    hosts = node.hosts(with_ours=True)
    with pytest.raises(InvalidConfigurationError, match=r"missing\.pem: is configured for m and not there"):
        hosts(NAME)
    (folder / "missing.pem").touch()
    assert names(hosts) == ["m", NAME]


def test_what_is_remembered_is_bounded(node: Node) -> None:
    hosts = node.hosts()
    for number in range(1000):
        hosts.find(f"h{number}.example.com")
    assert len(hosts._found) <= 256
