"""The node's name, from the kernel or /etc/hostname.

Knows which of them speaks for the host: the kernel tells each container its own name, also through a moved root. Leaves
out names that kubelet was given (``--hostname-override``). NFD ``source/system/system.go`` takes the name from its pod.
"""

from contextlib import suppress
from typing import Final

from imagefit.model.facts import Facts
from imagefit.node.contract import CannotLookError, HostView

FEATURE: Final = "system.name"

_KERNEL: Final = "/proc/sys/kernel/hostname"
_STATIC: Final = "/etc/hostname"
_NAME_MAX_BYTES: Final = 4096
_UNSET: Final = "(none)"


class NodeNameDetector:
    """``nodename``."""

    name = "node-name"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read the name, as kubelet does by default. Raises ``CannotLookError``."""
        for path in (_KERNEL, _STATIC) if host.root == "/" else (_STATIC, _KERNEL):
            with suppress(CannotLookError):
                if name := parse_hostname(host.read_text(path, _NAME_MAX_BYTES)):
                    return Facts(attributes={FEATURE: {"nodename": name}})
        raise CannotLookError(f"neither {_KERNEL} nor {_STATIC} tells a name")


def parse_hostname(text: str) -> str:
    """Read hostname(5): the first line that is no comment, in lower-case as Kubernetes names nodes; empty for none."""
    lines = (line.strip().lower() for line in text.splitlines())
    return next((line for line in lines if line and line != _UNSET and not line.startswith("#")), "")
