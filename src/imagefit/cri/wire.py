"""Bytes of CRI and containerd messages to values and back. The only importer of the generated messages.

Knows the fields that imagefit reads; every other field survives a rewrite. Leaves to ``methods``
which message is for what. Sources: k8s.io/cri-api (``runtime/v1/api.proto``), containerd
(``api/services/images/v1/images.proto``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from imagefit.cri import messages_pb2 as messages
from imagefit.model.credentials import AuthConfig
from imagefit.model.policy import POD_ANNOTATIONS

_Message = TypeVar("_Message", bound=Message)

MANAGED_LABEL = ("io.cri-containerd.image", "managed")
"""What containerd's CRI plugin puts on every record that it made."""

_UPDATED_FIELDS = ("target", f"labels.{MANAGED_LABEL[0]}")


class UnreadableMessageError(Exception):
    """The bytes are not the message that they should be; containerd will say so better than we could."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What a PullImage request says that imagefit reads.

    Attributes:
        image: the image name as kubelet sent it.
        auth: the credentials that came along, or None.
        content: the whole request, for a rewrite.
        namespace: of the pod; empty where the request does not say.
        runtime_handler: of the pod; empty for the node's default one.
        annotations: of the pod, those that imagefit knows.
        traceparent: the caller's trace context, as W3C writes it; empty for none.
    """

    image: str
    auth: AuthConfig | None
    content: bytes = field(repr=False)
    namespace: str = ""
    runtime_handler: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    traceparent: str = ""

    def rewritten(self, image: str) -> bytes:
        """Return the request with only the image name changed; unknown fields stay as they are."""
        request = messages.PullImageRequest.FromString(self.content)
        request.image.image = image.encode()
        return request.SerializeToString()


@dataclass(frozen=True, slots=True)
class Record:
    """A name that containerd keeps for an image.

    Attributes:
        name: such as ``docker.io/library/nginx:latest``.
        digest: of the manifest or index that it stands for.
        target: the whole descriptor as containerd gave it, every field included.
        content: the whole record as containerd gave it, for putting it back.
    """

    name: str
    digest: str
    target: bytes = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether the target has what containerd needs of it: a media type, a digest and a size."""
        target = messages.Descriptor.FromString(self.target)
        return bool(target.media_type and target.digest and target.size > 0)

    @property
    def is_managed(self) -> bool:
        """Whether containerd's CRI plugin counts it among its own."""
        label, value = MANAGED_LABEL
        return messages.Image.FromString(self.content).labels.get(label) == value

    def is_right(self, digest: str) -> bool:
        """Tell whether it stands for a manifest; containerd's CRI plugin asks the same before it writes."""
        return self.digest == digest and self.is_managed and self.is_whole


def read_pull_request(content: bytes, traceparent: str = "") -> PullRequest:
    """Read a PullImage request of any CRI version.

    Args:
        content: the message. A pod's annotations come with the image and with its sandbox; the image's stand.
        traceparent: the trace context that came with the call.

    Raises:
        UnreadableMessageError: it is none.
    """
    request = _parsed(messages.PullImageRequest, content)
    image, sandbox = request.image, request.sandbox_config
    annotations = {_text(one.key): _text(one.value) for one in (*sandbox.annotations, *image.annotations)}
    return PullRequest(
        _text(image.image),
        _auth_config(request.auth) if request.HasField("auth") else None,
        content,
        _text(sandbox.metadata.namespace),
        _text(image.runtime_handler),
        {name: annotations[name] for name in POD_ANNOTATIONS if name in annotations},
        traceparent,
    )


def read_pull_response(content: bytes) -> str:
    """Return the image ID of a PullImage reply.

    Raises:
        UnreadableMessageError: it is none.
    """
    return _parsed(messages.PullImageResponse, content).image_ref


def image_status_request(name: str) -> bytes:
    """Return an ImageStatus request for an image name."""
    return messages.ImageStatusRequest(image=messages.ImageSpec(image=name.encode())).SerializeToString()


def read_image_status(content: bytes) -> str:
    """Return the image ID of an ImageStatus reply; empty where the image is not there.

    Raises:
        UnreadableMessageError: it is none.
    """
    return _parsed(messages.ImageStatusResponse, content).image.id


def get_request(name: str) -> bytes:
    """Return a request of the Images API for one record."""
    return messages.GetImageRequest(name=name).SerializeToString()


def read_get_response(content: bytes) -> Record:
    """Return the record of a Get reply.

    Raises:
        UnreadableMessageError: it is none.
    """
    image = _parsed(messages.GetImageResponse, content).image
    return Record(image.name, image.target.digest, image.target.SerializeToString(), image.SerializeToString())


def create_request(name: str, target: bytes) -> bytes:
    """Return a request that creates a record as containerd's CRI plugin would.

    Args:
        name: of the record.
        target: descriptor, as ``Record.target`` holds it.
    """
    return messages.CreateImageRequest(image=_image(name, target)).SerializeToString()


def update_request(name: str, target: bytes) -> bytes:
    """Return a request that points an existing record at ``target``; its other labels stay."""
    request = messages.UpdateImageRequest(image=_image(name, target))
    request.update_mask.paths.extend(_UPDATED_FIELDS)
    return request.SerializeToString()


def restore_request(record: Record) -> bytes:
    """Return a request that puts a record back as it was."""
    return messages.UpdateImageRequest(image=messages.Image.FromString(record.content)).SerializeToString()


def delete_request(name: str) -> bytes:
    """Return a request that deletes a record; what only it kept alive is collected later."""
    return messages.DeleteImageRequest(name=name).SerializeToString()


def read_health_request(content: bytes) -> str:
    """Return the service that a health check asks about; empty for the server as a whole.

    Raises:
        UnreadableMessageError: it is none.
    """
    return _parsed(messages.HealthCheckRequest, content).service


def health_response(*, serving: bool) -> bytes:
    """Return the reply to a health check."""
    status = messages.HealthCheckResponse.SERVING if serving else messages.HealthCheckResponse.NOT_SERVING
    return messages.HealthCheckResponse(status=status).SerializeToString()


def _image(name: str, target: bytes) -> messages.Image:
    label, value = MANAGED_LABEL
    return messages.Image(name=name, labels={label: value}, target=messages.Descriptor.FromString(target))


def _auth_config(auth: messages.AuthConfig) -> AuthConfig:
    fields = (auth.username, auth.password, auth.auth, auth.server_address, auth.identity_token)
    return AuthConfig(*map(_text, fields))


def _text(content: bytes) -> str:
    """Return text that somebody else wrote; what is not UTF-8 must not keep the rest from being read."""
    return content.decode(errors="replace")


def _parsed(kind: type[_Message], content: bytes) -> _Message:
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise UnreadableMessageError(str(error)) from error
