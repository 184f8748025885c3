"""How a ``hosts.toml`` is written.

Knows its keys. Leaves to ``hosts`` where the file stands and what happens if it is bad. Implements containerd's
``docs/hosts.md`` and ``parseHostsFile`` of ``core/remotes/docker/config/hosts.go``; unknown keys are ignored, as there.

It is read as containerd 2 reads it. containerd 1.6 knows no ``dial_timeout``, and ignores a file that has no ``[host]``
at all: there, such a file's ``server`` does not count and the default host is asked.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.host import (
    API_ROOT,
    DIAL_TIMEOUT_SECONDS,
    EVERYTHING,
    Capability,
    ClientPair,
    RegistryHost,
    default_host,
    is_mirror_of,
    may_speak_tls,
)
from imagefit.registry.toml_table import Table, load_toml

HOSTS_FILE: Final = "hosts.toml"
_TLS_KEYS: Final = ("ca", "client", "skip_verify")
_NETLOC: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNIT_SECONDS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}


def parse_hosts(content: bytes, directory: Path, domain: str) -> tuple[RegistryHost, ...]:
    """Read one ``hosts.toml``.

    Args:
        content: its bytes.
        directory: where it stands; relative certificate paths start there, and errors name it.
        domain: whose hosts these are.

    Returns:
        Its hosts in file order, then its ``server`` or, without one, the default host of ``domain``.

    Raises:
        InvalidConfigurationError: containerd would not read it either; the message names the file and the key.
    """
    try:
        table = load_toml(content)
    except ValueError as error:
        raise InvalidConfigurationError(f"{directory / HOSTS_FILE}: not TOML: {error}") from error
    top = Table(directory / HOSTS_FILE, "", table)
    hosts = [_parse_host(name, entry, directory) for name, entry in top.tables("host")]
    hosts.append(_parse_last(top, directory, domain))
    return tuple(replace(host, is_mirror=is_mirror_of(host.host, domain)) for host in hosts)


def _parse_host(server: str, entry: Table, directory: Path) -> RegistryHost:
    parts = split_url(server if "://" in server else f"https://{server}")
    if parts is None:
        raise entry.wrong("server" if entry.has("server") else "", "is no host such as https://registry.example.com")
    # containerd takes settings of TLS, even the default written out, for a sign that the host may speak it.
    has_tls = any(entry.has(key) for key in _TLS_KEYS)
    return RegistryHost(
        scheme=parts.scheme,
        host=parts.netloc,
        path=_api_path(parts.path, overridden=entry.flag("override_path")),
        tls_first=parts.scheme == "http" and has_tls and may_speak_tls(parts.netloc),
        capabilities=_capabilities(entry),
        ca_files=tuple(_path(entry, "ca", value, directory) for value in entry.items("ca")),
        client_pairs=tuple(_client_pair(entry, value, directory) for value in entry.items("client")),
        skip_verify=entry.flag("skip_verify"),
        headers=entry.headers("header"),
        dial_timeout_seconds=_duration_seconds(entry, "dial_timeout"),
    )


def split_url(url: str) -> SplitResult | None:
    """Take a host's URL apart; None for what is no URL of a host. As in containerd, credentials are left out."""
    try:
        parts = urlsplit(url)
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        usable = parts.scheme in {"http", "https"} and _NETLOC.fullmatch(parts.netloc) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _parse_last(entry: Table, directory: Path, domain: str) -> RegistryHost:
    if server := entry.text("server"):
        return _parse_host(server, entry, directory)
    # As in containerd, the top level then sets certificates and headers of the default host, but not what it may do.
    plain = default_host(domain)
    configured = _parse_host(plain.origin, entry, directory)
    return replace(
        configured,
        path=plain.path,
        capabilities=plain.capabilities,
        skip_verify=configured.skip_verify or plain.skip_verify,
        tls_first=plain.tls_first,
    )


def _api_path(path: str, *, overridden: bool) -> str:
    clean = posixpath.normpath(f"/{path}").strip("/")
    rooted = f"/{clean}" if clean else ""
    return rooted if overridden or rooted.endswith(API_ROOT) else rooted + API_ROOT


def _capabilities(entry: Table) -> frozenset[Capability]:
    found: set[Capability] = set()
    for value in entry.items("capabilities"):
        match value.lower() if isinstance(value, str) else value:
            case "pull" | "resolve" | "push" as known:
                found.add(known)
            case _:
                raise entry.wrong("capabilities", f"has {str(value)[:50]!r}, which is not pull, resolve or push")
    return frozenset(found) or EVERYTHING


def _client_pair(entry: Table, value: object, directory: Path) -> ClientPair:
    match value:
        case str():
            return _path(entry, "client", value, directory), None
        case [certificate, key]:
            return _path(entry, "client", certificate, directory), _path(entry, "client", key, directory)
        case _:
            raise entry.wrong("client", "holds something that is neither a path nor a pair of paths")


def _path(entry: Table, key: str, value: object, directory: Path) -> Path:
    if not isinstance(value, str):
        raise entry.wrong(key, "holds something that is not a path")
    return directory / value


def _duration_seconds(entry: Table, key: str) -> float:
    text = entry.text(key)
    if not text:
        return DIAL_TIMEOUT_SECONDS
    if _DURATION_PART.sub("", text):
        raise entry.wrong(key, "is not a duration such as 5s")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    return seconds or DIAL_TIMEOUT_SECONDS
