"""Image calls as kubelet makes them: each again and again, for as long as kubelet would have patience.

Knows what is retried, and keeps what was seen meanwhile. Leaves to ``errors`` whether that has a name.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import grpc

PATIENCE_SECONDS: Final = 60.0
"""How long one call is tried again. kubelet itself backs off up to 5 minutes, and never gives up."""
CALL_SECONDS: Final = 20.0
_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.3
_Result = TypeVar("_Result")


class PatienceError(AssertionError):
    """A call did not succeed in all that time."""


class Kubelet:
    """Tries calls, and keeps the errors that it saw as texts, ``CODE: details``."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self.seen: list[str] = []

    def until_done(self, what: str, call: Callable[[], _Result], patience_seconds: float = PATIENCE_SECONDS) -> _Result:
        """Return what a call returns, in the end.

        Raises:
            PatienceError: it did not succeed.
        """
        give_up = time.monotonic() + patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                self.seen.append(f"{what}: {error.code().name}: {error.details()}")
                if time.monotonic() > give_up:
                    raise PatienceError(f"{what} fails for {patience_seconds:g} s: {self.seen[-1]}") from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
