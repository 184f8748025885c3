"""Which credentials a person gives, on the command line or by what ``docker login`` has left.

Knows the order: ``--creds``, else a helper, else the file of credentials. Leaves the file to ``docker_config`` and the
program to ``credential_helper``. What ``--creds`` says is for every host that serves the image's name, as a pod's pull
secret is; what was saved is for the host that it was saved for.
"""

import getpass
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from imagefit.cli.credential_helper import ask_helper, program_name
from imagefit.cli.docker_config import (
    AUTH_FILE_VARIABLE,
    DockerConfig,
    config_path,
    login_command,
    read_docker_config,
    server_name,
)
from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig
from imagefit.registry.credentials import credentials_for

OnProblem = Callable[[InvalidConfigurationError], None]

_OPTION: Final = "--creds"
_STANDARD_INPUT: Final = "-"
_LINE_MAX_CHARACTERS: Final = 64 * 1024
_FORM_ADVICE: Final = "USER:PASSWORD, USER to be asked for the password, or - to read USER:PASSWORD from standard input"


@dataclass(frozen=True, slots=True)
class Found:
    """Credentials and where they come from.

    Attributes:
        auth: as kubelet would send them.
        source: such as ``--creds`` or the path of a file.
    """

    auth: AuthConfig
    source: str


def ask_terminal(user: str) -> str:
    """Ask a person for the password of ``user`` without showing it. Raises ``InvalidConfigurationError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"Password of {user}: ")
    except (EOFError, OSError, getpass.GetPassWarning):
        message = f"{_OPTION} {user}: there is no terminal to ask for the password"
        raise InvalidConfigurationError(
            message, advice=f"{_OPTION} - reads USER:PASSWORD from standard input"
        ) from None


def given_credentials(text: str, ask: Callable[[str], str] = ask_terminal) -> Found:
    """Read the value of ``--creds``.

    Args:
        text: ``USER:PASSWORD``, ``USER``, or ``-`` for one line of standard input.
        ask: returns the password of a user.

    Raises:
        InvalidConfigurationError: user name or password is missing; the message names no password.
    """
    if text == _STANDARD_INPUT:
        user, colon, password = _first_line().partition(":")
        if not colon:
            raise InvalidConfigurationError(f"{_OPTION} -: no line USER:PASSWORD in standard input")
    else:
        user, colon, password = text.partition(":")
    if user and not colon:
        password = ask(user)
    if not user or not password:
        what = "no password" if user else "no user name"
        raise InvalidConfigurationError(f"{_OPTION}: there is {what}", advice=_FORM_ADVICE)
    return Found(AuthConfig(username=user, password=password), _OPTION)


def saved_credentials(host: str, path: str, environment: Mapping[str, str], on_problem: OnProblem) -> Found | None:
    """Look up what ``docker login`` or ``podman login`` saved for a repository on a host. Blocks.

    Args:
        host: that is asked, with optional port.
        path: of the repository.
        environment: of the process.
        on_problem: is told of what cannot be used and is done without.

    Returns:
        Credentials for this host only, or None.
    """
    try:
        found = _saved(host, path, environment, on_problem)
    except InvalidConfigurationError as problem:
        on_problem(problem)
        return None
    return found and replace(found, auth=replace(found.auth, server_address=f"https://{host}"))


def looked_at(environment: Mapping[str, str]) -> str:
    """Return where ``saved_credentials`` looks, in words."""
    path = config_path(environment)
    return "nowhere, for want of HOME" if path is None else str(path)


def _saved(host: str, path: str, environment: Mapping[str, str], on_problem: OnProblem) -> Found | None:
    config = _config(environment)
    if config is None:
        return None
    has_failed = False
    if helper := config.helper_for(host, path):
        try:
            auth = ask_helper(helper, server_name(host))
        except InvalidConfigurationError as problem:
            on_problem(problem)
            has_failed = True
        else:
            if auth is not None:
                return Found(auth, f"{program_name(helper)}, named by {config.path}")
    auth = config.entry_for(host, path)
    if auth is not None and credentials_for(auth, host) is not None:
        return Found(auth, str(config.path))
    if not has_failed and config.names(host, path):
        raise _useless(config, host, program_name(helper) if helper and auth is None else "")
    return None


def _config(environment: Mapping[str, str]) -> DockerConfig | None:
    file = config_path(environment)
    config = None if file is None else read_docker_config(file)
    if config is None and environment.get(AUTH_FILE_VARIABLE):
        raise InvalidConfigurationError(f"{file}: is named by {AUTH_FILE_VARIABLE} and not there")
    return config


def _useless(config: DockerConfig, host: str, helper: str) -> InvalidConfigurationError:
    """Return what to tell of an entry that gives nothing: what it holds is of no use, or its helper knows nothing."""
    what = f"{helper} has nothing for it" if helper else "it needs a user name and a password"
    message = f"{config.path}: the credentials for {host} cannot be used: {what}"
    return InvalidConfigurationError(message, advice=f"log in again with '{login_command(host)}'")


def _first_line() -> str:
    if sys.stdin is None:
        return ""
    return sys.stdin.readline(_LINE_MAX_CHARACTERS).rstrip("\r\n")
