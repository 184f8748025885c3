"""Resolves references and fetches small metadata, as containerd would and from where it would.

Knows the order of hosts, what is asked of each and what its answer means. Leaves to ``hosts`` which hosts there are,
to ``tokens`` who is asking, to ``transport`` the wire, and time and fail-open to the caller. Implements the pull part
of the OCI distribution specification (v1.1) in the way of containerd's ``core/remotes/docker/resolver.go`` and
``fetcher.go``.

More lenient than containerd where that is safe: after any failure the next host is asked.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, TypeVar
from urllib.parse import urlencode

from imagefit.errors import (
    ContentInvalidError,
    ContentMissingError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnreachableError,
)
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES, Descriptor, check_content, digest_of
from imagefit.model.reference import ImageReference, is_digest
from imagefit.registry.cache import ContentCache
from imagefit.registry.credentials import credentials_for
from imagefit.registry.exchange import Request, Response
from imagefit.registry.host import Capability, RegistryHost
from imagefit.registry.tokens import Access, Authorizer, Grant
from imagefit.registry.transport import OnRequest, Transport
from imagefit.telemetry import metrics

Kind = Literal["manifests", "blobs"]
_T = TypeVar("_T")

_RESOLVE_ACCEPT: Final = (
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, */*"
)
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,150}", re.ASCII)
_MEDIA_TYPE_MAX_CHARACTERS: Final = 255
_DENIED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
# What a person must know first; a 404 counts only where every host says so.
_GRAVITY: Final[tuple[type[RegistryError], ...]] = (
    RegistryDeniedError,
    ContentInvalidError,
    RegistryUnreachableError,
    ContentMissingError,
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference points to, as the registry says it.

    Attributes:
        media_type: without parameters, in the registry's own words; empty if it says none.
        digest: of a registered algorithm.
        size_bytes: at most ``MAX_DOCUMENT_BYTES``.
    """

    media_type: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Question:
    reference: ImageReference
    auth: AuthConfig | None
    kind: Kind
    target: str
    accept: str
    limit_bytes: int = MAX_DOCUMENT_BYTES

    @property
    def purpose(self) -> str:
        return f"{self.reference.path}/{self.kind}/{self.target}"

    def request(self, host: RegistryHost, method: str, grant: Grant | None) -> Request:
        query = f"?{urlencode({'ns': self.reference.domain})}" if host.is_mirror else ""
        return Request(
            method,
            f"{host.origin}{host.path}/{self.purpose}{query}",
            self.purpose,
            self.limit_bytes,
            headers=(("Accept", self.accept),),
            secret_headers=grant.headers if grant else (),
        )


