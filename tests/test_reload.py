"""The configuration of a running daemon: what is taken, what is refused, and when."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from imagefit.config import Config
from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Mode
from imagefit.reload import LiveConfig

ENFORCE, OBSERVE = '[policy]\nmode = "enforce"\n', '[policy]\nmode = "observe"\n'


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for is no event
            await asyncio.sleep(0.01)


def followed(file: Path, scenario: Callable[[LiveConfig, list[Mode]], Awaitable[None]]) -> list[Mode]:
    """Follow a configuration while a scenario goes on, and return the modes that were taken."""
    taken: list[Mode] = []

    async def run() -> None:
        live = LiveConfig(file)
        following = asyncio.create_task(live.follow(lambda config: taken.append(config.policies.default.mode)))
        await scenario(live, taken)
        following.cancel()

    asyncio.run(run())
    return taken


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration that enforces."""
    path = tmp_path / "config.toml"
    path.write_text(ENFORCE)
    return path


def test_a_changed_file_is_taken_without_being_told(file: Path) -> None:
    async def scenario(live: LiveConfig, taken: list[Mode]) -> None:
        file.write_text(OBSERVE)
        await until(lambda: bool(taken))
        assert live.current.policies.default.mode is Mode.OBSERVE

    assert followed(file, scenario) == [Mode.OBSERVE]


def test_a_file_that_appears_in_the_folder_is_taken_and_so_is_its_going(file: Path) -> None:
    async def scenario(_: LiveConfig, taken: list[Mode]) -> None:
        folder = file.with_suffix(".d")
        folder.mkdir()
        (folder / "10-try.toml").write_text(OBSERVE)
        await until(lambda: len(taken) == 1)
        (folder / "10-try.toml").unlink()
        await until(lambda: len(taken) == 2)

    assert followed(file, scenario) == [Mode.OBSERVE, Mode.ENFORCE]


def test_a_broken_file_changes_nothing_and_its_repair_is_taken(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(live: LiveConfig, taken: list[Mode]) -> None:
        file.write_text('[policy]\nmode = "obsrve"\n')
        await until(lambda: "configuration-refused" in caplog.text)
        assert not taken
        assert live.current.policies.default.mode is Mode.ENFORCE
        file.write_text(OBSERVE)
        await until(lambda: bool(taken))

    assert followed(file, scenario) == [Mode.OBSERVE]


def test_a_file_is_not_read_while_it_still_changes(tmp_path: Path) -> None:
    """Between truncation and writing an empty file would be a valid one, with every default."""
    looks = iter(["old", "half", "half-full", "whole", "whole", *["whole"] * 1000])
    seen: list[str] = []
    now = "old"

    def look(_: Path | None) -> str:
        nonlocal now
        now = next(looks)
        return now

    def load(_: Path | None) -> Config:
        seen.append(now)
        return Config()

    async def run() -> None:
        live = LiveConfig(tmp_path, load, look)
        following = asyncio.create_task(live.follow(lambda _: None))
        await until(lambda: len(seen) == 2)
        following.cancel()

    asyncio.run(run())
    assert seen == ["old", "whole"]


def test_a_hangup_reads_the_files_though_they_look_the_same(file: Path) -> None:
    async def scenario(live: LiveConfig, taken: list[Mode]) -> None:
        live.reload()
        await until(lambda: bool(taken))
        live.reload()
        await until(lambda: len(taken) == 2)

    assert followed(file, scenario) == [Mode.ENFORCE, Mode.ENFORCE]


def test_what_needs_a_restart_is_named(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(_: LiveConfig, taken: list[Mode]) -> None:
        file.write_text(OBSERVE + '[containerd]\nsocket = "/run/another.sock"\n')
        await until(lambda: bool(taken))

    followed(file, scenario)
    assert "restart-needed" in caplog.text
    assert any("containerd.socket" in str(record.__dict__) for record in caplog.records)


def test_a_fault_at_the_start_is_raised(file: Path) -> None:
    file.write_text("nonsense")
    with pytest.raises(InvalidConfigurationError):
        LiveConfig(file)
