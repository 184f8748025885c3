"""The host as an argument: what is seen through a moved root, and how much of it."""

import os
from pathlib import Path

import pytest

from imagefit.node import contract
from imagefit.node.contract import CannotLookError, HostView, NotThereError


def _host(root: Path) -> HostView:
    return HostView(root)


def test_a_file_is_read_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/name").write_text("x\n")
    assert _host(tmp_path).read_text("/etc/name") == "x\n"
    assert _host(tmp_path).exists("/etc/name")
    assert _host(tmp_path).list_dir("/etc") == ("name",)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("/usr/lib", id="absolute"),
        pytest.param("usr/lib", id="relative"),
        pytest.param("../../../../usr/lib", id="above-the-root"),
        pytest.param("/usr/../usr/./lib", id="with-dots"),
        pytest.param("hop", id="over-another-link"),
    ],
)
def test_symbolic_links_stay_inside_the_root(tmp_path: Path, target: str) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/only-here").write_text("inside")
    (tmp_path / "hop").symlink_to("/usr/lib")
    (tmp_path / "lib").symlink_to(target)
    host = _host(tmp_path)
    assert host.read_text("/lib/only-here") == "inside"
    assert host.exists("/lib/only-here")
    assert host.list_dir("/lib") == ("only-here",)


@pytest.mark.parametrize("path", ["/../secret", "/a/../../secret", "/link/secret", "/link"])
def test_nothing_outside_the_root_is_seen(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(NotThereError):
        _host(root).read_text(path)
    assert not _host(root).exists(path)


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert HostView(tmp_path / "link").read_text("/file") == "x"
    # As a container with the host's process IDs sees the host.
    assert HostView("/proc/self/root").root == "/proc/self/root"


def test_links_in_a_circle_cannot_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    host = _host(tmp_path)
    for look in (host.read_text, host.exists, host.list_dir):
        with pytest.raises(CannotLookError, match="symbolic links"):
            look("/a")


def test_a_file_beyond_the_limit_is_refused_and_one_at_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    host = _host(tmp_path)
    assert host.read_bytes("/file", 5) == b"12345"
    with pytest.raises(CannotLookError, match="larger than 4 bytes"):
        host.read_bytes("/file", 4)
    assert host.read_start("/file", 4) == b"1234"


def test_a_directory_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    for number in range(contract.DIRECTORY_MAX_ENTRIES + 1):
        os.mkfifo(tmp_path / str(number))
    with pytest.raises(CannotLookError, match="more than"):
        _host(tmp_path).list_dir("/")


def test_what_is_not_there_is_told_from_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    host = _host(tmp_path)
    for missing in ("/missing", "/file/below"):
        with pytest.raises(NotThereError):
            host.read_text(missing)
    for unreadable in ("/directory", "/fifo"):
        with pytest.raises(CannotLookError, match="not a regular file") as raised:
            host.read_text(unreadable)
        assert not isinstance(raised.value, NotThereError)
    with pytest.raises(NotThereError):
        host.list_dir("/missing")


def test_bytes_that_are_no_utf_8_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\xffb")
    assert _host(tmp_path).read_text("/file") == "a\ufffdb"


def test_a_file_of_proc_is_read_whole_though_the_kernel_hands_it_out_in_pages() -> None:
    host = HostView("/")
    assert host.read_text("/proc/self/maps").endswith("\n")
    assert host.machine == os.uname().machine


def test_the_machine_of_a_moved_root_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n")
    assert HostView(tmp_path).machine == "aarch64"
    assert HostView(tmp_path, machine="riscv64").machine == "riscv64"


def test_a_moved_root_without_cpuinfo_has_no_machine(tmp_path: Path) -> None:
    assert HostView(tmp_path).machine == ""


@pytest.mark.parametrize(
    ("mode", "refusal"),
    [
        pytest.param(0o644, None, id="usual"),
        pytest.param(0o400, None, id="read-only"),
        pytest.param(0o755, None, id="executable"),
        pytest.param(0o664, "mode 664", id="group"),
        pytest.param(0o602, "mode 602", id="everybody"),
    ],
)
def test_a_trusted_file_is_one_that_only_its_owner_can_write(tmp_path: Path, mode: int, refusal: str | None) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(mode)
    if refusal is None:
        assert _host(tmp_path).read_trusted("/a") == b"x"
    else:
        with pytest.raises(CannotLookError, match=refusal):
            _host(tmp_path).read_trusted("/a")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_trusted_file_belongs_to_root_or_to_this_process(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o644)
    os.chown(tmp_path / "a", 1234, 0)
    with pytest.raises(CannotLookError, match="belongs to user 1234"):
        _host(tmp_path).read_trusted("/a")


def test_a_trusted_file_is_bounded_and_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("xx")
    (tmp_path / "a").chmod(0o644)
    (tmp_path / "directory").mkdir()
    with pytest.raises(CannotLookError, match="larger than 1 bytes"):
        _host(tmp_path).read_trusted("/a", 1)
    with pytest.raises(CannotLookError, match="not a regular file"):
        _host(tmp_path).read_trusted("/directory")
    with pytest.raises(NotThereError):
        _host(tmp_path).read_trusted("/b")
