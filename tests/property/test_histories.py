"""Histories of a node: whatever is pulled, removed, moved, restarted, crashes and is handed over, in whatever order.

The model is what a plain containerd would hold: names and what they stand for. The containerd is the one in memory
that obeys the same contract test as the real one; time is counted and not waited for, so that a history replays. What
happens strikes while a call of imagefit's, or its work on a mark, waits at a stop, and not at any tick of the loop:
there are many ticks at which a strike changes nothing.
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
from imagefit.cri.records import PULLS_AGAIN, Records
from imagefit.errors import RecordsError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import parse_reference

settings.register_profile("histories", derandomize=True, deadline=None, database=None, max_examples=160)
settings.register_profile("thorough", deadline=None, database=None, max_examples=5000)
_PROFILE: Final = os.environ.get("IMAGEFIT_HYPOTHESIS", "histories")

PULL: Final = f"{SERVICE}PullImage"
REPOSITORY: Final = "docker.io/library/app"
TAGS: Final = ("1", "2")
# Each index with the entry that is chosen of it: two of them share one.
CHOSEN: Final = {f"sha256:{index:064x}": f"sha256:{child:064x}" for index, child in ((1, 11), (2, 12), (3, 11))}
INDEXES: Final = tuple(CHOSEN)
CHILDREN: Final = tuple(dict.fromkeys(CHOSEN.values()))
CHILD_NAMES: Final = frozenset(f"{REPOSITORY}@{child}" for child in CHILDREN)
IMAGE_IDS: Final = {child: f"sha256:{number:064x}" for number, child in enumerate(CHILDREN, 21)}
_LONGEST_SECONDS: Final = 300.0
# Where a call, or work on a mark, waits that comes by: each place after which something else would be left.
STOPS: Final = (
    *("after Get", "after hold", "before PullImage", "after PullImage", "before Create", "after Create"),
    *("after Update", "before ImageStatus", "before is_last", "before Delete", "after Delete", "after lift"),
)
STRIKES: Final = ("removal", "restart", "crash", "hand-over", "same pull", "call off", "asked for")
# A pull comes to a stop before so many steps of the loop, or never.
_MOMENTS: Final = 400


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
        self.arm("", 0)
        self.plane = Plane()
        self.containerd = FakeContainerd(self.plane)
        self.containerd.image_ids = dict(IMAGE_IDS)
        self.containerd.between_writes = self.pause

    async def pause(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 2))):
            await asyncio.sleep(self.chance.choice((0, 0.001, 0.02)))

    def arm(self, stop: str, nth: int) -> None:
        """Have the nth call wait that comes by a stop from now on."""
        self.stop, self.nth, self.is_there, self.go_on = stop, nth, False, asyncio.Event()

    def release(self) -> None:
        self.stop = ""
        self.go_on.set()

    async def visit(self, stop: str) -> None:
        if stop != self.stop:
            return
        self.nth -= 1
        if not self.nth:
            self.is_there = True
            await self.go_on.wait()

    async def answer(self, by: "Imagefit", method: str, request: bytes) -> bytes:
        """Answer a call, which comes to nothing where its caller has died before it was done."""
        started, reply, last = self.starts, b"", method.rpartition("/")[2]
        await self.pause()
        await self.visit(f"before {last}")
        if started == self.starts and not by.is_dead:
            answering: Any = self.plane.unary[method](request, _Context())
            reply = await answering
            await self.visit(f"after {last}")
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
            reply = await self._node.answer(self, method, request)
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
        await self._node.visit(f"before {work.__name__}")
        await self._alive()
        done = work(*arguments)
        if isinstance(done, Held):
            self._held = [*filter(_is_open, self._held), done]
        await self._node.visit(f"after {work.__name__}")
        await self._alive()
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
        before: what its names stood for when it began.
        removals: how often somebody removed its image meanwhile.
        restarts: how often containerd restarted meanwhile.
        is_excused: it may end in any way.
        is_alone: nobody else pulled anything under one of its names meanwhile.
    """

    tag: str
    rewrite: Rewrite
    task: "asyncio.Task[None]"
    before: dict[str, str]
    removals: int = 0
    restarts: int = 0
    is_excused: bool = False
    is_alone: bool = True


