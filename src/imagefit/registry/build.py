"""A registry client as the daemon and the command line use it: containerd's hosts, the disk cache, problems logged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagefit import telemetry
from imagefit.errors import InvalidConfigurationError
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.lookup import Hosts
from imagefit.registry.resolution import Memory
from imagefit.telemetry import metrics
from imagefit.version import VERSION

log = telemetry.part("registry")


@dataclass(frozen=True, slots=True)
class Places:
    """Where files are, and whom they do not name.

    Attributes:
        cache: folder for content by digest.
        config_paths: imagefit's own ``config-path``, split at colons; empty where it is not given.
        containerd_config: containerd's ``config.toml``; None to do without.
        token_servers: registries, each with a token server on another site that may see its credentials.
    """

    cache: Path
    config_paths: Sequence[Path] = ()
    containerd_config: Path | None = None
    token_servers: Sequence[tuple[str, str]] = ()


def registry_client(places: Places, memory: Memory | None = None) -> RegistryClient:
    """Return a client; it touches neither network nor disk before its first call.

    Args:
        places: where files are.
        memory: how long is believed what was learnt.
    """
    return RegistryClient(
        Hosts(places.config_paths, places.containerd_config, _report_hosts, token_servers=places.token_servers),
        ContentCache(places.cache, on_problem=_report_cache),
        f"imagefit/{VERSION}",
        report_request,
        memory,
    )


def report_request(host: str, method: str, outcome: str) -> None:
    """Count and log one request on the wire."""
    # A registry can answer with any number; there must be room for the words of others.
    counted = f"{outcome[0]}xx" if outcome.isdecimal() and outcome not in metrics.STATUSES else outcome
    metrics.REGISTRY_REQUESTS.add(host=host, method=method, outcome=counted)
    log.debug("registry-request", host=host, method=method, outcome=outcome)


def _report_hosts(problem: InvalidConfigurationError) -> None:
    log.warning("hosts-ignored", error=problem)


def _report_cache(problem: OSError) -> None:
    log.warning("cache-failed", error=problem)
