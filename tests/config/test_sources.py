"""Which files are read, in which order, who may have written them; and that a change of one of them shows."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imagefit.config import Config, FaultyConfigurationError, config_files, load_config, read_config, signature
from imagefit.config.sources import Fault, Source, folder_of, read_sources

OURS = os.geteuid()


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A configuration that sets a mode, with a folder beside it."""
    path = tmp_path / "config.toml"
    write(path, '[policy]\nmode = "observe"\n')
    (tmp_path / "config.d").mkdir()
    return path


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(FaultyConfigurationError) as caught:
        load_config(path)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("main", "folder"),
    [
        pytest.param("/etc/imagefit/config.toml", "/etc/imagefit/config.d", id="default"),
        pytest.param("mine.toml", "mine.d", id="relative"),
        pytest.param("mine.conf", "mine.conf.d", id="other-ending"),
        pytest.param("config.d/a.toml", "config.d/a.d", id="inside-a-folder"),
    ],
)
def test_the_folder_is_named_like_the_file(main: str, folder: str) -> None:
    assert folder_of(Path(main)) == Path(folder)


def test_a_file_is_read_without_a_folder(tmp_path: Path) -> None:
    assert load_config(write(tmp_path / "config.toml", '[node]\nroot = "/host"\n')).node.root == "/host"


def test_the_files_of_the_folder_come_after_it_in_the_order_of_their_names(main: Path) -> None:
    folder = folder_of(main)
    write(folder / "20-b.toml", "[policy]\ntime-budget = 2\n")
    write(folder / "10-a.toml", '[policy]\ntime-budget = 1\nunknown = "reject"\n')
    loaded = read_config(main)
    assert loaded.files == (str(main), str(folder / "10-a.toml"), str(folder / "20-b.toml"))
    policy = loaded.config.policy
    assert (policy.mode, policy.unknown, policy.time_budget) == ("observe", "reject", 2)
    assert config_files(main) == tuple(map(Path, loaded.files))


def test_other_files_of_the_folder_are_not_read(main: Path) -> None:
    folder = folder_of(main)
    for name in (".hidden.toml", "10.toml~", "README", "10.TOML", ".toml"):
        write(folder / name, "nonsense")
    assert read_config(main).files == (str(main),)
    assert config_files(main) == (main,)


def test_a_named_file_must_be_there_and_the_folder_does_not_stand_in_for_it(tmp_path: Path) -> None:
    main = tmp_path / "config.toml"
    assert faults(main) == [f"{main}: does not exist"]
    folder_of(main).mkdir()
    write(folder_of(main) / "a.toml", "")
    assert faults(main) == [f"{main}: does not exist"]
    assert config_files(main) == (main, folder_of(main) / "a.toml")


def test_links_are_followed_as_kubernetes_mounts_them(main: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "..2026_11_21"
    mounted.mkdir()
    write(mounted / "a.toml", "[policy]\ntime-budget = 3\n")
    (tmp_path / "..data").symlink_to(mounted.name)
    (folder_of(main) / "a.toml").symlink_to("../..data/a.toml")
    assert load_config(main).policy.time_budget == 3
    before = signature(main)
    later = tmp_path / "..2026_11_22"
    later.mkdir()
    write(later / "a.toml", "[policy]\ntime-budget = 4\n")
    (tmp_path / "new").symlink_to(later.name)
    (tmp_path / "new").rename(tmp_path / "..data")
    assert signature(main) != before
    assert load_config(main).policy.time_budget == 4


def test_what_is_no_regular_file_is_refused_without_waiting_for_it(main: Path) -> None:
    os.mkfifo(folder_of(main) / "a.toml")
    (folder_of(main) / "b.toml").mkdir()
    (folder_of(main) / "c.toml").symlink_to("/dev/zero")
    (folder_of(main) / "d.toml").symlink_to("d.toml")
    (folder_of(main) / "e.toml").symlink_to("nowhere")
    folder = folder_of(main)
    assert faults(main) == [
        f"{folder}/a.toml: is no regular file",
        f"{folder}/b.toml: cannot be read: Is a directory",
        f"{folder}/c.toml: is no regular file",
        f"{folder}/d.toml: cannot be read: Too many levels of symbolic links",
        f"{folder}/e.toml: cannot be read: No such file or directory",
    ]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    main = write(tmp_path / "config.toml", "")
    write(tmp_path / "config.d", "")
    assert faults(main) == [f"{tmp_path}/config.d: cannot be read: Not a directory"]
    assert config_files(main) == (main,)


def test_a_main_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_a_path_that_cannot_be_one_is_refused() -> None:
    assert faults(Path("/x\0y")) == ["/x?y: does not exist", "/x?y.d: cannot be read: embedded null byte"]
    assert hash(signature(Path("/x\0y"))) is not None


def test_as_many_files_as_may_be_are_read_and_not_one_more(main: Path) -> None:
    folder = folder_of(main)
    for number in range(64):
        write(folder / f"{number:03}.toml", "[[prefer]]\ntag = 'x'\n")
    assert len(load_config(main).prefer) == 64
    write(folder / "x.toml", "")
    assert faults(main) == [f"{folder}: has more than 64 files"]


def test_a_folder_of_very_many_entries_is_not_listed_to_its_end(main: Path) -> None:
    for number in range(4097):
        (folder_of(main) / str(number)).symlink_to("x")
    assert faults(main) == [f"{folder_of(main)}: cannot be read: more than 4096 entries"]
    assert config_files(main) == (main,)


def test_a_file_may_have_so_many_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "config.toml", "#" * (256 * 1024))
    assert load_config(path) == Config()
    write(path, "#" * (256 * 1024 + 1))
    assert faults(path) == [f"{path}: has more than 262144 bytes"]


