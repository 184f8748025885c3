"""What looks like a credential is taken out wherever it stands; what does not stays."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.telemetry.redaction import redacted

PLANTED = "s3cretPassw0rd"
BASIC = base64.b64encode(f"user:{PLANTED}".encode()).decode()
PAYLOAD = base64.urlsafe_b64encode(json.dumps({"sub": "user", "jti": PLANTED}).encode()).decode().rstrip("=")
JWT = f"eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{PAYLOAD}.c2lnbmF0dXJl-_x"
ECR = base64.b64encode(json.dumps({"payload": "aBcD" * 30, "version": "2"}).encode()).decode()
ECR_LOGIN = base64.b64encode(f"AWS:{ECR}".encode()).decode()
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{'Ab1+' * 40}\n-----END RSA PRIVATE KEY-----"

TAKEN = [
    pytest.param(f"Authorization: Basic {BASIC}", BASIC, "Authorization: REDACTED", id="header-basic"),
    pytest.param(
        f"authorization=bearer {PLANTED}, next", PLANTED, "authorization=REDACTED, next", id="header-lower-case"
    ),
    pytest.param("Authorization: abcdefg", "abcdefg", "Authorization: REDACTED", id="header-without-scheme"),
    pytest.param(
        f"{{'Authorization': 'Bearer {PLANTED}'}}", PLANTED, "{'Authorization': 'REDACTED'}", id="headers-repr"
    ),
    pytest.param(f"Proxy-Authorization: Basic {BASIC}", BASIC, "Proxy-Authorization: REDACTED", id="header-of-proxy"),
    pytest.param(f"Set-Cookie: session={PLANTED}; path=/", PLANTED, "Set-Cookie: REDACTED; path=/", id="cookie"),
    pytest.param(f"sent Basic {BASIC} to it", BASIC, "sent Basic REDACTED to it", id="basic-alone"),
    pytest.param(f"sent Bearer {PLANTED}.", PLANTED, "sent Bearer REDACTED", id="bearer-alone"),
    pytest.param(f"https://user:{PLANTED}@host/x", PLANTED, "https://REDACTED@host/x", id="userinfo"),
    pytest.param(f"http://{PLANTED}@host:80", PLANTED, "http://REDACTED@host:80", id="userinfo-token-as-name"),
    pytest.param(f"proxy http://u:p%40{PLANTED}@h", PLANTED, "proxy http://REDACTED@h", id="userinfo-escaped"),
    pytest.param(f"http://u:a@b{PLANTED}@h", PLANTED, "http://REDACTED@h", id="userinfo-two-at"),
    pytest.param(f"got {JWT}!", PAYLOAD, "got REDACTED!", id="jwt"),
    pytest.param(f"got {JWT[:60]}", PAYLOAD[:20], "got REDACTED", id="jwt-cut"),
    pytest.param(f"AWS {ECR}", ECR[10:], "AWS REDACTED", id="ecr-password"),
    pytest.param(f"x {ECR_LOGIN}", ECR_LOGIN[10:], "x REDACTED", id="ecr-login"),
    pytest.param(f"key {PEM} end", "MIIE", "key -----BEGIN RSA PRIVATE KEY-----REDACTED end", id="pem"),
    pytest.param(repr(PEM), "MIIE", "'-----BEGIN RSA PRIVATE KEY-----REDACTED'", id="pem-escaped"),
    pytest.param(PEM[:100], "MIIE", "-----BEGIN RSA PRIVATE KEY-----REDACTED", id="pem-cut"),
    pytest.param(f"ghp_{'aB3' * 12}", "aB3aB3", "REDACTED", id="github"),
    pytest.param("AKIAIOSFODNN7EXAMPLE used", "IOSFODNN7", "REDACTED used", id="aws-key-id"),
    pytest.param(f"dckr_pat_{'x1' * 10}", "x1x1", "REDACTED", id="docker-hub"),
    pytest.param("password=hunter", "hunter", "password=REDACTED", id="password"),
    pytest.param("password: hunter", "hunter", "password: REDACTED", id="password-said"),
    pytest.param(
        "AuthConfig(password='it is', user='u')", "it is", "AuthConfig(password='REDACTED', user='u')", id="repr"
    ),
    pytest.param('{"password":"a\\"b c"}', "b c", '{"password":"REDACTED"}', id="json-with-a-quote"),
    pytest.param(r"{\"password\":\"hunter\"}", "hunter", r"{\"password\":\"REDACTED", id="json-in-json"),
    pytest.param('password="hunter two', "hunter two", 'password="REDACTED', id="quotes-cut"),
    pytest.param("?access_token=abcdef&x=1", "abcdef", "?access_token=REDACTED&x=1", id="query"),
    pytest.param("identity_token: abc1def", "abc1def", "identity_token: REDACTED", id="token-said"),
    pytest.param("X-Amz-Signature=0a1b2c&a=1", "0a1b2c", "X-Amz-Signature=REDACTED&a=1", id="signed-url-aws"),
    pytest.param("se=1&sig=a%2Bb%3D&sp=r", "a%2Bb", "se=1&sig=REDACTED&sp=r", id="signed-url-azure"),
    pytest.param(
        "X-Amz-Credential=AKx/2026/us-east-1", "2026", "X-Amz-Credential=REDACTED", id="signed-url-credential"
    ),
    pytest.param("aws_secret_access_key = wJalrX", "wJalrX", "aws_secret_access_key = REDACTED", id="aws-secret"),
    pytest.param('{"auths":{"h":{"auth":"dXNl"}}}', "dXNl", '{"auths":{"h":{"auth":"REDACTED"}}}', id="docker-config"),
    pytest.param("password=a,b;c) x", "b;c", "password=REDACTED) x", id="password-with-commas"),
    pytest.param("a password=one password=two", "two", "a password=REDACTED password=REDACTED", id="two"),
]


@pytest.mark.parametrize(("text", "secret", "left"), TAKEN)
def test_a_credential_is_taken_out(text: str, secret: str, left: str) -> None:
    assert secret in text
    assert secret not in redacted(text)
    assert redacted(text) == left


STAYS = [
    pytest.param("", id="empty"),
    pytest.param("docker.io/library/nginx:1.27", id="image"),
    pytest.param(f"ghcr.io/org/app@sha256:{'0a1b' * 16}", id="image-by-digest"),
    pytest.param("https://registry.example:5000/v2/a/manifests/1?ns=docker.io", id="url"),
    pytest.param("registry.example: its token server auth.example answers with status 401", id="token-server"),
    pytest.param("wants a proof of another kind than password or token", id="words"),
    pytest.param("registry.example: GET token for registry.example: no connection", id="purpose"),
    pytest.param("Basic authentication is refused", id="basic-as-a-word"),
    pytest.param("the bearer token has expired", id="bearer-as-a-word"),
    pytest.param("token: expired", id="token-as-a-heading"),
    pytest.param("cpu.cpuid: avx512f is not there, the node has avx2", id="check"),
    pytest.param("mail me@example.com", id="mail"),
    pytest.param("asia-southeast1-docker.pkg.dev/project/app", id="host-that-begins-like-a-key"),
    pytest.param("basic needs AVX512", id="basic-then-a-feature"),
]


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redacted(text) == text


PIECES = [str(one.values[0]) for one in (*TAKEN, *STAYS)] + [" ", ",", '"', "'", "=", "\\", "@", "\n", "x"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_no_secret_comes_back_when_texts_meet(text: str) -> None:
    # Whatever stands before or after it, the value that was random enough to be known alone is still gone.
    assert BASIC not in redacted(text)
    assert PAYLOAD not in redacted(text)
    assert "MIIE" not in redacted(text)


HOSTILE = [
    pytest.param("a" * 16_384, id="letters"),
    pytest.param("a://" + ":" * 16_380, id="userinfo"),
    pytest.param("ab://x:" * 2_340, id="schemes"),
    pytest.param("password=" + "," * 16_000, id="commas"),
    pytest.param("token: " * 2_340, id="names"),
    pytest.param("-----BEGIN PRIVATE KEY-----" * 600, id="keys"),
    pytest.param("bearer " + "a." * 8_000, id="bearer"),
    pytest.param("bearer  \t" * 1_800, id="schemes-of-spaces"),
    pytest.param("password='" + "\\" * 16_000, id="backslashes"),
    pytest.param("token" + "\\" * 16_000, id="backslashes-behind-a-name"),
    pytest.param(" " * 16_384, id="spaces"),
    pytest.param("eyJaaaaaaaaaaaaaaa" + "." * 16_000, id="dots"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_takes_little_time(text: str) -> None:
    started = time.process_time()
    redacted(text)
    assert time.process_time() - started < 0.25


def test_a_long_text_is_cut() -> None:
    assert redacted("x" * 1_000_000) == "x" * 16_384


_PIECES = (
    *("Authorization", "COOKIE=", "basic ", "Bearer ", "negotiate ", "https://", "u:p@", "eyJ", "QVdTOmV5"),
    *("abcdefghijklmnopqrstuvwxyz0123", "ghp_", "github_pat_", "glpat-", "dckr_pat_", "ya29.", "xoxb-", "AKIA", "ASIA"),
    *("ABCDEFGHIJ012345", "password", "passwd", "passphrase", "pwd", "secret", "token", "auth", "credential", "sig"),
    *("signature", "api_key", "access-key", "private", "key", "=", ":", " ", '"', "'", "\\", "\n", "A1", "word"),
    *("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"),
)


@given(st.lists(st.sampled_from((*_PIECES, *map(str.upper, _PIECES))), max_size=8).map("".join))
def test_a_text_is_looked_at_closely_wherever_it_may_hold_a_credential(text: str) -> None:
    """A letter that is not ASCII has every text looked at closely; it must change nothing else."""
    assert redacted(f"\u00e9 {text}") == f"\u00e9 {redacted(text)}"
