# ruff: noqa: S106  # passwords of nobody
"""Whose credentials they are, how challenges are written, and which token server may see a secret."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagefit.model.credentials import AuthConfig
from imagefit.registry.credentials import (
    Challenge,
    Credentials,
    credentials_for,
    is_usable_realm,
    may_see_credentials,
    parse_challenges,
)

HOST = "registry.example.com:5000"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CHOSEN = {
    "nothing": (None, None),
    "all empty": (AuthConfig(), None),
    "user and password": (AuthConfig(username="u", password="p"), Credentials("u", "p")),
    "user before token and auth": (
        AuthConfig(username="u", password="p", identity_token="t", auth=encoded("a:b")),
        Credentials("u", "p"),
    ),
    "token before auth": (AuthConfig(identity_token="t", auth=encoded("a:b")), Credentials("", "t")),
    "auth": (AuthConfig(auth=encoded("a:b:c")), Credentials("a", "b:c")),
    "auth with zeros at the end": (AuthConfig(auth=encoded("a:b\0\0")), Credentials("a", "b")),
    "auth in lines": (AuthConfig(auth=encoded("a:b") + "\n"), Credentials("a", "b")),
    "no password": (AuthConfig(username="u", identity_token="t"), None),
    "auth that is not base64": (AuthConfig(auth="%%%"), None),
    "auth without colon": (AuthConfig(auth=encoded("a")), None),
    "auth that is no text": (AuthConfig(auth=base64.b64encode(b"\xff:\xff").decode()), None),
    "this server": (AuthConfig("u", "p", server_address=f"https://{HOST}/v2/"), Credentials("u", "p")),
    "another server": (AuthConfig("u", "p", server_address="https://example.com"), None),
    "another port": (AuthConfig("u", "p", server_address="https://registry.example.com"), None),
    "a server without scheme": (AuthConfig("u", "p", server_address=HOST), None),
    "no server": (AuthConfig("u", "p", server_address="http://["), None),
}


@pytest.mark.parametrize(("auth", "credentials"), CHOSEN.values(), ids=CHOSEN)
def test_containerds_order(auth: AuthConfig | None, credentials: Credentials | None) -> None:
    assert credentials_for(auth, HOST) == credentials


def test_a_secret_is_in_no_repr() -> None:
    assert "planted" not in repr(Credentials("u", "planted"))
    assert "planted" not in repr(AuthConfig("u", "planted", "planted", "", "planted"))


def bearer(**parameters: str) -> Challenge:
    return Challenge("bearer", parameters)


BASIC = Challenge("basic", {"realm": "r"})
CHALLENGES = {
    "basic": (['Basic realm="r"'], [BASIC]),
    "no parameters": (["Negotiate"], [Challenge("negotiate", {})]),
    "bearer": (
        ['Bearer realm="https://a/t",service="s",scope="repository:x:pull"'],
        [bearer(realm="https://a/t", service="s", scope="repository:x:pull")],
    ),
    "a comma in quotes": (['Bearer scope="x:pull,push",realm=r'], [bearer(scope="x:pull,push", realm="r")]),
    "two in one header": (['Bearer realm="a", Basic realm="r"'], [bearer(realm="a"), BASIC]),
    "two headers": (['Bearer realm="a"', 'basic Realm = "r"'], [bearer(realm="a"), BASIC]),
    "escaped quotes": (['Bearer realm="a\\"b\\\\c"'], [bearer(realm='a"b\\c')]),
    "the first of two counts": (['Bearer realm="a",realm="b"'], [bearer(realm="a")]),
    "token68": (["Negotiate YWJj==, Basic realm=r"], [Challenge("negotiate", {"ywjj": "="}), BASIC]),
    "parameters of nothing": (['realm="a"'], []),
    "an open quote": (['Bearer realm="a'], [bearer()]),
    "nothing": (["", ",,", '"""', "="], []),
}


@pytest.mark.parametrize(("headers", "challenges"), CHALLENGES.values(), ids=CHALLENGES)
def test_challenges(headers: list[str], challenges: list[Challenge]) -> None:
    assert list(parse_challenges(headers)) == challenges


