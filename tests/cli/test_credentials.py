"""Whose credentials a command uses: ``--creds``, files of ``docker login`` and ``podman login``, helpers."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagefit.cli.credential_helper import ask_helper
from imagefit.cli.credentials import Found, given_credentials, looked_at, saved_credentials
from imagefit.cli.docker_config import read_docker_config
from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig

SECRET = "planted-s3cret"  # noqa: S105
HOST = "registry.example.org:5000"
PATH = "team/solver"


def login(username: str, password: str) -> AuthConfig:
    return AuthConfig(username=username, password=password)


def identity(token: str) -> AuthConfig:
    return AuthConfig(identity_token=token)


def told(problem: InvalidConfigurationError) -> None:
    pytest.fail(f"nothing is to be told: {problem}")


def never_asked(user: str) -> str:
    pytest.fail(f"nobody is to be asked for the password of {user}")


GIVEN = [
    pytest.param("robot:pw", "robot", "pw", id="both"),
    pytest.param("robot:p:w:", "robot", "p:w:", id="colons-in-the-password"),
    pytest.param(" robot:pw ", " robot", "pw ", id="spaces-count"),
]


@pytest.mark.parametrize(("text", "user", "password"), GIVEN)
def test_user_and_password_may_be_given(text: str, user: str, password: str) -> None:
    assert given_credentials(text, never_asked) == Found(login(user, password), "--creds")


def test_a_password_that_is_not_given_is_asked_for() -> None:
    asked: list[str] = []

    def ask(user: str) -> str:
        asked.append(user)
        return "p:w"

    assert given_credentials("robot", ask).auth == login("robot", "p:w")
    assert asked == ["robot"]


NOT_GIVEN = [
    pytest.param("", "no user name", id="empty"),
    pytest.param(":" + SECRET, "no user name", id="no-user"),
    pytest.param("robot:", "no password", id="empty-password"),
]


@pytest.mark.parametrize(("text", "said"), NOT_GIVEN)
def test_half_credentials_are_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=said) as raised:
        given_credentials(text, never_asked)
    assert SECRET not in str(raised.value)


def test_an_empty_answer_is_no_password() -> None:
    with pytest.raises(InvalidConfigurationError, match="no password"):
        given_credentials("robot", lambda _: "")


INPUTS = [
    pytest.param("robot:pw\n", ("robot", "pw"), id="a-line"),
    pytest.param("robot:pw", ("robot", "pw"), id="no-end-of-line"),
    pytest.param("robot:pw\r\nmore:lines\n", ("robot", "pw"), id="the-first-of-several"),
    pytest.param("", None, id="nothing"),
    pytest.param("robot\n", None, id="no-password"),
    pytest.param("\n", None, id="empty-line"),
]


@pytest.mark.parametrize(("text", "expected"), INPUTS)
def test_standard_input_gives_a_line(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, str] | None
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    if expected is None:
        with pytest.raises(InvalidConfigurationError, match="standard input"):
            given_credentials("-", never_asked)
    else:
        auth = given_credentials("-", never_asked).auth
        assert (auth.username, auth.password) == expected


def test_there_need_not_be_a_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InvalidConfigurationError, match="standard input"):
        given_credentials("-", never_asked)


ASK = "from imagefit.cli.credentials import given_credentials as g\nprint(len(g('robot').auth.password))"


def test_a_terminal_does_not_show_what_is_typed() -> None:
    ours, theirs = os.openpty()
    try:
        # setsid --ctty: the terminal becomes that of the child, as in a shell.
        with subprocess.Popen(
            ("setsid", "--ctty", sys.executable, "-c", ASK), stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
        ) as process:
            shown = b""
            while b"Password of robot: " not in shown:
                shown += os.read(ours, 1000)
            os.write(ours, SECRET.encode() + b"\n")
            assert process.stdout is not None
            assert process.stdout.read() == f"{len(SECRET)}\n".encode()
            assert process.wait(60) == 0
        os.set_blocking(ours, False)
        assert SECRET.encode() not in shown + os.read(ours, 1000)
    finally:
        os.close(ours)
        os.close(theirs)


def test_without_a_terminal_nobody_waits_for_a_password() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", ASK), stdin=subprocess.DEVNULL, capture_output=True, check=False, start_new_session=True
    )
    assert b"there is no terminal to ask for the password" in ended.stderr
    assert b"--creds - reads" in ended.stderr


def basic(user: str, password: str = SECRET) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class Home:
    """A folder with a person's file of credentials, and a folder of helpers."""

    def __init__(self, root: Path) -> None:
        self.file = root / "config.json"
        self.programs = root / "bin"
        self.programs.mkdir()
        self.problems: list[InvalidConfigurationError] = []

    def write(self, **content: Any) -> None:
        self.file.write_text(json.dumps(content))

    def helper(self, name: str, script: str) -> None:
        """Make ``docker-credential-<name>`` of shell commands."""
        path = self.programs / f"docker-credential-{name}"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def saved(self, host: str = HOST, path: str = PATH) -> Found | None:
        return saved_credentials(host, path, {"REGISTRY_AUTH_FILE": str(self.file)}, self.problems.append)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs), prepend=os.pathsep)
    return made


