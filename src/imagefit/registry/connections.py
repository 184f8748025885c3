"""Connections that are kept open, one pool for each TLS setting.

Knows certificates, pools and their limits. Leaves to ``transport`` what is sent. As in containerd, configured
authorities are trusted besides the system's, and certificate files are read again when they change.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagefit.errors import RegistryUnreachableError
from imagefit.registry.host import RegistryHost

if TYPE_CHECKING:
    import aiohttp

_POOLS_MAX: Final = 16
# In all: hosts that hang must not take the connections of those that answer.
_CONNECTIONS_MAX: Final = 256
_CONNECTIONS_PER_HOST_MAX: Final = 8
_IDLE_SECONDS: Final = 15.0
_HEADER_MAX_BYTES: Final = 16 * 1024

_TlsSetting = tuple[bool, tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]]


@dataclass(slots=True)
class _Pool:
    session: "aiohttp.ClientSession"
    users: int = 0


class Connections:
    """Sessions by TLS setting; all calls come from one event loop."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._pools: dict[_TlsSetting, _Pool] = {}
        self._making = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def session(self, host: RegistryHost) -> AsyncIterator["aiohttp.ClientSession"]:
        """Lend the session that speaks to ``host``.

        Raises:
            RegistryUnreachableError: one of its certificate files cannot be used.
        """
        pool = await self._pool(host)
        pool.users += 1
        try:
            yield pool.session
        finally:
            pool.users -= 1

    async def close(self) -> None:
        """Close all sessions; the next request opens new ones."""
        pools = list(self._pools.values())
        self._pools.clear()
        for pool in pools:
            await pool.session.close()

    async def _pool(self, host: RegistryHost) -> _Pool:
        setting = _tls_setting(host)
        async with self._making:
            pool = self._pools.pop(setting, None)
            if pool is None:
                await self._make_room()
                pool = _Pool(_session(await asyncio.to_thread(tls_context, host)))
            # Last used last, so that the first idle one is the one to close.
            self._pools[setting] = pool
            return pool

    async def _make_room(self) -> None:
        idle = [setting for setting, pool in self._pools.items() if not pool.users]
        for setting in idle[: max(0, len(self._pools) - _POOLS_MAX + 1)]:
            await self._pools.pop(setting).session.close()


def _session(context: ssl.SSLContext) -> "aiohttp.ClientSession":
    import aiohttp

    connector = aiohttp.TCPConnector(
        ssl=context,
        limit=_CONNECTIONS_MAX,
        limit_per_host=_CONNECTIONS_PER_HOST_MAX,
        keepalive_timeout=_IDLE_SECONDS,
        # The system's resolver, since that is what containerd on the same node asks.
        resolver=aiohttp.ThreadedResolver(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        # False: aiohttp would also send what a .netrc holds; the proxy is chosen in ``proxies``.
        trust_env=False,
        max_line_size=_HEADER_MAX_BYTES,
        max_field_size=_HEADER_MAX_BYTES,
    )


def _tls_setting(host: RegistryHost) -> _TlsSetting:
    pairs = tuple(path for pair in host.client_pairs for path in pair if path is not None)
    return host.skip_verify, _stamped(host.ca_files), _stamped(pairs)


def _stamped(paths: tuple[Path, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((str(path), _changed_ns(path)) for path in paths)


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def tls_context(host: RegistryHost) -> ssl.SSLContext:
    """Return what a connection to ``host`` is made with; reads its certificate files.

    Raises:
        RegistryUnreachableError: one of them cannot be used.
    """
    context = ssl.create_default_context()
    # Python 3.13 refuses private authorities without some extensions; Go, hence containerd, takes them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for path in host.ca_files:
        try:
            context.load_verify_locations(cafile=path)
        except OSError as error:
            raise _unusable(host, path) from error
    for certificate, key in host.client_pairs:
        try:
            # An empty password, since OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as error:
            raise _unusable(host, certificate) from error
    if host.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(host: RegistryHost, path: Path) -> RegistryUnreachableError:
    return RegistryUnreachableError(f"{host.host}: the certificate file {path} cannot be used")
