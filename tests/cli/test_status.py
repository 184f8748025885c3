"""`imagefit status` against a real daemon and a stand-in for kubelet: a process of its name, connected or not."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import COLUMNS
from harness.containerd import Containerd
from harness.daemon import Daemon
from harness.process import ChildProcess
from imagefit.cli.install import Node
from imagefit.cli.main import main
from imagefit.cli.node_files import NodeFiles
from imagefit.cli.processes import Process, processes, sockets_of
from imagefit.cli.status import Finding, look, sentence, verdict
from imagefit.cli.unix_sockets import clients_of
from imagefit.config import load_config
from imagefit.kubelet.endpoint import endpoint_of
from imagefit.model.truth import Truth

CONNECT = "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(600)"
IDLE = "import time; time.sleep(600)"
CONFIG = "/var/lib/kubelet/config.yaml"

Kubelet = Callable[..., Process]


@pytest.fixture(scope="module")
def daemon(folder: Path, containerd: Containerd) -> Iterator[Daemon]:
    with Daemon(folder / "status", containerd.socket) as started:
        yield started


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[Kubelet]:
    """Start a process that the kernel calls kubelet."""
    started: list[ChildProcess] = []
    program = tmp_path / "kubelet"
    shutil.copy(Path(sys.executable).resolve(), program)

    def _start(code: str, *words: str) -> Process:
        process = ChildProcess("kubelet", tmp_path / "kubelet.log")
        started.append(process)
        python = {**os.environ, "PYTHONHOME": sys.base_prefix}
        process.start((str(program), "-c", code, *words), environment=python)
        process.wait_until(lambda: process.pid in {one.pid for one in processes("kubelet")})
        if code == CONNECT:
            process.wait_until(lambda: bool(sockets_of(process.pid) & clients_of(Path(words[0]))))
        return next(one for one in processes("kubelet") if one.pid == process.pid)

    yield _start
    for process in started:
        process.kill()


def node_with(daemon: Daemon, root: Path, named: str) -> Node:
    """Return this node, but for kubelet's settings, which are of a folder and name a socket."""
    path = root / CONFIG.removeprefix("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"kind: KubeletConfiguration\nimageServiceEndpoint: {named}\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return Node(NodeFiles(root), load_config(daemon.config_file), "/etc/imagefit/config.d", is_this=False)


def truths(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {one.step: one.truth.value for one in findings}


def test_a_kubelet_that_is_connected_goes_through(daemon: Daemon, kubelet: Kubelet, tmp_path: Path) -> None:
    node = node_with(daemon, tmp_path / "n", endpoint_of(str(daemon.socket)))
    found = look(node, [kubelet(CONNECT, str(daemon.socket))])
    assert truths(found) == {"socket": "yes", "settings": "yes", "start": "yes", "connection": "yes"}
    assert "containerd" in found[0].what  # and its version, as it says itself
    assert verdict(found) is Truth.YES


def test_a_kubelet_that_is_not_connected_does_not(daemon: Daemon, kubelet: Kubelet, tmp_path: Path) -> None:
    # A connection of somebody else is none of kubelet's.
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(daemon.socket))
        node = node_with(daemon, tmp_path / "n", endpoint_of(str(daemon.socket)))
        found = look(node, [kubelet(IDLE)])
    assert truths(found) == {"socket": "yes", "settings": "yes", "start": "yes", "connection": "no"}
    assert verdict(found) is Truth.NO


def test_a_kubelet_that_is_connected_to_containerd_does_not(
    daemon: Daemon, kubelet: Kubelet, containerd: Containerd, tmp_path: Path
) -> None:
    node = node_with(daemon, tmp_path / "n", endpoint_of(str(containerd.socket)))
    found = look(node, [kubelet(CONNECT, str(containerd.socket))])
    assert truths(found) == {"socket": "yes", "settings": "no", "connection": "no"}
    assert str(containerd.socket) in found[1].what


def test_settings_that_are_newer_than_kubelet_leave_it_open(daemon: Daemon, kubelet: Kubelet, tmp_path: Path) -> None:
    node = node_with(daemon, tmp_path / "n", endpoint_of(str(daemon.socket)))
    later = time.time() + 3600
    os.utime(tmp_path / "n" / CONFIG.removeprefix("/"), (later, later))
    assert truths(look(node, [kubelet(IDLE)]))["start"] == "unknown"
    # ... but a connection settles it.
    assert verdict(look(node, [kubelet(CONNECT, str(daemon.socket))])) is Truth.YES


def test_settings_that_are_not_understood_do_not_count_beside_a_connection(
    daemon: Daemon, kubelet: Kubelet, tmp_path: Path
) -> None:
    node = node_with(daemon, tmp_path / "n", "x")
    (tmp_path / "n" / CONFIG.removeprefix("/")).write_text("[")
    assert verdict(look(node, [kubelet(CONNECT, str(daemon.socket))])) is Truth.YES
    assert truths(look(node, [kubelet(IDLE)])) == {"socket": "yes", "settings": "unknown", "connection": "no"}


def test_a_daemon_that_is_away_is_told(containerd: Containerd, kubelet: Kubelet, tmp_path: Path) -> None:
    away = Daemon(tmp_path / "away", containerd.socket)
    node = node_with(away, tmp_path / "n", endpoint_of(str(away.socket)))
    found = look(node, [kubelet(IDLE)])
    assert (found[0].truth, found[-1].truth) == (Truth.NO, Truth.NO)
    assert "No such file" in found[0].what
    assert "systemctl status imagefit" in found[0].advice


def test_a_containerd_that_is_away_is_told(folder: Path, repository: str, tmp_path: Path) -> None:
    with Daemon(folder / f"t{repository.rpartition('-')[2]}", folder / "none.sock") as alone:
        (first, *_) = look(node_with(alone, tmp_path / "n", "x"), [])
    assert first.truth is Truth.NO


def test_without_a_kubelet_nothing_goes_through(daemon: Daemon, tmp_path: Path) -> None:
    found = look(node_with(daemon, tmp_path / "n", endpoint_of(str(daemon.socket))), [])
    assert found[-1].what == "no kubelet runs"
    assert verdict(found) is Truth.NO


def test_another_user_than_root_cannot_tell(daemon: Daemon, kubelet: Kubelet, folder: Path) -> None:
    kubelet(CONNECT, str(daemon.socket))
    before = folder.stat().st_mode
    folder.chmod(0o711)
    try:
        who = ("setpriv", "--reuid=64777", "--regid=64777", "--clear-groups")
        status = (
            sys.executable,
            "-m",
            "imagefit.cli.main",
            "--config",
            str(daemon.config_file),
            "status",
            "-o",
            "json",
        )
        said = subprocess.run((*who, *status), capture_output=True, text=True, check=False, timeout=60)
    finally:
        folder.chmod(before)
    found = {one["step"]: one for one in json.loads(said.stdout)["findings"]}
    for step in ("socket", "connection"):
        assert (found[step]["truth"], found[step]["advice"]) == ("unknown", "run it as root")


def test_what_is_not_known_is_neither_yes_nor_no() -> None:
    unknown = Finding("connection", Truth.UNKNOWN, "cannot tell: Permission denied", "run it as root")
    assert verdict([Finding("socket", Truth.YES, ""), unknown]) is Truth.UNKNOWN
    assert verdict([Finding("socket", Truth.NO, ""), unknown]) is Truth.NO


SENTENCES = [
    pytest.param(Truth.YES, Truth.YES, "kubelet goes through imagefit", id="yes"),
    pytest.param(Truth.UNKNOWN, Truth.YES, "kubelet goes through imagefit", id="connected"),
    pytest.param(Truth.NO, Truth.YES, "kubelet goes through imagefit now, but may not after its next start", id="now"),
    pytest.param(Truth.YES, Truth.NO, "kubelet does not go through imagefit", id="not-connected"),
    pytest.param(Truth.YES, Truth.UNKNOWN, "kubelet may or may not go through imagefit", id="not-known"),
]


@pytest.mark.parametrize(("settings", "connection", "said"), SENTENCES)
def test_the_last_line_says_what_is_so(settings: Truth, connection: Truth, said: str) -> None:
    assert sentence([Finding("settings", settings, ""), Finding("connection", connection, "")]) == said


def test_the_kernel_tells_who_is_connected(tmp_path: Path) -> None:
    paths = [Path(f"{tmp_path}/{name}.sock") for name in ("a", "b")]
    with (
        socket.socket(socket.AF_UNIX) as one,
        socket.socket(socket.AF_UNIX) as other,
        socket.socket(socket.AF_UNIX) as c,
    ):
        for bound, path in zip((one, other), paths, strict=True):
            bound.bind(str(path))
            bound.listen()
        c.connect(str(paths[0]))
        accepted, _ = one.accept()
        with accepted:
            assert clients_of(paths[0]) == {os.fstat(c.fileno()).st_ino}
            assert clients_of(paths[1]) == frozenset()
            # A name more for the same socket is the same socket: a hand-over links it.
            (tmp_path / "link").hardlink_to(paths[0])
            assert clients_of(tmp_path / "link") == {os.fstat(c.fileno()).st_ino}
    with pytest.raises(FileNotFoundError):
        clients_of(tmp_path / "none")


def test_the_sockets_of_a_process_are_told() -> None:
    with socket.socket(socket.AF_UNIX) as one:
        assert os.fstat(one.fileno()).st_ino in sockets_of(os.getpid())
    with pytest.raises(FileNotFoundError):
        sockets_of(2**22 + 1)


CODES = {"yes": 0, "no": 1, "unknown": 3}


@pytest.mark.parametrize("connected", [True, False])
def test_the_exit_code_says_it_and_the_table_fits_a_small_terminal(
    daemon: Daemon, kubelet: Kubelet, capsys: pytest.CaptureFixture[str], *, connected: bool
) -> None:
    kubelet(CONNECT if connected else IDLE, str(daemon.socket))
    code = main(["--config", str(daemon.config_file), "status", "-o", "json"])
    data = json.loads(capsys.readouterr().out)
    assert code == CODES[data["goesThrough"]]
    assert {one["step"] for one in data["findings"]} >= {"socket", "settings", "connection"}
    assert data["findings"][-1]["truth"] == ("yes" if connected else "no")
    assert main(["--config", str(daemon.config_file), "status"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert lines[-1].startswith("kubelet ")