KEYS = [
    pytest.param(HOST, HOST, True, id="host"),
    pytest.param(f"https://{HOST}", HOST, True, id="url"),
    pytest.param(f"https://{HOST}/v1/", HOST, True, id="url-of-version-1"),
    pytest.param(f"https://{HOST}/v2/", HOST, True, id="url-of-version-2"),
    pytest.param(f"http://{HOST}", HOST, True, id="plain-url"),
    pytest.param(f"{HOST}/team", HOST, True, id="part-of-the-registry"),
    pytest.param(f"{HOST}/team/solver", HOST, True, id="repository"),
    pytest.param("https://index.docker.io/v1/", "registry-1.docker.io", True, id="docker-hub-as-docker-writes-it"),
    pytest.param("docker.io", "registry-1.docker.io", True, id="docker-hub-as-podman-writes-it"),
    pytest.param("docker.io/team", "registry-1.docker.io", True, id="part-of-docker-hub"),
    pytest.param("registry.example.org", HOST, False, id="another-port"),
    pytest.param("example.org:5000", HOST, False, id="the-site"),
    pytest.param(f"{HOST}.evil.example", HOST, False, id="a-longer-name"),
    pytest.param(f"{HOST}/other", HOST, False, id="another-part"),
    pytest.param(f"{HOST}/tea", HOST, False, id="half-a-name"),
    pytest.param(f"{HOST}/team/solver/more", HOST, False, id="below-the-repository"),
    pytest.param(f"https://{HOST}/other/", HOST, False, id="url-of-another-part"),
    pytest.param("https://index.docker.io/v1/", HOST, False, id="docker-hub"),
    pytest.param("*", HOST, False, id="no-patterns"),
]


@pytest.mark.parametrize(("key", "host", "is_found"), KEYS)
def test_an_entry_is_for_the_host_or_part_that_its_key_names(home: Home, key: str, host: str, is_found: object) -> None:
    home.write(auths={key: {"auth": basic("robot")}})
    found = home.saved(host)
    if is_found:
        # Only for that host, whatever other hosts serve the image's name.
        auth = AuthConfig(auth=basic("robot"), server_address=f"https://{host}")
        assert found == Found(auth, str(home.file))
    else:
        assert found is None
    assert home.problems == []


def test_the_smallest_part_stands(home: Home) -> None:
    home.write(auths={name: {"auth": basic(name)} for name in (HOST, f"{HOST}/team", f"{HOST}/team/solver")})
    for path, name in (("team/solver", f"{HOST}/team/solver"), ("team/x", f"{HOST}/team"), ("x", HOST)):
        found = home.saved(path=path)
        assert found is not None
        assert found.auth.auth == basic(name)


FORMS = [
    pytest.param({"auth": basic("robot")}, AuthConfig(auth=basic("robot")), id="auth"),
    pytest.param({"username": "a", "password": "b"}, login("a", "b"), id="in-clear"),
    pytest.param({"auth": "", "identitytoken": "t"}, identity("t"), id="identity-token"),
    pytest.param({"auth": None, "email": "x@example.org", "password": None}, None, id="nulls"),
    pytest.param({}, None, id="empty"),
    pytest.param({"registrytoken": "t"}, None, id="registry-token"),
]


@pytest.mark.parametrize(("entry", "auth"), FORMS)
def test_an_entry_has_one_of_three_forms(home: Home, entry: dict[str, Any], auth: AuthConfig | None) -> None:
    home.write(auths={HOST: entry}, HttpHeaders={"X": "1"}, credHelpers=None)
    read = read_docker_config(home.file)
    assert read is not None
    assert read.entry_for(HOST, PATH) == auth
    assert SECRET not in repr(read)


BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(SECRET.encode(), id="not-json"),
    pytest.param(b'{"auths": {"x": {"auth": "' + SECRET.encode(), id="cut-off"),
    pytest.param(json.dumps({"auths": [SECRET]}).encode(), id="a-list"),
    pytest.param(json.dumps({"auths": {"x": SECRET}}).encode(), id="an-entry-that-is-none"),
    pytest.param(json.dumps({"auths": {"x": {"auth": [SECRET]}}}).encode(), id="an-entry-of-another-type"),
    pytest.param(json.dumps({"credHelpers": {"x": 1}}).encode(), id="a-helper-that-is-none"),
    pytest.param(b"\xff\xfe" + SECRET.encode(), id="not-utf-8"),
    pytest.param(b'{"auths": ' + b"[" * 100_000, id="nested-too-deeply"),
    pytest.param(b" " * (5 * 1024 * 1024), id="too-large"),
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_told_and_done_without(home: Home, content: bytes) -> None:
    home.file.write_bytes(content)
    assert home.saved() is None
    assert [str(home.file) in problem.message for problem in home.problems] == [True]
    assert SECRET not in str(home.problems[0])


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "HOME"])
def test_the_first_place_that_is_named_counts(tmp_path: Path, variable: str) -> None:
    places = {
        "REGISTRY_AUTH_FILE": (tmp_path / "auth.json", tmp_path / "auth.json"),
        "DOCKER_CONFIG": (tmp_path / "docker", tmp_path / "docker/config.json"),
        "HOME": (tmp_path / "home", tmp_path / "home/.docker/config.json"),
    }
    for name, (_, file) in places.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"auths": {HOST: {"auth": basic(name)}}}))
    known = list(places)[list(places).index(variable) :]
    environment = {name: str(places[name][0]) for name in known}
    found = saved_credentials(HOST, PATH, environment, told)
    assert found is not None
    assert found.auth.auth == basic(variable)
    assert looked_at(environment) == found.source == str(places[variable][1])


USELESS = [
    pytest.param({"auth": SECRET}, "needs a user name and a password", id="no-base64"),
    pytest.param({"auth": base64.b64encode(SECRET.encode()).decode()}, "needs a user name", id="no-colon"),
    pytest.param({"username": "robot"}, "needs a user name and a password", id="no-password"),
    pytest.param({}, "needs a user name and a password", id="empty"),
]


@pytest.mark.parametrize(("entry", "said"), USELESS)
def test_an_entry_that_cannot_be_used_is_told(home: Home, entry: dict[str, str], said: str) -> None:
    home.write(auths={HOST: entry})
    assert home.saved() is None
    (problem,) = home.problems
    assert said in problem.message
    assert problem.advice == f"log in again with 'docker login {HOST}'"
    assert SECRET not in str(problem)


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_helper_that_has_nothing_is_told_where_the_file_names_the_host(home: Home, key: str) -> None:
    home.helper("test", "echo credentials not found in native keychain; exit 1")
    home.write(auths={HOST: {}}, **{key: "test" if key == "credsStore" else {HOST: "test"}})
    assert home.saved() is None
    assert "docker-credential-test has nothing for it" in home.problems[0].message
    home.problems.clear()
    assert home.saved("other.example.org") is None
    assert home.problems == []


def test_a_file_that_is_named_must_be_there(home: Home) -> None:
    assert home.saved() is None
    assert [problem.message for problem in home.problems] == [
        f"{home.file}: is named by REGISTRY_AUTH_FILE and not there"
    ]


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert saved_credentials(HOST, PATH, {"HOME": str(tmp_path)}, told) is None
    assert saved_credentials(HOST, PATH, {}, told) is None
    assert "HOME" in looked_at({})


ANSWERS = [
    pytest.param({"Username": "a", "Secret": "b"}, login("a", "b"), id="password"),
    pytest.param({"Username": "<token>", "Secret": "t"}, identity("t"), id="identity-token"),
    pytest.param({"Secret": "t", "ServerURL": HOST}, identity("t"), id="no-user"),
    pytest.param({"Username": "a", "Secret": ""}, None, id="no-secret"),
    pytest.param({}, None, id="nothing"),
]


@pytest.mark.parametrize(("answer", "auth"), ANSWERS)
def test_a_helper_is_asked(home: Home, answer: dict[str, str], auth: AuthConfig | None) -> None:
    home.helper(
        "test", f"cat > {home.programs}/asked; echo \"$@\" >> {home.programs}/asked; echo '{json.dumps(answer)}'"
    )
    assert ask_helper("test", HOST) == auth
    assert (home.programs / "asked").read_text() == f"{HOST}get\n"


def test_a_helper_may_have_nothing(home: Home) -> None:
    home.helper("test", "echo credentials not found in native keychain; exit 1")
    assert ask_helper("test", HOST) is None


