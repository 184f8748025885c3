"""A registry that means harm: it learns no secret that is not for it, and costs at most the time that there is.

Each case is pulled from with credentials for the registry, with configured headers, and with another host in reach that
must not get to know any of them: the thief.
"""

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.registry import FakeRegistry
from fakes.scripted_server import (
    Answer,
    Asked,
    ScriptedServer,
    answer,
    cut_off,
    dripping,
    endless,
    resolved,
    served,
    silence,
)
from imagefit.errors import ContentInvalidError, RegistryDeniedError, RegistryError, RegistryUnreachableError
from imagefit.model.credentials import AuthConfig
from imagefit.model.oci import MAX_DOCUMENT_BYTES, Descriptor, digest_of
from imagefit.model.reference import ImageReference
from imagefit.registry.cache import ContentCache
from imagefit.registry.client import RegistryClient
from imagefit.registry.host import RegistryHost
from imagefit.registry.retry import Retry
from imagefit.registry.time_limit import time_limit

BUDGET_SECONDS = 0.3
# What a busy machine may take longer.
SLACK_SECONDS = 2.0
SECRETS = ("planted-user", "planted-password", "planted-header", "planted-token", "planted-query")
AUTH = AuthConfig(username="planted-user", password="planted-password")  # noqa: S106  # planted to be looked for
BASIC = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ="
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX = b'{"schemaVersion":2,"manifests":[]}'
DESCRIPTOR = Descriptor(digest_of(INDEX), INDEX_TYPE, len(INDEX))
HEAD = resolved(INDEX_TYPE, INDEX)
TIME_OUT = TimeoutError
BOMB = gzip.compress(b"\0" * 50_000_000, 9)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the hostile registry and the thief listen."""

    own: str
    thief: str


Script = Callable[[Place, Asked], Answer]


@dataclass(frozen=True, slots=True)
class Case:
    """What the hostile registry does, and what becomes of it.

    Attributes:
        script: its answers.
        error: of the pull; None where it succeeds all the same.
        requests: how many it gets at the most.
        thief: paths that the thief is asked for.
    """

    script: Script
    error: type[Exception] | None
    requests: int
    thief: tuple[str, ...] = ()


def challenge(what: str) -> bytes:
    return answer(401, {"WWW-Authenticate": what})


def is_token(asked: Asked) -> bool:
    return asked.target.startswith("/token")


def always(one: Answer) -> Script:
    return lambda place, asked: one


def on_get(one: Answer) -> Script:
    """Answer HEAD as is right, and GET so."""
    return lambda place, asked: HEAD if asked.method == "HEAD" else one


def with_token(one: Answer) -> Script:
    """Ask for a token of the registry's own token server, which answers so."""
    return lambda place, asked: one if is_token(asked) else challenge(f'Bearer realm="http://{place.own}/token"')


def realm(url: str, *, kind: str = "Bearer") -> Script:
    return lambda place, asked: challenge(f'{kind} realm="{url.format(place=place)}",service="planted-service"')


def redirect(location: str, *, methods: str = "HEAD GET") -> Script:
    def script(place: Place, asked: Asked) -> Answer:
        target = location.format(place=place, target=asked.target)
        return answer(307, {"Location": target}) if asked.method in methods else HEAD

    return script


def challenged_then(script: Script) -> Script:
    """Take the password first, so that the client shows it with every request, and then do something else."""
    return lambda place, asked: script(place, asked) if BASIC in asked.text else challenge('Basic realm="r"')


def endless_tokens(place: Place, asked: Asked) -> Answer:
    token = b'{"token": "planted-token"}'
    return answer(200, {}, token) if is_token(asked) else challenge(f'Bearer realm="http://{place.own}/token"')


def new_realms(place: Place, asked: Asked) -> Answer:
    where = len(asked.target)
    return answer(200, {}, b'{"token": "t"}') if is_token(asked) else challenge(f'Bearer realm="/token{where}"')


def token_moved(place: Place, asked: Asked) -> Answer:
    if is_token(asked):
        return answer(307, {"Location": f"http://{place.thief}/token?stolen"})
    return challenge(f'Bearer realm="http://{place.own}/token"')


