"""The parameters that the kernel was started with, from /proc/cmdline.

Implements the grammar of Linux ``lib/cmdline.c`` (``next_arg``) and the rule that what follows ``--`` goes to init
(Documentation/admin-guide/kernel-parameters.rst). NFD has no such feature.
"""

import re
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import HostView

FEATURE: Final = "kernel.cmdline"

_CMDLINE: Final = "/proc/cmdline"
_CMDLINE_MAX_BYTES: Final = 64 * 1024
_WORD: Final = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')


class KernelCmdlineDetector:
    """Parameter → value, empty for a bare word."""

    name = "kernel-cmdline"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the command line. Raises ``CannotLookError``."""
        return Facts(attributes={FEATURE: parse_cmdline(host.read_text(_CMDLINE, _CMDLINE_MAX_BYTES))})


def parse_cmdline(text: str) -> Attributes:
    """Read kernel parameters; of one that is given twice the later value stands. Quotes keep spaces together."""
    parameters: dict[str, str] = {}
    for word in _WORD.findall(text):
        if word == "--":
            break
        name, _, value = word.replace('"', "").partition("=")
        if name:
            parameters[name] = value
    return parameters
