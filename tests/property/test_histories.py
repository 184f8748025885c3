"""Histories of a node: whatever is pulled, removed, moved, restarted, crashes and is handed over, in whatever order.

The model is what a plain containerd would hold: names and what they stand for. The containerd is the one in memory that
obeys the same contract test as the real one; time is counted and not waited for, so that a history replays.
"""

import asyncio
import contextlib
import os
import random
import selectors
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from fakes.containerd import Behaviour
from fakes.images_api import SERVICE, FakeContainerd
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.mark_files import Held
from imagefit.cri.marks import Marks
from imagefit.cri.records import Records
from imagefit.errors import RecordsError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import parse_reference

settings.register_profile("histories", derandomize=True, deadline=None, database=None, max_examples=100)
settings.register_profile("thorough", deadline=None, max_examples=5000)
_PROFILE: Final = os.environ.get("IMAGEFIT_HYPOTHESIS", "histories")

PULL: Final = f"{SERVICE}PullImage"
REPOSITORY: Final = "docker.io/library/app"
TAGS: Final = ("1", "2")
# Each index with the entry that is chosen of it: two of them share one.
CHOSEN: Final = {f"sha256:{index:064x}": f"sha256:{child:064x}" for index, child in ((1, 11), (2, 12), (3, 11))}
INDEXES: Final = tuple(CHOSEN)
CHILDREN: Final = tuple(dict.fromkeys(CHOSEN.values()))
IMAGE_IDS: Final = {child: f"sha256:{number:064x}" for number, child in enumerate(CHILDREN, 21)}
_LONGEST_SECONDS: Final = 300.0
_TIMES_AGAIN: Final = 2
# A pull ends before so many steps of the loop.
_MOMENTS: Final = 75


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: time is what the loop says."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time only passes where all wait for it."""

    def __init__(self) -> None:
        self._clock = _Skipping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def tick(self) -> None:
        """Do what is due, or what is due next."""
        inside: Any = self
        if not inside._ready and inside._scheduled:
            self._clock.now = max(self._clock.now, inside._scheduled[0].when())
        self.call_soon(self.stop)
        self.run_forever()


class Plane:
    """What a fake registers its methods with."""

    def __init__(self) -> None:
        self.unary: dict[str, Behaviour] = {}


class _Context:
    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, "")