class Histories(RuleBasedStateMachine):
    """What happens to a node; ``look`` says what must hold whenever nothing is under way.

    Attributes:
        tags: what the registry has.
        plain: what the names that plain pulls leave have to stand for.
        unsure: those of them that may stand for something else, since several things happened to them at once.
        others: names that somebody else brought in, which have to stay.
        allowed: names that may stay, since their own pull has begun and need not have ended well.
        dead: names that may stand for what is gone, until they are pulled again: their imagefit crashed between its
            look at the image, which somebody removed, and its look at the names.
        wrong: what pulls did that they must not.
    """

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
        self.unsure: set[str] = set()
        self.others: set[str] = set()
        self.allowed: set[str] = set()
        self.asking: set[asyncio.Task[None]] = set()
        self.dead: set[str] = set()
        self.wrong: list[str] = []
        self.fits = [self.made()]

    # What happens.

    @rule(
        tag=st.sampled_from(TAGS),
        strike=st.sampled_from(STRIKES),
        stop=st.sampled_from(STOPS),
        nth=st.sampled_from((1, 2)),
        seed=st.sampled_from(range(1 << 10)),
        is_awaited=st.booleans(),
    )
    def pull(self, tag: str, strike: str, stop: str, nth: int, seed: int, *, is_awaited: bool) -> None:
        """Have something happen when a pull has come to a stop; after that it goes on, perhaps beside what comes."""
        self.node.chance.seed(seed)
        self.node.arm(stop, nth)
        pull = self.start(tag)
        for _ in range(_MOMENTS):
            if self.node.is_there or pull not in self.pulls:
                break
            self.tick()
        self.struck(strike, pull)
        self.node.release()
        if is_awaited:
            self.look()

    @rule(strike=st.sampled_from(STRIKES), tag=st.sampled_from(TAGS))
    def happen(self, strike: str, tag: str) -> None:
        """Have the same happen at any time."""
        self.struck(strike, self.start(tag))

    @rule(tag=st.sampled_from(TAGS), index=st.sampled_from(INDEXES))
    def retag(self, tag: str, index: str) -> None:
        self.tags[tag] = index

    @rule(child=st.sampled_from(CHILDREN))
    def pull_by_somebody_else(self, child: str) -> None:
        """Past imagefit, where imagefit has not brought the name: else nobody could tell whose it is."""
        self.finish()
        name = f"{REPOSITORY}@{child}"
        if name not in self.fake.records and name not in self.marked():
            self.ask("PullImage", name)
            self.others.add(name)

    def struck(self, strike: str, pull: Pull) -> None:
        match strike:
            case "removal":
                self.remove(pull.rewrite.chosen_digest)
            case "restart":
                self.node.starts += 1
                for one in self.pulls:
                    one.restarts += 1
            case "crash":
                self.crash()
            case "hand-over":  # the old one's pulls go on beside the new one's
                self.fits.append(self.made())
                self.start(pull.tag)
            case "same pull":
                self.start(pull.tag)
            case "call off":
                pull.task.cancel()
            case _:
                self.asked_for(pull.rewrite.chosen_name)

    def remove(self, digest: str) -> None:
        """Remove an image with all its names, as kubelet does."""
        gone = {name for name, target in self.fake.names().items() if target == digest}
        for pull in self.pulls:
            if pull.rewrite.chosen_digest == digest:
                pull.removals += 1
                pull.is_excused |= bool(self.fake.pulling[pull.rewrite.chosen_name])
                self.unsure |= {*pull.rewrite.record_names}
                # What was there when the pull looked and is gone when it pulls is taken for what was there.
                self.allowed |= {pull.rewrite.chosen_name} & self.others
        if gone:
            self.ask("RemoveImage", min(gone))
        self.others -= gone
        self.plain = {name: target for name, target in self.plain.items() if target != digest}

    def crash(self) -> None:
        """End every imagefit, and start one."""
        for one in self.fits:
            one.crash()
        for pull in self.pulls:
            pull.task.cancel()
            self.unsure |= {*pull.rewrite.record_names}
            self.dead |= {*pull.rewrite.record_names} if pull.removals else set()
        for task in self.asking:
            task.cancel()
        self.pulls, self.asking = [], set()
        self.fits = [self.made()]

    def asked_for(self, name: str) -> None:
        """Pull the very name that a chosen image is pulled by, through imagefit, which passes that on."""
        by = self.fits[-1]
        self.allowed.add(name)

        async def work() -> None:
            async with by.records.kept(PULL, parse_reference(name)):
                await by.call(PULL, _pull_request(name))
            if self.fits == [by]:  # another one may have removed it before it could know
                self.others |= {name} & self.fake.records.keys()

        task = self.loop.create_task(work())
        task.add_done_callback(lambda _: task.cancelled() or task.exception())
        self.asking.add(task)

    @rule()
    def look(self) -> None:
        """What must hold whenever nothing is under way."""
        self.finish()
        names = self.fake.names()
        assert self.others <= names.keys(), "somebody else's name was removed"
        assert names.keys() & CHILD_NAMES <= self.others | self.allowed | self.marked(), (
            "a name too many, and no mark of it"
        )
        lives = {digest for name, digest in names.items() if name not in self.dead}
        assert not self.fake.collected & lives, "a name of what is not there"
        left = {name: digest for name, digest in names.items() if name not in CHILD_NAMES}
        self.plain |= {name: digest for name, digest in left.items() if name in self.unsure}
        self.plain = {name: digest for name, digest in self.plain.items() if name not in self.unsure - left.keys()}
        self.unsure = set()
        assert left == self.plain

    # How it is done.

    def start(self, tag: str) -> Pull:
        index, by = self.tags[tag], self.fits[-1]
        rewrite = Rewrite(parse_reference(f"app:{tag}"), index, CHOSEN[index])

        async def work() -> None:
            request = _pull_request(rewrite.chosen_name)
            await by.records.pulled(PULL, rewrite, lambda: by.call(PULL, request))

        pull = Pull(tag, rewrite, self.loop.create_task(work()), self.standing(rewrite))
        for one in self.pulls:
            if one.rewrite.chosen_name == rewrite.chosen_name:
                pull.restarts = max(pull.restarts, one.restarts)  # they share a look at that name
            if not {*one.rewrite.record_names}.isdisjoint(rewrite.record_names):
                pull.is_alone = one.is_alone = False
        self.pulls.append(pull)
        pull.task.add_done_callback(lambda _: self.ended(pull))
        return pull

    def standing(self, rewrite: Rewrite) -> dict[str, str]:
        return {name: digest for name, digest in self.fake.names().items() if name in rewrite.record_names}

    def ended(self, pull: Pull) -> None:
        """Compare how a pull ended with what it may have met."""
        if pull not in self.pulls:
            return  # its imagefit crashed
        self.pulls.remove(pull)
        names, left = pull.rewrite.record_names, self.standing(pull.rewrite)
        if pull.task.cancelled():
            self.unsure |= {*names}
            return
        error = pull.task.exception()
        wanted = pull.before if error else dict.fromkeys(names, pull.rewrite.chosen_digest)
        if not isinstance(error, RecordsError | grpc.aio.AioRpcError | None):
            self.wrong.append(f"not an error of containerd: {error!r}")
        elif error and not (pull.is_excused or pull.restarts or pull.removals > PULLS_AGAIN):
            self.wrong.append(f"{pull.rewrite.chosen_name} failed: {error!r}")
        elif not pull.is_alone or pull.removals or (error and pull.restarts != 1):
            self.unsure |= {*names}
        elif left != wanted:
            self.wrong.append(f"{pull} left {left}, error: {error!r}")
        if not error:
            self.plain |= wanted
            self.dead -= {*names}

    def made(self) -> Imagefit:
        async def make() -> Imagefit:
            return Imagefit(self.node)

        return self.loop.run_until_complete(make())

    def tick(self) -> None:
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

    def marked(self) -> set[str]:
        async def work() -> Any:
            return await Marks(self.folder / "pulls", self.fits[-1]._aside).left()

        return {mark.name for mark in self.run(work())}

    def finish(self) -> None:
        """Have everything end, in the imagefits that live."""

        async def work() -> None:
            while tasks := self.asking | {pull.task for pull in self.pulls}:
                self.asking -= (await asyncio.wait(tasks))[0]
            for one in self.fits:
                await one.records.settled(_LONGEST_SECONDS)

        self.run(work())
        self.fits = self.fits[-1:]
        assert not self.wrong, self.wrong

    def teardown(self) -> None:
        try:
            self.look()
            for tag in TAGS:
                self.start(tag)
                self.finish()
            self.look()
            assert self.fake.names().keys() & CHILD_NAMES <= self.others | self.allowed, (
                "what was left goes with the next pull"
            )
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
TestHistories.settings = settings(settings.get_profile(_PROFILE), stateful_step_count=8)


@pytest.mark.parametrize("strike", STRIKES)
def test_at_every_stop_of_one_pull_this_leaves_what_a_plain_pull_leaves(strike: str) -> None:
    for stop in STOPS:
        for nth in (1, 2):
            history = Histories()
            try:
                history.pull("1", strike, stop, nth, 3, is_awaited=True)
            finally:
                history.teardown()
