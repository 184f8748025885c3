"""What the Debian package's scripts do in a clean root, with a systemd that only keeps what it is asked.

Its name keeps it out of `make test`; `make package-check` runs it. The package has a small bundle; its scripts are
those of every package.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deb import debian_version, make_deb
from harness.clean_root import CleanRoot, right

CALLS: Final = "run/calls"
MODULE: Final = "usr/lib/imagefit/imagefit/cli/main.py"
SYSTEMCTL: Final = """#!/bin/sh
# Stands in for systemd, of which one runs outside: keeps what it is asked, and has the failures that a test asks for.
echo "$@" >>/run/calls
case "$*" in
*is-enabled*imagefit.service*) echo enabled ;;
*is-active*handover*) rm /run/handing-over 2>/dev/null ;;
*is-active*) [ -e /run/active ] ;;
*start*imagefit-handover.service*) [ ! -e /run/handover-fails ] ;;
esac
"""
ENDPOINT: Final = "imageServiceEndpoint: unix:///run/imagefit/imagefit.sock\n"


@pytest.fixture(scope="module")
def package(small_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package."""
    return make_deb(small_bundle, tmp_path_factory.mktemp("deb"), debian_version())


@pytest.fixture(scope="module")
def newer(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next package: another version, with more in its configuration file."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(("dpkg-deb", "--raw-extract", package, folder / "root"), check=True)
    control, config = folder / "root/DEBIAN/control", folder / "root/etc/imagefit/config.toml"
    control.write_text(control.read_text().replace(f"Version: {debian_version()}", f"Version: {debian_version()}+1"))
    (folder / "root" / MODULE).write_text("def run() -> None:\n    print('imagefit newer')\n")
    config.write_text(config.read_text() + "\n# more\n")
    command = ("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "root", folder / "newer.deb")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "newer.deb"


@pytest.fixture
def root(clean: CleanRoot, package: Path) -> Iterator[CleanRoot]:
    """The root with the package installed; purged in the end, whatever the test did."""
    right(clean.install(package))
    try:
        yield clean
    finally:
        shutil.rmtree(clean.path / "var/lib/kubelet", ignore_errors=True)
        right(clean.dpkg("--purge", "imagefit"))
        for name in ("usr/bin/systemctl", "run/active", "run/handing-over", "run/handover-fails", CALLS):
            (clean.path / name).unlink(missing_ok=True)
        if (clean.path / "run/systemd/system").exists():
            shutil.rmtree(clean.path / "run/systemd")


def with_systemd(root: CleanRoot) -> None:
    """Have maintainer scripts see a systemd, which runs imagefit."""
    (root.path / "run/systemd/system").mkdir(parents=True)
    program = root.path / "usr/bin/systemctl"
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    (root.path / "run/active").touch()


def calls(root: CleanRoot) -> list[str]:
    """Return what systemd was asked to do."""
    path = root.path / CALLS
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if "is-" not in line and "daemon-reload" not in line]


# A removal keeps what the operator wrote and what imagefit knows, and nothing else.
def test_a_removal_keeps_configuration_and_state(root: CleanRoot) -> None:
    (root.path / "var/lib/imagefit").mkdir(exist_ok=True)
    (root.path / "var/lib/imagefit/decisions.jsonl").touch()
    right(root.dpkg("--remove", "imagefit"))
    assert (root.path / "etc/imagefit/config.toml").exists()
    assert (root.path / "var/lib/imagefit/decisions.jsonl").exists()
    assert not (root.path / "usr/bin/imagefit").exists()
    assert not (root.path / "usr/lib/imagefit").exists()


# A file that the operator changed is the operator's: an upgrade keeps it. One that was left alone is the package's.
@pytest.mark.parametrize("is_changed", [True, False])
def test_an_upgrade_keeps_what_the_operator_changed(root: CleanRoot, newer: Path, *, is_changed: bool) -> None:
    config = root.path / "etc/imagefit/config.toml"
    if is_changed:
        config.write_text('[policy]\nmode = "observe"\n')
    right(root.install(newer, "--force-confdef", "--force-confold"))
    if is_changed:
        assert config.read_text() == '[policy]\nmode = "observe"\n'
    else:
        assert config.read_text().endswith("\n# more\n")


# An operator who disabled the service finds it disabled after an upgrade.
def test_an_upgrade_keeps_it_disabled(root: CleanRoot, newer: Path) -> None:
    wanted = root.path / "etc/systemd/system/multi-user.target.wants/imagefit.service"
    wanted.unlink()
    right(root.install(newer))
    assert not wanted.is_symlink()


# An upgrade hands over: the running daemon is neither stopped nor restarted.
def test_an_upgrade_hands_over(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    right(root.install(newer))
    assert calls(root) == ["--quiet start imagefit-handover.service"]


# The daemon that runs is asked to import all of itself while its files are still there; that it cannot costs nothing.
@pytest.mark.parametrize("how", ["", "raise SystemExit(1)\n"])
def test_an_upgrade_prepares_the_daemon_that_runs(root: CleanRoot, newer: Path, how: str) -> None:
    planted = f"import shutil\nshutil.copy('/{MODULE}', '/run/prepared')\n{how}"
    (root.path / "usr/share/imagefit/prepare.py").write_text(planted)
    right(root.install(newer))
    assert "imagefit small" in (root.path / "run/prepared").read_text()
    assert "imagefit newer" in (root.path / MODULE).read_text()
    (root.path / "run/prepared").unlink()


# An administrator whose policy forbids it (policy-rc.d, as in the making of images) has nothing started.
def test_an_upgrade_obeys_the_policy(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    policy = root.path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    right(root.install(newer))
    policy.unlink()
    assert calls(root) == []


# Where the new version does not start, the old one is not taken from the node, and whoever upgrades is told.
def test_an_upgrade_that_cannot_hand_over_leaves_the_old_version_serving(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    (root.path / "run/handover-fails").touch()
    ended = root.install(newer)
    assert ended.code != 0
    assert "the one before still serves" in ended.err
    assert calls(root) == ["--quiet start imagefit-handover.service"]
    (root.path / "run/handover-fails").unlink()
    right(root.dpkg("--configure", "imagefit"))
    assert calls(root) == ["--quiet start imagefit-handover.service"] * 2


# A hand-over that is still under way, of an upgrade just before, is waited for: to start it then would start nothing.
def test_an_upgrade_right_after_another_waits_for_its_hand_over(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    (root.path / "run/handing-over").touch()
    right(root.install(newer))
    asked = [line for line in (root.path / CALLS).read_text().splitlines() if "handover" in line]
    active = "--quiet is-active imagefit-handover.service"
    assert asked == [active, active, "--quiet start imagefit-handover.service"]


# A purge leaves alone what another imagefit than the package's uses: it holds the lock beside its socket.
def test_a_purge_keeps_the_folders_of_another_imagefit_that_runs(root: CleanRoot) -> None:
    right(root.dpkg("--remove", "imagefit"))
    names = ("run/imagefit", "var/lib/imagefit", "var/cache/imagefit")
    for name in names:
        (root.path / name).mkdir(parents=True, exist_ok=True)
    purge = "flock /run/imagefit/imagefit.sock.lock dpkg --force-unsafe-io --purge imagefit"
    ended = root.run(purge)
    assert ended.code == 0
    assert "another imagefit runs" in ended.err
    assert all((root.path / name).is_dir() for name in names)
    for name in (*names, "etc/imagefit"):
        shutil.rmtree(root.path / name, ignore_errors=True)


# While kubelet asks imagefit, it is neither removed nor stopped, even where imagefit itself cannot say so.
def test_it_is_not_removed_while_kubelet_asks_it_even_if_it_is_broken(root: CleanRoot) -> None:
    with_systemd(root)
    kubelet = root.path / "var/lib/kubelet/config.yaml"
    kubelet.parent.mkdir(parents=True, exist_ok=True)
    kubelet.write_text(ENDPOINT)
    ended = root.dpkg("--remove", "imagefit")
    assert ended.code != 0
    assert "imagefit uninstall" in ended.err
    assert not [line for line in calls(root) if "stop" in line]
    assert right(root.run("dpkg-query --show --showformat='${db:Status-Status}' imagefit")) == "installed"
    kubelet.write_text(f"# {ENDPOINT}")
    right(root.dpkg("--remove", "imagefit"))
    assert [line for line in calls(root) if "stop" in line]
