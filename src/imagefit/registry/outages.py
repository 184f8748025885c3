"""Which hosts did not answer in time a moment ago.

Knows for how long that counts. Leaves to ``asking`` what follows from it. Without it every request of a pull would wait
once more for the same dead mirror.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from imagefit.errors import RegistryError, RegistryUnreachableError
from imagefit.registry.host import RegistryHost

LEFT_OUT_SECONDS: Final = 10.0
_HOSTS_MAX: Final = 256


class Outages:
    """Hosts that are left out for ``LEFT_OUT_SECONDS``, as long as there are others.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Leave out nobody yet."""
        self._clock = clock
        self._until: dict[str, float] = {}

    def add(self, host: RegistryHost) -> None:
        """Leave a host out from now on."""
        self._until.pop(host.origin, None)
        self._until[host.origin] = self._clock() + LEFT_OUT_SECONDS
        if len(self._until) > _HOSTS_MAX:
            del self._until[next(iter(self._until))]

    def of(self, hosts: Sequence[RegistryHost]) -> dict[int, RegistryError]:
        """Return why hosts are left out, by their position; none are where all of them would be."""
        now = self._clock()
        failed: dict[int, RegistryError] = {
            position: RegistryUnreachableError(f"{host.host}: left out, since it did not answer in time a moment ago")
            for position, host in enumerate(hosts)
            if self._until.get(host.origin, now) > now
        }
        return failed if len(failed) < len(hosts) else {}