@dataclass
class Node:
    """The containerd, and what all calls to it share."""

    folder: Path
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - it has to replay
    starts: int = 0

    def __post_init__(self) -> None:
        self.never = asyncio.Event()
        self.plane = Plane()
        self.containerd = FakeContainerd(self.plane)
        self.containerd.image_ids = dict(IMAGE_IDS)
        self.containerd.between_writes = self.pause

    async def pause(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            await asyncio.sleep(self.chance.choice((0, 0.001, 0.02)))

    async def answer(self, method: str, request: bytes) -> bytes:
        started, reply = self.starts, b""
        await self.pause()
        if started == self.starts:
            answering: Any = self.plane.unary[method](request, _Context())
            reply = await answering
            await self.pause()
        if started != self.starts:
            await _Context().abort(grpc.StatusCode.UNAVAILABLE, "containerd went away")
        return reply


class Imagefit:
    """One imagefit: what it does has no effect from its crash on."""

    def __init__(self, node: Node) -> None:
        self.is_dead = False
        self._node = node
        self._held: list[Held] = []
        backend: Any = self
        self.records = Records(backend, marks=Marks(node.folder / "pulls", self._aside))
        self.records.heal()

    async def call(self, method: str, request: bytes, timeout_seconds: float = 10.0) -> bytes:
        await self._alive()
        async with asyncio.timeout(timeout_seconds):
            reply = await self._node.answer(method, request)
        await self._alive()
        return reply

    def crash(self) -> None:
        self.is_dead = True
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for held in self._held:
            if _is_open(held):
                os.dup2(nothing, held.descriptor)  # which lets go of the lock, as the end of a process does
        os.close(nothing)

    async def _aside(self, work: Any, *arguments: object) -> Any:
        await self._node.pause()
        await self._alive()
        done = work(*arguments)
        if isinstance(done, Held):
            self._held = [*filter(_is_open, self._held), done]
        return done

    async def _alive(self) -> None:
        if self.is_dead:
            await self._node.never.wait()  # which keeps the tasks of the dead from being collected as garbage


def _is_open(held: Held) -> bool:
    with contextlib.suppress(OSError):
        link = Path(f"/proc/self/fd/{held.descriptor}").readlink()
        return str(link).removesuffix(" (deleted)") == str(held.path)
    return False


@dataclass(eq=False)
class Pull:
    """One pull of kubelet's.

    Attributes:
        removals: how often somebody removed images meanwhile.
        restarts: how often containerd restarted meanwhile.
        is_excused: it may end in any way.
        is_alone: nobody pulled another image under its tag meanwhile.
    """

    rewrite: Rewrite
    by: Imagefit
    task: "asyncio.Task[None]"
    removals: int = 0
    restarts: int = 0
    is_excused: bool = False
    is_alone: bool = True


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(lambda *_: None)
        self.folder = Path(tempfile.mkdtemp(prefix="imagefit-"))
        self.node = Node(self.folder)
        self.fake = self.node.containerd
        self.tags = dict(zip(TAGS, INDEXES, strict=False))
        self.pulls: list[Pull] = []
        self.plain: dict[str, str] = {}
        self.others: set[str] = set()
        self.unsure: set[str] = set()
        self.fits = [self.made()]

    # What happens.

    @rule(
        tag=st.sampled_from(TAGS),
        seed=st.integers(0, 1 << 16),
        ticks=st.integers(0, _MOMENTS),
        then=st.sampled_from(("nothing", "removal", "restart", "crash")),
    )
    def pull(self, tag: str, seed: int, ticks: int, then: str) -> None:
        """Have something happen when a pull has come so far."""
        self.node.chance.seed(seed)
        index = self.tags[tag]
        rewrite = Rewrite(parse_reference(f"app:{tag}"), index, CHOSEN[index])
        self.start(rewrite)
        self.tick(ticks)
        match then:
            case "removal":
                self.remove(tag, CHOSEN[index], by_child=True)
            case "restart":
                self.restart_containerd()
            case "crash":
                self.crash(0)

    @rule(tag=st.sampled_from(TAGS), index=st.sampled_from(INDEXES))
    def retag(self, tag: str, index: str) -> None:
        self.tags[tag] = index

    @rule(ticks=st.integers(1, 200))
    def go_on(self, ticks: int) -> None:
        self.tick(ticks)

    @rule(tag=st.sampled_from(TAGS), child=st.sampled_from(CHILDREN), by_child=st.booleans())
    def remove(self, tag: str, child: str, *, by_child: bool) -> None:
        name = f"{REPOSITORY}@{child}" if by_child else f"{REPOSITORY}:{tag}"
        digest = self.fake.names().get(name)
        if digest is None:
            return
        gone = {one for one, target in self.fake.names().items() if target == digest}
        for pull in self.pulls:
            if pull.rewrite.chosen_digest == digest:
                pull.removals += 1
                pull.is_excused |= bool(self.fake.pulling[pull.rewrite.chosen_name])
            self.unsure |= {*pull.rewrite.record_names} & gone
        self.ask("RemoveImage", name)
        self.others -= gone
        self.plain = {one: target for one, target in self.plain.items() if one not in gone}
        self.tick(1)

    @rule(child=st.sampled_from(CHILDREN))
    def pull_by_somebody_else(self, child: str) -> None:
        """Past imagefit; where imagefit has brought the name or is about to, nobody can tell whose it is."""
        name = f"{REPOSITORY}@{child}"
        if name in self.fake.records or name in self.marked() or self.concerns(name):
            return
        self.finish()
        self.ask("PullImage", name)
        self.others.add(name)

    @rule(child=st.sampled_from(CHILDREN))
    def pull_by_digest(self, child: str) -> None:
        """Through imagefit, which passes it on as it was asked for."""
        self.finish()
        reference = parse_reference(f"app@{child}")

        async def asked() -> None:
            async with self.fits[-1].records.kept(PULL, reference):
                await self.fits[-1].call(PULL, _pull_request(str(reference)))

        self.run(asked())
        self.others.add(str(reference))

    @rule()
    def restart_containerd(self) -> None:
        self.node.starts += 1
        for pull in self.pulls:
            pull.restarts += 1

    @rule(ticks=st.integers(0, 30))
    def crash(self, ticks: int) -> None:
        for one in self.fits:
            one.crash()
        for pull in self.pulls:
            pull.task.cancel()
            self.unsure |= {*pull.rewrite.record_names}
        self.pulls = []
        self.fits = [self.made()]
        self.tick(ticks)

    @rule()
    def restart(self) -> None:
        self.finish()
        self.fits = [self.made()]

    @rule()
    def hand_over(self) -> None:
        """The old one's pulls go on beside the new one's."""
        self.fits.append(self.made())

    @rule()
    def look(self) -> None:
        """What must hold whenever nothing is under way."""
        self.finish()
        names = self.fake.names()
        marked = self.marked()
        assert self.others <= names.keys(), "somebody else's name was removed"
        children = {f"{REPOSITORY}@{child}" for child in CHILDREN}
        assert names.keys() & children <= self.others | marked, "a name too many, and no mark of it"
        for name in self.unsure:
            self.plain.pop(name, None)
            if name in names:
                self.plain[name] = names[name]
        self.unsure = set()
        assert {name: digest for name, digest in names.items() if name not in children} == self.plain
        assert not self.fake.collected & {*names.values()}, "a name of what is not there"

    # How it is done.

    def start(self, rewrite: Rewrite) -> None:
        by = self.fits[-1]

        async def work() -> None:
            request = _pull_request(rewrite.chosen_name)
            await by.records.pulled(PULL, rewrite, lambda: by.call(PULL, request))

        others = [one for one in self.pulls if one.rewrite.reference == rewrite.reference]
        pull = Pull(rewrite, by, self.loop.create_task(work()))
        for one in others:
            if one.rewrite.index_digest != rewrite.index_digest:
                pull.is_alone = one.is_alone = False
        self.pulls.append(pull)
        pull.task.add_done_callback(lambda _: self.ended(pull))

    def ended(self, pull: Pull) -> None:
        """Compare how a pull ended with what it may have met."""
        if pull not in self.pulls:
            return  # its imagefit crashed
        self.pulls.remove(pull)
        names, error = pull.rewrite.record_names, pull.task.exception()
        if error is None:
            self.plain |= dict.fromkeys(names, pull.rewrite.chosen_digest)
            if pull.is_alone and not pull.removals:
                seen = {name: digest for name, digest in self.fake.names().items() if name in names}
                self.wrong += (
                    [] if seen == dict.fromkeys(names, pull.rewrite.chosen_digest) else [f"{pull} left {seen}"]
                )
            else:
                self.unsure |= {*names}
            return
        if not pull.is_excused and not pull.restarts and pull.removals <= _TIMES_AGAIN:
            self.wrong.append(f"{pull.rewrite.chosen_name} failed: {error!r}")
        if not isinstance(error, RecordsError | grpc.aio.AioRpcError):
            self.wrong.append(f"not an error of containerd: {error!r}")
        if pull.restarts > 1 or pull.removals or pull.is_excused or self.overlapped(pull):
            self.unsure |= {*names}

    def overlapped(self, pull: Pull) -> bool:
        return any({*one.rewrite.record_names} & {*pull.rewrite.record_names} for one in self.pulls)

    wrong: list[str]

    def made(self) -> Imagefit:
        self.wrong = getattr(self, "wrong", [])

        async def make() -> Imagefit:
            return Imagefit(self.node)

        return self.loop.run_until_complete(make())

    def tick(self, times: int) -> None:
        for _ in range(times):
            self.loop.tick()
        assert not self.wrong, self.wrong

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, _LONGEST_SECONDS))

    def ask(self, method: str, name: str) -> None:
        """Ask containerd past imagefit, at once."""
        pauses, self.fake.between_writes = self.fake.between_writes, None
        answering: Any = self.node.plane.unary[SERVICE + method](_pull_request(name), _Context())
        self.run(answering)
        self.fake.between_writes = pauses

    def concerns(self, name: str) -> bool:
        return any(pull.rewrite.chosen_name == name for pull in self.pulls)

    def marked(self) -> set[str]:
        async def work() -> Any:
            return await Marks(self.folder / "pulls", self.fits[-1]._aside).left()

        return {mark.name for mark in self.run(work())}

    def finish(self) -> None:
        """Have everything end, in the imagefits that live."""

        async def work() -> None:
            while self.pulls:
                await asyncio.wait([pull.task for pull in self.pulls])
            for one in self.fits:
                await one.records.settled(_LONGEST_SECONDS)

        self.run(work())
        self.fits = self.fits[-1:]
        assert not self.wrong, self.wrong

    def teardown(self) -> None:
        try:
            self.look()
            for tag in TAGS:
                self.start(Rewrite(parse_reference(f"app:{tag}"), self.tags[tag], CHOSEN[self.tags[tag]]))
                self.finish()
            self.look()
            assert not self.marked(), "what was marked is gone with the next pull"
        finally:
            for one in self.fits:
                one.crash()
            while tasks := asyncio.all_tasks(self.loop):  # what ends begins more, which has no effect either
                for task in tasks:
                    task.cancel()
                self.loop.tick()
            self.loop.close()
            asyncio.set_event_loop(None)
            shutil.rmtree(self.folder)


def _pull_request(name: str) -> bytes:
    return messages.PullImageRequest(image=messages.ImageSpec(image=name.encode())).SerializeToString()


TestHistories = Histories.TestCase
TestHistories.settings = settings(settings.get_profile(_PROFILE), stateful_step_count=20)


@pytest.mark.parametrize("then", ["removal", "restart", "crash"])
def test_at_every_moment_of_one_pull_this_leaves_what_a_plain_pull_leaves(then: str) -> None:
    for moment in range(_MOMENTS):
        history = Histories()
        try:
            history.pull("1", 3, moment, then)
            history.look()
        finally:
            history.teardown()
