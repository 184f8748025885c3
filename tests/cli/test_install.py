"""`imagefit install` and `uninstall` on folders that hold a node's files."""

import contextlib
import os
import resource
import stat
from pathlib import Path

import pytest

from cli.conftest import COLUMNS, Ended
from harness.process import ChildProcess
from imagefit.cli.install import check_seen
from imagefit.cli.keeping import forget, keep, read_kept
from imagefit.cli.main import main
from imagefit.cli.node_files import NodeFiles
from imagefit.cli.processes import Process, sees
from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.layout import Way
from imagefit.kubelet.planning import Change
from kubelet.trees import CONFIG, ENDPOINT, FLAGS, LAYOUTS, MINIMAL, NEW, OLD, REFUSED, Files, kubeadm, rancher

ADDED = "/var/lib/imagefit"
"""The folder of imagefit's state, which stays."""


class Node:
    """A folder with a node's files."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self._capsys = capsys

    def lay(self, files: Files) -> "Node":
        self.at(ADDED).mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            self.at(path).parent.mkdir(parents=True, exist_ok=True)
            self.at(path).write_bytes(content)
        return self

    def at(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def run(self, command: str, *options: str) -> Ended:
        code = main([command, "--root", str(self.root), *options])
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def seen(self) -> dict[str, tuple[int, int, int, bytes]]:
        """Return type, mode, owner and content of everything but the folder of imagefit's state."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = f"/{path.relative_to(self.root)}"
            if not name.startswith(ADDED):
                status = path.lstat()
                link = str(path.readlink()).encode() if path.is_symlink() else b""
                content = link or (path.read_bytes() if path.is_file() else b"")
                found[name] = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, content
        return found


@pytest.fixture
def node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Node:
    return Node(tmp_path / "node", capsys)


@pytest.mark.parametrize("name", LAYOUTS)
def test_install_twice_and_uninstall_leave_every_byte_as_it_was(node: Node, name: str) -> None:
    files, added = LAYOUTS[name]
    before = node.lay(files).seen()
    first = node.run("install")
    assert (first.code, first.err) == (0, "")
    installed = node.seen()
    assert {path for path in installed if installed[path] != before.get(path) and node.at(path).is_file()} == set(added)
    second = node.run("install")
    assert (second.code, second.err) == (0, "")
    assert "already" in second.out
    assert node.seen() == installed
    back = node.run("uninstall")
    assert (back.code, back.err) == (0, "")
    assert node.seen() == before
    assert list(node.at(ADDED).rglob("*")) == []


# Each kind of refusal is looked at in tests/kubelet; these are one for each module that refuses.
@pytest.mark.parametrize("name", ["nothing", "another-service", "json", "flags-twice", "k3s-later-flags"])
def test_what_is_refused_is_left_as_it_is(node: Node, name: str) -> None:
    files, why = REFUSED[name]
    before = node.lay(files).seen()
    ended = node.run("install")
    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err
    assert len(ended.err.splitlines()) == 2  # what is wrong, and what there is to do
    assert node.seen() == before


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_dry_run_shows_the_same_and_changes_nothing(node: Node, command: str) -> None:
    node.lay(kubeadm())
    if command == "uninstall":
        node.run("install")
    before = node.seen()
    dry = node.run(command, "--dry-run")
    assert dry.code == 0
    assert node.seen() == before
    assert "nothing was changed" in dry.out
    done = node.run(command)
    sign = "+" if command == "install" else "-"
    line = f"{sign}imageServiceEndpoint: {ENDPOINT}"
    assert line in dry.out.splitlines()
    assert line in done.out.splitlines()
    assert node.seen() != before


def test_the_change_is_a_diff_with_its_file(node: Node) -> None:
    lines = node.lay(kubeadm()).run("install").out.splitlines()
    assert lines[:2] == [f"--- {CONFIG}", f"+++ {CONFIG}"]
    assert [line for line in lines if line.startswith(("+", "-")) and ENDPOINT in line] == [
        f"+imageServiceEndpoint: {ENDPOINT}"
    ]
    assert max(map(len, lines)) <= COLUMNS


def test_mode_owner_and_links_stay(node: Node) -> None:
    node.lay(kubeadm())
    real = node.at("/etc/kubernetes/real.yaml")
    real.parent.mkdir(parents=True)
    node.at(CONFIG).rename(real)
    node.at(CONFIG).symlink_to("/etc/kubernetes/real.yaml")  # a link of the node: it leads into the node's files
    real.chmod(0o640)
    os.chown(real, -1, 4711)
    node.run("install")
    assert node.at(CONFIG).is_symlink()
    status = real.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, 4711)
    assert ENDPOINT in real.read_text()
    node.run("uninstall")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert ENDPOINT not in real.read_text()


