"""The distribution, from os-release.

Implements os-release(5) and NFD ``source/system/system.go`` (``VERSION_ID.major`` and ``.minor``).
"""

import re
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import HostView, NotThereError

FEATURE: Final = "system.osrelease"

_OS_RELEASE: Final = "/etc/os-release"
_OS_RELEASE_OF_VENDOR: Final = "/usr/lib/os-release"
_ASSIGNMENT: Final = re.compile(r"^([A-Za-z_]\w*)=(.*)$", re.MULTILINE)
_VERSION_ID: Final = re.compile(r"(\d+)(?:\.(\d+))?(?:\..*)?")
_ESCAPED: Final = re.compile(r'\\([$"\'\\`])')


class OsReleaseDetector:
    """The keys of os-release, and the parts of ``VERSION_ID``."""

    name = "os-release"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the file, or the vendor's where there is no other. Raises ``CannotLookError``."""
        try:
            text = host.read_text(_OS_RELEASE)
        except NotThereError:
            text = host.read_text(_OS_RELEASE_OF_VENDOR)
        return Facts(attributes={FEATURE: parse_os_release(text)})


def parse_os_release(text: str) -> Attributes:
    """Read shell assignments; lines that are none are skipped, as the manual page asks."""
    release = {key: _unquoted(value.rstrip()) for key, value in _ASSIGNMENT.findall(text)}
    found = _VERSION_ID.fullmatch(release.get("VERSION_ID", ""))
    parts = {} if found is None else {"VERSION_ID.major": found[1], "VERSION_ID.minor": found[2]}
    return release | {key: value for key, value in parts.items() if value}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in {'"', "'"}:
        quote, value = value[0], value[1:-1]
        return value if quote == "'" else _ESCAPED.sub(r"\1", value)
    return value
