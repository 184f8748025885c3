"""Sockets and hardware threads, from /sys/bus/cpu.

Implements NFD ``source/cpu/cpu.go`` (``discoverTopology``), where one CPU that is offline hides all the others; here it
is left out.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import CannotLookError, HostView, NotThereError
from imagefit.node.sysfs import VALUE_MAX_BYTES

FEATURE: Final = "cpu.topology"

_CPUS: Final = "/sys/bus/cpu/devices"
_SIBLINGS: Final = "topology/thread_siblings_list"
_PACKAGE: Final = "topology/physical_package_id"
_OF_LISTS: Final = frozenset(",-")


class TopologyDetector:
    """``hardware_multithreading``: whether any core runs several threads; ``socket_count``."""

    name = "cpu-topology"
    features = (FEATURE,)

    def detect(self, host: HostView) -> Facts:
        """Read each CPU that is online. Raises ``CannotLookError``."""
        cpus = host.list_dir(_CPUS)
        return Facts(attributes={FEATURE: describe(_each(host, cpus, _SIBLINGS), _each(host, cpus, _PACKAGE))})


def _each(host: HostView, cpus: Iterable[str], file: str) -> Iterator[str]:
    for cpu in cpus:
        # A CPU that is offline has no topology.
        with suppress(NotThereError):
            yield host.read_text(f"{_CPUS}/{cpu}/{file}", VALUE_MAX_BYTES)


def describe(siblings: Iterable[str], packages: Iterable[str]) -> Attributes:
    """Return the elements.

    Args:
        siblings: of each CPU, the threads of its core, such as ``0,64`` or ``0-1``; read up to the first such list.
        packages: of each CPU, the number of its socket.

    Raises:
        CannotLookError: nothing is known of any CPU.
    """
    sockets = {package.strip() for package in packages}
    if not sockets:
        raise CannotLookError(f"{_CPUS} shows the topology of no CPU")
    threads = any(not _OF_LISTS.isdisjoint(threads) for threads in siblings)
    return {"hardware_multithreading": "true" if threads else "false", "socket_count": str(len(sockets))}