class RegistryClient:
    """Asks registries; all calls come from one event loop, and time is the caller's (``asyncio.timeout``).

    Args:
        hosts: gives the hosts of a domain in asking order; runs in a thread, since it may read files.
        cache: of content by digest, or None.
        user_agent: such as ``imagefit/0.1.0``.
        on_request: is told host, method and outcome (a status or an error's code) of every request on the wire.
    """

    def __init__(
        self,
        hosts: Callable[[str], tuple[RegistryHost, ...]],
        cache: ContentCache | None,
        user_agent: str,
        on_request: OnRequest | None = None,
    ) -> None:
        """Open no connection yet."""
        self._hosts = hosts
        self._cache = cache
        self._transport = Transport(user_agent, on_request)
        self._authorizer = Authorizer(self._transport)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()

    async def resolve(self, reference: ImageReference, auth: AuthConfig | None) -> Resolved:
        """Ask what a reference points to, with one HEAD where the registry answers well.

        Args:
            reference: by tag, which only hosts trusted to resolve are asked for, or by digest.
            auth: credentials of the pull that this is for.

        Raises:
            RegistryDeniedError: the registry refuses these credentials or wants some.
            RegistryUnreachableError: a host did not answer, and none that did helped.
            ContentMissingError: every host says that there is no such thing.
            ContentInvalidError: an answer is beyond the limits or makes no sense.
            InvalidConfigurationError: out of ``hosts``.
        """
        question = _Question(reference, auth, "manifests", reference.target, _RESOLVE_ACCEPT)
        needed: frozenset[Capability] = frozenset({"pull"} if reference.digest else {"pull", "resolve"})
        return await self._first(question, needed, self._resolve_at)

    async def fetch(
        self, reference: ImageReference, descriptor: Descriptor, auth: AuthConfig | None, *, kind: Kind
    ) -> bytes:
        """Get one small document, from the cache or from the first host that has it intact.

        Args:
            reference: names the repository.
            descriptor: its digest and size are checked; a size of 0 means that it is not known.
            auth: credentials of the pull that this is for. The cache does not ask for them: the caller has resolved the
                reference with them before.
            kind: whether it is a manifest or index, or a blob.

        Raises:
            RegistryError: see ``resolve``. What has another digest or size than asked for is a ContentInvalidError.
            InvalidConfigurationError: out of ``hosts``.
        """
        if not is_digest(descriptor.digest):
            raise ContentInvalidError(f"{reference.domain}: {descriptor.digest[:100]!r} is not a digest")
        if descriptor.size > MAX_DOCUMENT_BYTES:
            raise ContentInvalidError(
                f"{descriptor.digest} has {descriptor.size} bytes, more than {MAX_DOCUMENT_BYTES}"
            )
        cached = None if self._cache is None else await asyncio.to_thread(self._cache.get, descriptor.digest)
        if self._cache is not None:
            metrics.CACHE_LOOKUPS.add(result="miss" if cached is None else "hit")
        if cached is not None:
            check_content(cached, descriptor)
            return cached
        accept = f"{descriptor.media_type}, */*" if _MEDIA_TYPE.fullmatch(descriptor.media_type) else "*/*"
        limit_bytes = descriptor.size if descriptor.size > 0 else MAX_DOCUMENT_BYTES
        question = _Question(reference, auth, kind, descriptor.digest, accept, limit_bytes)
        return await self._first(
            question, frozenset({"pull"}), lambda host, asked: self._content_at(host, asked, descriptor)
        )

    async def _first(
        self,
        question: _Question,
        needed: frozenset[Capability],
        ask: Callable[[RegistryHost, _Question], Awaitable[_T]],
    ) -> _T:
        domain = question.reference.domain
        failures: list[RegistryError] = []
        for host in await asyncio.to_thread(self._hosts, domain):
            if not needed <= host.capabilities:
                continue
            try:
                return await ask(host, question)
            except RegistryError as failure:
                failures.append(failure)
        if not failures:
            raise RegistryUnreachableError(f"{domain}: no host is configured to {' and '.join(sorted(needed))}")
        raise _gravest(failures)

    async def _resolve_at(self, host: RegistryHost, question: _Question) -> Resolved:
        response = await self._exchange(host, question, "HEAD")
        digest = question.reference.digest or response.headers.get("docker-content-digest", "")
        if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return await self._resolve_by_content(host, question)
        _check_status(host, question, response)
        # A length of 0 is what a server says that counted the body of its answer to HEAD.
        if not digest or not response.length:
            return await self._resolve_by_content(host, question)
        if not is_digest(digest):
            raise ContentInvalidError(f"{host.host}: {question.purpose}: its digest is none: {digest[:100]!r}")
        if response.length > MAX_DOCUMENT_BYTES:
            raise ContentInvalidError(f"{host.host}: {question.purpose}: more than {MAX_DOCUMENT_BYTES} bytes")
        return Resolved(_media_type(response), digest, response.length)

    async def _resolve_by_content(self, host: RegistryHost, question: _Question) -> Resolved:
        response = await self._exchange(host, question, "GET")
        _check_status(host, question, response)
        descriptor = Descriptor(question.reference.digest or digest_of(response.body))
        await self._keep(host, descriptor, response.body)
        return Resolved(_media_type(response), descriptor.digest, len(response.body))

    async def _content_at(self, host: RegistryHost, question: _Question, descriptor: Descriptor) -> bytes:
        response = await self._exchange(host, question, "GET")
        _check_status(host, question, response)
        await self._keep(host, descriptor, response.body)
        return response.body

    async def _keep(self, host: RegistryHost, descriptor: Descriptor, content: bytes) -> None:
        try:
            check_content(content, descriptor)
        except ContentInvalidError as error:
            raise ContentInvalidError(f"{host.host}: {error.message}") from error
        if self._cache is not None:
            await asyncio.to_thread(self._cache.put, descriptor.digest, content)

    async def _exchange(self, host: RegistryHost, question: _Question, method: str) -> Response:
        scope = f"repository:{question.reference.path}:pull"
        access = Access(host, scope, credentials_for(question.auth, host.host))
        grant = self._authorizer.known(access)
        response = await self._transport.send(host, question.request(host, method, grant))
        if response.status != HTTPStatus.UNAUTHORIZED or response.is_elsewhere:
            return response
        grant = await self._authorizer.answer(access, response.challenges, grant)
        response = await self._transport.send(host, question.request(host, method, grant))
        if response.status in _DENIED:
            raise _denied(host, question, response, grant.advice)
        return response


def _check_status(host: RegistryHost, question: _Question, response: Response) -> None:
    if response.status == HTTPStatus.OK:
        return
    if response.status in _DENIED:
        raise _denied(host, question, response, "")
    message = f"{host.host}: {question.purpose}: status {response.status}"
    raise ContentMissingError(message) if response.status == HTTPStatus.NOT_FOUND else RegistryUnreachableError(message)


def _denied(host: RegistryHost, question: _Question, response: Response, advice: str) -> RegistryDeniedError:
    return RegistryDeniedError(f"{host.host}: {question.purpose}: denied with status {response.status}", advice=advice)


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip()[:_MEDIA_TYPE_MAX_CHARACTERS]


def _gravest(failures: list[RegistryError]) -> RegistryError:
    worst = min(failures, key=lambda failure: _GRAVITY.index(type(failure)))
    return type(worst)("; ".join(failure.message for failure in failures), advice=worst.advice)
