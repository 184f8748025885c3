"""Which proxy a request goes through, as containerd (Go's ``net/http``) reads the environment.

Knows HTTP_PROXY, HTTPS_PROXY and NO_PROXY in both cases. Leaves the connection to ``transport``. Implements the rules
of ``golang.org/x/net/http/httpproxy``; Python's own reading of NO_PROXY knows no address ranges, which clusters use.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from imagefit.registry.host import PORT_MAX_DIGITS, is_loopback

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Target:
    hostname: str
    port: int


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy for ``url``, a URL that may hold credentials, or None where the request goes out directly.

    Args:
        url: absolute ``http`` or ``https`` URL of the request.
        environment: of the process.
    """
    parts = urlsplit(url)
    target = _Target((parts.hostname or "").rstrip("."), _port(parts))
    proxy = _variable(environment, f"{parts.scheme}_proxy")
    if not proxy or is_loopback(target.hostname):
        return None
    entries = (entry.strip() for entry in _variable(environment, "no_proxy").split(","))
    if any(_covers(entry.lower(), target) for entry in entries if entry):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name.upper()) or environment.get(name, "")


def _port(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def _covers(entry: str, target: _Target) -> bool:
    if entry == "*":
        return True
    if "/" in entry:
        return _is_in_network(entry, target.hostname)
    name, port = _split_port(entry)
    if port is not None and port != target.port:
        return False
    if name.startswith("*."):
        name = name[1:]
    if name.startswith("."):
        return target.hostname.endswith(name)
    return target.hostname == name or target.hostname.endswith(f".{name}")


def _is_in_network(entry: str, hostname: str) -> bool:
    try:
        return ipaddress.ip_address(hostname) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, _number(rest[1:])
    name, _, port = entry.partition(":")
    number = _number(port)
    return (entry, None) if number is None else (name, number)


def _number(port: str) -> int | None:
    return int(port) if port.isdecimal() and len(port) <= PORT_MAX_DIGITS else None