def test_what_a_bearer_challenge_asks_for() -> None:
    (challenge,) = parse_challenges(['Bearer realm="https://a/t",service="s",scope="a:b:c d:e:f"'])
    assert (challenge.realm, challenge.service, challenge.scopes) == ("https://a/t", "s", ("a:b:c", "d:e:f"))
    assert (bearer().realm, bearer().service, bearer().scopes) == ("", "", ())


@given(st.lists(st.text() | st.text(alphabet='Bear basic="\\,;\t')))
def test_any_header_is_read(headers: list[str]) -> None:
    assert len(parse_challenges(headers)) <= 16


WORDS = st.text(alphabet="abcxyz019-_", min_size=1)


@given(st.lists(st.tuples(WORDS, st.dictionaries(WORDS, st.text(alphabet='ab:/?,=" \\'))), max_size=5))
def test_what_was_written_is_read(written: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"')

    header = ", ".join(
        f"{scheme} " + ", ".join(f'{name}="{quoted(value)}"' for name, value in parameters.items())
        for scheme, parameters in written
    )
    assert list(parse_challenges([header])) == [Challenge(scheme, parameters) for scheme, parameters in written]


def test_a_long_header_takes_no_time() -> None:
    assert parse_challenges(['Bearer a="' + '\\"' * 1_000_000, "a=" * 1_000_000]) == (bearer(),)


REALMS = {
    "https://auth.example.com/token": True,
    "https://auth.example.com/token?x=1": True,
    "http://auth.example.com/token": False,
    "https://user:password@auth.example.com": False,
    "https:///token": False,
    "https://[": False,
    "https://h:99999": False,
    "https://h/a b": False,
    "https://h/\r\nx": False,
    "https://h/ü": False,
    "ftp://h": False,
    "/token": False,
    "": False,
}


@pytest.mark.parametrize(("realm", "usable"), REALMS.items(), ids=REALMS)
def test_where_tokens_may_be_asked_for(realm: str, *, usable: bool) -> None:
    assert is_usable_realm(realm, "https://registry.example.com") == usable


def test_plain_http_may_name_plain_http() -> None:
    assert is_usable_realm("http://h/token", "http://registry.example.com")
    assert is_usable_realm("https://h/token", "http://registry.example.com")


SITES = [
    ("auth.docker.io", "registry-1.docker.io", True),
    ("gitlab.com", "registry.gitlab.com", True),
    ("registry.example.com", "registry.example.com:5000", True),
    ("127.0.0.1:9000", "127.0.0.1:5000", True),
    ("localhost:9000", "localhost:5000", True),
    ("evil.com", "registry.example.com", False),
    ("example.com.evil.com", "registry.example.com", False),
    ("evilexample.com", "registry.example.com", False),
    ("10.0.0.2", "10.1.0.2", False),
    ("a.0.2", "10.1.0.2", False),
    ("a.co.uk", "b.co.uk", False),
    ("auth.b.co.uk", "registry.b.co.uk", True),
    ("localhost", "127.0.0.1", False),
    ("two", "one", False),
]


@pytest.mark.parametrize(("realm", "registry", "allowed"), SITES)
def test_who_may_see_credentials(realm: str, registry: str, *, allowed: bool) -> None:
    assert may_see_credentials(f"https://{realm}/token", f"https://{registry}") == allowed


@pytest.mark.parametrize(
    ("realm", "registry", "known", "may_see"),
    [
        pytest.param("https://auth.psi.ch/t", "https://registry.psi.ch", (), True, id="a-short-site"),
        pytest.param("https://evil.gouv.fr/t", "https://registry.gouv.fr", (), False, id="a-shared-suffix"),
        pytest.param("https://10.0.0.6/t", "https://10.0.0.5:5000", (), False, id="addresses"),
        pytest.param("https://10.0.0.6/t", "https://10.0.0.5:5000", ("10.0.0.6",), True, id="a-known-address"),
        pytest.param("https://auth.example:8443/t", "https://r.test", ("auth.example:8443",), True, id="a-known-port"),
        pytest.param("https://auth.example/t", "https://r.test", ("auth.example:8443",), False, id="another-port"),
    ],
)
def test_a_token_server_elsewhere_sees_credentials_only_where_that_is_known(
    realm: str, registry: str, known: tuple[str, ...], *, may_see: bool
) -> None:
    assert may_see_credentials(realm, registry, known) is may_see
