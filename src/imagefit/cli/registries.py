"""How a command that a person started asks registries: the daemon's hosts, with the credentials that this person has.

Knows what ``--creds``, ``--plain-http`` and saved credentials change. Leaves hosts to ``registry.lookup`` and where
credentials come from to ``credentials``. All of it is read once, before anybody is asked.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from imagefit.cli.credentials import OnProblem, ask_terminal, given_credentials, saved_credentials
from imagefit.config import Config
from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig
from imagefit.model.reference import ImageReference
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost, default_host
from imagefit.registry.lookup import Found, Hosts
from imagefit.registry.schemes import Schemes

_CONFIGURED: Final = "containerd's configuration"


class InvalidHostsError(InvalidConfigurationError):
    """The hosts of a registry's name cannot be read, so that containerd fails its pulls, too."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Who is asked for an image, and as whom.

    Attributes:
        hosts: in asking order; each with the credentials that are for it, where ``auth`` is None.
        found: where they are from.
        auth: credentials for all of them, as a pod's pull secret; None without ``--creds``.
        sources: where the credentials of a host come from, by its address; without those that have none.
    """

    hosts: tuple[RegistryHost, ...]
    found: Found
    auth: AuthConfig | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def client(self, config: Config, agent: str) -> RegistryClient:
        """Return a client with the daemon's cache; a cache that this user may not use is done without."""
        return RegistryClient(lambda _: self.hosts, ContentCache(Path(config.registry.cache)), agent)


@dataclass(frozen=True, slots=True)
class Person:
    """What a person says of how registries are asked.

    Attributes:
        creds: the value of ``--creds``; None without it.
        plain_http: the registry itself, under whatever address it is configured, speaks plain HTTP; its mirrors do as
            they are configured.
        environment: of the process.
        ask: returns the password of a user.
    """

    creds: str | None = field(default=None, repr=False)
    plain_http: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    ask: Callable[[str], str] = ask_terminal

    @property
    def says_how(self) -> bool:
        """Whether anything of this was said."""
        return self.creds is not None or self.plain_http

    def asking(
        self, config: Config, reference: ImageReference, on_host_problem: OnProblem, on_problem: OnProblem
    ) -> Asking:
        """Return who is asked for an image. Blocks; may run a credential helper or ask at the terminal.

        Args:
            config: names containerd's hosts.
            reference: the image.
            on_host_problem: is told of a part of the hosts' configuration that is left out, as containerd does.
            on_problem: is told of credentials that cannot be used.

        Raises:
            InvalidHostsError: the hosts cannot be read, so that containerd fails, too.
            InvalidConfigurationError: ``--creds`` is none.
        """
        found = _found(config, reference.domain, on_host_problem)
        hosts = self._over_http(found.hosts)
        if self.creds is not None:
            given = given_credentials(self.creds, self.ask)
            return Asking(hosts, found, given.auth, {host.host: given.source for host in hosts})
        sources: dict[str, str] = {}
        once = _once(on_problem)
        hosts = tuple(self._with_saved(host, reference.path, sources, once) for host in hosts)
        return Asking(hosts, found, None, sources)

    def unused(self, asking: Asking, reference: ImageReference) -> str:
        """Return where credentials for the image's own name are saved that no host is shown; empty for nowhere."""
        own = default_host(reference.domain).host
        if self.creds is not None or any(host.host in {own, reference.domain} for host in asking.hosts):
            return ""
        found = saved_credentials(own, reference.path, self.environment, lambda _: None)
        return found.source if found else ""

    def _over_http(self, hosts: tuple[RegistryHost, ...]) -> tuple[RegistryHost, ...]:
        if not self.plain_http:
            return hosts
        return tuple(
            replace(host, scheme="http", tls_first=False, skip_verify=False) if is_own(host, hosts) else host
            for host in hosts
        )

    def _with_saved(
        self, host: RegistryHost, path: str, sources: dict[str, str], on_problem: OnProblem
    ) -> RegistryHost:
        # As a pull secret, what a person saved stands over what containerd is configured with.
        found = saved_credentials(host.host, path, self.environment, on_problem)
        if found is None:
            sources |= {host.host: _CONFIGURED} if host.auth else {}
            return host
        sources[host.host] = found.source
        return replace(host, auth=found.auth)


def _once(on_problem: OnProblem) -> OnProblem:
    """Return the same without what was told before: several hosts may have one file."""
    told: set[str] = set()

    def tell(problem: InvalidConfigurationError) -> None:
        if problem.message not in told:
            told.add(problem.message)
            on_problem(problem)

    return tell


def is_own(host: RegistryHost, hosts: Sequence[RegistryHost]) -> bool:
    """Tell whether a host is the registry itself and no mirror: that of the name, or the ``server``, which is last."""
    return not host.is_mirror or (host == hosts[-1] and all(one.is_mirror for one in hosts))


def _found(config: Config, domain: str, on_problem: OnProblem) -> Found:
    """Return the hosts as the daemon has them, each with the scheme that it speaks."""
    try:
        found = Hosts(
            config.registry.config_paths,
            config.registry.containerd_file,
            on_problem,
            token_servers=config.registry.known_token_servers,
        ).find(domain)
    except InvalidConfigurationError as error:
        raise InvalidHostsError(error.message, advice=error.advice) from error
    return replace(found, hosts=tuple(map(Schemes().settled, found.hosts)))
