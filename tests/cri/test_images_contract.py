"""What imagefit relies on in containerd's Images API: one contract, on the real containerd and on the fake."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from fakes.containerd import ScriptedBackend
from fakes.images_api import FakeContainerd
from harness.containerd import Containerd
from harness.images import push_image
from harness.registry import Registry
from imagefit.cri import messages_pb2 as messages
from imagefit.cri import wire
from imagefit.cri.methods import IMAGES_SERVICE


class Caller:
    """Calls one Images API, synchronously."""

    def __init__(self, socket: Path) -> None:
        options = (("grpc.default_authority", "localhost"),)
        self._channel: grpc.Channel = grpc.insecure_channel(f"unix:{socket}", options=options)

    def call(self, method: str, request: bytes) -> bytes | grpc.StatusCode:
        """Return the reply, or the code of the error."""
        made = self._channel.unary_unary(
            method if method.startswith("/") else IMAGES_SERVICE + method,
            request_serializer=bytes,
            response_deserializer=bytes,
        )
        try:
            reply: bytes = made(request, metadata=(("containerd-namespace", "k8s.io"),), timeout=20)
        except grpc.RpcError as error:
            return error.code()
        return reply

    def close(self) -> None:
        self._channel.close()


class Subject:
    """One containerd with one image pulled by its digest."""

    def __init__(self, caller: Caller, name: str) -> None:
        self.caller = caller
        self.name = name
        request = messages.PullImageRequest(image=messages.ImageSpec(image=name.encode())).SerializeToString()
        reply = caller.call("/runtime.v1.ImageService/PullImage", request)
        assert isinstance(reply, bytes)
        self.image_id = wire.read_pull_response(reply)

    def record(self, name: str) -> wire.Record | grpc.StatusCode:
        reply = self.caller.call("Get", wire.get_request(name))
        return wire.read_get_response(reply) if isinstance(reply, bytes) else reply

    def image_id_of(self, name: str) -> str:
        """Return what ImageStatus says of a name."""
        reply = self.caller.call("/runtime.v1.ImageService/ImageStatus", wire.image_status_request(name))
        assert isinstance(reply, bytes)
        return wire.read_image_status(reply)

    def becomes(self, name: str, image_id: str) -> bool:
        """Wait until ImageStatus says so of a name; containerd hears of records by events."""
        give_up = time.monotonic() + 10
        while self.image_id_of(name) != image_id and time.monotonic() < give_up:
            time.sleep(0.005)
        return self.image_id_of(name) == image_id


@pytest.fixture(params=["real", "fake"])
def subject(request: pytest.FixtureRequest, repository: str) -> Iterator[Subject]:
    if request.param == "real":
        registry: Registry = request.getfixturevalue("registry")
        containerd: Containerd = request.getfixturevalue("containerd")
        digest = push_image(registry, repository, None, f"contract {repository}")["digest"]
        caller = Caller(containerd.socket)
        yield Subject(caller, f"{registry.address}/{repository}@{digest}")
        caller.close()
        return
    backend = ScriptedBackend(request.getfixturevalue("tmp_path") / "c.sock")
    digest = f"sha256:{1:064x}"
    FakeContainerd(backend).image_ids[digest] = f"sha256:{2:064x}"
    caller = Caller(backend.socket)
    yield Subject(caller, f"a.b/{repository}@{digest}")
    caller.close()
    backend.stop()


def test_records_live_as_imagefit_relies_on(subject: Subject) -> None:
    caller, pulled = subject.caller, subject.record(subject.name)
    assert isinstance(pulled, wire.Record)
    assert pulled.is_whole
    assert pulled.digest == subject.name.partition("@")[2]
    tag = subject.name.partition("@")[0] + ":contract"

    assert subject.record(tag) is grpc.StatusCode.NOT_FOUND
    assert caller.call("Delete", wire.delete_request(tag)) is grpc.StatusCode.NOT_FOUND
    assert caller.call("Update", wire.update_request(tag, pulled.target)) is grpc.StatusCode.NOT_FOUND
    assert isinstance(caller.call("Create", wire.create_request(tag, pulled.target)), bytes)
    assert caller.call("Create", wire.create_request(tag, pulled.target)) is grpc.StatusCode.ALREADY_EXISTS
    assert isinstance(caller.call("Update", wire.update_request(tag, pulled.target)), bytes)
    created = subject.record(tag)
    assert isinstance(created, wire.Record)
    assert (created.name, created.target) == (tag, pulled.target)
    assert isinstance(caller.call("Update", wire.restore_request(created)), bytes)
    restored = subject.record(tag)
    assert isinstance(restored, wire.Record)
    assert restored.target == created.target
    for name in (tag, subject.name):
        assert isinstance(caller.call("Delete", wire.delete_request(name)), bytes)
        assert subject.record(name) is grpc.StatusCode.NOT_FOUND


def test_an_image_is_kept_under_its_id_until_it_is_removed_with_all_its_names(subject: Subject) -> None:
    caller, pulled = subject.caller, subject.record(subject.name)
    assert isinstance(pulled, wire.Record)
    kept = subject.record(subject.image_id)
    assert isinstance(kept, wire.Record)
    assert kept.target == pulled.target
    tag = subject.name.partition("@")[0] + ":kept"
    assert isinstance(caller.call("Create", wire.create_request(tag, pulled.target)), bytes)
    assert subject.becomes(tag, subject.image_id)
    assert isinstance(caller.call("Delete", wire.delete_request(subject.name)), bytes)
    assert subject.becomes(subject.name, "")
    assert subject.image_id_of(tag) == subject.image_id

    remove = wire.image_status_request(tag)  # the same fields
    assert isinstance(caller.call("/runtime.v1.ImageService/RemoveImage", remove), bytes)
    assert subject.record(subject.image_id) is grpc.StatusCode.NOT_FOUND
    assert subject.record(tag) is grpc.StatusCode.NOT_FOUND
    # Its content is gone: a name that comes too late stands for nothing.
    assert isinstance(caller.call("Create", wire.create_request(tag, pulled.target)), bytes)
    assert isinstance(subject.record(tag), wire.Record)
    time.sleep(0.2)
    assert not subject.image_id_of(tag)
    caller.call("Delete", wire.delete_request(tag))
