"""``certs.d`` as containerd reads it: order, keys, fall-backs and what is refused."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.host import RegistryHost, default_host, is_loopback
from imagefit.registry.hosts import OnProblem, directory_hosts, find_directory, host_directories, parse_certificates
from imagefit.registry.hosts_file import parse_hosts
from imagefit.registry.sources import Sources

DOMAIN = "registry.example.com"
HERE = Path("/etc/containerd/certs.d/registry.example.com")

DEFAULTS = {
    "docker.io": RegistryHost("https", "registry-1.docker.io"),
    DOMAIN: RegistryHost("https", DOMAIN),
    "registry.example.com:5000": RegistryHost("https", "registry.example.com:5000"),
    "localhost:5000": RegistryHost("http", "localhost:5000", skip_verify=True, tls_first=True),
    "127.1.2.3:5000": RegistryHost("http", "127.1.2.3:5000", skip_verify=True, tls_first=True),
    "[::1]:5000": RegistryHost("http", "[::1]:5000", skip_verify=True, tls_first=True),
    "localhost:443": RegistryHost("http", "localhost:443", skip_verify=True, tls_first=True),
    "localhost": RegistryHost("http", "localhost", skip_verify=True, tls_first=True),
    "127.0.0.1": RegistryHost("http", "127.0.0.1", skip_verify=True, tls_first=True),
    "localhost:80": RegistryHost("http", "localhost:80"),
    "LOCALHOST:5000": RegistryHost("https", "LOCALHOST:5000"),
    "[::1]": RegistryHost("https", "[::1]"),
    "[::2]:5000": RegistryHost("https", "[::2]:5000"),
    "localhost.example.com": RegistryHost("https", "localhost.example.com"),
    "128.0.0.1:5000": RegistryHost("https", "128.0.0.1:5000"),
}


def read_hosts(roots: Sequence[Path], domain: str, on_problem: OnProblem | None = None) -> tuple[RegistryHost, ...]:
    """Read what the folders say, and nothing else."""
    directory = find_directory(roots, domain, Sources())
    return directory_hosts(directory, domain, Sources(), on_problem) if directory else (default_host(domain),)


@pytest.mark.parametrize(("domain", "host"), DEFAULTS.items(), ids=DEFAULTS)
def test_the_host_without_configuration(domain: str, host: RegistryHost) -> None:
    assert default_host(domain) == host
    assert read_hosts((), domain) == (host,)


def test_loopback_names() -> None:
    assert all(map(is_loopback, ("localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "[::1]")))
    assert not any(map(is_loopback, ("", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "::2")))


def test_the_order_of_directories() -> None:
    root = Path("/r")
    assert host_directories(root, "h:5000") == (root / "h_5000_", root / "h:5000", root / "_default")
    assert host_directories(root, "h") == (root / "h", root / "_default")


def test_hosts_stand_in_file_order_and_the_server_last() -> None:
    content = b"""
server = "https://registry.example.com"
[host."https://z.example.com"]
  capabilities = ["pull"]
[host."http://a.example.com:5000".header]
  x = "1"
