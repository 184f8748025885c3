"""Whether SELinux enforces, from its file system under /sys.

Implements NFD ``source/kernel/selinux.go``: permissive counts as not enabled.
"""

from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView

FEATURE: Final = "kernel.selinux"

_FILE_SYSTEMS: Final = "/sys/fs"
_SELINUX: Final = "/sys/fs/selinux"
_ENFORCE: Final = "/sys/fs/selinux/enforce"


class SelinuxDetector:
    """``enabled``: ``true`` or ``false``."""

    name = "selinux"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Look for SELinux's file system and read its switch. Raises ``CannotLookError``."""
        host.list_dir(_FILE_SYSTEMS)
        # The directory without the switch is SELinux seen from where its file system is not mounted: not knowledge.
        enforcing = host.exists(_SELINUX) and is_enforcing(host.read_text(_ENFORCE))
        return Facts(attributes={FEATURE: {"enabled": "true" if enforcing else "false"}})


def is_enforcing(text: str) -> bool:
    """Read the switch: 1 for enforcing, 0 for permissive."""
    return text.strip() == "1"
