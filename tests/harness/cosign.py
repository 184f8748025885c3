"""What the how-to pages need of ``cosign`` and ``oras``, on a registry on loopback without TLS: for test machines.

Run as ``python -m harness.cosign TOOL ARGUMENT…``. Options that change nothing here are passed over.
"""

import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode, urljoin

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from harness.attaching import attach, sign_with_bundle
from harness.process import HarnessError
from harness.signing import Json, Signer, p256
from imagefit.model.oci import digest_of

_MANIFESTS = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


class Remote:
    """A registry that is reached by its address alone."""

    def __init__(self, address: str) -> None:
        """Send nothing yet."""
        self._url = f"http://{address}"

    def push_blob(self, repository: str, content: bytes) -> str:
        """Push content and return its digest."""
        digest = digest_of(content)
        opened, _, _ = self._send("POST", f"/v2/{repository}/blobs/uploads/")
        # Else urllib says that it is a form, and the registry reads it as one.
        headers = {"Content-Type": "application/octet-stream"}
        self._send("PUT", f"{opened}&{urlencode({'digest': digest})}", content, headers)
        return digest

    def push_manifest(self, repository: str, reference: str | None, media_type: str, content: bytes) -> str:
        """Push a manifest under a tag, or None for its digest alone, and return its digest."""
        digest = digest_of(content)
        path = f"/v2/{repository}/manifests/{reference or digest}"
        self._send("PUT", path, content, {"Content-Type": media_type})
        return digest

    def fetch(self, path: str, accept: str = "*/*") -> bytes:
        """Return the body of a GET."""
        return self._send("GET", path, headers={"Accept": accept})[2]

    def descriptor(self, repository: str, reference: str) -> Json:
        """Return the descriptor of a manifest or index."""
        path = f"/v2/{repository}/manifests/{reference}"
        _, media_type, content = self._send("GET", path, headers={"Accept": _MANIFESTS})
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[str, str, bytes]:
        """Return where it led, what came, and its bytes."""
        url = urljoin(self._url, path)
        request = urllib.request.Request(url, body, headers or {}, method=method)  # noqa: S310 - a test's own address
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
                return answer.headers.get("Location", ""), answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as error:
            raise HarnessError(f"{method} {path} answered {error.code}") from error


def main(tool: str, arguments: list[str]) -> None:
    """Do what the tool would do."""
    plain = [one for one in arguments if not one.startswith("-")]
    if plain[0] == "generate-key-pair":
        _generate()
    elif (tool, plain[0]) == ("cosign", "sign"):
        _sign(Path(_option(arguments, "--key")), plain[-1])
    else:
        name, file = plain[-2:]
        _attach(_option(arguments, "--artifact-type"), name, file)


def _generate() -> None:
    signer = p256()
    Path("cosign.key").write_bytes(signer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    Path("cosign.pub").write_bytes(signer.pem)


def _sign(key: Path, name: str) -> None:
    private = load_pem_private_key(key.read_bytes(), None)
    if not isinstance(private, EllipticCurvePrivateKey):
        raise HarnessError(f"{key} is no key of this harness")
    remote, repository, reference = _place(name)
    sign_with_bundle(remote, repository, remote.descriptor(repository, reference), Signer(private))


def _attach(artifact_type: str, name: str, file: str) -> None:
    path, _, media_type = file.partition(":")
    remote, repository, reference = _place(name)
    layer = (Path(path).read_bytes(), media_type)
    attached = attach(remote, repository, remote.descriptor(repository, reference), artifact_type, layer)
    sys.stdout.write(f"Attached to [registry] {name}\nDigest: {attached['digest']}\n")


def _option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def _place(name: str) -> tuple[Remote, str, str]:
    address, _, rest = name.partition("/")
    repository, _, reference = rest.partition("@") if "@" in rest else rest.partition(":")
    return Remote(address), repository, reference


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
