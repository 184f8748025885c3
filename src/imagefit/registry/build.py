"""A registry client as the daemon and the command line use it: containerd's hosts, the disk cache, problems logged."""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from imagefit import telemetry
from imagefit.errors import InvalidConfigurationError
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.hosts import read_hosts
from imagefit.telemetry import metrics

log = telemetry.part("registry")


def registry_client(config_paths: Sequence[Path], cache: Path) -> RegistryClient:
    """Return a client; it touches neither network nor disk before its first call.

    Args:
        config_paths: containerd's ``config_path``, split at colons.
        cache: folder for content by digest.
    """
    return RegistryClient(
        partial(read_hosts, tuple(config_paths), on_problem=_report_hosts),
        ContentCache(cache, on_problem=_report_cache),
        f"imagefit/{version('imagefit')}",
        report_request,
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
