"""Which hosts are asked for a name: everything that is configured, taken together.

Knows which configuration counts, and that files are read again only when they have changed. Leaves reading to
``hosts``, ``containerd_config`` and ``mirrors``, and to ``schemes`` what a host speaks.

- Folders: imagefit's own ``config-path``, else the ``config_path`` of containerd's ``config.toml``, else the two that
  containerd 2.2 looks at by itself. Where containerd's file has legacy tables, or an empty ``config_path``, containerd
  looks at no folder, and neither does imagefit unless its own ``config-path`` says so.
- Where no folder is for the name: the legacy tables, else containerd's default host.
- Credentials and headers of containerd's file hold in either case.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.containerd_config import ContainerdRegistries, read_containerd_config
from imagefit.registry.host import RegistryHost, default_host
from imagefit.registry.hosts import OnProblem, directory_hosts, find_directory
from imagefit.registry.mirrors import mirror_hosts
from imagefit.registry.schemes import Schemes
from imagefit.registry.sources import Sources

CONFIG_PATHS: Final = (Path("/etc/containerd/certs.d"), Path("/etc/docker/certs.d"))
"""Where containerd 2.2 looks if nothing is configured."""
_NAMES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Found:
    """The hosts of a name.

    Attributes:
        hosts: in asking order.
        origin: the folder, or containerd's configuration file, that names them; None for containerd's default.
        config_paths: the folders in which a folder of the name was looked for.
    """

    hosts: tuple[RegistryHost, ...]
    origin: Path | None
    config_paths: tuple[Path, ...] = ()


class Hosts:
    """Gives the hosts of a name. May be called from several threads at once; every call may look at files.

    Args:
        config_paths: imagefit's own ``config-path``, split at colons; empty where it is not given.
        containerd_config: containerd's ``config.toml``; None to do without.
        on_problem: is told, once per change, of a file that is done without.
        schemes: finds out what a host speaks.
        token_servers: registry, as containerd asks it, and the host of a token server that may see its credentials.
        sources: makes what reads files and remembers their state.
    """

    def __init__(
        self,
        config_paths: Sequence[Path] = (),
        containerd_config: Path | None = None,
        on_problem: OnProblem | None = None,
        schemes: Schemes | None = None,
        sources: Callable[[], Sources] = Sources,
        token_servers: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Look at no file yet."""
        self._token_servers = tuple(token_servers)
        self._config_paths = tuple(config_paths)
        self._containerd_config = containerd_config
        self._on_problem = on_problem
        self._schemes = schemes or Schemes()
        self._sources = sources
        self._lock = threading.Lock()
        self._registries: tuple[ContainerdRegistries, Sources] | None = None
        self._found: dict[str, tuple[Found, ContainerdRegistries, Sources]] = {}

    def __call__(self, domain: str) -> tuple[RegistryHost, ...]:
        """Return the hosts of ``domain`` in asking order, each with the scheme that it speaks.

        Raises:
            InvalidConfigurationError: see ``find``.
        """
        return tuple(self._schemes.settled(host) for host in self.find(domain).hosts)

    def find(self, domain: str) -> Found:
        """Return the hosts of ``domain`` and who says so; those with ``tls_first`` have yet to be asked.

        Args:
            domain: as in an image reference, with optional port.

        Raises:
            InvalidConfigurationError: containerd fails a pull of this name, too.
        """
        with self._lock:
            registries = self._containerd()
            known = self._found.pop(domain, None)
            if known is None or known[1] is not registries or not known[2].unchanged:
                sources = self._sources()
                known = self._read(domain, registries, sources), registries, sources
            # Last used last, so that the first is the one to forget.
            self._found[domain] = known
            if len(self._found) > _NAMES_MAX:
                del self._found[next(iter(self._found))]
            return known[0]

    def _containerd(self) -> ContainerdRegistries:
        if self._containerd_config is None:
            return _NOTHING
        if self._registries is None or not self._registries[1].unchanged:
            # A file that cannot be used leaves what it said before, as containerd itself goes on with.
            before = self._registries[0] if self._registries else _NOTHING
            sources = self._sources()
            try:
                registries = read_containerd_config(self._containerd_config, sources)
            except InvalidConfigurationError as problem:
                self._tell(problem)
                registries = before
            self._registries = registries if registries != before else before, sources
        return self._registries[0]

    def _read(self, domain: str, registries: ContainerdRegistries, sources: Sources) -> Found:
        config_paths = self._paths(registries)
        origin = find_directory(config_paths, domain, sources)
        if origin is not None:
            hosts = directory_hosts(origin, domain, sources, self._tell)
        elif registries.is_legacy:
            hosts, origin = mirror_hosts(registries, domain), self._containerd_config
        else:
            hosts = (default_host(domain),)
        _check_files(hosts, sources)
        completed = (self._with_token_servers(_completed(host, registries)) for host in hosts)
        return Found(tuple(completed), origin, config_paths)

    def _with_token_servers(self, host: RegistryHost) -> RegistryHost:
        own = frozenset(server for registry, server in self._token_servers if registry == host.host)
        return replace(host, token_servers=own) if own else host

    def _paths(self, registries: ContainerdRegistries) -> tuple[Path, ...]:
        if self._config_paths or registries.is_legacy:
            return self._config_paths
        return registries.config_paths or CONFIG_PATHS

    def _tell(self, problem: InvalidConfigurationError) -> None:
        if self._on_problem is not None:
            self._on_problem(problem)


_NOTHING: Final = ContainerdRegistries()


def _check_files(hosts: Sequence[RegistryHost], sources: Sources) -> None:
    """Raise where a certificate's file is missing: containerd then asks none of the hosts."""
    for host in hosts:
        for path in (*host.ca_files, *(path for pair in host.client_pairs for path in pair if path is not None)):
            try:
                is_there = sources.exists(path)
            except OSError as error:
                raise InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
            if not is_there:
                raise InvalidConfigurationError(f"{path}: is configured for {host.host} and not there")


def _completed(host: RegistryHost, registries: ContainerdRegistries) -> RegistryHost:
    return replace(host, headers=registries.headers + host.headers, auth=registries.auths.get(host.host))
