"""The units: what systemd itself says of them, and what they promise each other. Nothing is started."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from imagefit.cli.arguments import parser
from imagefit.kubelet.planning import DEFAULT_CONTAINERD, changes_to_install, read_layout
from kubelet.trees import ENDPOINT, LAYOUTS, MemoryTree
from systemd.sandbox import settings_of

FOLDER = Path("systemd")
UNITS = ("imagefit.service", "imagefit-handover.service")
DROP_INS = ("group.conf", "nvidia.conf", "unprivileged.conf")
MOST_EXPOSED = 20


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("systemd-analyze", *words), capture_output=True, text=True, check=False, timeout=60)


def installed(unit: str, folder: Path, *drop_ins: str, extra: str = "") -> Path:
    """Write a unit as it is installed, with a program that is there."""
    path = folder / unit
    path.write_text((FOLDER / unit).read_text().replace("/usr/bin/imagefit", sys.executable) + extra)
    (folder / f"{unit}.d").mkdir()
    for name in drop_ins:
        (folder / f"{unit}.d" / name).write_text((FOLDER / "drop-ins" / name).read_text())
    return path


@pytest.mark.parametrize("drop_ins", [(), DROP_INS], ids=["plain", "with-drop-ins"])
def test_systemd_understands_every_line(drop_ins: tuple[str, ...], tmp_path: Path) -> None:
    said = analyze("verify", "--man=no", *(str(installed(unit, tmp_path, *drop_ins)) for unit in UNITS))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_a_line_that_systemd_does_not_understand_would_be_seen(tmp_path: Path) -> None:
    said = analyze("verify", "--man=no", str(installed(UNITS[0], tmp_path, extra="[Service]\nFrobnicate=yes\n")))
    assert "Frobnicate" in said.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_the_exposure_is_two_at_most(unit: str) -> None:
    said = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(FOLDER / unit))
    assert said.returncode == 0, said.stdout[-200:]


def test_a_unit_without_its_filter_is_too_exposed(tmp_path: Path) -> None:
    bare = tmp_path / UNITS[0]
    bare.write_text(re.sub(r"^SystemCallFilter.*\n", "", (FOLDER / UNITS[0]).read_text(), flags=re.MULTILINE))
    said = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(bare))
    assert said.returncode != 0


def test_the_handover_has_the_sandbox_and_the_limits_of_the_service() -> None:
    # What the hand-over may do beyond the service would be what an upgrade may do beyond it.
    differ = {
        "ExecStart",
        "Restart",
        "RestartSec",
        "Description",
        "After",
        "Before",
        "WantedBy",
        "StartLimitIntervalSec",
        "UnsetEnvironment",
    }
    one, other = ([(key, value) for key, value in settings_of(FOLDER / unit) if key not in differ] for unit in UNITS)
    assert one == other


def test_nothing_but_containerd_is_waited_for() -> None:
    settings = dict(settings_of(FOLDER / UNITS[0]))
    assert settings["After"] == "containerd.service"
    assert not {"Requires", "Requisite", "BindsTo", "Wants"} & set(settings)
    assert "kubelet.service" in settings["Before"].split()


def test_it_is_started_again_for_ever() -> None:
    settings = dict(settings_of(FOLDER / UNITS[0]))
    assert (settings["Restart"], settings["StartLimitIntervalSec"], settings["RestartSec"]) == ("always", "0", "1")


def test_the_folder_of_the_socket_outlives_each_of_the_two() -> None:
    # Else the end of the hand-over would take the socket of the service away.
    for unit in UNITS:
        settings = dict(settings_of(FOLDER / unit))
        assert (settings["RuntimeDirectory"], settings["RuntimeDirectoryPreserve"]) == ("imagefit", "yes")


def test_a_stop_waits_longer_than_calls_under_way_may_take() -> None:
    drain = tomllib.loads(Path("examples/config.toml").read_text())["server"]["drain-seconds"]
    for unit in UNITS:
        assert int(dict(settings_of(FOLDER / unit))["TimeoutStopSec"]) > drain


def test_the_snippet_for_kubelet_is_what_install_writes() -> None:
    files, added = LAYOUTS["kubeadm-1.35-drop-ins"]
    tree = MemoryTree(files)
    changes = changes_to_install(
        tree, read_layout(tree, ()), ENDPOINT, containerd=DEFAULT_CONTAINERD, config_folder="/etc/imagefit/config.d"
    )
    assert [change.path for change in changes] == list(added)
    assert yaml.safe_load(changes[0].after or b"") == yaml.safe_load((FOLDER / "kubelet/90-imagefit.conf").read_text())


def test_kubelet_starts_imagefit(tmp_path: Path) -> None:
    installed(UNITS[0], tmp_path)
    kubelet = tmp_path / "kubelet.service"
    kubelet.write_text(f"[Service]\nExecStart={sys.executable}\n")
    (tmp_path / "kubelet.service.d").mkdir()
    (tmp_path / "kubelet.service.d/10-imagefit.conf").write_text((FOLDER / "kubelet/10-imagefit.conf").read_text())
    said = analyze("verify", "--man=no", str(kubelet), str(tmp_path / UNITS[0]))
    assert (said.returncode, said.stderr) == (0, "")
    settings = dict(settings_of(FOLDER / "kubelet/10-imagefit.conf"))
    assert (settings["Wants"], settings["After"]) == (UNITS[0], UNITS[0])


def made(tool: str, root: Path, *words: str) -> None:
    name = f"{tool.removeprefix('systemd-')}.d/imagefit.conf"
    said = subprocess.run(
        (tool, f"--root={root}", *words, str((FOLDER / name).absolute())), capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr


def test_the_user_of_its_own_is_in_the_group_of_containerds_socket(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made("systemd-sysusers", tmp_path)
    users = [line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines()]
    groups = {line.split(":")[0]: line.split(":")[3] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert [user[0] for user in users] == ["imagefit"]
    assert users[0][6].endswith("nologin")
    assert groups["containerd"] == "imagefit"
    drop_in = dict(settings_of(FOLDER / "drop-ins/unprivileged.conf"))
    assert (drop_in["User"], drop_in["SupplementaryGroups"]) == ("imagefit", "containerd")


def test_the_folder_of_the_socket_is_made_at_boot(tmp_path: Path) -> None:
    made("systemd-tmpfiles", tmp_path, "--create")
    assert (tmp_path / "run/imagefit").stat().st_mode & 0o7777 == 0o755


def test_the_command_lines_are_commands() -> None:
    for unit in UNITS:
        words = dict(settings_of(FOLDER / unit))["ExecStart"].split()
        assert parser().parse_args(words[1:]).take_over
