"""What is known before anybody is asked: which configuration counts, which hosts there are, and whose credentials.

Knows folders and files, no network. Leaves to ``registry.lookup`` what they mean.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from imagefit.cli.docker_config import login_command
from imagefit.cli.doctor.observation import Observation, State
from imagefit.cli.registries import Asking, is_own
from imagefit.errors import InvalidConfigurationError
from imagefit.registry.cache import ContentCache
from imagefit.registry.credentials import credentials_for
from imagefit.registry.exchange import shown_host
from imagefit.registry.host import RegistryHost, is_loopback, split_port
from imagefit.registry.hosts import host_directories
from imagefit.registry.hosts_file import HOSTS_FILE
from imagefit.registry.lookup import Found
from imagefit.registry.proxies import proxy_for

_CACHE_FILES_MAX: Final = 100_000
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MEBIBYTE: Final = 1024 * 1024
_HOSTS_ADVICE: Final = "until it is mended, containerd and imagefit go on without that file"
_CONTAINERD_ADVICE: Final = "mend it: containerd could not start with it; imagefit goes on without it"


def observe_folders(found: Found, domain: str, problems: Sequence[InvalidConfigurationError]) -> Iterable[Observation]:
    """Tell which part of containerd's configuration counts for a registry.

    Args:
        found: where the hosts are from.
        domain: the registry's name, with optional port.
        problems: what reading the hosts gave.
    """
    looked = [directory for root in found.config_paths for directory in host_directories(root, domain)]
    facts = tuple((str(one), _of_folder(one, found.origin)) for one in looked)
    if found.origin is None:
        what = f"nothing is configured for {domain}: containerd's own defaults hold"
    elif found.origin in looked:
        what = f"{found.origin} counts for {domain}"
    else:
        what = f"{found.origin} counts for {domain}, by its tables 'mirrors' and 'configs'"
    yield Observation("configuration", State.GOOD, what, facts)
    for problem in problems:
        advice = problem.advice or (_HOSTS_ADVICE if f"/{HOSTS_FILE}: " in problem.message else _CONTAINERD_ADVICE)
        yield Observation("configuration", State.WARNING, problem.message, advice=advice)


def observe_hosts(hosts: Sequence[RegistryHost], *, by_tag: bool) -> Observation:
    """Tell which hosts are asked, in order.

    Args:
        hosts: as they were read.
        by_tag: whether the image is named by a tag, which only hosts with the capability ``resolve`` are asked for.
    """
    facts = tuple(
        (f"{number}. {host.origin}{host.path}", _of_host(host, hosts)) for number, host in enumerate(hosts, 1)
    )
    needed = {"pull", "resolve"} if by_tag else {"pull"}
    if not any(needed <= host.capabilities for host in hosts):
        what = f"no host may {' and '.join(sorted(needed))}"
        return Observation("hosts", State.BROKEN, what, facts, "give one of them these 'capabilities' in hosts.toml")
    return Observation("hosts", State.GOOD, f"{len(hosts)} to be asked, in this order", facts)


def observe_credentials(
    asking: Asking, looked_at: str, problems: Sequence[InvalidConfigurationError]
) -> Iterable[Observation]:
    """Tell which host would be shown whose credentials.

    Args:
        asking: hosts, and what is for them.
        looked_at: where credentials were looked for.
        problems: what kept some from being used.
    """
    for problem in problems:
        yield Observation("credentials", State.WARNING, problem.message, advice=problem.advice)
    shown = {host: user for host in asking.hosts if (user := _user(asking, host))}
    facts = tuple((host.host, user) for host, user in shown.items())
    if not shown:
        what = f"none, so that hosts are asked as anybody may (looked at: {looked_at})"
        yield Observation("credentials", State.NOTE, what, advice="pods may have others: their imagePullSecrets")
    elif plain := [host.host for host in shown if _is_open(host)]:
        what = f"{', '.join(plain)} would see them over plain HTTP, as would everybody on the way"
        yield Observation("credentials", State.WARNING, what, facts, "have the registry speak HTTPS")
    else:
        yield Observation("credentials", State.GOOD, f"for {len(shown)} of {len(asking.hosts)} hosts", facts)


def observe_unused(asking: Asking, source: str, domain: str) -> Iterable[Observation]:
    """Tell of credentials that were saved for the image's own name where other hosts are asked.

    Args:
        asking: the hosts.
        source: where they are; empty for nowhere.
        domain: the registry's name, with optional port.
    """
    if source:
        asked = [host.host for host in asking.hosts]
        what = f"those for {domain}, from {source}, are shown to nobody: {', '.join(asked)} are asked instead"
        advice = " or ".join(f"'{login_command(host)}'" for host in asked if host not in asking.sources)
        yield Observation("credentials", State.WARNING, what, advice=advice)


def observe_cache(folder: Path, digest: str, place: str, user: int | None = None) -> Observation:
    """Tell the state of the folder in which content is kept, and leave it as it is.

    Args:
        folder: as it is configured.
        digest: of what the image stands for; empty where that is not known.
        place: ``host/path`` of the image's repository.
        user: who looks, by number; None for the user of this process.
    """
    try:
        status = folder.stat()
        files = {
            entry.name: entry.lstat().st_size
            for entry, _ in zip(folder.iterdir(), range(_CACHE_FILES_MAX), strict=False)
        }
    except FileNotFoundError:
        return Observation("cache", State.NOTE, f"{folder} is not there yet; the daemon makes it")
    except OSError as error:
        what = f"{folder} is done without: {error.strerror}"
        return Observation("cache", State.NOTE, what, advice="it belongs to the daemon; root sees it")
    facts: tuple[tuple[str, str], ...] = (
        ("files", str(len(files))),
        ("size", f"{sum(files.values()) / _MEBIBYTE:.1f} MiB"),
    )
    if digest:
        # By the name alone: to get it would change the folder's mode and delete what is torn.
        facts += (
            ("this image", "is kept" if ContentCache(folder).path(digest, place).name in files else "is not kept yet"),
        )
    if status.st_mode & _OTHERS:
        what, advice = f"{folder} is open to others than its owner", f"chmod 700 {folder}"
        return Observation("cache", State.WARNING, what, facts, advice)
    if status.st_uid != (os.geteuid() if user is None else user):
        what = f"{folder} belongs to another user ({status.st_uid}), the only one who uses it"
        return Observation("cache", State.NOTE, what, facts)
    if not os.access(folder, os.W_OK):
        return Observation("cache", State.NOTE, f"{folder} cannot be written by this user", facts)
    return Observation("cache", State.GOOD, f"{folder} is private", facts)


def _of_folder(folder: Path, counting: Path | None) -> str:
    if folder != counting:
        return "there, but another one counts" if folder.exists() else "not there"
    return f"counts, with {HOSTS_FILE}" if (folder / HOSTS_FILE).exists() else "counts, for its certificates"


def _of_host(host: RegistryHost, hosts: Sequence[RegistryHost]) -> str:
    parts = ["the registry itself" if is_own(host, hosts) else "mirror"]
    parts += ["told the name by ?ns="] if host.is_mirror else []
    parts.append(f"may {' and '.join(sorted(host.capabilities - {'push'})) or 'do nothing that imagefit needs'}")
    proxy = proxy_for(host.origin, os.environ)
    parts += [f"through the proxy {shown_host(proxy)}"] if proxy else []
    parts += ["any certificate is taken"] if host.skip_verify and host.scheme == "https" else []
    parts += [f"with headers {', '.join(name for name, _ in host.headers)}"] if host.headers else []
    return ", ".join(parts)


def _is_open(host: RegistryHost) -> bool:
    """Tell whether others could read what is sent: not on the way to this machine itself."""
    return host.scheme == "http" and not is_loopback(split_port(host.host)[0])


def _user(asking: Asking, host: RegistryHost) -> str:
    """Return who a host would take us for, and where that comes from; empty for nobody."""
    shown = credentials_for(asking.auth, host.host, host.auth)
    if shown is None:
        return ""
    who = "an identity token" if shown.is_identity_token else f"user {shown.username}"
    return f"{who}, from {asking.sources.get(host.host, '?')}"
