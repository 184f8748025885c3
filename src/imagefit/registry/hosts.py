"""Which hosts serve a registry's name, as containerd's ``certs.d`` directories say it.

Knows the layout of the directories and Docker's certificate files. Leaves to ``hosts_file`` how ``hosts.toml`` is
written and to ``connections`` what a TLS setting means. Implements containerd's ``docs/hosts.md`` and
``core/remotes/docker/config/hosts.go`` with ``config_unix.go``.

Where containerd logs a ``hosts.toml`` that it cannot read and goes on with the certificate files beside it, so does
``read_hosts``, and says so through ``on_problem``. It raises only where containerd fails the pull as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from imagefit.errors import InvalidConfigurationError
from imagefit.registry.host import ClientPair, RegistryHost, default_host
from imagefit.registry.hosts_file import HOSTS_FILE, parse_hosts


def host_directories(root: Path, domain: str) -> tuple[Path, ...]:
    """Return the directories that may configure ``domain``, in containerd's order (``hostPaths``); the first counts."""
    name, colon, port = domain.rpartition(":")
    spelled = (f"{name}_{port}_", domain) if colon and name else (domain,)
    return tuple(root / directory for directory in (*spelled, "_default"))


def read_hosts(
    config_paths: Sequence[Path],
    domain: str,
    on_problem: Callable[[InvalidConfigurationError], None] | None = None,
) -> tuple[RegistryHost, ...]:
    """Read which hosts serve ``domain``, in the order in which containerd asks them.

    Args:
        config_paths: containerd's ``config_path``, split at colons; roots such as ``/etc/containerd/certs.d``.
        domain: as in an image reference, with optional port.
        on_problem: is told of a ``hosts.toml`` that containerd logs and ignores.

    Raises:
        InvalidConfigurationError: a directory or file is there and cannot be read, so that containerd fails too.
    """
    directory = _find_directory(config_paths, domain)
    if directory is None:
        return (default_host(domain),)
    content = _read_file(directory / HOSTS_FILE)
    if content:
        try:
            return parse_hosts(content, directory, domain)
        except InvalidConfigurationError as problem:
            if on_problem is not None:
                on_problem(problem)
    return (_certificate_host(directory, domain),)


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


def _find_directory(config_paths: Sequence[Path], domain: str) -> Path | None:
    for root in config_paths:
        for directory in host_directories(root, domain):
            try:
                directory.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(directory, error) from error
            return directory
    return None


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise _unreadable(path, error) from error


def _certificate_host(directory: Path, domain: str) -> RegistryHost:
    try:
        names = [entry.name for entry in directory.iterdir() if not entry.is_dir()]
    except OSError as error:
        raise _unreadable(directory, error) from error
    authorities, pairs = parse_certificates(names, directory)
    return replace(default_host(domain), ca_files=authorities, client_pairs=pairs)


def _unreadable(path: Path, error: OSError) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}")
