"""Asks the hosts of a registry's name, one after the other, until one answers well.

Knows whom to ask next, for how long, and when to ask again. Leaves to ``client`` and its like what is asked and what an
answer means, to ``tokens`` who is asking, to ``transport`` the wire. In the way of containerd's
``core/remotes/docker/resolver.go``, but more lenient where that is safe: after any failure the next host is asked.

A first host that is a black hole must not spend the time of those that follow. So each gets a share of it, and one that
did not answer in a fair share comes last for a few seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from imagefit.errors import ContentMissingError, RegistryDeniedError, RegistryError, RegistryUnreachableError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES
from imagefit.model.reference import ImageReference
from imagefit.registry.credentials import credentials_for
from imagefit.registry.exchange import Request, Response
from imagefit.registry.failures import DENIED, UnresponsiveError, gravest, unreachable
from imagefit.registry.host import DIAL_TIMEOUT_SECONDS, Capability, RegistryHost
from imagefit.registry.outages import Outages
from imagefit.registry.retry import Retry
from imagefit.registry.time_limit import PATIENCE_SECONDS, seconds_left
from imagefit.registry.tokens import Access, Authorizer, Grant
from imagefit.registry.transport import Transport

_T = TypeVar("_T")

# Longest wait for a connection to a host that others follow, where the administrator configured no time.
_CONNECT_SECONDS: Final = 2.5
# Of what is left, for a host that others follow.
_SHARE: Final = 0.5
_SHARE_OF_CONNECTING: Final = 0.3
_BRIEF_CONNECT_SECONDS: Final = 0.5
_TO_PULL: Final[frozenset[Capability]] = frozenset({"pull"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a host.

    Attributes:
        reference: names domain and repository.
        auth: credentials of the pull that this is for.
        what: path below the repository, such as ``manifests/v1``.
        accept: media types, as in the header.
        needed: what a host must be trusted with to be asked.
        limit_bytes: most bytes of an answer that are read.
        query: parameters beside those that a mirror gets.
    """

    reference: ImageReference
    auth: AuthConfig | None
    what: str
    accept: str
    needed: frozenset[Capability] = _TO_PULL
    limit_bytes: int = MAX_DOCUMENT_BYTES
    query: tuple[tuple[str, str], ...] = ()

    @property
    def purpose(self) -> str:
        """What it is for, in words that may be shown."""
        return f"{self.reference.path}/{self.what}"

    def request(self, host: RegistryHost, method: str, grant: Grant | None) -> Request:
        """Return the request that asks ``host``."""
        parameters = (*self.query, *((("ns", self.reference.domain),) if host.is_mirror else ()))
        query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
        return Request(
            method,
            f"{host.origin}{host.path}/{self.purpose}{query}",
            self.purpose,
            self.limit_bytes,
            headers=(("Accept", self.accept),),
            secret_headers=grant.headers if grant else (),
        )


