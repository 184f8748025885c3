"""A person's file of credentials, as ``docker login`` and ``podman login`` write it.

Knows where the file stands, its form, and which of its entries are for a repository. Leaves to ``credential_helper``
the programs that it names. Sources: ``docker login`` of the Docker CLI (``cli/config/configfile``) and
containers-auth.json(5), whose keys may name a part of a registry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from imagefit.cli.files import read_file
from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig

_T = TypeVar("_T")

_DOCKER_DOMAIN: Final = "docker.io"
_DOCKER_SERVER: Final = "https://index.docker.io/v1/"
_DOCKER_HOSTS: Final = frozenset({_DOCKER_DOMAIN, "index.docker.io", "registry-1.docker.io"})
AUTH_FILE_VARIABLE: Final = "REGISTRY_AUTH_FILE"
"""The variable of the environment that names the file."""
_ADVICE: Final = "log in again with docker or podman, or name another file by REGISTRY_AUTH_FILE"


class _Entry(msgspec.Struct):
    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None

    def __repr__(self) -> str:
        return "_Entry()"  # it holds secrets


class _File(msgspec.Struct, rename="camel"):
    auths: dict[str, _Entry] | None = None
    creds_store: str | None = None
    cred_helpers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """What a file says of credentials.

    Attributes:
        path: of the file.
        entries: credentials by key: a host, a part of a registry such as ``quay.io/team``, or a URL.
        helpers: names of helpers by key; each stands over the other two.
        store: name of the helper for all keys that ``helpers`` does not name; empty for none.
        named: every key, also those of entries that hold nothing.
    """

    path: Path
    entries: Mapping[str, AuthConfig] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    named: frozenset[str] = frozenset()

    def names(self, host: str, path: str) -> bool:
        """Tell whether the file says anything of a repository in particular."""
        return not self.named.isdisjoint(keys_for(host, path))

    def entry_for(self, host: str, path: str) -> AuthConfig | None:
        """Return the credentials in the file itself for a repository, those for the smallest part of the registry."""
        return _first(self.entries, keys_for(host, path))

    def helper_for(self, host: str, path: str) -> str:
        """Return the name of the helper to be asked for a repository; empty for none."""
        return _first(self.helpers, keys_for(host, path)) or self.store


def config_path(environment: Mapping[str, str]) -> Path | None:
    """Return where the file stands: ``REGISTRY_AUTH_FILE``, else in ``DOCKER_CONFIG``, else in ``~/.docker``."""
    if named := environment.get(AUTH_FILE_VARIABLE):
        return Path(named)
    folder, home = environment.get("DOCKER_CONFIG"), environment.get("HOME")
    if folder or home:
        return (Path(folder) if folder else Path(home or "/") / ".docker") / "config.json"
    return None


def read_docker_config(path: Path) -> DockerConfig | None:
    """Read the file, at most 4 MiB.

    Returns:
        None where there is no such file.

    Raises:
        InvalidConfigurationError: it cannot be read; the message never quotes what stands in it.
    """
    if not path.exists():
        return None
    content = read_file(path, InvalidConfigurationError)
    try:
        read = msgspec.json.decode(content, type=_File)
    except msgspec.ValidationError as error:
        raise InvalidConfigurationError(f"{path}: {error}", advice=_ADVICE) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidConfigurationError(f"{path} is not JSON", advice=_ADVICE) from None
    usable = {key: auth for key, entry in (read.auths or {}).items() if (auth := _auth(entry)) is not None}
    helpers = read.cred_helpers or {}
    return DockerConfig(path, usable, helpers, read.creds_store or "", frozenset(read.auths or ()) | frozenset(helpers))


def server_name(host: str) -> str:
    """Return what Docker calls a host when it asks a helper: Docker Hub has a URL for its name."""
    return _DOCKER_SERVER if host in _DOCKER_HOSTS else host


def login_command(host: str) -> str:
    """Return the command by which a person logs in to a host."""
    return "docker login" if host in _DOCKER_HOSTS else f"docker login {host}"


def keys_for(host: str, path: str) -> tuple[str, ...]:
    """Return the keys that may stand for a repository, the most specific first.

    Args:
        host: that is asked, with optional port; any of Docker Hub's names stands for all.
        path: of the repository, such as ``team/solver``; empty for the registry alone.
    """
    parts = path.split("/") if path else []
    names = (host,) if host not in _DOCKER_HOSTS else (_DOCKER_DOMAIN, *sorted(_DOCKER_HOSTS - {_DOCKER_DOMAIN}))
    smaller = (f"{name}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1) for name in names)
    whole = (
        f"{scheme}{name}{root}"
        for name in names
        for scheme in ("", "https://", "http://")
        for root in ("", "/", "/v1", "/v1/", "/v2", "/v2/")
    )
    return (*smaller, *whole)


def _first(table: Mapping[str, _T], keys: Sequence[str]) -> _T | None:
    return next((table[key] for key in keys if key in table), None)


def _auth(entry: _Entry) -> AuthConfig | None:
    auth = AuthConfig(
        username=entry.username or "",
        password=entry.password or "",
        auth=entry.auth or "",
        identity_token=entry.identitytoken or "",
    )
    return None if auth == AuthConfig() else auth