def test_labels_stay(node: Node) -> None:
    # As those of SELinux and ACLs are kept: as extended attributes.
    node.lay(kubeadm())
    try:
        os.setxattr(node.at(CONFIG), "user.label", b"kept")
    except OSError:
        pytest.skip("this file system has no labels")
    node.run("install")
    assert ENDPOINT in node.at(CONFIG).read_text()
    assert os.getxattr(node.at(CONFIG), "user.label") == b"kept"


def test_a_file_of_another_user_is_not_touched(node: Node) -> None:
    node.lay(kubeadm())
    os.chown(node.at(CONFIG), 4711, -1)
    before = node.seen()
    ended = node.run("install")
    assert ended.code == 2
    assert f"{CONFIG} belongs to user 4711, not to root" in ended.err
    assert node.seen() == before


def test_a_file_that_was_changed_since_loses_the_line_alone_and_that_is_told(node: Node) -> None:
    node.lay(kubeadm()).run("install")
    node.at(CONFIG).write_bytes(node.at(CONFIG).read_bytes() + b"maxPods: 5\n")
    ended = node.run("uninstall")
    assert ended.code == 0
    assert f"{CONFIG} was changed since" in ended.out
    assert node.at(CONFIG).read_bytes() == kubeadm()[CONFIG] + b"maxPods: 5\n"


def test_a_file_that_kubeadm_wrote_anew_is_changed_again_and_put_back(node: Node) -> None:
    node.lay(kubeadm()).run("install")
    newer = MINIMAL + b"maxPods: 7\n"
    node.at(CONFIG).write_bytes(newer)
    assert ENDPOINT in node.run("install").out
    node.run("uninstall")
    assert node.at(CONFIG).read_bytes() == newer


def test_uninstall_does_not_need_a_configuration(node: Node) -> None:
    # Who rolls back may do so because of it.
    before = node.lay(kubeadm()).seen()
    node.run("install")
    node.lay({"/etc/imagefit/config.toml": b"["})
    assert node.run("uninstall").code == 0
    assert node.at(CONFIG).read_bytes() == before[CONFIG][3]


def test_another_socket_is_named_after_the_one_before_is_gone(node: Node) -> None:
    node.lay(kubeadm()).run("install")
    node.lay({"/etc/imagefit/config.toml": b'[server]\nsocket = "/run/x/i.sock"\n'})
    refused = node.run("install")
    assert (refused.code, refused.out) == (2, "")
    assert "run imagefit uninstall first" in refused.err
    node.run("uninstall")
    assert "+imageServiceEndpoint: unix:///run/x/i.sock" in node.run("install").out.splitlines()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_root_that_is_no_folder_is_told(node: Node, command: str) -> None:
    ended = node.run(command)  # nothing was laid there
    assert (ended.code, ended.out) == (2, "")
    assert "is no folder" in ended.err


