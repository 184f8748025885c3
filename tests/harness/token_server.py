"""A token server for a real registry, on 127.0.0.1 in a thread of its own, which remembers what it was asked.

Knows the distribution project's token specification (``docs/spec/auth``, token and JWT). Leaves to ``registry`` who
believes its tokens.
"""

import base64
import json
import secrets
import ssl
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_NAME = "imagefit-harness"
_LIFE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What was asked for, with which ``Authorization``; empty without one."""

    scopes: tuple[str, ...]
    authorization: str


class TokenServer:
    """Start it, and give it to a registry as ``RegistryOptions.tokens``.

    Args:
        root: for its key; made here if it is not there.
        users: name and password of everyone who gets a token that lets in; others get one that does not.
    """

    def __init__(self, root: Path, users: Mapping[str, str]) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.asked: list[TokenRequest] = []
        self._basic = {
            "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in users.items()
        }
        self._key, self._certificate = root / "token.key", root / "token.crt"
        command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens")
        files = ("-keyout", str(self._key), "-out", str(self._certificate))
        subprocess.run((*command, *files), check=True, capture_output=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def realm(self) -> str:
        """Where tokens are to be had."""
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def registry_settings(self) -> str:
        """Return what ``auth.token`` of a registry's configuration is: it believes this server alone."""
        names = f"realm: {self.realm}, service: {_NAME}, issuer: {_NAME}"
        return f"{{{names}, rootcertbundle: {self._certificate}}}"

    def token(self, repository: str) -> str:
        """Return a token to push to a repository with."""
        return self._signed([{"type": "repository", "name": repository, "actions": ["pull", "push"]}])

    def _answer(self, authorization: str, query: str) -> bytes:
        scopes = tuple(parse_qs(query).get("scope", ()))
        self.asked.append(TokenRequest(scopes, authorization))
        granted = [_granted(scope) for scope in scopes] if authorization in self._basic else []
        return json.dumps({"token": self._signed(granted), "expires_in": _LIFE_SECONDS}).encode()

    def _signed(self, access: list[dict[str, Any]]) -> str:
        der = ssl.PEM_cert_to_DER_cert(self._certificate.read_text())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {
            "iss": _NAME,
            "sub": "",
            "aud": _NAME,
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + _LIFE_SECONDS,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        said = f"{_part(json.dumps(head).encode())}.{_part(json.dumps(claims).encode())}"
        command = ("openssl", "dgst", "-sha256", "-sign", str(self._key))
        signature = subprocess.run(command, input=said.encode(), check=True, capture_output=True).stdout
        return f"{said}.{_part(signature)}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = server._answer(self.headers.get("Authorization", ""), urlsplit(self.path).query)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_POST(self) -> None:
                self.send_error(405)  # as Docker Hub did for long; containerd then asks by GET

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (its name there)
                """Say nothing."""

        return Handler


def _granted(scope: str) -> dict[str, Any]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
