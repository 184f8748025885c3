"""What one host answers: at the root of its API, for the image's name, for its content, and for what refers to it.

Knows which questions are asked, each by the client that the daemon asks with, so that it fails where the daemon would.
Leaves to ``connection`` what is below HTTP.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar

from imagefit.cli.docker_config import login_command
from imagefit.cli.doctor.advice import advice_for
from imagefit.cli.doctor.observation import Observation, State
from imagefit.errors import ImagefitError, InvalidIndexError, RegistryError, RegistryUnreachableError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import INDEX_MEDIA_TYPES, Descriptor, digest_of, parse_index
from imagefit.model.policy import Policy
from imagefit.model.reference import ImageReference
from imagefit.registry.client import RegistryClient, Resolved
from imagefit.registry.credentials import (
    Challenge,
    credentials_for,
    is_usable_realm,
    may_see_credentials,
    parse_challenges,
)
from imagefit.registry.exchange import Request, Response, shown_host
from imagefit.registry.host import RegistryHost
from imagefit.registry.time_limit import time_limit
from imagefit.registry.transport import Transport

_T = TypeVar("_T")
_ANSWER_MAX_BYTES: Final = 64 * 1024
_SHOWN_REQUESTS: Final = 20
_SHOWN_TYPES: Final = 8
# What registries answer that know no referrers API; the specification says 404.
_NOT_THERE: Final = frozenset({"400", "404", "405", "406", "501"})
_Facts = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Wire:
    """The requests of one question, as they were seen on the wire: host, method and outcome."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def note(self, host: str, method: str, outcome: str) -> None:
        """Keep one request."""
        self.seen.append((host, method, outcome))

    def has_missed(self, host: str) -> bool:
        """Tell whether something was not there on ``host``."""
        return any(seen[0] == host and seen[2] in _NOT_THERE for seen in self.seen)

    def taken(self) -> _Facts:
        """Return what was kept since the last call, as a fact."""
        seen = [f"{method} {host}: {outcome}" for host, method, outcome in self.seen]
        self.seen.clear()
        more = ["…"] if len(seen) > _SHOWN_REQUESTS else []
        return (("requests", ", ".join([*seen[:_SHOWN_REQUESTS], *more])),) if seen else ()