FAILING = [
    pytest.param(f"echo '{SECRET}'", "nothing that can be read", id="no-json"),
    pytest.param(f"echo '[\"{SECRET}\"]'", "nothing that can be read", id="a-list"),
    pytest.param(f'echo \'{{"Username": ["{SECRET}"]}}\'', "nothing that can be read", id="wrong-types"),
    pytest.param("true", "nothing that can be read", id="silence"),
    pytest.param(f"echo '{SECRET}'; echo '{SECRET}' >&2; exit 3", "ends with status 3", id="failure"),
    pytest.param(f"exec yes '{SECRET}'", "more than 65536 bytes", id="never-stops-talking"),
    pytest.param("exec sleep 60", "within 0.2 s", id="hangs"),
    pytest.param("exec >&-; exec sleep 60", "within 0.2 s", id="closes-its-output-and-hangs"),
    pytest.param("exec <&-; exec sleep 60", "within 0.2 s", id="takes-no-question"),
    pytest.param("kill -9 $$", "ends with status -9", id="killed"),
]


@pytest.mark.parametrize(("script", "said"), FAILING)
def test_a_helper_that_fails_is_ended_and_named_but_not_quoted(
    home: Home, capfd: pytest.CaptureFixture[str], script: str, said: str
) -> None:
    home.helper("test", f"echo $$ > {home.programs}/pid\n{script}")
    limit_seconds = 0.2 if "sleep" in script else 30.0
    with pytest.raises(InvalidConfigurationError, match=said) as raised:
        ask_helper("test", HOST, limit_seconds=limit_seconds)
    assert raised.value.message.startswith("docker-credential-test ")
    assert SECRET not in str(raised.value)
    assert SECRET not in "".join(capfd.readouterr())
    with pytest.raises(ProcessLookupError):
        os.kill(int((home.programs / "pid").read_text()), 0)


NAMES = [
    pytest.param("../x", "no name of a credential helper", id="elsewhere"),
    pytest.param("/bin/sh", "no name of a credential helper", id="a-path"),
    pytest.param("", "no name of a credential helper", id="empty"),
    pytest.param("-x", "no name of a credential helper", id="an-option"),
    pytest.param("a b", "no name of a credential helper", id="a-space"),
    pytest.param("a;b", "no name of a credential helper", id="a-command"),
    pytest.param("a\x00", "no name of a credential helper", id="a-null-character"),
    pytest.param("a\n", "no name of a credential helper", id="end-of-line"),
    pytest.param("x" * 65, "no name of a credential helper", id="too-long"),
    pytest.param("nowhere", "there is no docker-credential-nowhere in PATH", id="not-there"),
]


@pytest.mark.parametrize(("name", "said"), NAMES)
def test_what_is_no_helper_is_not_run(home: Home, name: str, said: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=said):
        ask_helper(name, HOST)


def test_a_helper_in_the_current_folder_is_not_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.helper("test", "touch ran; echo '{}'")
    monkeypatch.chdir(home.programs)
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.defpath}")
    with pytest.raises(InvalidConfigurationError, match="there is no docker-credential-test"):
        ask_helper("test", HOST)
    assert not (home.programs / "ran").exists()


def test_a_helper_that_cannot_be_run_is_a_problem(home: Home) -> None:
    (home.programs / "docker-credential-test").write_bytes(b"\x7fELF nonsense")
    (home.programs / "docker-credential-test").chmod(0o755)
    with pytest.raises(InvalidConfigurationError, match="cannot be run"):
        ask_helper("test", HOST)


def test_a_helper_stands_over_the_file_and_its_own_over_that_for_all(home: Home) -> None:
    for name in ("own", "all"):
        home.helper(name, f'echo \'{{"Username": "{name}", "Secret": "s"}}\'')
    home.write(auths={HOST: {"auth": basic("file")}}, credsStore="all", credHelpers={HOST: "own"})
    found = home.saved()
    assert found is not None
    assert (found.auth.username, found.source) == ("own", f"docker-credential-own, named by {home.file}")
    other = home.saved("other.example.org")
    assert other is not None
    assert other.auth.username == "all"


HELPERS = [
    pytest.param("echo credentials not found in native keychain; exit 1", 0, id="has-nothing"),
    pytest.param("exit 1", 1, id="fails"),
]


@pytest.mark.parametrize(("script", "problems"), HELPERS)
def test_where_a_helper_has_nothing_the_file_is_used(home: Home, script: str, problems: int) -> None:
    home.helper("test", script)
    home.write(auths={HOST: {"auth": basic("file")}}, credsStore="test")
    found = home.saved()
    assert found is not None
    assert found.source == str(home.file)
    assert len(home.problems) == problems


def test_docker_hub_has_a_name_of_its_own_for_helpers(home: Home) -> None:
    home.helper("test", f"cat > {home.programs}/asked; echo '{{}}'")
    home.write(credHelpers={"https://index.docker.io/v1/": "test"})
    assert home.saved("registry-1.docker.io") is None
    assert (home.programs / "asked").read_text() == "https://index.docker.io/v1/"
