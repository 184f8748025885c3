"""What stands behind a CRI socket.

Knows one call. Source: CRI's ``runtime.v1.RuntimeService/Version``, whose answer has a name and a version.
"""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagefit.selection.wording import cut

_VERSION: Final = "/runtime.v1.RuntimeService/Version"
_NAME_FIELD: Final = 2
_VERSION_FIELD: Final = 3
_CONNECT_SECONDS: Final = 2.0
_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        runtime: name and version of what is behind the socket; empty where there is no answer.
        why_not: what kept it from answering; empty where it did.
        is_denied: whether only root, or its group, may ask.
    """

    runtime: str = ""
    why_not: str = ""
    is_denied: bool = False


def ask(path: Path, seconds: float) -> Answer:
    """Ask a CRI socket for the version of its runtime.

    Args:
        path: of the socket.
        seconds: how long to wait for the answer.
    """
    if error := _connected(path):
        return Answer(why_not=error.strerror or str(error), is_denied=isinstance(error, PermissionError))
    import grpc  # only where a socket is asked
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.unknown_fields import UnknownFieldSet

    with grpc.insecure_channel(f"unix:{path}", options=(("grpc.default_authority", "localhost"),)) as channel:
        call = channel.unary_unary(_VERSION, request_serializer=bytes, response_deserializer=Empty.FromString)
        try:
            answer = call(b"", timeout=seconds)
        except grpc.RpcError as error:
            return Answer(why_not=_shown(getattr(error, "details", str)() or "no reason is given"))
    fields = UnknownFieldSet(answer)
    said = {one.field_number: one.data for one in (fields[number] for number in range(len(fields)))}
    words = (said.get(field, b"") for field in (_NAME_FIELD, _VERSION_FIELD))
    return Answer(runtime=_shown(b" ".join(word for word in words if isinstance(word, bytes)).decode(errors="replace")))


def _connected(path: Path) -> OSError | None:
    """Return what keeps a socket from being connected to; None for nothing. gRPC would say it in many words."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error
    return None


def _shown(text: str) -> str:
    return cut(text, _SHOWN_CHARACTERS)