def cookies(place: Place, asked: Asked) -> Answer:
    headers = {"Set-Cookie": "planted-token=1; Domain=127.0.0.1; Path=/"}
    return answer(307, {**headers, "Location": f"http://{place.thief}/v2/app/manifests/v1"})


def headers(count: int, size: int) -> bytes:
    lines = b"".join(b"X-%d: " % number + b"x" * size + b"\r\n" for number in range(count))
    return b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n"


def length(announced: str, body: bytes = INDEX) -> bytes:
    return answer(200, {"Content-Type": INDEX_TYPE, "Content-Length": announced}, body)


def encoded(body: bytes, encoding: str) -> bytes:
    return answer(200, {"Content-Type": INDEX_TYPE, "Content-Encoding": encoding}, body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
START = b"HTTP/1.1 200 OK\r\n"

CASES: dict[str, Case] = {
    # Another host is named as the token server. 127.0.0.1 and localhost are two names, so two sites.
    "realm elsewhere": Case(realm("http://{place.thief}/token"), RegistryDeniedError, 2, ("/token",)),
    "realm elsewhere with credentials": Case(realm("http://u:p@{place.thief}/token"), ContentInvalidError, 1),
    "realm that looks like ours": Case(realm("http://{place.own}@{place.thief}/token"), ContentInvalidError, 1),
    "realm with our host in its path": Case(
        realm("http://{place.thief}/http://{place.own}/"), RegistryDeniedError, 1, ("/http:",)
    ),
    "realm of a file": Case(realm("file:///etc/shadow"), ContentInvalidError, 1),
    "realm of nothing": Case(realm(""), ContentInvalidError, 1),
    "realm elsewhere for a password": Case(realm("http://{place.thief}/", kind="Basic"), RegistryDeniedError, 2),
    "token server that redirects elsewhere": Case(token_moved, RegistryDeniedError, 3, ("/token",)),
    # Redirects.
    "redirect elsewhere": Case(redirect("http://{place.thief}{target}"), RegistryError, 1, ("/v2/app/manifests/",)),
    "redirect of the content elsewhere": Case(
        redirect("http://{place.thief}{target}", methods="GET"), RegistryError, 2, ("/v2/app/manifests/",)
    ),
    "redirect elsewhere once the password is shown": Case(
        challenged_then(redirect("http://{place.thief}{target}")), RegistryError, 2, ("/v2/app/manifests/",)
    ),
    "redirect elsewhere with a cookie": Case(cookies, RegistryError, 1, ("/v2/app/manifests/",)),
    "redirect without a scheme": Case(redirect("//{place.thief}/x"), RegistryError, 1, ("/x",)),
    "redirect with credentials": Case(redirect("http://u:p@{place.thief}/"), ContentInvalidError, 1),
    "redirect to a file": Case(redirect("file:///etc/shadow"), ContentInvalidError, 1),
    "redirect to nowhere": Case(redirect(""), ContentInvalidError, 1),
    "redirect in a circle": Case(redirect("http://{place.own}{target}"), ContentInvalidError, 6),
    "redirect that grows": Case(redirect("{target}/planted-query"), ContentInvalidError, 6),
    # Challenges without end.
    "a password is never enough": Case(always(challenge('Basic realm="r"')), RegistryDeniedError, 2),
    "a token is never enough": Case(endless_tokens, RegistryDeniedError, 3),
    "a new token server each time": Case(new_realms, ContentInvalidError, 1),
    "a challenge of another kind": Case(always(challenge("Negotiate x, Digest y")), RegistryDeniedError, 1),
    "a hundred challenges": Case(always(challenge("Foo a=b, " * 100 + "Basic r=r")), RegistryDeniedError, 1),
    "a challenge of one letter 15,000 times": Case(always(challenge('"' * 15_000)), RegistryDeniedError, 1),
    "forbidden after the challenge": Case(challenged_then(always(answer(403))), RegistryDeniedError, 2),
    # Headers.
    "a huge header": Case(always(headers(1, 20_000)), ContentInvalidError, 1),
    "a thousand headers": Case(always(headers(1_000, 1_000)), ContentInvalidError, 1),
    "headers without end": Case(always(endless(START, b"X-Y: " + b"y" * 1_000 + b"\r\n")), RegistryError, 1),
    "a header without end": Case(always(endless(START + b"X: ", b"x" * 10_000)), RegistryError, 1),
    "a status without end": Case(always(endless(b"HTTP/1.1 200 ", b"x" * 10_000)), RegistryError, 1),
    "a huge media type": Case(always(answer(200, {"Content-Type": "a/" + "b" * 9_000})), None, 2),
    "an empty answer": Case(always(b"\r\n"), TIME_OUT, 1),
    "no HTTP": Case(always(b"SSH-2.0-x\r\n\r\n"), ContentInvalidError, 1),
    "go on, without end": Case(always(endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")), TIME_OUT, 1),
    # Content that is another.
    "another digest": Case(on_get(served(INDEX_TYPE, INDEX[::-1])), ContentInvalidError, 2),
    "a digest that leads out of the cache": Case(
        always(answer(200, {"Docker-Content-Digest": "sha256:../../../x", "Content-Length": "34"})),
        ContentInvalidError,
        1,
    ),
    "shorter than announced by HEAD": Case(on_get(served(INDEX_TYPE, INDEX[:-1])), ContentInvalidError, 2),
    "longer than announced by HEAD": Case(on_get(served(INDEX_TYPE, INDEX + b" ")), ContentInvalidError, 2),
    "HEAD announces too much": Case(
        always(answer(200, {"Docker-Content-Digest": DESCRIPTOR.digest, "Content-Length": str(10**14)})),
        ContentInvalidError,
        1,
    ),
    "content without end": Case(on_get(endless(START + b"\r\n", b"x" * 100_000)), ContentInvalidError, 2),
    "chunks without end": Case(on_get(endless(CHUNKED, b"5\r\nxxxxx\r\n" * 1_000)), ContentInvalidError, 2),
    "one chunk of an endless size": Case(on_get(CHUNKED + b"f" * 100_000), RegistryError, 4),
    "a negative length": Case(on_get(length("-1")), ContentInvalidError, 2),
    "two lengths": Case(on_get(length("34\r\nContent-Length: 35")), ContentInvalidError, 2),
    "a length that is no number": Case(on_get(length("many")), ContentInvalidError, 2),
    # Compressed, although it was asked not to be; a length of 0 makes the client ask for content by tag.
    "a bomb": Case(on_get(encoded(BOMB, "gzip")), ContentInvalidError, 2),
    "a bomb by tag": Case(always(encoded(BOMB, "gzip")), ContentInvalidError, 2),
    "a bomb of another kind": Case(
        on_get(encoded(zlib.compress(b"\0" * 50_000_000), "deflate")), ContentInvalidError, 2
    ),
    "a bomb twice": Case(on_get(encoded(gzip.compress(BOMB), "gzip, gzip")), ContentInvalidError, 2),
    "a bomb on the way": Case(
        on_get(START + b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n" % len(BOMB) + BOMB + b"\r\n0\r\n\r\n"),
        ContentInvalidError,
        2,
    ),
    "a bomb for a token": Case(with_token(encoded(BOMB, "gzip")), ContentInvalidError, 2),
    "a bomb for an error": Case(always(answer(404, {"Content-Encoding": "gzip"}, BOMB)), RegistryError, 1),
    # Half answers. aiohttp itself asks once more where a connection was closed before the headers were there.
    "nothing": Case(always(cut_off(b"")), RegistryUnreachableError, 6),
    "half a header": Case(always(cut_off(HEAD[:40])), RegistryUnreachableError, 6),
    "half a body": Case(on_get(cut_off(served(INDEX_TYPE, INDEX)[:-9])), RegistryUnreachableError, 4),
    "half a chunk": Case(on_get(cut_off(CHUNKED + b"22\r\n" + INDEX[:9])), RegistryUnreachableError, 4),
    "half a token": Case(with_token(cut_off(length("99", b'{"token":'))), RegistryUnreachableError, 6),
    # Slow.
    "silence": Case(always(silence), TIME_OUT, 1),
    "silence for the content": Case(on_get(silence), TIME_OUT, 2),
    "silence for a token": Case(with_token(silence), TIME_OUT, 2),
    "headers that drip": Case(always(dripping(START + b"X-Slow: ")), TIME_OUT, 1),
    "a body that drips": Case(on_get(dripping(length("34", b""), b"x")), TIME_OUT, 2),
    "a body of nothing that drips": Case(on_get(dripping(CHUNKED, b"1;x=\r\nx\r\n")), TIME_OUT, 2),
    "a token that drips": Case(with_token(dripping(length("9999", b""), b" ")), TIME_OUT, 2),
    "an error that drips": Case(always(dripping(START.replace(b"200", b"404") + b"\r\n")), RegistryError, 1),
    "come back much later": Case(always(answer(429, {"Retry-After": "86400"})), RegistryUnreachableError, 1),
    "come back at once": Case(always(answer(429, {"Retry-After": "0"})), RegistryUnreachableError, 3),
}


@dataclass(slots=True)
class Attack:
    """What a pull from a hostile registry came to."""

    error: Exception | None = None
    seconds: float = 0.0
    asked: list[Asked] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def thief() -> Iterator[FakeRegistry]:
    with FakeRegistry() as started:
        yield started


async def attacked(script: Script, thief_address: str, cache: Path) -> Attack:
    attack, place = Attack(), Place("", thief_address)
    async with ScriptedServer(answers=lambda asked: script(place, asked)) as server:
        place = Place(server.address, thief_address)
        host = RegistryHost("http", server.address, headers=(("X-Configured", "planted-header"),))
        client = RegistryClient(
            lambda _: (host,),
            ContentCache(cache),
            "imagefit/test",
            lambda *one: attack.told.append(one),
            retry=Retry(first_pause_seconds=0),
        )
        reference, loop = ImageReference(server.address, "app", tag="v1"), asyncio.get_running_loop()
        began = loop.time()
        try:
            async with time_limit(began + BUDGET_SECONDS):
                found = await client.resolve(reference, AUTH)
                descriptor = Descriptor(found.digest, found.media_type, found.size_bytes)
                await client.fetch(reference, descriptor, AUTH, kind="manifests")
        except (RegistryError, TimeoutError) as error:
            attack.error = error
        attack.seconds = loop.time() - began
        await client.close()
        attack.asked = server.asked
    return attack


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hostile_registry_gets_no_secret_and_no_more_than_the_budget(
    case: Case, thief: FakeRegistry, tmp_path: Path
) -> None:
    thief.seen.clear()
    attack = asyncio.run(attacked(case.script, f"localhost:{thief.address.rpartition(':')[2]}", tmp_path))
    assert attack.seconds < BUDGET_SECONDS + SLACK_SECONDS
    assert isinstance(attack.error, case.error or type(None))
    assert len(attack.asked) <= case.requests
    # The thief is asked for what the hostile registry says, and sees nobody's secret with it.
    assert len(thief.seen) == len(case.thief)
    assert all(seen.path.startswith(path) for seen, path in zip(thief.seen, case.thief, strict=True))
    shown = [repr(seen) for seen in thief.seen]
    said = [str(attack.error), repr(attack.error), repr(getattr(attack.error, "advice", "")), repr(attack.told)]
    kept = [path.read_bytes().decode(errors="replace") + path.name for path in tmp_path.iterdir()]
    assert [secret for secret in (*SECRETS, BASIC) for place in (*shown, *said, *kept) if secret in place] == []
    assert not any("authorization" in seen.headers or "cookie" in seen.headers for seen in thief.seen)
    assert case.error is None or not kept


def test_no_more_than_the_limit_is_held_of_what_is_sent() -> None:
    # What the cases above refuse by its size is of more than the limit; this says that the limit is small.
    assert MAX_DOCUMENT_BYTES <= 4 * 1024 * 1024
    assert len(BOMB) < 100_000
