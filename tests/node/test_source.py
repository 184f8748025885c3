"""Facts for a daemon: the first ones are waited for, old ones serve while new ones are looked for."""

import asyncio
import time
from pathlib import Path

from imagefit.node.contract import HostView
from imagefit.node.source import NodeSource

CPU = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 1\nflags\t\t: fpu sse sse2\n"


def _host(root: Path, release: str) -> HostView:
    (root / "proc/sys/kernel").mkdir(parents=True, exist_ok=True)
    (root / "proc/cpuinfo").write_text(CPU)
    (root / "proc/sys/kernel/osrelease").write_text(f"{release}\n")
    return HostView(root)


async def _release(source: NodeSource) -> str:
    return (await source.node()).facts.attributes["kernel.version"]["full"]


def test_many_that_ask_at_once_share_the_first_detection(tmp_path: Path) -> None:
    async def ask() -> None:
        source = NodeSource(_host(tmp_path, "5.4.0"))
        nodes = await asyncio.gather(*(source.node() for _ in range(20)))
        assert len({id(node) for node in nodes}) == 1

    asyncio.run(ask())


def test_old_facts_serve_until_new_ones_are_there(tmp_path: Path) -> None:
    async def ask() -> None:
        source = NodeSource(_host(tmp_path, "5.4.0"), max_age_seconds=0)
        assert await _release(source) == "5.4.0"
        _host(tmp_path, "6.1.0")
        assert await _release(source) == "5.4.0"
        give_up = time.monotonic() + 10
        while await _release(source) != "6.1.0":
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)

    asyncio.run(ask())


def test_facts_that_are_not_old_are_not_looked_for_again(tmp_path: Path) -> None:
    async def ask() -> None:
        source = NodeSource(_host(tmp_path, "5.4.0"), max_age_seconds=60)
        first = await source.node()
        assert await source.node() is first

    asyncio.run(ask())
