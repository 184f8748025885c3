"""The hosts of a name by the legacy tables, in containerd's order."""

from pathlib import Path
from typing import Any

import pytest

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.containerd_config import ContainerdRegistries, TlsFiles
from imagefit.registry.host import RegistryHost
from imagefit.registry.mirrors import mirror_hosts


def asked(domain: str, **mirrors: list[str]) -> list[str]:
    registries = ContainerdRegistries(mirrors={name: tuple(urls) for name, urls in mirrors.items()})
    return [f"{host.origin}{host.path}" for host in mirror_hosts(registries, domain)]


ORDER: dict[str, tuple[str, dict[str, list[str]], list[str]]] = {
    "nothing": ("r.io", {}, ["https://r.io/v2"]),
    "docker-hub": ("docker.io", {}, ["https://registry-1.docker.io/v2"]),
    "loopback": ("localhost:5000", {}, ["http://localhost:5000/v2"]),
    "loopback-without-port": ("127.0.0.1", {}, ["http://127.0.0.1/v2"]),
    "mirrors-then-the-default": (
        "r.io",
        {"r.io": ["https://a", "http://b:5000"]},
        ["https://a/v2", "http://b:5000/v2", "https://r.io/v2"],
    ),
    "the-default-is-among-them": ("r.io", {"r.io": ["http://r.io", "https://b"]}, ["http://r.io/v2", "https://b/v2"]),
    "another-port-is-another-host": (
        "r.io",
        {"r.io": ["https://r.io:5000"]},
        ["https://r.io:5000/v2", "https://r.io/v2"],
    ),
    "wildcard": ("r.io", {"*": ["https://a"], "q.io": ["https://q"]}, ["https://a/v2", "https://r.io/v2"]),
    "an-own-table-hides-the-wildcard": ("r.io", {"*": ["https://a"], "r.io": []}, ["https://r.io/v2"]),
    "docker-hub-once": (
        "docker.io",
        {"docker.io": ["https://registry-1.docker.io"]},
        ["https://registry-1.docker.io/v2"],
    ),
    "path-as-written": ("r.io", {"r.io": ["https://a/hub"]}, ["https://a/hub", "https://r.io/v2"]),
    "path-is-cleaned": ("r.io", {"r.io": ["https://a//x/../v2/"]}, ["https://a/v2", "https://r.io/v2"]),
    "root": ("r.io", {"r.io": ["https://a/"]}, ["https://a", "https://r.io/v2"]),
    "no-scheme": ("r.io", {"r.io": ["a:5000"]}, ["https://a:5000/v2", "https://r.io/v2"]),
    "no-scheme-of-loopback": ("r.io", {"r.io": ["localhost:5000/v2"]}, ["http://localhost:5000/v2", "https://r.io/v2"]),
    "ipv6": ("r.io", {"r.io": ["http://[::1]:5000"]}, ["http://[::1]:5000/v2", "https://r.io/v2"]),
}


@pytest.mark.parametrize(("domain", "mirrors", "expected"), ORDER.values(), ids=ORDER)
def test_who_is_asked_in_which_order(domain: str, mirrors: dict[str, list[str]], expected: list[str]) -> None:
    assert asked(domain, **mirrors) == expected


TLS: list[tuple[TlsFiles, dict[str, Any]]] = [
    (TlsFiles(ca_file="/ca.pem"), {"ca_files": (Path("/ca.pem"),)}),
    (TlsFiles(ca_file="etc/ca.pem"), {"ca_files": (Path("/etc/ca.pem"),)}),
    (TlsFiles(cert_file="/c", key_file="/k"), {"client_pairs": ((Path("/c"), Path("/k")),)}),
    (TlsFiles(insecure_skip_verify=True), {"skip_verify": True}),
]


@pytest.mark.parametrize(("tls", "expected"), TLS)
def test_certificates_of_a_host(tls: TlsFiles, expected: dict[str, Any]) -> None:
    registries = ContainerdRegistries(mirrors={"r.io": ("https://a:5000", "https://b")}, tls={"a:5000": tls, "c": tls})
    mirror, other, default = mirror_hosts(registries, "r.io")
    capabilities = frozenset({"pull", "resolve"})
    assert mirror == RegistryHost("https", "a:5000", capabilities=capabilities, is_mirror=True, **expected)  # type: ignore[arg-type]
    assert other == RegistryHost("https", "b", capabilities=capabilities, is_mirror=True)  # type: ignore[arg-type]
    assert default == RegistryHost("https", "r.io", capabilities=capabilities)  # type: ignore[arg-type]


@pytest.mark.parametrize("tls", [TlsFiles(cert_file="/c"), TlsFiles(key_file="/k")], ids=["no-key", "no-certificate"])
def test_half_a_pair_fails_every_pull(tls: TlsFiles) -> None:
    with pytest.raises(InvalidConfigurationError, match="only one of"):
        mirror_hosts(ContainerdRegistries(tls={"r.io": tls}), "r.io")


@pytest.mark.parametrize("url", ["ftp://a", "https://", "https://a:99999", "https://a b"])
def test_an_endpoint_that_is_no_url_of_a_host(url: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"an endpoint of r\.io"):
        asked("r.io", **{"r.io": [url]})
