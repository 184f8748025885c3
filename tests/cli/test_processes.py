"""Which processes count as kubelet: root may write to files that one names, so that not everybody may be one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from harness.process import ChildProcess
from imagefit.cli.processes import command_lines, processes

NOBODY: Final = ("setpriv", "--reuid=64777", "--regid=64777", "--clear-groups")


@pytest.fixture
def program(folder: Path, repository: str) -> Iterator[Path]:
    """A program of the name, in a folder that can be a root; every user may look into it meanwhile."""
    mode = folder.stat().st_mode
    folder.chmod(0o711)
    root = folder / f"p{repository.rpartition('-')[2]}"
    (root / "bin").mkdir(parents=True)
    made = root / "bin/kubelet"
    shutil.copyfile("/bin/sleep", made)
    made.chmod(0o755)
    yield made
    folder.chmod(mode)
    shutil.rmtree(root)


@pytest.fixture
def start(tmp_path: Path) -> Iterator["Start"]:
    """Start processes, and end them."""
    started = Start(tmp_path / "log")
    yield started
    for process in started.processes:
        process.kill()


class Start:
    """Starts processes and waits until the kernel has their name."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.processes: list[ChildProcess] = []

    def __call__(self, *command: str | Path) -> int:
        process = ChildProcess("kubelet", self.log)
        self.processes.append(process)
        process.start(tuple(map(str, command)))
        process.wait_until(lambda: name_of(process.pid) == "kubelet")
        return process.pid


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def found() -> set[int]:
    return {one.pid for one in processes("kubelet")}


# root's own counts.
def test_a_process_of_root_counts(program: Path, start: Start) -> None:
    pid = start(program, "600")
    (one,) = [one for one in processes("kubelet") if one.pid == pid]
    assert one.words == (str(program), "600")


# What another user starts under the name does not, whatever it says of itself.
def test_a_process_of_another_user_does_not(program: Path, start: Start) -> None:
    assert start(*NOBODY, program, "600") not in found()


# Nor does root's program that another user started: it has root's rights by its mode, and its words are the user's.
def test_a_set_uid_program_that_another_user_started_does_not(program: Path, start: Start) -> None:
    program.chmod(0o4755)
    pid = start(*NOBODY, program, "600")
    assert "Uid:\t64777\t0\t0\t0" in Path(f"/proc/{pid}/status").read_text()
    assert pid not in found()


# What root in another root says, as in a container, does not: its paths are none of the node's.
def test_the_words_of_a_process_with_another_root_do_not(program: Path, start: Start) -> None:
    root = program.parents[1]
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr").mkdir()
    mounts = f"mount --rbind /usr {root}/usr && exec chroot {root} /bin/kubelet 600"
    pid = start("unshare", "--mount", "/bin/sh", "-c", mounts)
    assert Path(f"/proc/{pid}/root").readlink() == root.resolve()
    assert pid in found()
    start(program, "601")
    lines = command_lines("kubelet")
    assert ("/bin/kubelet", "600") not in lines
    assert (str(program), "601") in lines
