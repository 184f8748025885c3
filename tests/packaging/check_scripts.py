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
SYSTEMCTL: Final = """#!/bin/sh
# Stands in for systemd, of which one runs outside: keeps what it is asked, and has the failures that a test asks for.
echo "$@" >>/run/calls
case "$*" in
*is-enabled*imagefit.service*) echo enabled ;;
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
        (clean.path / "var/lib/kubelet/config.yaml").unlink(missing_ok=True)
        right(clean.dpkg("--purge", "imagefit"))
        for name in ("usr/bin/systemctl", "run/active", "run/handover-fails", CALLS):
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


# An administrator whose policy forbids it (policy-rc.d, as in the making of images) has nothing started.
def test_an_upgrade_obeys_the_policy(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    policy = root.path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    right(root.install(newer))
    policy.unlink()
    assert calls(root) == []


# Where the hand-over fails, the new version serves all the same.
def test_an_upgrade_that_cannot_hand_over_restarts(root: CleanRoot, newer: Path) -> None:
    with_systemd(root)
    (root.path / "run/handover-fails").touch()
    right(root.install(newer))
    assert [line.split()[-2:] for line in calls(root)] == [
        ["start", "imagefit-handover.service"],
        ["restart", "imagefit.service"],
    ]


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
