"""The files of a node that install and uninstall change.

Knows that a file changes at once or not at all, and that owner, mode, labels and symbolic links stay. Leaves what is
written to ``kubelet.planning``.
"""

import contextlib
import mmap
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from imagefit.errors import KubeletConfigurationError
from imagefit.node.contract import HostView, NotThereError

_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755
_ROOT: Final = 0


class NodeFiles(HostView):
    """A node's files, whole or below a moved root; links are followed inside the root only."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None where there is none. Raises ``CannotLookError``."""
        try:
            return self.read_bytes(path)
        except NotThereError:
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no folder. Raises ``CannotLookError``."""
        try:
            return list(self.list_dir(folder))
        except NotThereError:
            return []

    def holds(self, path: str, text: bytes) -> bool | None:
        """Tell whether a file of any size holds some bytes; None where it cannot be looked into."""
        try:
            with (
                Path(self._resolved(path)).open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                return content.find(text) >= 0
        except (OSError, ValueError):  # an empty file cannot be mapped
            return None

    def modified(self, path: str) -> float | None:
        """Return when a file was last changed, in seconds since 1970; None where there is none."""
        with contextlib.suppress(OSError):
            return Path(self._resolved(path)).stat().st_mtime
        return None

    def check_ours(self, path: str) -> None:
        """Refuse a file that somebody other than root, or than who runs this, may have written.

        Raises:
            KubeletConfigurationError: it is another user's, or no regular file.
        """
        status = self._real(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise KubeletConfigurationError(f"{path} is no regular file", advice="see docs/how-to/install.md")
        if status.st_uid not in {_ROOT, os.geteuid()}:
            raise KubeletConfigurationError(
                f"{path} belongs to user {status.st_uid}, not to root", advice=f"chown root {path}, if it is meant so"
            )

    def write(self, path: str, content: bytes, mode: int = _FILE_MODE) -> None:
        """Write a whole file, made where it is not there.

        Args:
            path: absolute, as the node sees it.
            content: all of it.
            mode: of a file that is made; one that is there keeps owner, mode and labels.

        Raises:
            KubeletConfigurationError: it cannot be written, and is as it was.
        """
        try:
            self._write(self._real(path), content, mode)
        except OSError as error:
            is_denied = isinstance(error, PermissionError)
            advice = "run it as root" if is_denied else "imagefit uninstall puts back what was written before it"
            raise KubeletConfigurationError(f"{path} cannot be written: {error.strerror}", advice=advice) from error

    def _write(self, real: Path, content: bytes, mode: int) -> None:
        real.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                _copy_access(real, file.fileno(), mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(real)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync(real.parent)

    def remove(self, path: str, folders: tuple[str, ...] = ()) -> None:
        """Remove a file, and those of some folders that are empty then."""
        real = self._real(path)
        real.unlink(missing_ok=True)
        for folder in folders:
            with contextlib.suppress(OSError):
                self._real(folder).rmdir()

    def _real(self, path: str) -> Path:
        return Path(os.path.realpath(self._resolved(path)))


def _copy_access(existing: Path, descriptor: int, mode: int) -> None:
    try:
        status = existing.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    for name in os.listxattr(existing):
        with contextlib.suppress(OSError):  # a label that this file system gives by itself
            os.setxattr(descriptor, name, os.getxattr(existing, name))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
