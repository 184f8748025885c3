"""When what failed is asked for again.

Knows how often, after which pause, and that no pause outlasts the caller. Leaves to ``failures`` which failures may
pass, and to ``asking`` the waiting and the asking. Every host is asked once before any is asked again, so that a
mirror's bad moment costs no time where another host answers.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from imagefit.errors import RegistryError
from imagefit.registry.failures import PassingError

TRIES_MAX: Final = 3
_GROWTH: Final = 3.0
# The rest of what is left is for the answer.
_SHARE_OF_PAUSE: Final = 0.75


@dataclass(frozen=True, slots=True)
class Again:
    """What is asked again: hosts by their position, after a pause in seconds."""

    positions: frozenset[int]
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class Retry:
    """How failures that may pass are waited for.

    Attributes:
        first_pause_seconds: middle of the pause before the second try; it triples before the third.
        jitter: returns 0 to 1; a pause is half to one and a half times its middle, so that nodes that failed together
            do not come back together.
    """

    first_pause_seconds: float = 0.25
    jitter: Callable[[], float] = random.random

    def again(self, failures: Mapping[int, RegistryError], tries: int, left_seconds: float) -> Again | None:
        """Tell what is to be asked again.

        Args:
            failures: of the latest try, by the position of the host.
            tries: how often has been asked so far, 1 at the least.
            left_seconds: how long the caller still waits.

        Returns:
            None where asking again is of no use or would come too late. A host that wants to be left alone for longer
            than the caller waits is not asked again.
        """
        if tries >= TRIES_MAX:
            return None
        pause_seconds = self.first_pause_seconds * _GROWTH ** (tries - 1) * (0.5 + self.jitter())
        longest_seconds = left_seconds * _SHARE_OF_PAUSE
        wanted = {
            position: max(pause_seconds, failure.retry_after_seconds)
            for position, failure in failures.items()
            if isinstance(failure, PassingError)
        }
        in_time = {position: pause for position, pause in wanted.items() if pause <= longest_seconds}
        return Again(frozenset(in_time), max(in_time.values())) if in_time else None
