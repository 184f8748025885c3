"""How a daemon is told to stop, and how its process ends.

Knows signals, and that at no moment their default, which kills, may be in force. Leaves to ``life`` what is done until
the end.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

import grpc.aio

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)
_ENDING_SECONDS: Final = 5.0
_WAKE_UPS: Final = 4096

Stop: TypeAlias = "asyncio.Queue[signal.Signals]"
"""The signals that ask for the end."""


def stop_signals(reload: Callable[[], None]) -> Stop:
    """Have signals reach the loop; not as its own handlers, since it takes these back by restoring the default.

    Args:
        reload: called at SIGHUP.
    """
    stop: Stop = asyncio.Queue()
    loop = asyncio.get_running_loop()
    # Python's handlers run in the main thread, which waits in the loop: a signal that another thread takes wakes it so.
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    loop.add_reader(woken, lambda: woken.recv(_WAKE_UPS))
    signal.set_wakeup_fd(waking.detach(), warn_on_full_buffer=False)
    for one in _STOPPING:
        signal.signal(one, lambda number, _: loop.call_soon_threadsafe(stop.put_nowait, signal.Signals(number)))
    signal.signal(signal.SIGHUP, lambda *_: loop.call_soon_threadsafe(reload))
    return stop


async def drained(server: grpc.aio.Server, stop: Stop, drain_seconds: float) -> None:
    """Refuse new calls and wait for those under way, at most so long or until a second signal."""
    drain = asyncio.create_task(server.stop(drain_seconds))
    again = asyncio.create_task(stop.get())
    await asyncio.wait({drain, again}, return_when=asyncio.FIRST_COMPLETED)
    if not drain.done():
        await server.stop(0)
    again.cancel()
    await drain


def ignore_signals() -> None:
    """Have a further signal change nothing: the default kills, and at no moment may it be in force."""
    for one in (*_STOPPING, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)


def end_soon(code: int) -> None:
    """End the process even if a thread does not: one that asks a dead name server cannot be called off.

    The socket is left as it is: by then it may be another daemon's, and a stale one is removed at the next start.
    """
    ending = threading.Timer(_ENDING_SECONDS, os._exit, (code,))
    ending.daemon = True
    ending.start()
