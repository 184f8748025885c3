"""Certificates for a registry on loopback and for its clients, signed by an authority that nobody else trusts."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Two PEM files: a client's certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Three PEM files: the authority to trust, the server's certificate and its key."""

    authority: Path
    certificate: Path
    key: Path


def make_certificate(folder: Path) -> ServerCertificate:
    """Make an authority and a certificate for ``127.0.0.1`` and ``localhost``, with the ``openssl`` command."""
    authority, authority_key = folder / "ca.crt", folder / "ca.key"
    made = ServerCertificate(authority, folder / "server.crt", folder / "server.key")
    _openssl(
        *("-subj", "/CN=imagefit harness", "-keyout", str(authority_key), "-out", str(authority)),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    _openssl(
        *("-subj", "/CN=localhost", "-keyout", str(made.key), "-out", str(made.certificate)),
        *("-CA", str(authority), "-CAkey", str(authority_key)),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
    )
    return made


def make_client_certificate(folder: Path, server: ServerCertificate) -> ClientCertificate:
    """Make a client's certificate in ``folder``, signed by the authority of a server's."""
    made = ClientCertificate(folder / "client.cert", folder / "client.key")
    _openssl(
        *("-subj", "/CN=imagefit client", "-keyout", str(made.key), "-out", str(made.certificate)),
        *("-CA", str(server.authority), "-CAkey", str(server.authority.with_suffix(".key"))),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "extendedKeyUsage=clientAuth"),
    )
    return made


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", "req", "-x509", *_KEY, *arguments), check=True, capture_output=True)
