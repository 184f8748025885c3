"""What containerd's own ``config.toml`` says of registries.

Knows the file's versions, its imports and the section's place and keys. Leaves to ``mirrors`` which hosts the legacy
tables stand for, and to ``lookup`` what else counts. Implements ``LoadConfig`` of containerd's
``cmd/containerd/server/config`` (1.x: ``services/server/config``) and ``Registry`` of ``internal/cri/config``.

containerd reads the file when it starts, imagefit when it has changed.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.host import Header
from imagefit.registry.hosts_file import split_url
from imagefit.registry.sources import Sources
from imagefit.registry.toml_table import Table, load_toml

_FILES_MAX: Final = 64
# The plugin that has the section "registry", by the version of the file; later versions as the last.
_PLUGINS: Final = {1: "cri", 2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.images"}
# Until then a later file's whole section of a plugin stands, since then key by key.
_MERGED_SINCE: Final = 3
_PLACE: Final = re.compile(r"\(at [a-z0-9, ]+\)$")

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """``[registry.configs.HOST.tls]``: paths as they are written; empty for none."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class ContainerdRegistries:
    """What the section says.

    Attributes:
        config_path: folders joined by ``:``; None where the file does not say.
        mirrors: endpoints by the name that they serve, ``*`` for those that are not named.
        tls: by host.
        auths: credentials by host.
        headers: for every host.
    """

    config_path: str | None = None
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tls: Mapping[str, TlsFiles] = field(default_factory=dict)
    auths: Mapping[str, AuthConfig] = field(default_factory=dict, repr=False)
    headers: tuple[Header, ...] = field(default=(), repr=False)

    @property
    def config_paths(self) -> tuple[Path, ...]:
        """The folders of ``config_path``, in order."""
        return tuple(Path(part) for part in (self.config_path or "").split(":") if part)

    @property
    def is_legacy(self) -> bool:
        """Whether containerd reads no folders: it is told so, or has tables that it refuses beside folders."""
        return not self.config_path and (self.config_path is not None or bool(self.mirrors) or bool(self.tls))


def read_containerd_config(file: Path, sources: Sources) -> ContainerdRegistries:
    """Read containerd's configuration.

    Args:
        file: ``config.toml``; where it is not there, containerd has its defaults.
        sources: reads, and remembers what was read.

    Raises:
        InvalidConfigurationError: containerd could not start with it; the message names a file and holds no value.
    """
    merged: _Json = {}
    version = 0
    for path, table in _files(file, sources):
        version = _version(path, table) or version
        plugins = Table(path, "plugins", table.get("plugins", {})).values
        if version >= _MERGED_SINCE:
            _merge(merged, plugins)
        else:
            merged |= plugins
    name = _PLUGINS[min(version or 1, max(_PLUGINS))]
    return _parse(Table(file, "plugins", merged).below(name).below("registry"))


def _files(file: Path, sources: Sources) -> Iterator[tuple[Path, _Json]]:
    """Yield the file and those that it imports, each once, in containerd's order: breadth first."""
    pending, seen = [file], set[Path]()
    while pending:
        path = pending.pop(0)
        if path in seen:
            continue
        seen.add(path)
        if len(seen) > _FILES_MAX:
            raise InvalidConfigurationError(f"{file}: imports more than {_FILES_MAX} files")
        table = _read(path, sources, is_import=path != file)
        yield path, table
        for pattern in Table(path, "", table).texts("imports"):
            pending += _imported(path.parent, pattern, sources)


def _read(path: Path, sources: Sources, *, is_import: bool) -> _Json:
    try:
        content = sources.read(path)
        if content is None and is_import:
            raise InvalidConfigurationError(f"{path}: is imported and not there")
        return load_toml(content or b"")
    except OSError as error:
        raise InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        # "from None" and only the place out of the parser's words: they could quote a password.
        place = _PLACE.search(str(error))
        raise InvalidConfigurationError(f"{path}: not TOML{f' {place[0]}' if place else ''}") from None


def _imported(folder: Path, pattern: str, sources: Sources) -> list[Path]:
    path = Path(posixpath.normpath(folder / pattern))
    if "*" not in pattern:
        return [path]
    if "*" in str(path.parent):
        raise InvalidConfigurationError(f"{path}: only the name of an imported file may hold '*'")
    try:
        names = sources.names(path.parent) if sources.exists(path.parent) else []
    except OSError as error:
        raise InvalidConfigurationError(f"{path.parent}: cannot be read: {error.strerror}") from error
    return [path.parent / name for name in names if Path(name).match(path.name)]


def _version(path: Path, table: _Json) -> int:
    version = table.get("version", 0)
    if not isinstance(version, int) or version < 0:
        raise InvalidConfigurationError(f"{path}: version is not a number")
    return version


def _merge(into: _Json, more: _Json) -> None:
    ahead = [(into, more)]
    while ahead:
        here, there = ahead.pop()
        for key, value in there.items():
            known = here.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                here[key] = merged = dict(known)
                ahead.append((merged, value))
            else:
                here[key] = value


def _parse(registry: Table) -> ContainerdRegistries:
    auths = {_host(name): auth for name, auth in _auths(registry.tables("auths"))}
    configs = list(registry.tables("configs"))
    configured = ((name, config.below("auth")) for name, config in configs if config.has("auth"))
    tls = ((name, config.below("tls")) for name, config in configs if config.has("tls"))
    return ContainerdRegistries(
        registry.text("config_path") if registry.has("config_path") else None,
        {name: tuple(mirror.texts("endpoint")) for name, mirror in registry.tables("mirrors")},
        {name: _tls(one) for name, one in tls},
        # The older table wins, as in containerd.
        dict(_auths(configured)) | auths,
        registry.headers("headers"),
    )


def _auths(tables: Iterator[tuple[str, Table]]) -> Iterator[tuple[str, AuthConfig]]:
    for name, table in tables:
        yield (
            name,
            AuthConfig(
                username=table.text("username"),
                password=table.text("password"),
                auth=table.text("auth"),
                identity_token=table.text("identitytoken"),
            ),
        )


def _tls(table: Table) -> TlsFiles:
    return TlsFiles(
        table.text("ca_file"), table.text("cert_file"), table.text("key_file"), table.flag("insecure_skip_verify")
    )


def _host(name: str) -> str:
    parts = split_url(name) if "://" in name else None
    return parts.netloc if parts else name
