"""Proves to a registry who is asking.

Knows how a challenge is answered, how tokens are asked for and how long they are kept. Leaves to ``credentials`` who
may see a secret and to ``transport`` the wire. Implements the distribution project's token specification
(``docs/spec/auth``, token and OAuth2), with the scopes that containerd asks for: its own and those of the challenge.
"""

import asyncio
import hashlib
import math
import re
import secrets
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import urldefrag, urlencode

import msgspec

from imagefit.errors import ContentInvalidError, RegistryDeniedError
from imagefit.registry.credentials import (
    Challenge,
    Credentials,
    is_usable_realm,
    may_see_credentials,
    parse_challenges,
)
from imagefit.registry.exchange import Request, Response, shown_host
from imagefit.registry.failures import unreachable
from imagefit.registry.host import Header, RegistryHost
from imagefit.registry.transport import Transport

_GRANTS_MAX: Final = 512
_ANSWER_MAX_BYTES: Final = 256 * 1024
_LIFE_SECONDS: Final = 60.0
_LIFE_MAX_SECONDS: Final = 3600.0
# A token that ends while its request is on the way costs a round trip more.
_MARGIN_SECONDS: Final = 3.0
_CLIENT_ID: Final = "imagefit"
_USABLE_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,14000}")
_BUSY_STATUSES: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Access:
    """Who wants what of which host.

    Attributes:
        host: that will be asked.
        scope: such as ``repository:library/nginx:pull``.
        credentials: for this host, or None.
    """

    host: RegistryHost
    scope: str
    credentials: Credentials | None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a host is shown.

    Attributes:
        authorization: the value of the header.
        expires_at: by the authorizer's clock.
        advice: why it may not be enough; empty in the common case.
    """

    authorization: str = field(repr=False)
    expires_at: float
    advice: str = ""

    @property
    def headers(self) -> tuple[Header, ...]:
        """The header that shows it."""
        return (("Authorization", self.authorization),)


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


_ANSWER_DECODER: Final = msgspec.json.Decoder(_TokenAnswer, strict=False)
_Key = tuple[str, str, bytes]


class Authorizer:
    """Answers challenges and remembers what was granted, in memory only.

    Args:
        transport: asks token servers.
        clock: seconds that only grow.
    """

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing granted."""
        self._transport = transport
        self._clock = clock
        self._grants: dict[_Key, Grant] = {}
        self._asking: weakref.WeakValueDictionary[_Key, asyncio.Lock] = weakref.WeakValueDictionary()
        # Keyed with a secret of this process, so that the table holds nothing that a password could be guessed from.
        self._fingerprint_key = secrets.token_bytes(32)

    def known(self, access: Access) -> Grant | None:
        """Return what was granted earlier and still holds."""
        key = self._key(access)
        grant = self._grants.pop(key, None)
        if grant is None or grant.expires_at <= self._clock():
            return None
        # Last used last, so that the first is the one to forget.
        self._grants[key] = grant
        return grant

    async def answer(self, access: Access, headers: Sequence[str], refused: Grant | None) -> Grant:
        """Answer the challenge of a 401.

        Args:
            access: what was asked for.
            headers: every ``WWW-Authenticate`` of the answer.
            refused: what the host was shown with that request.

        Raises:
            RegistryDeniedError: there is nothing else to show, or the token server refuses.
            RegistryUnreachableError: the token server does not answer.
            ContentInvalidError: what it answers, or where it is said to be, makes no sense.
        """
        key = self._key(access)
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            known = self.known(access)
            if known is not None and not _is_same(known, refused):
                return known
            self._grants.pop(key, None)
            grant = await self._granted(access, parse_challenges(headers))
            if _is_same(grant, refused):
                raise RegistryDeniedError(f"{access.host.host}: refuses the credentials of this pull")
            self._grants[key] = grant
            while len(self._grants) > _GRANTS_MAX:
                del self._grants[next(iter(self._grants))]
            return grant

    def _key(self, access: Access) -> _Key:
        credentials = access.credentials
        identity = b"" if credentials is None else f"{credentials.username}\0{credentials.secret}".encode()
        fingerprint = hashlib.blake2b(identity, key=self._fingerprint_key, digest_size=32).digest()
        return access.host.origin, access.scope, fingerprint

    async def _granted(self, access: Access, challenges: Sequence[Challenge]) -> Grant:
        host = access.host.host
        # A token before a password, as in containerd.
        for challenge in challenges:
            if challenge.scheme == "bearer":
                return await self._token(access, challenge)
        if not any(challenge.scheme == "basic" for challenge in challenges):
            raise RegistryDeniedError(f"{host}: wants a proof of another kind than password or token")
        if access.credentials is None or access.credentials.is_identity_token:
            raise RegistryDeniedError(f"{host}: wants a user name and a password, and this pull has none for it")
        return Grant(access.credentials.basic(), self._clock() + _LIFE_MAX_SECONDS)

    async def _token(self, access: Access, challenge: Challenge) -> Grant:
        host, realm = access.host, challenge.realm
        if not is_usable_realm(realm, host.origin):
            raise ContentInvalidError(f"{host.host}: names a token server that must not be asked")
        shown = access.credentials if may_see_credentials(realm, host.origin, host.token_servers) else None
        withheld = access.credentials is not None and shown is None
        told = f"its token server {shown_host(realm)} is another site and was shown no credentials"
        advice = f"{told}; see [registry] token-servers" if withheld else ""
        request = _token_request(access, challenge, shown)
        response = await self._transport.send(host, request)
        _check_status(access, request, response, advice)
        return self._read(host, response, advice)

    def _read(self, host: RegistryHost, response: Response, advice: str) -> Grant:
        try:
            answer = _ANSWER_DECODER.decode(response.body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            # "from None": the decoder's words could quote the token.
            raise ContentInvalidError(f"{host.host}: its token server's answer cannot be read") from None
        token = answer.token or answer.access_token or ""
        if _USABLE_TOKEN.fullmatch(token) is None:
            raise ContentInvalidError(f"{host.host}: its token server sent no usable token")
        said_seconds = answer.expires_in if answer.expires_in and math.isfinite(answer.expires_in) else _LIFE_SECONDS
        life_seconds = min(said_seconds, _LIFE_MAX_SECONDS) - _MARGIN_SECONDS
        return Grant(f"Bearer {token}", self._clock() + life_seconds, advice)


def _is_same(grant: Grant, refused: Grant | None) -> bool:
    return refused is not None and grant.authorization == refused.authorization


def _token_request(access: Access, challenge: Challenge, credentials: Credentials | None) -> Request:
    purpose = f"token for {access.host.host}"
    realm, _ = urldefrag(challenge.realm)
    service = [("service", challenge.service)] if challenge.service else []
    scopes = sorted({access.scope, *challenge.scopes})
    if credentials is not None and credentials.is_identity_token:
        form = [
            ("grant_type", "refresh_token"),
            *service,
            ("client_id", _CLIENT_ID),
            ("scope", " ".join(scopes)),
            ("refresh_token", credentials.secret),
        ]
        headers = (("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),)
        return Request("POST", realm, purpose, _ANSWER_MAX_BYTES, headers, body=urlencode(form).encode())
    url = f"{realm}{'&' if '?' in realm else '?'}{urlencode([*service, *(('scope', one) for one in scopes)])}"
    secret = (("Authorization", credentials.basic()),) if credentials else ()
    return Request("GET", url, purpose, _ANSWER_MAX_BYTES, secret_headers=secret)


def _check_status(access: Access, request: Request, response: Response, advice: str) -> None:
    if response.status == HTTPStatus.OK:
        return
    host, server = access.host.host, shown_host(request.url)
    message = f"{host}: its token server {server} answers with status {response.status}"
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status in _BUSY_STATUSES:
        raise unreachable(message, response, method=request.method)
    raise RegistryDeniedError(message, advice=advice)
