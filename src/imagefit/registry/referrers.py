"""What refers to a manifest: by the referrers API, or by the fallback tag where a registry has no API.

Knows pages, filters, limits, and which repositories of a host have no API. Leaves to ``asking`` the hosts, who is
asking and the wire, and to the caller whether any of it is to be believed: nothing of a list is checked by a digest, so
only hosts are asked that are trusted with tags, too. Implements "Listing Referrers" and "Unavailable Referrers API" of
the OCI distribution specification (v1.1).
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import msgspec

from imagefit.errors import ContentInvalidError, ContentMissingError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import INDEX_MEDIA_TYPES, Descriptor
from imagefit.model.reference import ImageReference
from imagefit.registry.asking import Asker, Question, check_status
from imagefit.registry.exchange import Response, origin_of
from imagefit.registry.host import Capability, RegistryHost

MAX_PAGES: Final = 8
MAX_REFERRERS: Final = 1000
"""Most referrers, of all types together, that are listed for one manifest."""
_INDEX_MEDIA_TYPE: Final = "application/vnd.oci.image.index.v1+json"
_NEEDED: Final[frozenset[Capability]] = frozenset({"pull", "resolve"})
# What registries answer that know no referrers API; the specification says 404.
_NO_API_STATUSES: Final = frozenset({400, 404, 405, 406, 501})
_WITHOUT_API_SECONDS: Final = 600.0
_MAX_PLACES: Final = 1024
_MAX_LINK_CHARACTERS: Final = 4096
_MAX_QUERY_FIELDS: Final = 16
_TAG_ALGORITHM_CHARACTERS: Final = 32
_TAG_ENCODED_CHARACTERS: Final = 64
_Query = tuple[tuple[str, str], ...]


_NO_ANNOTATIONS: Final = msgspec.Raw()


class _Referrer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is passed on of a referrer.

    Attributes:
        annotations: JSON as it came, for whoever reads the list: a hostile one takes 20 times as long to take apart.
    """

    digest: str
    media_type: str = ""
    size: int = 0
    artifact_type: str = ""
    annotations: msgspec.Raw = _NO_ANNOTATIONS
    data: str | None = None


class _List(msgspec.Struct, frozen=True, rename="camel"):
    manifests: list[_Referrer] | None = None
    media_type: str = ""


_DECODER: Final = msgspec.json.Decoder(_List)
_ANNOTATIONS_DECODER: Final = msgspec.json.Decoder(dict[str, str] | None)


@dataclass(slots=True)
class _Api:
    """What is known of the API of one repository."""

    probing: asyncio.Lock = field(default_factory=asyncio.Lock)
    exists: bool = False
    missing_until: float = float("-inf")

    def is_missing(self, now: float) -> bool:
        return now < self.missing_until

    def is_known(self, now: float) -> bool:
        return self.exists or self.is_missing(now)


class Referrers:
    """Lists referrers, and remembers for ten minutes which repositories have no API for it.

    Args:
        asker: asks hosts.
        clock: seconds that only grow.
        max_places: of how many repositories something is remembered; the oldest goes first.
    """

    def __init__(
        self, asker: Asker, clock: Callable[[], float] = time.monotonic, max_places: int = _MAX_PLACES
    ) -> None:
        """Know nothing yet."""
        self._max_places = max_places
        self._asker = asker
        self._clock = clock
        self._apis: dict[tuple[str, str, str], _Api] = {}

    async def listed(
        self, reference: ImageReference, digest: str, auth: AuthConfig | None, artifact_types: Collection[str] = ()
    ) -> bytes:
        """List what refers to a manifest or index.

        Args:
            reference: names the repository.
            digest: of the manifest or index.
            auth: credentials of the pull that this is for.
            artifact_types: those of interest; empty for all.

        Returns:
            An image index of all pages, with those artifacts only that are of interest; empty where nothing refers.

        Raises:
            ContentInvalidError: an answer makes no sense, leads elsewhere, or is beyond the limits.
            RegistryError: no host that is trusted to resolve answered.
            InvalidConfigurationError: out of the hosts' configuration.
        """
        types = frozenset(artifact_types)
        # A registry filters by one type only, or not at all.
        query: _Query = tuple(("artifactType", one) for one in types) if len(types) == 1 else ()
        question = Question(reference, auth, f"referrers/{digest}", _INDEX_MEDIA_TYPE, _NEEDED, query=query)
        try:
            found = await self._asker.first(question, partial(self._at, fallback_tag(digest), types))
        except ContentMissingError:
            found = []
        return _encoded(found)

    async def _at(self, tag: str, types: frozenset[str], host: RegistryHost, question: Question) -> list[_Referrer]:
        """Return what a host lists of the types of interest."""
        found = await self._listed_at(tag, host, question)
        wanted = [one for one in found if not types or one.artifact_type in types]
        for one in wanted:
            _check_annotations(host, one)
        return wanted

    async def _listed_at(self, tag: str, host: RegistryHost, question: Question) -> list[_Referrer]:
        api = self._api(host, question)
        if not api.is_known(self._clock()):
            # One request finds out, the others wait for what it finds.
            async with api.probing:
                if not api.is_known(self._clock()):
                    return await self._asked(api, tag, host, question)
        return await self._asked(api, tag, host, question)

    async def _asked(self, api: _Api, tag: str, host: RegistryHost, question: Question) -> list[_Referrer]:
        if not api.is_missing(self._clock()):
            found = await self._pages(host, question)
            if found is not None:
                api.exists = True
                return found
            if not api.exists:
                api.missing_until = self._clock() + _WITHOUT_API_SECONDS
        by_tag = replace(question, what=f"manifests/{tag}", query=())
        answer = await self._asker.exchange(host, by_tag, "GET")
        check_status(host, by_tag, answer, "GET")
        found = _read(host, answer.body)
        _check_count(host, found)
        return found

    async def _pages(self, host: RegistryHost, question: Question) -> list[_Referrer] | None:
        """Return what the API lists, None where there is no API."""
        url = f"{host.origin}{host.path}/{question.purpose}"
        found: list[_Referrer] = []
        for number in range(MAX_PAGES):
            answer = await self._asker.exchange(host, question, "GET")
            if number == 0 and _is_without_api(answer):
                return None
            check_status(host, question, answer, "GET")
            found += _read(host, answer.body)
            _check_count(host, found)
            following = _next(answer.headers.get("link", ""), url)
            if following is None:
                return found
            left_bytes = question.limit_bytes - len(answer.body)
            question = replace(question, query=following, limit_bytes=left_bytes)
        raise ContentInvalidError(f"{host.host}: more than {MAX_PAGES} pages of referrers")

    def _api(self, host: RegistryHost, question: Question) -> _Api:
        # By repository: registries put different servers behind the paths of one host.
        place = (f"{host.origin}{host.path}", question.reference.domain, question.reference.path)
        if place not in self._apis and len(self._apis) >= self._max_places:
            del self._apis[next(iter(self._apis))]
        return self._apis.setdefault(place, _Api())


