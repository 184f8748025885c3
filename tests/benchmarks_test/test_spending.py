"""What a process spends is read as Linux writes it."""

import os

import pytest

from benchmarks.spending import memory_in, memory_of, spent_by, wakeups_in

ROLLUP = """\
55957ed69000-7ffc8b65c000 ---p 00000000 00:00 0                          [rollup]
Rss:               20000 kB
Pss:               10000 kB
Pss_Dirty:          6872 kB
Private_Clean:      1000 kB
Private_Dirty:      4000 kB
"""


def test_memory_is_in_megabytes() -> None:
    memory = memory_in(ROLLUP)
    assert (memory.resident, memory.proportional, memory.private) == pytest.approx((20.48, 10.24, 5.12))


def test_only_waits_of_its_own_are_wake_ups() -> None:
    assert wakeups_in("Threads:\t1\nvoluntary_ctxt_switches:\t13\nnonvoluntary_ctxt_switches:\t5\n") == 13
    assert wakeups_in("") == 0


def test_this_process_spends_something() -> None:
    memory, spent = memory_of(os.getpid()), spent_by(os.getpid())
    assert memory.resident >= memory.proportional >= memory.private > 0
    assert spent.threads >= 1
    assert spent.wakeups > 0
    assert spent.cpu_seconds > 0
