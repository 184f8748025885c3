"""Hosts made for one test."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from imagefit.node.contract import HostView

MakeHost = Callable[[Mapping[str, str | bytes]], HostView]


@pytest.fixture
def make_host(tmp_path: Path) -> MakeHost:
    """Return what writes files (host path → content) below a root and views it as an amd64 host."""

    def make(files: Mapping[str, str | bytes]) -> HostView:
        for path, content in files.items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return HostView(tmp_path, machine="x86_64")

    return make