class Asker:
    """Asks hosts; all calls come from one event loop.

    Args:
        hosts: gives the hosts of a domain in asking order; runs in a thread, since it may read files.
        transport: the wire.
        retry: when failures that may pass are waited for.
        outages: who comes last.
    """

    def __init__(
        self,
        hosts: Callable[[str], tuple[RegistryHost, ...]],
        transport: Transport,
        retry: Retry | None = None,
        outages: Outages | None = None,
    ) -> None:
        """Ask nobody yet."""
        self._hosts = hosts
        self._transport = transport
        self._authorizer = Authorizer(transport)
        self._retry = retry or Retry()
        self._outages = outages or Outages()

    async def first(self, question: Question, ask: Callable[[RegistryHost, Question], Awaitable[_T]]) -> _T:
        """Return what the first host that answers well says.

        Args:
            question: what is asked.
            ask: asks one host, with ``exchange``; raises a RegistryError where its answer is no good.

        Raises:
            RegistryError: the gravest of what the hosts failed with; RegistryUnreachableError where there are none.
            InvalidConfigurationError: out of ``hosts``.
        """
        hosts = await self._able(question)
        silent = self._outages.of(hosts, question.reference.domain)
        # Those that were silent a moment ago come last: the others may not have what is asked for.
        turn = sorted(range(len(hosts)), key=lambda position: position in silent)
        failures: dict[int, RegistryError] = {}
        tries = 0
        while turn:
            for nth, position in enumerate(turn, 1):
                try:
                    host = _brief(hosts[position]) if position in silent and len(hosts) > 1 else hosts[position]
                    return await self._in_its_share(host, question, ask, has_others=nth < len(turn))
                except RegistryError as failure:
                    failures[position] = failure
            tries += 1
            turn = await self._paused({position: failures[position] for position in turn}, tries)
        raise gravest([failures[position] for position in sorted(failures)])

    async def exchange(self, host: RegistryHost, question: Question, method: str) -> Response:
        """Send one request, and once more where the host wants to know who is asking; any other status is returned.

        Raises:
            RegistryError: no answer, or a challenge that cannot be met.
        """
        scope = f"repository:{question.reference.path}:pull"
        access = Access(host, scope, credentials_for(question.auth, host.host, host.auth))
        grant = self._authorizer.known(access)
        response = await self._transport.send(host, question.request(host, method, grant))
        if response.status != HTTPStatus.UNAUTHORIZED or response.is_elsewhere:
            return response
        grant = await self._authorizer.answer(access, response.challenges, grant)
        response = await self._transport.send(host, question.request(host, method, grant))
        if response.status in DENIED:
            raise _denied(host, question, response, grant.advice)
        return response

    async def _able(self, question: Question) -> tuple[RegistryHost, ...]:
        domain = question.reference.domain
        hosts = await asyncio.to_thread(self._hosts, domain)
        able = tuple(host for host in hosts if question.needed <= host.capabilities)
        if not able:
            needed = " and ".join(sorted(question.needed))
            raise RegistryUnreachableError(f"{domain}: no host is configured to {needed}")
        return able

    async def _in_its_share(
        self,
        host: RegistryHost,
        question: Question,
        ask: Callable[[RegistryHost, Question], Awaitable[_T]],
        *,
        has_others: bool,
    ) -> _T:
        # Without a limit that still runs, nobody waits for less than the usual.
        left_seconds = seconds_left() or PATIENCE_SECONDS
        try:
            if not has_others:
                return await ask(host, question)
            async with asyncio.timeout(left_seconds * _SHARE):
                return await ask(_hurried(host, left_seconds), question)
        except TimeoutError:
            self._outages.add(host, question.reference.domain, left_seconds)
            raise UnresponsiveError(f"{host.host}: {question.purpose}: no answer in its share of time") from None
        except UnresponsiveError:
            self._outages.add(host, question.reference.domain, left_seconds)
            raise

    async def _paused(self, failures: dict[int, RegistryError], tries: int) -> list[int]:
        again = self._retry.again(failures, tries, seconds_left())
        if again is None:
            return []
        await asyncio.sleep(again.pause_seconds)
        return sorted(again.positions)


def check_status(host: RegistryHost, question: Question, response: Response, method: str) -> None:
    """Raise a RegistryError unless the answer's status is 200."""
    if response.status == HTTPStatus.OK:
        return
    if response.status in DENIED:
        raise _denied(host, question, response, "")
    message = f"{host.host}: {question.purpose}: status {response.status}"
    if response.status == HTTPStatus.NOT_FOUND:
        raise ContentMissingError(message)
    raise unreachable(message, response, method=method)


def _denied(host: RegistryHost, question: Question, response: Response, advice: str) -> RegistryDeniedError:
    return RegistryDeniedError(f"{host.host}: {question.purpose}: denied with status {response.status}", advice=advice)


def _brief(host: RegistryHost) -> RegistryHost:
    """Return a host that was silent a moment ago, for a short try: that it is back shows at once."""
    return replace(host, dial_timeout_seconds=min(host.dial_timeout_seconds, _BRIEF_CONNECT_SECONDS))


def _hurried(host: RegistryHost, left_seconds: float) -> RegistryHost:
    configured = host.dial_timeout_seconds
    patience_seconds = _CONNECT_SECONDS if configured == DIAL_TIMEOUT_SECONDS else configured
    return replace(host, dial_timeout_seconds=min(patience_seconds, left_seconds * _SHARE_OF_CONNECTING))
