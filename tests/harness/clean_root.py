"""A Debian (or Ubuntu) in a folder with what is essential and Python, in which packages are installed and removed.

Knows that nothing in it may touch the machine: what runs in it has mounts, processes and no network of its own, so that
nothing is left to be unmounted. Leaves to the test what is installed.
"""

import platform
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DATABASE = ("var/lib/dpkg/", "var/log/", "var/cache/", "proc/", "sys/", "dev/")
"""What dpkg keeps of packages that are gone, and what is no file of the root; but see ``files``."""
_RETRIES = ('--aptopt=Acquire::Retries "5"', '--aptopt=Acquire::http::Timeout "20"')
_SECONDS = 400


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str


def right(ended: Ended) -> str:
    """Return what a program printed that ended well; otherwise raise ``AssertionError``."""
    assert ended.code == 0, ended
    return ended.out


class CleanRoot:
    """One such folder."""

    def __init__(self, folder: Path) -> None:
        """Fill ``folder`` from the sources that this machine's apt has, for the release that this machine runs.

        Raises:
            AssertionError: it cannot be made in some minutes; the message names the mirrors and what mmdebstrap said.
        """
        self.path = folder
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        sources = _sources(release)
        command = ("mmdebstrap", "--mode=root", "--variant=essential", "--include=python3,libstdc++6", *_RETRIES)
        ended = subprocess.run(
            ("timeout", str(_SECONDS), *command, "--dpkgopt=force-unsafe-io", release, str(folder), "-"),
            input=sources,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"no clean root from {sources.strip()}\n{ended.stderr[-2000:]}"

    def run(self, script: str, *arguments: str, timeout_seconds: float = 120) -> Ended:
        """Run a shell script inside, as root, without network."""
        mounts = (
            'mount -t proc proc "$0/proc" && mount -t sysfs -o ro sysfs "$0/sys" && exec chroot "$0" /bin/sh -c "$@"'
        )
        apart = ("unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child")
        ended = subprocess.run(
            (*apart, "/bin/sh", "-c", mounts, str(self.path), script, "sh", *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def install(self, package: Path, *options: str) -> Ended:
        """Install a package from a file outside."""
        shutil.copyfile(package, self.path / "package.deb")
        try:
            return self.dpkg(*options, "--install", "/package.deb")
        finally:
            (self.path / "package.deb").unlink()

    def dpkg(self, *arguments: str) -> Ended:
        """Run dpkg, which need not wait for the disk here."""
        return self.run('dpkg --force-unsafe-io "$@"', *arguments)

    def files(self) -> dict[str, tuple[str, int]]:
        """Return mode and size of everything in it that is of packages or of what they left, by path."""
        found = {}
        for path in self.path.rglob("*"):
            name = str(path.relative_to(self.path))
            if not f"{name}/".startswith(_DATABASE) or "imagefit" in name:
                status = path.lstat()
                size = status.st_size if stat.S_ISREG(status.st_mode) else 0
                found[name] = (stat.filemode(status.st_mode), size)
        return found


def _sources(release: str) -> str:
    """Return a line of sources: where this machine has the packages of its release from, as it was released."""
    form = "deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    told = subprocess.run(
        ("apt-get", "indextargets", "--format", form, "Created-By: Packages"),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = {line for line in told.stdout.splitlines() if line.split()[2:] == [release, "main"]}
    assert lines, f"apt knows no source of {release}"
    return "".join(f"{line}\n" for line in sorted(lines))
