"""Whether NVIDIA's driver for servers is there, as everything that is known of its GPUs hangs on it.

Knows its directory, and which other drivers of NVIDIA run GPUs without it. Leaves to detectors what the driver says.
Source: "Using the /proc File System Interface" in the driver's README.
"""

from typing import Final

from imagefit.node.contract import CannotLookError, HostView, NotThereError

DIRECTORY: Final = "/proc/driver/nvidia"

_PROC: Final = "/proc/sys"
# Tegra's driver, and the GPU that Windows lends to its Linux guest: neither says anything in the directory.
_OTHERS: Final = ("/sys/module/nvgpu", "/dev/dxg")


def has_driver(host: HostView) -> bool:
    """Tell whether the driver is loaded.

    Raises:
        CannotLookError: /proc is not there or cannot be searched, or another driver may run a GPU.
    """
    if host.exists(DIRECTORY):
        return True
    if not host.exists(_PROC):
        raise NotThereError(f"{_PROC} is not there")
    for path in _OTHERS:
        if host.exists(path):
            raise CannotLookError(f"{path} is there: a driver without {DIRECTORY}")
    return False
