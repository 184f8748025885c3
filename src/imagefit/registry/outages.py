"""Which hosts did not answer in time a moment ago, for which names.

Knows for how long that counts, and that a host may be silent about one registry's images and quick about another's: who
publishes slow images must not take a mirror away from others. Leaves to ``asking`` what follows from it. Without it
every request of a pull would wait once more for the same dead mirror.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from imagefit.registry.host import RegistryHost

LAST_SECONDS: Final = 10.0
_KEPT_MAX: Final = 256
_FAIR_SECONDS: Final = 6.0


class Outages:
    """Hosts that come last for ``LAST_SECONDS``.

    Args:
        clock: seconds that only grow.
        fair_seconds: with less time left for a request a silence says nothing: at the end of a budget even a healthy
            host is too slow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, fair_seconds: float = _FAIR_SECONDS) -> None:
        """Know of nobody yet."""
        self._clock = clock
        self._fair_seconds = fair_seconds
        self._until: dict[tuple[str, str], float] = {}

    def add(self, host: RegistryHost, domain: str, left_seconds: float) -> None:
        """Note that a host was silent about the images of ``domain``, for a request with so much time left."""
        if left_seconds < self._fair_seconds:
            return
        key = host.origin, domain
        self._until.pop(key, None)
        self._until[key] = self._clock() + LAST_SECONDS
        if len(self._until) > _KEPT_MAX:
            del self._until[next(iter(self._until))]

    def of(self, hosts: Sequence[RegistryHost], domain: str) -> frozenset[int]:
        """Return the positions of those that were silent about the images of ``domain``."""
        now = self._clock()
        silent = (at for at, host in enumerate(hosts) if self._until.get((host.origin, domain), now) > now)
        return frozenset(silent)
