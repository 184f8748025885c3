"""The kernel's version, from /proc/sys/kernel/osrelease.

Implements NFD ``source/kernel/version.go``, but reads the leading numbers of every version; NFD gives up on suffixes
that do not start with a dash.
"""

import re
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView

FEATURE: Final = "kernel.version"

_OSRELEASE: Final = "/proc/sys/kernel/osrelease"
_NOT_IN_LABELS: Final = re.compile(r"[^-A-Za-z0-9_.]")
_NUMBERS: Final = re.compile(r"(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<revision>\d+))?")


class KernelVersionDetector:
    """``full``, ``major``, ``minor`` and ``revision``."""

    name = "kernel-version"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the release. Raises ``CannotLookError``."""
        return Facts(attributes={FEATURE: parse_version(host.read_text(_OSRELEASE))})


def parse_version(text: str) -> Attributes:
    """Read a release such as ``5.14.0-427.el9.x86_64``; a number that it does not have is left out.

    Raises:
        CannotLookError: there is none.
    """
    full = _NOT_IN_LABELS.sub("_", text.strip()).strip("-_.")
    if not full:
        raise CannotLookError(f"{_OSRELEASE} is empty")
    found = _NUMBERS.match(full)
    numbers = {} if found is None else found.groupdict()
    return {"full": full, **{name: value for name, value in numbers.items() if value is not None}}
