"""Devices as sysfs shows them: a directory of names, and small files for each of them.

Knows how much of it is read at most, and that a machine without a bus or class of devices has sysfs all the same.
Leaves to detectors which files say something. Source: Linux ``Documentation/filesystems/sysfs.rst``.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes
from imagefit.node.contract import CannotLookError, HostView, NotThereError

DEVICES_MAX: Final = 1024
VALUE_MAX_BYTES: Final = 4096  # what one file of sysfs holds at most


def list_devices(host: HostView, directory: str, above: str) -> tuple[str, ...]:
    """Return the names of devices, sorted; none where the directory is missing and the one above is not.

    Args:
        host: where to look.
        directory: of the bus or class, such as ``/sys/bus/usb/devices``.
        above: a directory that every machine has, such as ``/sys/bus``.

    Raises:
        CannotLookError: neither is there, it cannot be read or there are more than ``DEVICES_MAX``.
    """
    try:
        names = host.list_dir(directory)
    except NotThereError:
        if not host.exists(above):
            raise
        return ()
    if len(names) > DEVICES_MAX:
        raise CannotLookError(f"{directory} has more than {DEVICES_MAX} devices")
    return names


def is_there(host: HostView, path: str, above: str) -> bool:
    """Tell whether there is a file or directory that only some machines have.

    Args:
        host: where to look.
        path: what is looked for.
        above: a directory that every machine has.

    Raises:
        CannotLookError: neither is there, or the way to it cannot be searched.
    """
    if host.exists(path):
        return True
    if not host.exists(above):
        raise NotThereError(f"{above} is not there")
    return False


def read_values(host: HostView, directory: str, files: Iterable[str]) -> Attributes:
    """Return the content of small files by the last part of their names, without the space around it.

    Args:
        host: where to look.
        directory: of one device.
        files: paths below it; those that cannot be read are left out, as not every driver has every file and a device
            may go away meanwhile.
    """
    values: dict[str, str] = {}
    for file in files:
        with suppress(CannotLookError):
            values[file.rpartition("/")[2]] = host.read_text(f"{directory}/{file}", VALUE_MAX_BYTES).strip()
    return values
