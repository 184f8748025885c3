"""Which hosts serve a name by the legacy tables of containerd's ``config.toml``: ``mirrors`` and ``configs``.

Knows their rules. Leaves reading to ``containerd_config``, and to ``lookup`` when they count. Implements
``registryEndpoints`` and ``registryHosts`` of containerd's CRI plugin (1.6: ``pkg/cri/server/image_pull.go``; 2.x:
``internal/cri/server/images/image_pull.go``, which has no ``tls`` any more).

Other than in ``certs.d``, the path of an endpoint is the root of the API as it is written, a loopback host is asked
over plain HTTP at once, and every host may resolve.
"""

import posixpath
from pathlib import Path
from typing import Final

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.containerd_config import ContainerdRegistries, TlsFiles
from imagefit.registry.host import API_ROOT, Capability, RegistryHost, default_host, is_local, is_mirror_of
from imagefit.registry.hosts_file import split_url

_CAPABILITIES: Final[frozenset[Capability]] = frozenset({"pull", "resolve"})
_ALL: Final = "*"
# containerd reads paths as its own working directory has them, which is the root under a service manager.
_WORKING_DIRECTORY: Final = Path("/")


def mirror_hosts(registries: ContainerdRegistries, domain: str) -> tuple[RegistryHost, ...]:
    """Return the hosts that serve ``domain``, in the order in which containerd asks them.

    Args:
        registries: containerd's tables.
        domain: as in an image reference, with optional port.

    Returns:
        The endpoints of the name or, where it has no table of its own, those of ``*``; then the default host, unless
        one of them is that of the name.

    Raises:
        InvalidConfigurationError: containerd fails every pull of this name, too.
    """
    endpoints = registries.mirrors.get(domain, registries.mirrors.get(_ALL, ()))
    hosts = [_host(endpoint, registries, domain) for endpoint in endpoints]
    if all(host.host != domain for host in hosts):
        hosts.append(_host(default_host(domain).host, registries, domain))
    return tuple(dict.fromkeys(hosts))


def _host(endpoint: str, registries: ContainerdRegistries, domain: str) -> RegistryHost:
    parts = split_url(endpoint if "://" in endpoint else f"{_default_scheme(endpoint)}://{endpoint}")
    if parts is None:
        raise InvalidConfigurationError(f"containerd's configuration: an endpoint of {domain} is no URL of a host")
    path = posixpath.normpath(f"/{parts.path.lstrip('/')}") if parts.path else API_ROOT
    tls = registries.tls.get(parts.netloc, TlsFiles())
    if bool(tls.cert_file) != bool(tls.key_file):
        raise InvalidConfigurationError(
            f"containerd's configuration: {parts.netloc} has only one of cert_file and key_file"
        )
    return RegistryHost(
        scheme=parts.scheme,
        host=parts.netloc,
        path=path.rstrip("/"),
        capabilities=_CAPABILITIES,
        ca_files=(_WORKING_DIRECTORY / tls.ca_file,) if tls.ca_file else (),
        client_pairs=((_WORKING_DIRECTORY / tls.cert_file, _WORKING_DIRECTORY / tls.key_file),)
        if tls.cert_file
        else (),
        skip_verify=tls.insecure_skip_verify,
        is_mirror=is_mirror_of(parts.netloc, domain),
    )


def _default_scheme(endpoint: str) -> str:
    return "http" if is_local(endpoint.partition("/")[0]) else "https"
