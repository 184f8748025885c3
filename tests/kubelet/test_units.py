"""What systemd starts kubelet with, as systemd.unit(5), systemd.service(5) and systemd.exec(5) say it."""

import pytest

from imagefit.kubelet.units import read_unit
from kubelet.trees import Files, MemoryTree

MAIN = "/usr/lib/systemd/system/kubelet.service"
OVER = "/etc/systemd/system/kubelet.service"


def unit(*lines: str) -> bytes:
    return "\n".join(("[Unit]", "ExecStart=/bin/none", "[Service]", *lines, "")).encode()


WORDS = [
    pytest.param({MAIN: unit("ExecStart=/bin/k --a=b")}, ["/bin/k", "--a=b"], id="plain"),
    pytest.param({MAIN: unit("ExecStart=-@/bin/k")}, ["/bin/k"], id="prefixes"),
    pytest.param({MAIN: unit("ExecStart=/bin/k \\", "  --a")}, ["/bin/k", "--a"], id="goes-on"),
    pytest.param({MAIN: unit("#ExecStart=/bin/no", "ExecStart=/bin/k")}, ["/bin/k"], id="comment"),
    pytest.param({MAIN: unit("ExecStart=/bin/k"), OVER: unit("ExecStart=/bin/l")}, ["/bin/l"], id="etc-first"),
    pytest.param(
        {MAIN: unit("ExecStart=/bin/k"), f"{MAIN}.d/a.conf": unit("ExecStart=", "ExecStart=/bin/m")},
        ["/bin/m"],
        id="drop-in",
    ),
    pytest.param(
        {
            MAIN: unit("ExecStart=/bin/k"),
            f"{MAIN}.d/a.conf": unit("ExecStart=", "ExecStart=/bin/m"),
            f"{OVER}.d/a.conf": unit("Restart=no"),
        },
        ["/bin/k"],
        id="drop-in-replaced-by-one-of-its-name",
    ),
    pytest.param(
        {
            MAIN: unit("ExecStart=/bin/k $A"),
            f"{MAIN}.d/b.conf": unit("Environment=A=2"),
            f"{OVER}.d/a.conf": unit("Environment=A=1"),
        },
        ["/bin/k", "2"],
        id="drop-ins-by-name-not-by-folder",
    ),
    pytest.param(
        {MAIN: unit('Environment="A=--x --y" B=1', "ExecStart=/bin/k $A ${B}z $C")},
        ["/bin/k", "--x", "--y", "1z"],
        id="variables",
    ),
    pytest.param({MAIN: unit("Environment=A=1", "Environment=", "ExecStart=/bin/k $A")}, ["/bin/k"], id="reset"),
    pytest.param(
        {MAIN: unit("EnvironmentFile=-/e", "Environment=A=1", "ExecStart=/bin/k $A"), "/e": b"A=2\n"},
        ["/bin/k", "2"],
        id="file-over-line",
    ),
    pytest.param(
        {MAIN: unit("EnvironmentFile=/e", "EnvironmentFile=", "ExecStart=/bin/k $A"), "/e": b"A=2\n"},
        ["/bin/k"],
        id="file-reset",
    ),
    pytest.param(
        {MAIN: unit("EnvironmentFile=/e", "EnvironmentFile=/f", "ExecStart=/bin/k $A"), "/e": b"A=1", "/f": b"A='2'"},
        ["/bin/k", "2"],
        id="later-file",
    ),
]


@pytest.mark.parametrize(("files", "words"), WORDS)
def test_the_command_line_is_the_one_that_systemd_runs(files: Files, words: list[str]) -> None:
    found = read_unit(MemoryTree(files), "kubelet.service")
    assert found is not None
    assert list(found.words) == words


def test_there_may_be_no_such_unit() -> None:
    assert read_unit(MemoryTree({MAIN: unit()}), "other.service") is None