@pytest.mark.parametrize(
    ("mode", "user", "told"),
    [
        pytest.param(0o644, 0, "", id="root-alone-writes"),
        pytest.param(0o600, 0, "", id="root-alone-reads"),
        pytest.param(0o664, 0, "can be written by others than its owner (mode 664)", id="group-writes"),
        pytest.param(0o646, 0, "can be written by others than its owner (mode 646)", id="all-write"),
        pytest.param(0o666, 1000, "", id="a-user-reads-what-all-write"),
    ],
)
def test_what_root_reads_only_root_can_have_written(main: Path, mode: int, user: int, told: str) -> None:
    if OURS:
        pytest.skip("only root has files that belong to root")
    main.chmod(mode)
    (found,) = read_sources(main, user)
    if told:
        assert isinstance(found, Fault)
        assert (str(found), found.advice) == (f"{main}: {told}", "chmod go-w")
    else:
        assert isinstance(found, Source)


def test_what_belongs_to_somebody_else_is_not_read_by_root(main: Path) -> None:
    if OURS:
        pytest.skip("only root can give a file away")
    os.chown(main, 1234, 0)
    assert faults(main) == [f"{main}: belongs to user 1234, not to root"]
    assert isinstance(read_sources(main, 1234)[0], Source)


def test_a_name_with_a_control_character_is_shown_without(main: Path) -> None:
    write(folder_of(main) / "a\x1b[31m\n.toml", "=")
    (fault,) = faults(main)
    assert fault.startswith(f"{folder_of(main)}/a?[31m?.toml:1: ")


def test_one_bad_file_does_not_hide_the_faults_of_another(main: Path) -> None:
    write(main, "=")
    write(folder_of(main) / "a.toml", "x = 1")
    (folder_of(main) / "b.toml").write_bytes(b"\xff")
    write(folder_of(main) / "c.toml", "y = 1")
    assert [fault.split(":")[0] for fault in faults(main)] == [
        str(main),
        *(f"{folder_of(main)}/{name}.toml" for name in "abc"),
    ]


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda main: write(main, '[policy]\nmode = "off"\n'),
    "a-touch": lambda main: os.utime(main, ns=(1, 1)),
    "main-file-goes": Path.unlink,
    "main-file-is-replaced": lambda main: write(main.with_suffix(".new"), main.read_text()).rename(main),
    "a-file-comes": lambda main: write(folder_of(main) / "b.toml", ""),
    "a-file-changes": lambda main: write(folder_of(main) / "a.toml", "# more"),
    "a-file-goes": lambda main: (folder_of(main) / "a.toml").unlink(),
    "a-file-is-renamed": lambda main: (folder_of(main) / "a.toml").rename(folder_of(main) / "c.toml"),
    "the-folder-goes": lambda main: folder_of(main).rename(main.with_suffix(".off")),
    "a-file-can-be-read-again": lambda main: main.chmod(0o600),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_signature_changes_with_the_files(main: Path, change: str) -> None:
    write(folder_of(main) / "a.toml", "")
    before = signature(main)
    assert hash(before) == hash(signature(main))
    assert signature(main) == before
    CHANGES[change](main)
    assert signature(main) != before


def test_the_signature_of_what_is_not_there_is_one_too(tmp_path: Path) -> None:
    assert signature(tmp_path / "none.toml") == signature(tmp_path / "none.toml")
    assert signature(None) == signature(None)
    assert signature(Path("/")) == signature(Path("/"))