class HostProbe:
    """Asks one host about one image. To be closed."""

    def __init__(
        self, host: RegistryHost, reference: ImageReference, auth: AuthConfig | None, agent: str, limit_seconds: float
    ) -> None:
        """Ask nothing yet.

        Args:
            host: that is asked.
            reference: the image.
            auth: credentials for every host; None where the host's own hold.
            agent: what we call ourselves.
            limit_seconds: longest time for each question.
        """
        self.host = host
        self._reference = reference
        self._auth = auth
        self._has_credentials = credentials_for(auth, host.host, host.auth) is not None
        self._limit_seconds = limit_seconds
        self._wire = Wire()
        self._transport = Transport(agent, self._wire.note)
        self._client = RegistryClient(lambda _: (host,), None, agent, self._wire.note)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()
        await self._transport.close()

    async def access(self) -> Observation:
        """Ask the root of the API, to see what the host wants to be shown."""
        url = f"{self.host.origin}{self.host.path}/"
        request = Request("GET", url, "the root of its API", _ANSWER_MAX_BYTES)
        try:
            response = await self._within(lambda: self._transport.send(self.host, request))
        except RegistryError as error:
            return self._failed("access", error)
        if response.status == HTTPStatus.UNAUTHORIZED and not response.is_elsewhere:
            return self._wanted(response)
        if response.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:  # a mirror need not have the root
            return self._seen("access", State.GOOD, "asks for nothing at the root of its API")
        what = f"the root of its API answers with status {response.status}"
        return self._seen("access", State.WARNING, what, advice=_advice_for_status(self.host, response.status))

    async def resolve(self) -> tuple[Observation, Resolved | None]:
        """Ask what the image's name stands for."""
        try:
            found = await self._within(lambda: self._client.resolve(self._reference, self._auth))
        except ImagefitError as error:
            return self._failed("resolve", error), None
        facts = (("digest", found.digest), ("media type", found.media_type), ("bytes", str(found.size_bytes)))
        return self._seen("resolve", State.GOOD, f"{_named(self._reference)} is there", facts), found

    async def content(self, resolved: Resolved) -> Observation:
        """Fetch the index or manifest by its digest."""
        descriptor = Descriptor(resolved.digest, resolved.media_type, resolved.size_bytes)
        try:
            content = await self._within(
                lambda: self._client.fetch(self._reference, descriptor, self._auth, kind="manifests")
            )
            what = _described(content, resolved)
        except ImagefitError as error:
            return self._failed("content", error)
        return self._seen("content", State.GOOD, what, (("digest", resolved.digest),))

    async def referrers(self, digest: str, policy: Policy) -> Observation:
        """Ask what refers to the index or manifest; without an answer only those suffer who believe referrers."""
        try:
            content = await self._within(lambda: self._client.referrers(self._reference, digest, self._auth))
            entries = parse_index(content, digest_of(content)).entries
        except ImagefitError as error:
            state = State.WARNING if policy.trust_referrers else State.NOTE
            advice = advice_for(error, self.host.host, has_credentials=self._has_credentials)
            return self._seen("referrers", state, error.message, advice=advice)
        has_api = not self._wire.has_missed(self.host.host)
        by = "by the referrers API" if has_api else "by the fallback tag, for want of the referrers API"
        if not entries:
            return self._seen("referrers", State.GOOD, f"nothing refers to it ({by})")
        types = Counter(entry.artifact_type or "no type" for entry in entries)
        facts = tuple((name, str(count)) for name, count in types.most_common(_SHOWN_TYPES))
        return self._seen("referrers", State.GOOD, f"{len(entries)} refer to it ({by}), {_trust(policy)}", facts)

    def _wanted(self, response: Response) -> Observation:
        """Tell what a 401 wants, and whether its token server may see our credentials."""
        challenges = parse_challenges(response.challenges)
        bearer = next((one for one in challenges if one.scheme == "bearer"), None)
        if bearer is not None:
            return self._token_server(bearer)
        if any(one.scheme == "basic" for one in challenges):
            what = "asks for user name and password"
            return self._seen(
                "access", State.GOOD if self._has_credentials else State.WARNING, what, advice=self._log_in
            )
        kinds = ", ".join(one.scheme for one in challenges) or "nothing that is known"
        advice = "imagefit, as containerd, knows passwords (Basic) and tokens (Bearer)"
        return self._seen("access", State.WARNING, f"asks for a proof of another kind: {kinds}", advice=advice)

    def _token_server(self, challenge: Challenge) -> Observation:
        if not is_usable_realm(challenge.realm, self.host.origin):
            what = "names a token server that must not be asked"
            return self._seen("access", State.WARNING, what, advice="its realm must be an https:// URL without a user")
        place = shown_host(challenge.realm)
        facts: _Facts = (("token server", place),)
        facts += (("service", challenge.service),) if challenge.service else ()
        if not may_see_credentials(challenge.realm, self.host.origin, self.host.token_servers):
            what = f"asks for a token of {place}, another site, which is shown no credentials"
            if not self._has_credentials:
                return self._seen("access", State.GOOD, what, facts)
            advice = "if that site is the registry's own, have its realm use the registry's host or a name beside it"
            return self._seen("access", State.WARNING, what, facts, advice)
        return self._seen("access", State.GOOD, f"asks for a token of {place}, which may see credentials", facts)

    @property
    def _log_in(self) -> str:
        return "" if self._has_credentials else f"log in with '{login_command(self.host.host)}', or give --creds"

    async def _within(self, ask: Callable[[], Awaitable[_T]]) -> _T:
        try:
            async with time_limit(asyncio.get_running_loop().time() + self._limit_seconds):
                return await ask()
        except TimeoutError:
            message = f"{self.host.host}: no answer within {self._limit_seconds:g} s"
            raise RegistryUnreachableError(message) from None

    def _failed(self, step: str, error: ImagefitError) -> Observation:
        advice = advice_for(error, self.host.host, has_credentials=self._has_credentials)
        return self._seen(step, State.BROKEN, error.message, advice=advice)

    def _seen(self, step: str, state: State, what: str, facts: _Facts = (), advice: str = "") -> Observation:
        return Observation(step, state, what, (*facts, *self._wire.taken()), advice, self.host.origin)


def _named(reference: ImageReference) -> str:
    return f"digest {reference.digest}" if reference.digest else f"tag {reference.tag}"


def _trust(policy: Policy) -> str:
    if not policy.trust_referrers:
        return "and are not believed (trust)"
    if policy.require_signature:
        return "and are believed if they are signed: see 'imagefit explain'"
    return "and are believed"


def _advice_for_status(host: RegistryHost, status: int) -> str:
    return advice_for(RegistryUnreachableError(f"status {status}"), host.host, has_credentials=False)


def _described(content: bytes, resolved: Resolved) -> str:
    """Return what content is. Raises ``InvalidIndexError``."""
    if resolved.media_type not in INDEX_MEDIA_TYPES:
        return "a single manifest: there is nothing to choose"
    try:
        index = parse_index(content, resolved.digest)
    except InvalidIndexError as error:
        raise InvalidIndexError(f"the index cannot be read: {error.message}", advice="see how it was made") from error
    return f"an index of {len(index.entries)} entries"
