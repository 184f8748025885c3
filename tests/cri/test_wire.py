"""Bytes of CRI and containerd messages: what is read, and that a rewrite changes nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.proto import cri_client_pb2 as cri
from imagefit.cri import wire
from imagefit.model.policy import MODE, PREFER_TAG

PULL = b"\x0a\x05\x0a\x03a/b"


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + _varint(rest)


def _fields(content: bytes) -> list[bytes]:
    """Return the length-delimited fields of a message, each with its tag, in order."""
    found: list[bytes] = []
    position = 0
    while position < len(content):
        start = position
        _, position = _read_varint(content, position)
        length, position = _read_varint(content, position)
        position += length
        found.append(content[start:position])
    return found


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


unknown_numbers = st.integers(100, 500)
unknown_fields = st.lists(st.builds(_field, unknown_numbers, st.binary(max_size=300)), max_size=5)


@given(unknown_fields, unknown_fields, st.text(max_size=50))
def test_unknown_fields_survive_a_rewrite_byte_for_byte(inner: list[bytes], outer: list[bytes], name: str) -> None:
    """Fields of the image and of the request that no version of ours knows keep their bytes and their order."""
    image = _field(1, name.encode()) + b"".join(inner)
    request = wire.read_pull_request(_field(1, image) + b"".join(outer))
    rewritten = _fields(request.rewritten("a.b/c@sha256:0"))
    assert request.image == name
    expected = _field(1, _field(1, b"a.b/c@sha256:0") + b"".join(inner))
    assert rewritten == [expected, *outer]


def test_a_rewrite_changes_only_the_image_name_of_a_whole_request() -> None:
    """With the public messages of CRI, credentials, sandbox configuration and annotations included."""
    request = cri.PullImageRequest(image=cri.ImageSpec(image="nginx"))
    request.auth.username, request.auth.password = "user", "secret"
    request.sandbox_config.metadata.name = "pod"
    request.image.annotations["a"] = "b"
    rewritten = cri.PullImageRequest.FromString(wire.read_pull_request(request.SerializeToString()).rewritten("other"))
    request.image.image = "other"
    assert rewritten == request


def test_credentials_are_read_and_never_shown() -> None:
    request = cri.PullImageRequest(image=cri.ImageSpec(image="nginx"))
    request.auth.username = "user"
    request.auth.password = request.auth.auth = request.auth.identity_token = "planted"  # noqa: S105
    request.auth.server_address = "https://a.b"
    read = wire.read_pull_request(request.SerializeToString())
    assert read.auth is not None
    assert (read.auth.username, read.auth.password, read.auth.server_address) == ("user", "planted", "https://a.b")
    assert "planted" not in repr(read)


def test_the_pod_of_a_pull_is_read_from_the_image_and_its_sandbox() -> None:
    """Kubelet sends a pod's annotations with both; where they differ the image's stand. Others are not kept."""
    request = cri.PullImageRequest(image=cri.ImageSpec(image="nginx", runtime_handler="nvidia"))
    request.sandbox_config.metadata.namespace = "team"
    request.sandbox_config.annotations[MODE] = "off"
    request.sandbox_config.annotations[PREFER_TAG] = "sandbox"
    request.image.annotations[PREFER_TAG] = "image"
    request.image.annotations["another/secret"] = "planted"
    read = wire.read_pull_request(request.SerializeToString(), "00-trace")
    assert (read.namespace, read.runtime_handler, read.traceparent) == ("team", "nvidia", "00-trace")
    assert read.annotations == {PREFER_TAG: "image", MODE: "off"}


def test_what_is_not_utf8_keeps_nothing_else_from_being_read() -> None:
    """Or a pod could pull past every policy: containerd takes such a request."""
    bad = _field(1, b"key") + _field(2, b"\xff\xfe")
    off = _field(1, MODE.encode()) + _field(2, b"off")
    read = wire.read_pull_request(
        _field(1, _field(1, b"nginx") + _field(2, bad) + _field(2, off))
        + _field(2, _field(1, b"\xff") + _field(2, b"password"))
        + _field(3, _field(1, _field(3, b"\xfe")) + _field(7, bad))
    )
    assert (read.image, read.annotations, read.namespace) == ("nginx", {MODE: "off"}, "\ufffd")
    assert read.auth is not None
    assert read.auth.password == "password"  # noqa: S105


@pytest.mark.parametrize(
    ("content", "image", "has_auth"),
    [
        pytest.param(b"", "", False, id="empty"),
        pytest.param(PULL, "a/b", False, id="no-credentials"),
        pytest.param(PULL + b"\x12\x00", "a/b", True, id="empty-credentials"),
    ],
)
def test_what_is_absent_is_read_as_absent(content: bytes, image: str, *, has_auth: bool) -> None:
    request = wire.read_pull_request(content)
    assert (request.image, request.auth is not None) == (image, has_auth)
    assert (request.namespace, request.runtime_handler, request.annotations, request.traceparent) == ("", "", {}, "")


@pytest.mark.parametrize("content", [b"\xff", b"\x0a\x05\x0a", b"\x0a\x02\x0a"])
@pytest.mark.parametrize("read", [wire.read_pull_request, wire.read_pull_response, wire.read_image_status])
def test_bytes_that_are_no_message_have_a_name(read: object, content: bytes) -> None:
    with pytest.raises(wire.UnreadableMessageError):
        read(content)  # type: ignore[operator]


@given(st.binary(max_size=200))
def test_any_bytes_give_a_value_or_the_named_error(content: bytes) -> None:
    for read in (wire.read_pull_request, wire.read_pull_response, wire.read_image_status, wire.read_get_response):
        try:
            read(content)
        except wire.UnreadableMessageError:
            continue
