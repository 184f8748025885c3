"""A wall clock that a test sets, for one process: the realtime clock jumps, the monotonic one does not.

Knows how a process is started with it. As ``LD_PRELOAD`` (``ld.so(8)``) lets a library answer before the C library.
"""

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CLOCK_AHEAD");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *seen = mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (seen != MAP_FAILED) ahead = seen;
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, id, now);
    if (result == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *kept)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (kept) *kept = exact.tv_sec;
    return exact.tv_sec;
}
"""


class Clock:
    """The clock of every process that is started with its ``environment``."""

    def __init__(self, folder: Path) -> None:
        """Build it in ``folder``; it is right at first."""
        source, self._library, self._ahead = (folder / name for name in ("clock.c", "clock.so", "clock.ahead"))
        source.write_text(_SOURCE)
        subprocess.run(("gcc", "-shared", "-fPIC", "-O2", "-w", "-o", self._library, source), check=True)
        self._ahead.write_bytes(struct.pack("q", 0))

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process has to find in its environment."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_AHEAD": str(self._ahead)}

    def set_ahead(self, seconds: int) -> None:
        """Have the clock jump to so many seconds after (or, below 0, before) the right time."""
        with self._ahead.open("r+b") as file:  # in place: it is mapped
            file.write(struct.pack("q", seconds))
