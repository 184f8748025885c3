"""The Debian package in a clean root: installed, run, upgraded, removed, purged. `make package-check` runs it.

Its name keeps it out of `make test`: the root is made of packages from the network each time.
"""

import json
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import pytest

from harness.clean_root import CleanRoot, right
from imagefit.version import VERSION

KUBELET: Final = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
INDEX: Final = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": f"sha256:{character * 64}",
                "size": 2,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for character, architecture in (("1", "mips"), ("2", "amd64"), ("3", "arm64"))
        ],
    }
)
DIGIT: Final = {"x86_64": "2", "aarch64": "3"}


@pytest.fixture(scope="module")
def package(begun_package: "Future[Path]") -> Path:
    """The package as `make deb` makes it."""
    return begun_package.result()


@pytest.fixture(scope="module")
def before(clean: CleanRoot) -> Mapping[str, tuple[str, int]]:
    """What is in the root without the package."""
    return clean.files()


@pytest.fixture(scope="module")
def root(clean: CleanRoot, package: Path, before: object) -> Iterator[CleanRoot]:
    """The root with the package installed."""
    right(clean.install(package))
    yield clean
    right(clean.dpkg("--purge", "imagefit"))


# The commands work, without network, and what runs writes nothing beside the package's own files.
def test_its_commands_work_and_write_nothing(root: CleanRoot) -> None:
    (root.path / "tmp/index.json").write_text(INDEX)
    before = root.files()
    assert right(root.run("imagefit version")) == f"imagefit {VERSION}\n"
    assert json.loads(right(root.run("imagefit node -o json")))
    shown = json.loads(right(root.run("imagefit explain /tmp/index.json -o json")))
    assert DIGIT[platform.machine()] * 64 in json.dumps(shown["chosen"])
    right(root.run("imagefit config check && imagefit config show"))
    assert root.files() == before
    (root.path / "tmp/index.json").unlink()


# Nothing else is imported: not from the folder one is in, not from PYTHONPATH, not from the system's packages.
def test_only_its_own_packages_are_imported(root: CleanRoot) -> None:
    folders = [root.path / name for name in ("tmp", "usr/lib/python3/dist-packages")]
    planted = [folder / f"{name}.py" for folder in folders for name in ("msgspec", "rich", "aiodns", "sitecustomize")]
    for path in planted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("raise SystemExit('imported')\n")
    ended = root.run("cd /tmp && PYTHONPATH=/tmp PYTHONSTARTUP=/tmp/rich.py imagefit node -o json")
    for path in planted:
        path.unlink()
    assert json.loads(right(ended))


# Extras are in it: signatures, NVIDIA's library, traces.
def test_every_extra_is_in_it(root: CleanRoot) -> None:
    code = (
        "import sys; sys.path.insert(0, '/usr/lib/imagefit'); import cryptography, cpuinfo, pynvml, opentelemetry.sdk"
    )
    right(root.run('python3 -IS -c "$1"', code))


# The daemon listens with no containerd there, and ends with exit status 0 when told to. Before an upgrade it imports
# what only pulls need: what it has not imported by then would be another version's.
def test_the_daemon_runs(root: CleanRoot) -> None:
    script = """
        imagefit serve & daemon=$!
        for _ in $(seq 300); do [ -S /run/imagefit/imagefit.sock ] && break; sleep 0.1; done
        [ -S /run/imagefit/imagefit.sock ] || { echo no socket; kill $daemon; exit 9; }
        ! grep _http_parser /proc/$daemon/maps || { echo imported early; kill $daemon; exit 8; }
        /var/lib/dpkg/info/imagefit.prerm upgrade 9
        grep -q _http_parser /proc/$daemon/maps || { echo not prepared; kill $daemon; exit 7; }
        kill $daemon; wait $daemon
    """
    right(root.run(script))


# Everything lies where Debian and systemd look for it; the service is enabled.
def test_everything_is_in_its_place(root: CleanRoot) -> None:
    for name in (
        "usr/lib/systemd/system/imagefit.service",
        "usr/lib/systemd/system/imagefit-handover.service",
        "usr/share/man/man1/imagefit.1.gz",
        "usr/share/bash-completion/completions/imagefit",
        "usr/share/zsh/vendor-completions/_imagefit",
        "usr/share/doc/imagefit/copyright",
        "usr/share/doc/imagefit/changelog.Debian.gz",
        "etc/imagefit/config.toml",
    ):
        assert (root.path / name).is_file(), name
    assert (root.path / "etc/imagefit/config.d").is_dir()
    wanted = root.path / "etc/systemd/system/multi-user.target.wants/imagefit.service"
    assert str(wanted.readlink()).endswith("/systemd/system/imagefit.service")
    assert right(root.run("dpkg --verify imagefit")) == ""


# While kubelet asks imagefit, as `imagefit status` sees it, it is not removed: the node would have no image service.
def test_it_is_not_removed_while_kubelet_asks_it(root: CleanRoot) -> None:
    kubelet = root.path / "var/lib/kubelet/config.yaml"
    kubelet.parent.mkdir(parents=True)
    kubelet.write_text(KUBELET + "imageServiceEndpoint: unix:///run/other.sock\n")
    own = root.path / "etc/imagefit/config.d/10-socket.toml"
    own.write_text('[server]\nsocket = "/run/other.sock"\n')
    ended = root.dpkg("--remove", "imagefit")
    kubelet.unlink()
    kubelet.parent.rmdir()
    own.unlink()
    assert ended.code != 0
    assert "imagefit uninstall" in ended.err
    assert right(root.run("imagefit version")) == f"imagefit {VERSION}\n"


# What is purged leaves the root as it was before, to the last file; also what the operator and the daemon wrote.
def test_a_purge_leaves_nothing_behind(root: CleanRoot, before: Mapping[str, tuple[str, int]]) -> None:
    assert root.files() != before
    (root.path / "etc/imagefit/config.d/10-own.toml").write_text("[policy]\nmode = 'observe'\n")
    for name in ("var/lib/imagefit/pulls", "var/cache/imagefit"):
        (root.path / name).mkdir(parents=True, exist_ok=True)
    right(root.dpkg("--purge", "imagefit"))
    assert root.files() == before
