"""Facts for a daemon: the first ones are waited for, old ones serve while new ones are looked for."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from imagefit.model.facts import Facts
from imagefit.node.contract import HostView, Partial
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


@dataclass
class _Counting:
    """Finds the same each time."""

    name: str = "counting"
    features: tuple[str, ...] = ()
    calls: int = 0

    def detect(self, host: HostView) -> Partial:
        self.calls += 1
        return Partial(Facts(flags={"local.counted": frozenset({"A"})}), ())


def test_facts_that_are_found_again_stay_the_same_value(tmp_path: Path) -> None:
    """Decisions are known again by it."""

    async def ask() -> None:
        counting = _Counting()
        source = NodeSource(HostView(tmp_path), max_age_seconds=0, detectors=(counting,))
        first = await source.node()
        give_up = time.monotonic() + 10
        while counting.calls < 3:
            assert await source.node() is first
            assert time.monotonic() < give_up
            await asyncio.sleep(0.01)

    asyncio.run(ask())


@dataclass
class _Warning:
    """Finds nothing, and something bad each time; the third time something else."""

    name: str = "site"
    features: tuple[str, ...] = ()
    calls: list[int] = field(default_factory=list)

    def detect(self, host: HostView) -> Partial:
        self.calls.append(1)
        return Partial(Facts(), (f"a.toml: fault {len(self.calls) // 3}",))


def test_what_is_wrong_is_logged_when_it_comes_up(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> None:
        site = _Warning()
        source = NodeSource(HostView(tmp_path), max_age_seconds=0, detectors=(site,))
        give_up = time.monotonic() + 10
        while len(site.calls) < 5:
            assert time.monotonic() < give_up
            await source.node()
            await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING, "imagefit"):
        asyncio.run(ask())
    assert [record.getMessage() for record in caplog.records] == [
        'event=facts-left-out detector=site error="a.toml: fault 0"',
        'event=facts-left-out detector=site error="a.toml: fault 1"',
    ]
