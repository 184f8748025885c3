"""The command line in this process and as a child, on a node that never changes."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import node
from imagefit.cli.main import main
from imagefit.formats.node_profile import format_profile

NODE = node(
    "linux/amd64/v3",
    flags={"cpu.cpuid": ["AVX", "AVX2", "SSE2"]},
    attributes={"kernel.version": {"full": "6.1.0", "major": "6", "minor": "1", "revision": "0"}},
)
COLUMNS = 80
LINES = 24


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Imagefit = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    monkeypatch.setenv("LINES", str(LINES))
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have no proxy and no credentials of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "registry_auth_file"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with no hosts and a cache of its own."""
    path = tmp_path / "config.toml"
    (tmp_path / "certs.d").mkdir()
    path.write_text(
        f'[registry]\nconfig-path = "{tmp_path}/certs.d"\ncontainerd-config = ""\ncache = "{tmp_path}/cache"\n'
    )
    return path


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The profile of the node that never changes."""
    path = tmp_path / "node.json"
    path.write_bytes(format_profile(NODE))
    return path


@pytest.fixture
def imagefit(config: Path, capsys: pytest.CaptureFixture[str]) -> Imagefit:
    """Run a command with that configuration in this process."""

    def run(*arguments: str) -> Ended:
        try:
            code = main(["--config", str(config), *arguments])
        except SystemExit as ended:  # argparse ends the process itself
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


def child(*arguments: str, environment: dict[str, str] | None = None) -> Ended:
    """Run a command as a process of its own."""
    ended = subprocess.run(
        (sys.executable, "-m", "imagefit.cli.main", *arguments),
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **(environment or {})},
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