[host."m.example.com/v2/cache"]
"""
    hosts = parse_hosts(content, HERE, DOMAIN)
    assert [host.origin + host.path for host in hosts] == [
        "https://z.example.com/v2",
        "http://a.example.com:5000/v2",
        "https://m.example.com/v2/cache/v2",
        "https://registry.example.com/v2",
    ]
    assert [host.is_mirror for host in hosts] == [True, True, True, False]
    assert hosts[0].capabilities == {"pull"}
    assert hosts[1].headers == (("x", "1"),)


def test_without_a_server_the_default_host_is_last_and_may_do_everything() -> None:
    hosts = parse_hosts(b'capabilities = ["pull"]\nskip_verify = true\n[host."https://m"]', HERE, "docker.io")
    assert [host.host for host in hosts] == ["m", "registry-1.docker.io"]
    assert hosts[1] == replace(default_host("docker.io"), skip_verify=True)


def test_a_server_of_another_name_is_a_mirror() -> None:
    (host,) = parse_hosts(b'server = "https://cache.example.com"\ncapabilities = ["pull"]', HERE, DOMAIN)
    assert host.is_mirror
    assert host.capabilities == {"pull"}


def test_credentials_in_a_url_are_left_out_as_containerd_does() -> None:
    (host,) = parse_hosts(b'server = "https://user:planted@h:5000"', HERE, DOMAIN)
    assert (host.host, host.origin) == ("h:5000", "https://h:5000")


HTTP = {
    '[host."http://h:5000"]': False,
    '[host."http://h:5000"]\nskip_verify = true': True,
    '[host."http://h:5000"]\nskip_verify = false': True,
    '[host."http://h:5000"]\nca = "ca.pem"': True,
    '[host."http://h:5000"]\nclient = "both.pem"': True,
    '[host."http://h:5000".header]\nX = "1"': False,
    '[host."http://h"]\nskip_verify = true': True,
    '[host."http://h:80"]\nskip_verify = true': False,
    '[host."https://h:5000"]\nskip_verify = true': False,
    'server = "http://h:5000"\nskip_verify = true': True,
}


@pytest.mark.parametrize(("text", "tls_first"), HTTP.items(), ids=HTTP)
def test_http_with_settings_of_tls_may_be_either(text: str, tls_first: bool) -> None:  # noqa: FBT001
    assert parse_hosts(text.encode(), HERE, DOMAIN)[0].tls_first is tls_first


PATHS = {
    'server = "https://h"': "/v2",
    'server = "https://h/"': "/v2",
    'server = "https://h/v2"': "/v2",
    'server = "https://h/v2/"': "/v2",
    'server = "https://h//a/../b"': "/b/v2",
    'server = "https://h/a"\noverride_path = true': "/a",
    'server = "https://h"\noverride_path = true': "",
}


@pytest.mark.parametrize(("text", "path"), PATHS.items(), ids=PATHS)
def test_the_root_of_the_api(text: str, path: str) -> None:
    assert parse_hosts(text.encode(), HERE, DOMAIN)[-1].path == path


VALUES = {
    'ca = "ca.pem"': {"ca_files": (HERE / "ca.pem",)},
    'ca = ["/a.pem", "b.pem"]': {"ca_files": (Path("/a.pem"), HERE / "b.pem")},
    'client = "both.pem"': {"client_pairs": ((HERE / "both.pem", None),)},
    'client = ["a.pem", "b.pem"]': {"client_pairs": ((HERE / "a.pem", None), (HERE / "b.pem", None))},
    'client = [["a.cert", "/a.key"]]': {"client_pairs": ((HERE / "a.cert", Path("/a.key")),)},
    "skip_verify = true": {"skip_verify": True},
    'dial_timeout = "1m1.5s"': {"dial_timeout_seconds": 61.5},
    'dial_timeout = ""': {},
    'capabilities = ["Pull", "resolve"]': {"capabilities": frozenset({"pull", "resolve"})},
    "capabilities = []": {},
    "unknown = 1": {},
    'header = {X = "1", Y = ["2", "3"]}': {"headers": (("X", "1"), ("Y", "2"), ("Y", "3"))},
}


@pytest.mark.parametrize(("line", "changed"), VALUES.items(), ids=VALUES)
def test_what_a_key_sets(line: str, changed: dict[str, object]) -> None:
    text = f'server = "https://{DOMAIN}"\n{line}'
    assert parse_hosts(text.encode(), HERE, DOMAIN) == (replace(default_host(DOMAIN), **changed),)  # type: ignore[arg-type]


REFUSED = {
    "server": ["server = 1", 'server = "https://"', 'server = "ftp://h"', 'server = "h:0"'],
    "host": ["host = 1", '[host."https://h:99999"]', '[host]\n"https://h" = 1'],
    "capabilities": ['capabilities = ["read"]', "capabilities = [1]", "capabilities = 1"],
    "ca": ["ca = 1", "ca = [1]"],
    "client": ["client = 1", "client = [1]", 'client = [["a"]]', 'client = [["a", "b", "c"]]', 'client = [["a", 1]]'],
    "skip_verify": ['skip_verify = "yes"'],
    "override_path": ['server = "h"\noverride_path = 1'],
    "header": ["header = 1", "header = {X = 1}", 'header = {"X Y" = "1"}', 'header = {X = "1\\r\\nY: 2"}'],
    "dial_timeout": ["dial_timeout = 5", 'dial_timeout = "5"', 'dial_timeout = "-5s"', 'dial_timeout = "5 s"'],
    "not TOML": ["[", "\x00"],
}


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in REFUSED.items() for text in texts])
def test_a_bad_file_is_named_with_its_key(key: str, text: str) -> None:
    with pytest.raises(InvalidConfigurationError) as caught:
        parse_hosts(text.encode(), HERE, DOMAIN)
    assert str(caught.value).startswith(f"{HERE}/hosts.toml: ")
    assert key in str(caught.value)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(InvalidConfigurationError):
        assert parse_hosts(content, HERE, DOMAIN)


def test_headers_are_in_no_repr() -> None:
    (host,) = parse_hosts(b'header = {Authorization = "planted"}', HERE, DOMAIN)
    assert "planted" not in repr(host)


def test_certificates_in_dockers_layout() -> None:
    names = ["b.crt", "a.crt", "one.cert", "one.key", "two.cert", "readme"]
    authorities, pairs = parse_certificates(names, HERE)
    assert authorities == (HERE / "a.crt", HERE / "b.crt")
    assert pairs == ((HERE / "one.cert", HERE / "one.key"), (HERE / "two.cert", None))


def put_hosts(directory: Path, text: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "hosts.toml").write_text(text)


def test_the_first_directory_that_is_there_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put_hosts(two / "h_5000_", 'server = "https://two"')
    assert read_hosts((one, two), "h:5000")[0].host == "two"
    put_hosts(one / "_default", 'server = "https://default"')
    assert read_hosts((one, two), "h:5000")[0].host == "default"
    put_hosts(one / "h:5000", 'server = "https://colon"')
    assert read_hosts((one, two), "h:5000")[0].host == "colon"
    put_hosts(one / "h_5000_", 'server = "https://underscore"')
    assert read_hosts((one, two), "h:5000")[0].host == "underscore"


def test_certificates_count_where_there_is_no_file(tmp_path: Path) -> None:
    (tmp_path / DOMAIN).mkdir()
    (tmp_path / DOMAIN / "ca.crt").touch()
    (host,) = read_hosts((tmp_path,), DOMAIN)
    assert host == replace(default_host(DOMAIN), ca_files=(tmp_path / DOMAIN / "ca.crt",))


def test_a_bad_file_is_passed_over_as_containerd_does_but_told(tmp_path: Path) -> None:
    problems: list[InvalidConfigurationError] = []
    put_hosts(tmp_path / DOMAIN, 'capabilities = ["read"]')
    (tmp_path / DOMAIN / "ca.crt").touch()
    (host,) = read_hosts((tmp_path,), DOMAIN, problems.append)
    assert host.ca_files == (tmp_path / DOMAIN / "ca.crt",)
    assert [str(problem) for problem in problems] == [
        f"{tmp_path / DOMAIN}/hosts.toml: capabilities has 'read', which is not pull, resolve or push"
    ]
    assert read_hosts((tmp_path,), DOMAIN) == (host,)


def test_what_is_there_and_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / DOMAIN / "hosts.toml").mkdir(parents=True)
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        read_hosts((tmp_path,), DOMAIN)
    (tmp_path / "file").touch()
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        read_hosts((tmp_path / "file",), DOMAIN)
    (tmp_path / "other.example.com").touch()
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        read_hosts((tmp_path,), "other.example.com")


def test_a_file_that_would_take_the_toml_library_minutes_is_refused() -> None:
    for content in (b"a." * 1001 + b"a = 1", b"[" + b"a." * 1001 + b"a]"):
        with pytest.raises(InvalidConfigurationError, match=r"hosts\.toml: not TOML: too many dots"):
            parse_hosts(content, HERE, DOMAIN)
    assert parse_hosts(b"a." * 999 + b"a = 1", HERE, DOMAIN) == parse_hosts(b"", HERE, DOMAIN)