def fallback_tag(digest: str) -> str:
    """Return the tag that lists the referrers of a digest in a registry without the API."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm[:_TAG_ALGORITHM_CHARACTERS]}-{encoded[:_TAG_ENCODED_CHARACTERS]}"


def list_of(referrers: Iterable[Descriptor]) -> bytes:
    """Return an image index of some referrers."""
    return _encoded(_referrer(one) for one in referrers)


def _referrer(one: Descriptor) -> _Referrer:
    annotations = _NO_ANNOTATIONS if one.annotations is None else msgspec.Raw(msgspec.json.encode(one.annotations))
    return _Referrer(one.digest, one.media_type, one.size, one.artifact_type, annotations, one.data)


def _is_without_api(answer: Response) -> bool:
    """Tell whether an answer is none of the API's: hosts without it answer with errors, and with pages for people."""
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_other = answer.status == HTTPStatus.OK and media_type not in INDEX_MEDIA_TYPES
    return answer.status in _NO_API_STATUSES or is_other


def _read(host: RegistryHost, body: bytes) -> list[_Referrer]:
    try:
        found = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ContentInvalidError(f"{host.host}: the list of referrers cannot be read: {error}") from error
    if found.media_type and found.media_type not in INDEX_MEDIA_TYPES:
        raise ContentInvalidError(f"{host.host}: the list of referrers is a {found.media_type[:100]!r}")
    return found.manifests or []


def _check_annotations(host: RegistryHost, one: _Referrer) -> None:
    try:
        _ANNOTATIONS_DECODER.decode(bytes(one.annotations) or b"null")
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ContentInvalidError(f"{host.host}: annotations of a referrer cannot be read: {error}") from error


def _check_count(host: RegistryHost, found: list[_Referrer]) -> None:
    # Not cut short: the newest artifact counts, and it might be among the rest.
    if len(found) > MAX_REFERRERS:
        raise ContentInvalidError(f"{host.host}: more than {MAX_REFERRERS} referrers")


def _encoded(referrers: Iterable[_Referrer]) -> bytes:
    return msgspec.json.encode({"schemaVersion": 2, "mediaType": _INDEX_MEDIA_TYPE, "manifests": list(referrers)})


def _next(link: str, url: str) -> _Query | None:
    """Return the query of the next page, None where there is none.

    Raises:
        ContentInvalidError: it is not on the same host and path.
    """
    target = _target(link)
    if target is None:
        return None
    try:
        absolute = urljoin(url, target)
        parts = urlsplit(absolute)
        # Only its query is taken, so that the scheme, which a proxy may change, does not matter.
        is_here = origin_of(absolute)[1:] == origin_of(url)[1:] and unquote(parts.path) == urlsplit(url).path
        fields = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        is_here, fields = False, []
    if not is_here:
        raise ContentInvalidError(f"{urlsplit(url).netloc}: the next page of referrers is elsewhere")
    return tuple((name, value) for name, value in fields if name != "ns")


def _target(link: str) -> str | None:
    """Return what a ``Link`` header (RFC 8288) calls next, None where it calls nothing so."""
    for part in link[:_MAX_LINK_CHARACTERS].split("<")[1:]:
        target, closed, parameters = part.partition(">")
        pairs = (one.partition("=") for one in parameters.rstrip(", ").split(";"))
        relations = {
            word
            for name, _, value in pairs
            if name.strip().lower() == "rel"
            for word in value.strip(' "').lower().split()
        }
        if closed and "next" in relations:
            return target
    return None
