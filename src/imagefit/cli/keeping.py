"""What ``imagefit install`` did and what was there before, kept until it is undone.

Knows one folder and its files: a receipt, and the backups that it names. Wherever this is ended in the middle, the
receipt that stands names what stands. Leaves what is done with them to ``install``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from imagefit.cli.node_files import NodeFiles
from imagefit.errors import KubeletConfigurationError
from imagefit.kubelet.planning import Change, Receipt, Written, digest

_FOLDER: Final = "/var/lib/imagefit/install"
"""Whatever the configuration says: what undoes must find it."""
_RECEIPT: Final = f"{_FOLDER}/receipt.json"
_PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept.

    Attributes:
        receipt: what was done.
        backups: what each of its files held before; None for one that was not there.
    """

    receipt: Receipt
    backups: tuple[bytes | None, ...]


def keep(files: NodeFiles, endpoint: str, unit: str, changes: Sequence[Change]) -> None:
    """Keep what is needed to undo changes that are about to be made, beside what is kept of other files.

    Args:
        files: of the node.
        endpoint: that is put in.
        unit: the service to restart after a change.
        changes: none of them takes a file away.
    """
    before = read_kept(files)
    paths = {change.path for change in changes}
    kept = zip(before.receipt.files, before.backups, strict=True) if before else ()
    entries = [(written, backup) for written, backup in kept if written.path not in paths]
    entries += [(_written(files, change), change.before) for change in changes]
    for written, backup in entries:
        if backup is not None:
            files.write(_backup(written), backup, _PRIVATE)
    receipt = Receipt(endpoint, tuple(written for written, _ in entries), unit)
    files.write(_RECEIPT, msgspec.json.encode(receipt), _PRIVATE)


def read_kept(files: NodeFiles) -> Kept | None:
    """Return what is kept; None where there is nothing to undo.

    Raises:
        KubeletConfigurationError: it is not as it was left.
    """
    content = files.read(_RECEIPT)
    if content is None:
        return None
    files.check_ours(_RECEIPT)
    try:
        receipt = msgspec.json.decode(content, type=Receipt)
    except msgspec.MsgspecError as error:
        raise KubeletConfigurationError(
            f"{_RECEIPT} is no receipt: {error}", advice="take the line of imagefit out by hand, then remove it"
        ) from error
    return Kept(receipt, tuple(_read_backup(files, one) for one in receipt.files))


def forget(files: NodeFiles) -> None:
    """Remove all that is kept: the receipt first, which without a backup could not be read."""
    for path in (_RECEIPT, *(f"{_FOLDER}/{name}" for name in files.names(_FOLDER))):
        files.remove(path, (_FOLDER,))


def _read_backup(files: NodeFiles, written: Written) -> bytes | None:
    if written.before is None:
        return None
    content = files.read(_backup(written))
    if content is None or digest(content) != written.before:
        raise KubeletConfigurationError(
            f"{_backup(written)} is not what {written.path} was", advice="take the line of imagefit out by hand"
        )
    return content


def _written(files: NodeFiles, change: Change) -> Written:
    folders: list[str] = []
    folder = Path(change.path).parent
    while not files.exists(str(folder)):
        folders.append(str(folder))
        folder = folder.parent
    before = None if change.before is None else digest(change.before)
    return Written(change.path, before, digest(change.after or b""), change.way, change.variable, tuple(folders))


def _backup(written: Written) -> str:
    """Return where the content before is kept: by its digest, so that what an earlier receipt names stays."""
    return f"{_FOLDER}/backup-{written.before}"
