"""Asks a credential helper, a program that keeps a person's passwords, for those of one registry.

Knows the protocol of docker-credential-helpers (``get``: the server's name in, JSON out), and that a helper may hang or
never stop talking. Only commands that a person started use it: the daemon starts no programs.
"""

import contextlib
import os
import re
import selectors
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import msgspec

from imagefit.errors import InvalidConfigurationError
from imagefit.model.credentials import AuthConfig

LIMIT_SECONDS: Final = 10.0
"""Longest time that a helper may take; some ask a cloud's service."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ANSWER_MAX_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 4096
_TOKEN_USER: Final = "<token>"  # noqa: S105  # the word that stands for "no user name but an identity token"
_NOT_FOUND: Final = b"credentials not found in native keychain"


class _Answer(msgspec.Struct, rename="pascal"):
    username: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "_Answer()"  # it holds a secret


def program_name(name: str) -> str:
    """Return the name of the program that is the helper ``name``."""
    return f"docker-credential-{name}"


def ask_helper(name: str, server: str, *, limit_seconds: float = LIMIT_SECONDS) -> AuthConfig | None:
    """Ask a helper for the credentials of a registry. Blocks.

    Args:
        name: ``pass`` for ``docker-credential-pass``, which is looked for in PATH.
        server: as ``docker_config.server_name`` gives it.
        limit_seconds: longest time that it may take; then it is ended.

    Returns:
        None where it has none.

    Raises:
        InvalidConfigurationError: there is no such helper, or it fails; the message quotes nothing that it said.
    """
    program = _program(name)
    status, answer = _run(program, server.encode(), limit_seconds)
    if status != 0:
        if answer.strip() == _NOT_FOUND:
            return None
        raise _failed(program, f"ends with status {status}")
    try:
        read = msgspec.json.decode(answer, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # "from None": the decoder's words could quote the secret.
        raise _failed(program, "says nothing that can be read") from None
    if not read.secret:
        return None
    if read.username in {"", _TOKEN_USER}:
        return AuthConfig(identity_token=read.secret)
    return AuthConfig(username=read.username, password=read.secret)


def _program(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise InvalidConfigurationError(f"{name[:64]!r} is no name of a credential helper")
    found = shutil.which(program_name(name))
    # Absolute: a PATH with the current folder in it would run what somebody left there.
    if found is None or not Path(found).is_absolute():
        advice = "install it, or take its name out of the file of credentials"
        raise InvalidConfigurationError(f"there is no {program_name(name)} in PATH", advice=advice)
    return Path(found)


def _run(program: Path, question: bytes, limit_seconds: float) -> tuple[int, bytes]:
    """Return exit status and standard output."""
    deadline = time.monotonic() + limit_seconds
    try:
        process = subprocess.Popen(  # noqa: S603 - a program of a checked name that its user configured
            (program, "get"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise InvalidConfigurationError(f"{program} cannot be run: {error.strerror}") from error
    with process:
        try:
            _tell(process, question)
            answer = _said(process, deadline)
            if len(answer) > _ANSWER_MAX_BYTES:
                raise _failed(program, f"says more than {_ANSWER_MAX_BYTES} bytes")
            return process.wait(max(0.0, deadline - time.monotonic())), answer
        except (TimeoutError, subprocess.TimeoutExpired):
            raise _failed(program, f"does not answer within {limit_seconds:g} s") from None
        finally:
            process.kill()


def _tell(process: subprocess.Popen[bytes], question: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    with contextlib.suppress(BrokenPipeError), process.stdin as to_helper:
        to_helper.write(question)


def _said(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return what the helper says until it closes its output or has said too much. Raises ``TimeoutError``."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(process.stdout.fileno(), _CHUNK_BYTES)
            said += chunk
            if not chunk or len(said) > _ANSWER_MAX_BYTES:
                return bytes(said)
    raise TimeoutError


def _failed(program: Path, what: str) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"{program.name} {what}", advice=f"try '{program.name} list' in a shell")
