"""A kubelet's side of CRI, over a Unix socket: images are pulled, pods and containers run.

Knows CRI's methods and messages. Leaves to others which socket it is: containerd's or the daemon's.
Implements the calls of the public CRI API, ``runtime.v1``, with the messages of ``proto/cri_client.proto``.
"""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import grpc
from google.protobuf.message import Message

from harness.process import HarnessError
from harness.proto import cri_client_pb2 as messages

IMAGE_SERVICE = "/runtime.v1.ImageService/"
RUNTIME_SERVICE = "/runtime.v1.RuntimeService/"
CGROUP_PARENT = "/imagefit-harness"
"""Under it stand the control groups of every container that the harness runs."""

_CHANNEL_OPTIONS = (
    ("grpc.default_authority", "localhost"),
    ("grpc.max_receive_message_length", 32 * 1024 * 1024),
    ("grpc.max_send_message_length", 32 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 50),
    # It is how long one attempt may take as well: a busy machine has to have begun to answer by then.
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)
_HOST_NETWORK = messages.NamespaceOption(network=messages.NODE)
_pod_numbers = itertools.count(1)

Reply = TypeVar("Reply", bound=Message)


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod sandbox that runs; ``config`` is what CRI wants again for each of its containers."""

    id: str
    config: messages.PodSandboxConfig


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a container that ended left: its exit code and what it wrote, and the image it says it ran."""

    exit_code: int
    text: str
    image_ref: str


