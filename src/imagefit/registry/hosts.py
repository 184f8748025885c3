"""Which hosts serve a registry's name, as containerd's ``certs.d`` directories say it.

Knows the layout of the directories and Docker's certificate files. Leaves to ``hosts_file`` how ``hosts.toml`` is
written, to ``connections`` what a TLS setting means, and to ``lookup`` what else is configured. Implements containerd's
``docs/hosts.md`` and ``core/remotes/docker/config/hosts.go`` with ``config_unix.go``.

Where containerd logs a ``hosts.toml`` that it cannot read and goes on with the certificate files beside it, so does
``directory_hosts``, and says so through ``on_problem``. It raises only where containerd fails the pull as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.host import ClientPair, RegistryHost, default_host
from imagefit.registry.hosts_file import HOSTS_FILE, parse_hosts
from imagefit.registry.sources import Sources

OnProblem = Callable[[InvalidConfigurationError], None]
"""Is told of a file that containerd, too, logs and does without."""


def host_directories(root: Path, domain: str) -> tuple[Path, ...]:
    """Return the directories that may configure ``domain``, in containerd's order (``hostPaths``); the first counts."""
    name, colon, port = domain.rpartition(":")
    spelled = (f"{name}_{port}_", domain) if colon and name else (domain,)
    return tuple(root / directory for directory in (*spelled, "_default"))


def find_directory(config_paths: Sequence[Path], domain: str, sources: Sources) -> Path | None:
    """Return the directory that configures ``domain``, or None where there is none.

    Args:
        config_paths: containerd's ``config_path``, split at colons; roots such as ``/etc/containerd/certs.d``.
        domain: as in an image reference, with optional port.
        sources: looks, and remembers what was looked for.

    Raises:
        InvalidConfigurationError: it cannot be told, so that containerd fails, too.
    """
    for root in config_paths:
        for directory in host_directories(root, domain):
            try:
                if sources.exists(directory):
                    return directory
            except OSError as error:
                raise _unreadable(directory, error) from error
    return None


def directory_hosts(
    directory: Path, domain: str, sources: Sources, on_problem: OnProblem | None = None
) -> tuple[RegistryHost, ...]:
    """Read which hosts serve ``domain`` by one directory, in the order in which containerd asks them.

    Args:
        directory: one of ``host_directories``.
        domain: as in an image reference, with optional port.
        sources: reads, and remembers what was read.
        on_problem: see ``OnProblem``.

    Raises:
        InvalidConfigurationError: the directory or a file in it is there and cannot be read, so that containerd fails.
    """
    try:
        content = sources.read(directory / HOSTS_FILE)
    except OSError as error:
        raise _unreadable(directory / HOSTS_FILE, error) from error
    if content:
        try:
            return parse_hosts(content, directory, domain)
        except InvalidConfigurationError as problem:
            if on_problem is not None:
                on_problem(problem)
    return (_certificate_host(directory, domain, sources),)


def parse_certificates(names: Sequence[str], directory: Path) -> tuple[tuple[Path, ...], tuple[ClientPair, ...]]:
    """Tell authorities and client certificates among the names of a directory in Docker's layout.

    Args:
        names: of the files in ``directory``: ``*.crt`` is an authority, ``*.cert`` with ``*.key`` a client pair.
        directory: where they stand.

    Returns:
        Authorities, then client pairs, both in the order of the names.
    """
    known = frozenset(names)
    authorities = tuple(directory / name for name in sorted(known) if name.endswith(".crt"))
    keys = {name: name.removesuffix(".cert") + ".key" for name in sorted(known) if name.endswith(".cert")}
    return authorities, tuple(
        (directory / name, directory / key if key in known else None) for name, key in keys.items()
    )


def _certificate_host(directory: Path, domain: str, sources: Sources) -> RegistryHost:
    try:
        names = sources.names(directory)
    except OSError as error:
        raise _unreadable(directory, error) from error
    authorities, pairs = parse_certificates(names, directory)
    return replace(default_host(domain), ca_files=authorities, client_pairs=pairs)


def _unreadable(path: Path, error: OSError) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}")
