"""The configuration of a running daemon: what is taken, what is refused, and when."""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from imagefit.config import Config
from imagefit.daemon.reload import LiveConfig
from imagefit.errors import InvalidConfigurationError
from imagefit.model.policy import Mode
from imagefit.telemetry import metrics

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


def test_a_file_that_never_rests_is_taken_all_the_same(tmp_path: Path) -> None:
    """Otherwise whoever touches one file all the time keeps every other change from taking effect."""
    looks = itertools.count()
    seen: list[Path | None] = []

    def load(path: Path | None) -> Config:
        seen.append(path)
        return Config()

    async def run() -> None:
        live = LiveConfig(tmp_path, load, lambda _: next(looks))
        following = asyncio.create_task(live.follow(lambda _: None))
        await until(lambda: len(seen) == 2)
        following.cancel()

    asyncio.run(run())


def test_a_defect_of_ours_ends_one_reload_and_not_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    answers: Iterator[Config | RecursionError] = iter([Config(), RecursionError("planted"), Config()])
    taken: list[Config] = []

    def load(_: Path | None) -> Config:
        answer = next(answers)
        if isinstance(answer, RecursionError):
            raise answer
        return answer

    async def run() -> None:
        live = LiveConfig(tmp_path, load, lambda _: "same")
        following = asyncio.create_task(live.follow(taken.append))
        live.reload()
        await until(lambda: "planted" in caplog.text)
        live.reload()
        await until(lambda: bool(taken))
        following.cancel()

    asyncio.run(run())


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


def test_rules_without_effect_are_logged_when_a_configuration_is_taken(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(_: LiveConfig, taken: list[Mode]) -> None:
        await until(lambda: "rule-without-effect" in caplog.text)
        assert "docker.io/a/*" in caplog.text
        caplog.clear()
        file.write_text(OBSERVE + '[[image]]\nmatch = "b.example.org/*"\n')
        await until(lambda: bool(taken))

    file.write_text('[[image]]\nmatch = "a/*"\n')
    followed(file, scenario)
    assert "rule-without-effect" not in caplog.text


@pytest.fixture
def shown() -> Iterator[Callable[[str], float]]:
    """The value of a metric without labels."""
    metrics.enable()

    def value(name: str) -> float:
        lines = metrics.exposition()[1].decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    yield value
    metrics.disable()


def test_a_metric_says_whether_the_files_are_in_use_as_they_are(file: Path, shown: Callable[[str], float]) -> None:
    async def scenario(_: LiveConfig, taken: list[Mode]) -> None:
        await until(lambda: shown("imagefit_config_ok") == 1)
        file.write_text("nonsense")
        await until(lambda: shown("imagefit_config_ok") == 0)
        assert not taken
        file.write_text(ENFORCE)  # as it was before: in use again
        await until(lambda: shown("imagefit_config_ok") == 1)

    assert followed(file, scenario) == [Mode.ENFORCE]


def test_a_fault_at_the_start_is_raised(file: Path) -> None:
    file.write_text("nonsense")
    with pytest.raises(InvalidConfigurationError):
        LiveConfig(file)


def test_a_file_system_that_hangs_stops_nothing_else(tmp_path: Path) -> None:
    hangs, answers = threading.Event(), threading.Event()

    def look(_: Path | None) -> str:
        if threading.current_thread() is not threading.main_thread():
            hangs.set()
            answers.wait(20)
        return "same"

    async def run() -> None:
        following = asyncio.create_task(LiveConfig(tmp_path, lambda _: Config(), look).follow(lambda _: None))
        await until(hangs.is_set)
        following.cancel()

    asyncio.run(run())  # ends although the look does not
    assert not answers.is_set()
    answers.set()


def test_a_reading_that_ends_after_the_loop_is_told_to_nobody(tmp_path: Path) -> None:
    """An exception in the thread would fail this test."""
    looks = itertools.count()
    reading, ended = threading.Event(), threading.Event()
    first = iter([True])

    def load(_: Path | None) -> Config:
        if not next(first, False):
            reading.set()
            assert ended.wait(10)
        return Config()

    async def run() -> None:
        live = LiveConfig(tmp_path, load, lambda _: next(looks))
        following = asyncio.create_task(live.follow(lambda _: None))
        await until(reading.is_set)
        following.cancel()

    before = set(threading.enumerate())
    asyncio.run(run())
    (thread,) = set(threading.enumerate()) - before
    ended.set()
    thread.join(10)
    assert not thread.is_alive()
