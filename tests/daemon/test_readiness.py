"""When pulls can be answered: containerd answers, the node is known, and nobody asks containerd too often."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from fakes.containerd import ScriptedBackend
from imagefit.cri.backend import Backend
from imagefit.daemon.readiness import Readiness

VERSION = "/runtime.v1.RuntimeService/Version"


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[ScriptedBackend]:
    """One that answers Version."""
    scripted = ScriptedBackend(tmp_path / "s.sock")

    async def version(request: bytes, _: Any) -> bytes:
        return request

    scripted.unary[VERSION] = version
    yield scripted
    scripted.stop()


def missing(socket: Path, *, known: bool = True, times: int = 1) -> list[str]:
    async def asked() -> list[str]:
        backend = Backend(socket)
        readiness = Readiness(backend, lambda: known)
        try:
            return [await readiness.missing() for _ in range(times)]
        finally:
            await backend.close()

    return asyncio.run(asked())


def test_nothing_is_missing_where_containerd_answers_and_the_node_is_known(containerd: ScriptedBackend) -> None:
    assert missing(containerd.socket) == [""]


def test_however_often_it_is_asked_containerd_is_asked_once(containerd: ScriptedBackend) -> None:
    assert missing(containerd.socket, times=20) == [""] * 20
    assert len(containerd.seen) < 20


def test_many_who_ask_at_once_share_one_look(tmp_path: Path, containerd: ScriptedBackend) -> None:
    async def asked() -> list[str]:
        backend = Backend(containerd.socket)
        readiness = Readiness(backend, lambda: True)
        try:
            return await asyncio.gather(*(readiness.missing() for _ in range(50)))
        finally:
            await backend.close()

    assert asyncio.run(asked()) == [""] * 50
    assert len(containerd.seen) == 1


def test_a_node_that_has_not_been_looked_at_is_missing(containerd: ScriptedBackend) -> None:
    assert missing(containerd.socket, known=False) == ["the node has not been looked at yet"]
    assert not containerd.seen


def test_a_containerd_without_cri_is_named(containerd: ScriptedBackend) -> None:
    del containerd.unary[VERSION]
    assert missing(containerd.socket) == ["containerd serves no runtime.v1"]


def test_a_containerd_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert missing(tmp_path / "nobody.sock") == [f"containerd does not answer ({grpc.StatusCode.UNAVAILABLE.name})"]
