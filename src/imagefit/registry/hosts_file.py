"""How a ``hosts.toml`` is written.

Knows its keys. Leaves to ``hosts`` where the file stands and what happens if it is bad. Implements containerd's
``docs/hosts.md`` and ``parseHostsFile`` of ``core/remotes/docker/config/hosts.go``; unknown keys are ignored, as there.
"""

import posixpath
import re
import tomllib
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
    Header,
    RegistryHost,
    default_host,
)

HOSTS_FILE: Final = "hosts.toml"
_NETLOC: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
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
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidConfigurationError(f"{directory / HOSTS_FILE}: not TOML: {error}") from error
    entries = _Entry(directory, "host", {"host": table.get("host", {})}).table("host")
    hosts = [_parse_host(str(name), _Entry(directory, f'host."{name}"', entry)) for name, entry in entries.items()]
    hosts.append(_parse_last(_Entry(directory, "", table), domain))
    return tuple(replace(host, is_mirror=_is_mirror(host.host, domain)) for host in hosts)


class _Entry:
    """One table of a ``hosts.toml``: gives values of the right type or names the key that has another."""

    def __init__(self, directory: Path, place: str, table: object) -> None:
        self.directory = directory
        self._place = place
        if not isinstance(table, dict):
            raise self.wrong("", "is not a table")
        self._table: dict[str, object] = table

    def wrong(self, key: str, what: str) -> InvalidConfigurationError:
        place = ".".join(part for part in (self._place, key) if part)
        return InvalidConfigurationError(f"{self.directory / HOSTS_FILE}: {place} {what}")

    def text(self, key: str) -> str:
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(key, "is not a string")
        return value

    def flag(self, key: str) -> bool:
        value = self._table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "is not true or false")
        return value

    def table(self, key: str) -> dict[str, object]:
        value = self._table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "is not a table")
        return value

    def has(self, key: str) -> bool:
        return key in self._table

    def items(self, key: str) -> list[object]:
        value = self._table.get(key, [])
        if not isinstance(value, str | list):
            raise self.wrong(key, "is neither a string nor a list")
        return [value] if isinstance(value, str) else value

    def path(self, key: str, value: object) -> Path:
        if not isinstance(value, str):
            raise self.wrong(key, "holds something that is not a path")
        return self.directory / value


def _parse_host(server: str, entry: _Entry) -> RegistryHost:
    parts = _split_url(server if "://" in server else f"https://{server}")
    if parts is None:
        raise entry.wrong("server" if entry.has("server") else "", "is no host such as https://registry.example.com")
    return RegistryHost(
        scheme=parts.scheme,
        host=parts.netloc,
        path=_api_path(parts.path, overridden=entry.flag("override_path")),
        capabilities=_capabilities(entry),
        ca_files=tuple(entry.path("ca", value) for value in entry.items("ca")),
        client_pairs=tuple(_client_pair(entry, value) for value in entry.items("client")),
        skip_verify=entry.flag("skip_verify"),
        headers=_headers(entry),
        dial_timeout_seconds=_duration_seconds(entry, "dial_timeout"),
    )


def _split_url(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and _NETLOC.fullmatch(parts.netloc) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _parse_last(entry: _Entry, domain: str) -> RegistryHost:
    if server := entry.text("server"):
        return _parse_host(server, entry)
    # As in containerd, the top level then sets certificates and headers of the default host, but not what it may do.
    plain = default_host(domain)
    configured = _parse_host(plain.origin, entry)
    return replace(
        configured,
        path=plain.path,
        capabilities=plain.capabilities,
        skip_verify=configured.skip_verify or plain.skip_verify,
    )


def _api_path(path: str, *, overridden: bool) -> str:
    clean = posixpath.normpath(f"/{path}").strip("/")
    rooted = f"/{clean}" if clean else ""
    return rooted if overridden or rooted.endswith(API_ROOT) else rooted + API_ROOT


def _capabilities(entry: _Entry) -> frozenset[Capability]:
    found: set[Capability] = set()
    for value in entry.items("capabilities"):
        match value.lower() if isinstance(value, str) else value:
            case "pull" | "resolve" | "push" as known:
                found.add(known)
            case _:
                raise entry.wrong("capabilities", f"has {str(value)[:50]!r}, which is not pull, resolve or push")
    return frozenset(found) or EVERYTHING


def _client_pair(entry: _Entry, value: object) -> ClientPair:
    match value:
        case str():
            return entry.path("client", value), None
        case [certificate, key]:
            return entry.path("client", certificate), entry.path("client", key)
        case _:
            raise entry.wrong("client", "holds something that is neither a path nor a pair of paths")


def _headers(entry: _Entry) -> tuple[Header, ...]:
    found: list[Header] = []
    for name, given in entry.table("header").items():
        values = given if isinstance(given, list) else [given]
        for value in values:
            if not (isinstance(value, str) and _HEADER_VALUE.fullmatch(value) and _HEADER_NAME.fullmatch(name)):
                raise entry.wrong(f"header.{name}", "is not a header")
            found.append((name, value))
    return tuple(found)


def _duration_seconds(entry: _Entry, key: str) -> float:
    text = entry.text(key)
    if not text:
        return DIAL_TIMEOUT_SECONDS
    if _DURATION_PART.sub("", text):
        raise entry.wrong(key, "is not a duration such as 5s")
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    return seconds or DIAL_TIMEOUT_SECONDS


def _is_mirror(host: str, domain: str) -> bool:
    return host not in (domain, default_host(domain).host)