def test_a_kubelet_in_a_container_sees_other_files(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    for path in (inside / "config.yaml", outside):
        path.touch()
    process = ChildProcess("contained", tmp_path / "log")
    process.start(
        ("unshare", "--mount", "sh", "-c", f"mount -t tmpfs none {inside}; touch {inside}/up; exec sleep 600")
    )
    try:
        seen = Path(f"/proc/{process.pid}/root{inside}")
        process.wait_until((seen / "up").exists)
        assert sees(process.pid, outside)
        assert sees(process.pid, tmp_path / "a" / "b")  # nobody has it, the folder is the same
        contained = Process(process.pid, "kubelet", (), 0)
        check_seen([contained], [Change(str(outside), None, b"", Way.KEY)])
        for path in (inside / "config.yaml", inside / "none"):
            assert not sees(process.pid, path)
            assert sees(os.getpid(), path)
            with pytest.raises(KubeletConfigurationError, match="it runs in a container"):
                check_seen([contained], [Change(str(path), None, b"", Way.KEY)])
            # One in a container beside that of the node does not count: a cluster of containers has such.
            check_seen([contained, Process(os.getpid(), "kubelet", (), 0)], [Change(str(path), None, b"", Way.KEY)])
            check_seen([], [Change(str(path), None, b"", Way.KEY)])
            # Flags are read by systemd, which is no container.
            check_seen([contained], [Change(str(path), None, b"", Way.FLAG)])
    finally:
        process.kill()


def test_uninstall_without_install_does_nothing(node: Node) -> None:
    before = node.lay(kubeadm()).seen()
    ended = node.run("uninstall")
    assert (ended.code, ended.err) == (0, "")
    assert "has changed nothing" in ended.out
    assert node.seen() == before


@pytest.mark.parametrize("broken", ["receipt.json", "backup-*"])
def test_what_was_kept_and_is_not_as_it_was_left_is_not_put_back(node: Node, broken: str) -> None:
    node.lay(kubeadm()).run("install")
    (kept,) = node.at(f"{ADDED}/install").glob(broken)
    kept.write_bytes(b"{}")
    before = node.seen()
    ended = node.run("uninstall")
    assert (ended.code, ended.out) == (2, "")
    assert kept.name in ended.err
    assert node.seen() == before


class Dying(NodeFiles):
    """Files of a node on which a process ends after some changes, as by a kill."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self._left = changes

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._count()
        super().write(path, content, mode)

    def remove(self, path: str, folders: tuple[str, ...] = ()) -> None:
        self._count()
        super().remove(path, folders)

    def _count(self) -> None:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1


@pytest.mark.parametrize("changes", range(3))
def test_an_install_that_was_killed_can_be_done_again_and_undone(node: Node, changes: int) -> None:
    node.lay(kubeadm()).run("install")
    newer = MINIMAL + b"maxPods: 7\n"
    node.at(CONFIG).write_bytes(newer)  # as kubeadm upgrade does it: what is kept is of the file before
    planned = Change(CONFIG, newer, newer + b"#\n", Way.KEY)
    with contextlib.suppress(KeyboardInterrupt):
        keep(Dying(node.root, changes), ENDPOINT, "kubelet", [planned])
    assert read_kept(NodeFiles(node.root)) is not None
    assert node.run("install").code == 0
    assert node.run("uninstall").code == 0
    assert node.at(CONFIG).read_bytes() == newer
    assert list(node.at(ADDED).rglob("*")) == []


@pytest.mark.parametrize("changes", range(4))
def test_an_uninstall_that_was_killed_can_be_done_again(node: Node, changes: int) -> None:
    before = node.lay(kubeadm()).seen()
    node.run("install")
    node.at(CONFIG).write_bytes(kubeadm()[CONFIG])
    with contextlib.suppress(KeyboardInterrupt):
        forget(Dying(node.root, changes))
    assert node.run("uninstall").code == 0
    assert node.run("install").code == 0
    assert node.run("uninstall").code == 0
    assert node.seen() == before
    assert list(node.at(ADDED).rglob("*")) == []


def test_a_disk_that_is_full_in_the_middle_leaves_the_file_as_it_was(node: Node) -> None:
    content = kubeadm()[CONFIG] + b"# more than the receipt has\n" * 50
    before = node.lay(kubeadm(content)).seen()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) + 10, limits[1]))  # the backup fits, the new file does not
    try:
        ended = node.run("install")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert ended.code == 2
    assert f"{CONFIG} cannot be written: File too large" in ended.err
    assert "imagefit uninstall puts back" in ended.err
    assert node.seen() == before
    assert node.run("uninstall").code == 0
    assert node.seen() == before


def test_what_is_kept_is_for_root_alone(node: Node) -> None:
    node.lay(kubeadm()).run("install")
    assert {path.stat().st_mode & 0o777 for path in node.at(f"{ADDED}/install").iterdir()} == {0o600}


def test_what_is_missing_and_what_is_left_to_do_is_told(node: Node) -> None:
    said = " ".join(node.lay(kubeadm()).run("install").out.split())
    assert "imagefit.service is not installed" in said
    assert "run imagefit install again" in said  # after kubeadm upgrade
    assert "systemctl restart kubelet imagefit status" in said
    node.run("uninstall")
    node.lay({"/usr/lib/systemd/system/imagefit.service": b"[Service]\nExecStart=/usr/bin/imagefit serve\n"})
    said = " ".join(node.run("install").out.split())
    assert "imagefit.service is not enabled" in said
    assert "systemctl enable --now imagefit" in said


def test_the_service_of_k3s_is_the_one_to_restart(node: Node) -> None:
    said = " ".join(node.lay(rancher("k3s")).run("install").out.split())
    assert "systemctl restart imagefit systemctl restart k3s-agent" in said


def test_the_socket_is_that_of_the_nodes_configuration(node: Node) -> None:
    node.lay(kubeadm() | {"/etc/imagefit/config.toml": b'[server]\nsocket = "/run/x/i.sock"\n'})
    assert "+imageServiceEndpoint: unix:///run/x/i.sock" in node.run("install").out.splitlines()


def test_a_kubelet_that_does_not_know_the_key_gets_a_flag(node: Node) -> None:
    for program, path in ((OLD, FLAGS), (NEW, CONFIG), (b"", CONFIG)):
        node.lay(kubeadm(program=program))
        assert node.run("install", "--dry-run").out.splitlines()[0] == f"--- {path}"