class CriClient:
    """Speaks CRI on one socket. Every call raises ``grpc.RpcError`` where the other side refuses or is not there."""

    def __init__(self, socket: Path) -> None:
        """Prepare to speak; nothing is connected before the first call."""
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=_CHANNEL_OPTIONS)
        self._logs = Path(tempfile.mkdtemp(prefix="imagefit-logs-"))
        self._pods: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def version(self, timeout_seconds: float = 5) -> messages.VersionResponse:
        """Ask who answers."""
        return self._call(
            RUNTIME_SERVICE + "Version", messages.VersionRequest(), messages.VersionResponse, timeout_seconds
        )

    def pull(
        self,
        image: str,
        auth: messages.AuthConfig | None = None,
        timeout_seconds: float = 60,
        *,
        namespace: str = "default",
        runtime_handler: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> str:
        """Pull ``image`` with the credentials in ``auth``, if any, for a pod, and return the image's ID."""
        spec = messages.ImageSpec(image=image, annotations=annotations, runtime_handler=runtime_handler)
        sandbox = messages.PodSandboxConfig(metadata=messages.PodSandboxMetadata(namespace=namespace))
        request = messages.PullImageRequest(image=spec, auth=auth, sandbox_config=sandbox)
        reply = self._call(IMAGE_SERVICE + "PullImage", request, messages.PullImageResponse, timeout_seconds)
        return reply.image_ref

    def image_status(self, image: str) -> messages.Image | None:
        """Return what the node knows of ``image`` (a name or an ID), None where it does not have it."""
        request = messages.ImageStatusRequest(image=messages.ImageSpec(image=image))
        reply = self._call(IMAGE_SERVICE + "ImageStatus", request, messages.ImageStatusResponse)
        return reply.image if reply.HasField("image") else None

    def list_images(self) -> list[messages.Image]:
        """Return every image of the node."""
        reply = self._call(IMAGE_SERVICE + "ListImages", messages.ListImagesRequest(), messages.ListImagesResponse)
        return list(reply.images)

    def remove_image(self, image: str) -> None:
        """Remove ``image`` (a name or an ID) and all its names."""
        request = messages.RemoveImageRequest(image=messages.ImageSpec(image=image))
        self._call(IMAGE_SERVICE + "RemoveImage", request, messages.RemoveImageResponse)

    def image_fs_info(self) -> list[messages.FilesystemUsage]:
        """Return where images are kept and how much room they take."""
        reply = self._call(IMAGE_SERVICE + "ImageFsInfo", messages.ImageFsInfoRequest(), messages.ImageFsInfoResponse)
        return list(reply.image_filesystems)

    def run_pod(self, name: str) -> Pod:
        """Start a pod without containers, in the network of this machine."""
        uid = f"{os.getpid()}-{next(_pod_numbers)}"
        logs = self._logs / uid
        logs.mkdir()
        config = messages.PodSandboxConfig(
            metadata=messages.PodSandboxMetadata(name=name, uid=uid, namespace="default"),
            log_directory=str(logs),
            linux=messages.LinuxPodSandboxConfig(
                cgroup_parent=CGROUP_PARENT,
                security_context=messages.LinuxSandboxSecurityContext(namespace_options=_HOST_NETWORK),
            ),
        )
        reply = self._call(
            RUNTIME_SERVICE + "RunPodSandbox",
            messages.RunPodSandboxRequest(config=config),
            messages.RunPodSandboxResponse,
        )
        self._pods.append(reply.pod_sandbox_id)
        return Pod(reply.pod_sandbox_id, config)

    def run_container(self, pod: Pod, image: str, command: Sequence[str] = (), timeout_seconds: float = 20) -> Outcome:
        """Run a container of ``image`` in ``pod`` until it ends, read what it wrote, remove it.

        Args:
            pod: where.
            image: a name or an ID that the node has.
            command: run instead of the image's own entry point.
            timeout_seconds: how long it may run.

        Raises:
            HarnessError: it still ran then.
        """
        log_name = f"{len(list(Path(pod.config.log_directory).iterdir()))}.log"
        container = self.create_container(pod, image, log_name, command)
        try:
            self._call(
                RUNTIME_SERVICE + "StartContainer",
                messages.StartContainerRequest(container_id=container),
                messages.StartContainerResponse,
            )
            status = self._wait_exited(container, timeout_seconds)
        finally:
            self.remove_container(container)
        text = _log_text(Path(pod.config.log_directory) / log_name)
        return Outcome(status.exit_code, text, status.image_ref)

    def create_container(self, pod: Pod, image: str, log_name: str, command: Sequence[str] = ()) -> str:
        """Create a container of ``image`` in ``pod``, which does not run yet, and return its id."""
        config = messages.ContainerConfig(
            metadata=messages.ContainerMetadata(name=log_name.removesuffix(".log")),
            image=messages.ImageSpec(image=image),
            command=command,
            log_path=log_name,
            linux=messages.LinuxContainerConfig(
                security_context=messages.LinuxContainerSecurityContext(namespace_options=_HOST_NETWORK)
            ),
        )
        reply = self._call(
            RUNTIME_SERVICE + "CreateContainer",
            messages.CreateContainerRequest(pod_sandbox_id=pod.id, config=config, sandbox_config=pod.config),
            messages.CreateContainerResponse,
        )
        return reply.container_id

    def remove_container(self, container_id: str) -> None:
        """Remove a container, running or not."""
        request = messages.RemoveContainerRequest(container_id=container_id)
        self._call(RUNTIME_SERVICE + "RemoveContainer", request, messages.RemoveContainerResponse)

    def stop_container(self, container_id: str, grace_seconds: int = 0) -> None:
        """Stop a container."""
        request = messages.StopContainerRequest(container_id=container_id, timeout=grace_seconds)
        self._call(RUNTIME_SERVICE + "StopContainer", request, messages.StopContainerResponse)

    def remove_pod(self, pod_id: str) -> None:
        """Stop a pod and remove it with all its containers."""
        stop = messages.StopPodSandboxRequest(pod_sandbox_id=pod_id)
        self._call(RUNTIME_SERVICE + "StopPodSandbox", stop, messages.StopPodSandboxResponse)
        remove = messages.RemovePodSandboxRequest(pod_sandbox_id=pod_id)
        self._call(RUNTIME_SERVICE + "RemovePodSandbox", remove, messages.RemovePodSandboxResponse)
        if pod_id in self._pods:
            self._pods.remove(pod_id)

    def list_pods(self) -> list[str]:
        """Return the ids of all pods of the node, whoever started them."""
        request = messages.ListPodSandboxRequest()
        reply = self._call(RUNTIME_SERVICE + "ListPodSandbox", request, messages.ListPodSandboxResponse)
        return [pod.id for pod in reply.items]

    def cleanup(self) -> None:
        """Remove the pods that this client started."""
        for pod_id in tuple(self._pods):
            self.remove_pod(pod_id)

    def close(self) -> None:
        """Remove this client's pods and logs and hang up."""
        try:
            self.cleanup()
        finally:
            self._channel.close()
            shutil.rmtree(self._logs)

    def raw(self, method: str, request: bytes, timeout_seconds: float = 20) -> bytes:
        """Send bytes to any unary method and return the bytes that come back.

        Args:
            method: its full path, such as ``/runtime.v1.ImageService/PullImage``.
            request: an encoded message.
            timeout_seconds: the call's deadline.
        """
        call = self._channel.unary_unary(method, request_serializer=None, response_deserializer=None)
        reply: bytes = call(request, timeout=timeout_seconds)
        return reply

    def raw_stream(self, method: str, request: bytes, timeout_seconds: float = 20) -> list[bytes]:
        """Send bytes to any method that answers with a stream and return all that comes back."""
        call = self._channel.unary_stream(method, request_serializer=None, response_deserializer=None)
        return list(call(request, timeout=timeout_seconds))

    def _call(self, method: str, request: Message, reply: type[Reply], timeout_seconds: float = 20) -> Reply:
        return reply.FromString(self.raw(method, request.SerializeToString(), timeout_seconds))

    def _wait_exited(self, container_id: str, timeout_seconds: float) -> messages.ContainerStatus:
        deadline = time.monotonic() + timeout_seconds
        request = messages.ContainerStatusRequest(container_id=container_id)
        while True:
            reply = self._call(RUNTIME_SERVICE + "ContainerStatus", request, messages.ContainerStatusResponse)
            if reply.status.state == messages.CONTAINER_EXITED:
                return reply.status
            if time.monotonic() > deadline:
                raise HarnessError(f"container {container_id} still runs after {timeout_seconds} s")
            time.sleep(0.01)


def _log_text(log: Path) -> str:
    # CRI's log format: time, stream, F (a whole line) or P (part of one), text.
    text = ""
    for line in log.read_text(errors="replace").splitlines():
        _, _, kind, said = line.split(" ", 3)
        text += said + ("\n" if kind == "F" else "")
    return text
