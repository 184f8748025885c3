"""Resolves references and fetches small metadata, as containerd would and from where it would.

Knows what is asked and what an answer means. Leaves to ``asking`` whom, to ``resolution`` who else asks the same, to
``cache`` what was fetched before, and time and fail-open to the caller. Implements the pull part of the OCI
distribution specification (v1.1) in the way of containerd's ``core/remotes/docker/resolver.go`` and ``fetcher.go``.
"""

import asyncio
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal

from imagefit.errors import ContentInvalidError, ContentMissingError, RegistryDeniedError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES, Descriptor, check_content, digest_of
from imagefit.model.reference import ImageReference, is_digest
from imagefit.registry.asking import Asker, Question, check_status
from imagefit.registry.cache import ContentCache
from imagefit.registry.exchange import Response
from imagefit.registry.host import Capability, RegistryHost
from imagefit.registry.referrers import Referrers
from imagefit.registry.resolution import Fingerprints, Memory, Shared
from imagefit.registry.retry import Retry
from imagefit.registry.transport import OnRequest, Transport
from imagefit.telemetry import metrics

Kind = Literal["manifests", "blobs"]

_RESOLVE_ACCEPT: Final = (
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json, */*"
)
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,150}", re.ASCII)
_MEDIA_TYPE_MAX_CHARACTERS: Final = 255


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


class RegistryClient:
    """Asks registries; all calls come from one event loop, and time is the caller's (``time_limit``).

    Whoever asks the same with the same credentials at the same time shares one asking.

    Args:
        hosts: gives the hosts of a domain in asking order; runs in a thread, since it may read files.
        cache: of content by digest, or None.
        user_agent: such as ``imagefit/0.1.0``.
        on_request: is told host, method and outcome (a status or an error's code) of every request on the wire.
        memory: how long is believed what was learnt.
        retry: how failures that may pass are waited for.
    """

    def __init__(
        self,
        hosts: Callable[[str], tuple[RegistryHost, ...]],
        cache: ContentCache | None,
        user_agent: str,
        on_request: OnRequest | None = None,
        memory: Memory | None = None,
        retry: Retry | None = None,
    ) -> None:
        """Open no connection yet."""
        memory = memory or Memory()
        self._cache = cache
        self._transport = Transport(user_agent, on_request)
        self._asker = Asker(hosts, self._transport, retry)
        self._fingerprints = Fingerprints()
        self._resolutions: Shared[Resolved] = Shared(memory.tag_seconds, memory.missing_seconds)
        self._contents: Shared[bytes] = Shared(0.0, memory.missing_seconds)
        self._referrers = Referrers(self._asker)
        self._lists: Shared[bytes] = Shared(0.0, 0.0)

    async def close(self) -> None:
        """End what is under way and close every connection."""
        await self._resolutions.close()
        await self._contents.close()
        await self._lists.close()
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
        needed: frozenset[Capability] = frozenset({"pull"} if reference.digest else {"pull", "resolve"})
        question = Question(reference, auth, f"manifests/{reference.target}", _RESOLVE_ACCEPT, needed)
        return await self._resolutions.get(
            self._key(question),
            lambda: self._asker.first(question, self._resolve_at),
            # A requester proves access to a digest every time; only what a tag stands for may be believed for a while.
            keep=not reference.digest,
        )

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
        accept = f"{descriptor.media_type}, */*" if _MEDIA_TYPE.fullmatch(descriptor.media_type) else "*/*"
        limit_bytes = descriptor.size if descriptor.size > 0 else MAX_DOCUMENT_BYTES
        question = Question(reference, auth, f"{kind}/{descriptor.digest}", accept, limit_bytes=limit_bytes)
        try:
            return await self._contents.get(self._key(question), lambda: self._content(question, descriptor))
        except (ContentMissingError, RegistryDeniedError):
            # A tag that is said to stand for it does so no more.
            self._resolutions.forget(lambda resolved: resolved.digest == descriptor.digest)
            raise

    async def referrers(
        self,
        reference: ImageReference,
        digest: str,
        auth: AuthConfig | None,
        artifact_types: frozenset[str] = frozenset(),
    ) -> bytes:
        """List what refers to a manifest or index; arguments, answer and errors as of ``Referrers.listed``."""
        key = (reference.domain, reference.path, digest, artifact_types, self._fingerprints.of(auth))
        return await self._lists.get(key, lambda: self._referrers.listed(reference, digest, auth, artifact_types))

    def _key(self, question: Question) -> Hashable:
        reference = question.reference
        place = (reference.domain, reference.path, question.what, question.accept, question.limit_bytes)
        return place, self._fingerprints.of(question.auth)

    async def _resolve_at(self, host: RegistryHost, question: Question) -> Resolved:
        response = await self._asker.exchange(host, question, "HEAD")
        digest = question.reference.digest or response.headers.get("docker-content-digest", "")
        if response.status == HTTPStatus.METHOD_NOT_ALLOWED:
            return await self._resolve_by_content(host, question)
        check_status(host, question, response, "HEAD")
        # A length of 0 is what a server says that counted the body of its answer to HEAD.
        if not digest or not response.length:
            return await self._resolve_by_content(host, question)
        if not is_digest(digest):
            raise ContentInvalidError(f"{host.host}: {question.purpose}: its digest is none: {digest[:100]!r}")
        if response.length > MAX_DOCUMENT_BYTES:
            raise ContentInvalidError(f"{host.host}: {question.purpose}: more than {MAX_DOCUMENT_BYTES} bytes")
        return Resolved(_media_type(response), digest, response.length)

    async def _resolve_by_content(self, host: RegistryHost, question: Question) -> Resolved:
        response = await self._asker.exchange(host, question, "GET")
        check_status(host, question, response, "GET")
        descriptor = Descriptor(question.reference.digest or digest_of(response.body))
        await self._keep(host, question, descriptor, response.body)
        return Resolved(_media_type(response), descriptor.digest, len(response.body))

    async def _content(self, question: Question, descriptor: Descriptor) -> bytes:
        # Inside the shared asking, so that whoever comes just after its end finds what it brought.
        cached = (
            None
            if self._cache is None
            else await asyncio.to_thread(self._cache.get, descriptor.digest, _place(question))
        )
        if self._cache is not None:
            metrics.CACHE_LOOKUPS.add(result="miss" if cached is None else "hit")
        if cached is None:
            return await self._asker.first(question, lambda host, asked: self._content_at(host, asked, descriptor))
        check_content(cached, descriptor)
        return cached

    async def _content_at(self, host: RegistryHost, question: Question, descriptor: Descriptor) -> bytes:
        response = await self._asker.exchange(host, question, "GET")
        check_status(host, question, response, "GET")
        await self._keep(host, question, descriptor, response.body)
        return response.body

    async def _keep(self, host: RegistryHost, question: Question, descriptor: Descriptor, content: bytes) -> None:
        try:
            check_content(content, descriptor)
        except ContentInvalidError as error:
            raise ContentInvalidError(f"{host.host}: {error.message}") from error
        if self._cache is not None:
            await asyncio.to_thread(self._cache.put, descriptor.digest, content, _place(question))


def _place(question: Question) -> str:
    """Return the repository: access to one, which the requester has shown, says nothing of another."""
    return f"{question.reference.domain}/{question.reference.path}"


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip()[:_MEDIA_TYPE_MAX_CHARACTERS]
