"""What stands behind the proxies: a real containerd with 300 images, and a scripted one for what it does not send.

Knows how the images come about, what is asked, and how a gRPC client sees that the answers are right. Leaves to
``passing`` which way the calls go.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.passing_load import Call, LoadError
from fakes.containerd import ScriptedBackend
from harness.containerd import Containerd
from harness.cri import CriClient
from harness.images import OCI_CONFIG, OCI_MANIFEST, encode, push_image
from harness.proto import cri_client_pb2 as messages
from harness.registry import Registry
from imagefit.cri.wire import image_status_request

IMAGES: Final = 300
"""As many as a node with its limits of garbage collection at their defaults may well have."""

IMAGE_STATUS: Final = "/runtime.v1.ImageService/ImageStatus"
LIST_IMAGES: Final = "/runtime.v1.ImageService/ListImages"
STREAM_IMAGES: Final = "/runtime.v1.ImageService/StreamImages"
_REPOSITORY: Final = "team/application"
# An image with so many names has a status of about 1 KB.
_NAMES: Final = 6
_MESSAGES: Final = 30
CALLS: Final = ("ImageStatus", "ListImages", f"stream of {_MESSAGES}", "16 MiB reply")
"""The names of all calls, to either backend."""
_STATUS, _LIST, _STREAM, _REPLY = CALLS
_MESSAGE: Final = b"m" * 1000
_LARGE: Final = b"r" * 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Backend:
    """One of the two.

    Attributes:
        socket: where it listens.
        calls: what it is asked.
        check: looks through a client whether all of that is answered as it should be; raises ``LoadError``.
    """

    socket: Path
    calls: Sequence[Call]
    check: Callable[[CriClient], None]


@contextlib.contextmanager
def containerd_backend(root: Path, tell: Callable[[str], None]) -> Iterator[Backend]:
    """Start a containerd below ``root``, which is made, and pull ``IMAGES`` images of its own registry."""
    root.mkdir()
    with Registry(root / "r") as registry, Containerd(root / "c") as containerd, CriClient(containerd.socket) as cri:
        tell(f"pushing {IMAGES} images")
        names = _push(registry)
        tell(f"pulling {IMAGES} images")
        for name in names:
            cri.pull(name)
        request = image_status_request(names[0])
        status, listed = cri.raw(IMAGE_STATUS, request), cri.raw(LIST_IMAGES, b"")
        calls = (
            Call(_STATUS, IMAGE_STATUS, request, [status], {1: 1000, 32: 2000}),
            Call(_LIST, LIST_IMAGES, b"", [listed], {1: 100, 32: 128}),
        )

        def check(client: CriClient) -> None:
            if client.raw(IMAGE_STATUS, request) != status:
                raise LoadError("ImageStatus is not answered as containerd answers it")
            images = messages.ListImagesResponse.FromString(client.raw(LIST_IMAGES, b"")).images
            if len({image.id for image in images}) != IMAGES:
                raise LoadError(f"ListImages does not list {IMAGES} images")

        yield Backend(containerd.socket, calls, check)


@contextlib.contextmanager
def scripted_backend(root: Path) -> Iterator[Backend]:
    """Start a server below ``root``, which is made, that answers with a stream and with 16 MiB."""
    root.mkdir()
    backend = ScriptedBackend(root / "s.sock")
    backend.streams[STREAM_IMAGES] = _stream
    backend.unary[LIST_IMAGES] = _large
    calls = (
        Call(_STREAM, STREAM_IMAGES, b"", [_MESSAGE] * _MESSAGES, {1: 100, 32: 160}),
        Call(_REPLY, LIST_IMAGES, b"", [_LARGE], {1: 10, 32: 32}),
    )

    def check(client: CriClient) -> None:
        if client.raw_stream(STREAM_IMAGES, b"") != [_MESSAGE] * _MESSAGES:
            raise LoadError("the stream does not bring what it should")
        if client.raw(LIST_IMAGES, b"") != _LARGE:
            raise LoadError("the large reply is not what it should be")

    try:
        yield Backend(backend.socket, calls, check)
    finally:
        backend.stop()


def _push(registry: Registry) -> list[str]:
    """Push images that differ in their configuration alone, and the first of them under several names."""
    push_image(registry, _REPOSITORY, "0", "the first")
    manifest = json.loads(registry.fetch(f"/v2/{_REPOSITORY}/manifests/0", OCI_MANIFEST))
    config = json.loads(registry.fetch(f"/v2/{_REPOSITORY}/blobs/{manifest['config']['digest']}"))
    for number in range(1, IMAGES):
        content = encode(config | {"author": f"number {number}"})
        digest = registry.push_blob(_REPOSITORY, content)
        described = {"mediaType": OCI_CONFIG, "digest": digest, "size": len(content)}
        registry.push_manifest(_REPOSITORY, str(number), OCI_MANIFEST, encode(manifest | {"config": described}))
    for number in range(1, _NAMES):
        push_image(registry, f"{_REPOSITORY}-{number}", "0", "the first")
    names = [f"{_REPOSITORY}:{number}" for number in range(IMAGES)]
    names += [f"{_REPOSITORY}-{number}:0" for number in range(1, _NAMES)]
    return [f"{registry.address}/{name}" for name in names]


async def _stream(request: bytes, context: Any) -> Any:  # noqa: ANN401, ARG001 - as the scripted server calls it
    for _ in range(_MESSAGES):
        yield _MESSAGE


async def _large(request: bytes, context: Any) -> bytes:  # noqa: ANN401, ARG001 - as above
    return _LARGE
