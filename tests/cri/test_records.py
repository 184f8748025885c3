"""The steps around a rewritten pull: what is left after each way they can go."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc
import pytest

from fakes.containerd import ScriptedBackend
from fakes.images_api import SERVICE, FakeContainerd
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.backend import Backend
from imagefit.cri.records import Records
from imagefit.errors import ContainerdAwayError, RecordsError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import parse_reference

PULL = f"{SERVICE}PullImage"
INDEX, CHILD, OTHER = (f"sha256:{number:064x}" for number in (1, 2, 3))
TAG = "docker.io/library/app:1"
TAG_2 = "docker.io/library/app:2"
BY_INDEX = f"docker.io/library/app@{INDEX}"
BY_CHILD = f"docker.io/library/app@{CHILD}"
CHOSEN = Rewrite(parse_reference("app:1"), INDEX, CHILD)
PLAIN = {TAG: CHILD, BY_INDEX: CHILD}


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedBackend]:
    backend = ScriptedBackend(tmp_path / "c.sock")
    yield backend
    backend.stop()


@pytest.fixture
def fake(scripted: ScriptedBackend) -> FakeContainerd:
    containerd = FakeContainerd(scripted)
    containerd.image_ids = {CHILD: "sha256:image", OTHER: "sha256:other"}
    return containerd


Pull = Callable[[], Awaitable[bytes]]
Work = Callable[[Records, Callable[[str], Pull]], Awaitable[None]]


def run(scripted: ScriptedBackend, work: Work, shown_seconds: float = 5) -> None:
    """Do some work with records on the fake, in an event loop of its own."""

    async def _run() -> None:
        backend = Backend(scripted.socket)

        def pulling(name: str) -> Pull:
            request = messages.PullImageRequest(image=messages.ImageSpec(image=name.encode())).SerializeToString()
            return lambda: backend.call(PULL, request)

        try:
            await work(Records(backend, shown_seconds), pulling)
        finally:
            await backend.close()

    asyncio.run(_run())


def pulls(rewrite: Rewrite = CHOSEN) -> Work:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        await records.pulled(PULL, rewrite, pulling(rewrite.chosen_name))

    return work


@pytest.mark.parametrize(
    ("reference", "left"),
    [
        pytest.param("app:1", {TAG, BY_INDEX}, id="tag"),
        pytest.param(f"app@{INDEX}", {BY_INDEX}, id="digest-of-the-index"),
        pytest.param(f"app:1@{INDEX}", {BY_INDEX}, id="tag-and-digest-drops-the-tag"),
    ],
)
def test_the_names_of_a_plain_pull_are_left_and_no_other(
    scripted: ScriptedBackend, fake: FakeContainerd, reference: str, left: set[str]
) -> None:
    run(scripted, pulls(Rewrite(parse_reference(reference), INDEX, CHILD)))
    assert fake.names() == dict.fromkeys(left, CHILD)
    assert all(record.labels == {"io.cri-containerd.image": "managed"} for record in fake.records.values())
    assert {record.target.media_type for record in fake.records.values()} == {"application/x"}


def test_a_record_that_was_there_stays(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    fake.records[BY_CHILD] = messages.Image(name=BY_CHILD, target=messages.Descriptor(digest=CHILD))
    run(scripted, pulls())
    assert fake.names() == {**PLAIN, BY_CHILD: CHILD}


def test_an_existing_tag_is_pointed_at_the_new_child_and_keeps_its_other_labels(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    fake.records[TAG] = messages.Image(name=TAG, labels={"a": "b"}, target=messages.Descriptor(digest=OTHER))
    run(scripted, pulls())
    assert fake.names() == PLAIN
    assert fake.records[TAG].labels == {"a": "b", "io.cri-containerd.image": "managed"}


def _old(name: str) -> messages.Image:
    return messages.Image(name=name, labels={"a": "b"}, target=messages.Descriptor(digest=OTHER, size=3))


@pytest.mark.parametrize("method", ["Create", "Update", "ImageStatus"])
def test_what_was_written_is_undone_where_containerd_refuses_a_step(
    scripted: ScriptedBackend, fake: FakeContainerd, method: str
) -> None:
    fake.records[TAG] = _old(TAG)
    fake.refusing = {method}

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError, match=f"UNAVAILABLE: {method} is refused"):
            await pulls()(records, pulling)

    run(scripted, work)
    if method == "Update":  # then nothing can be put back, and nothing was changed
        fake.refusing = set()
    assert fake.records[TAG] == _old(TAG)
    assert BY_INDEX not in fake.records


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, ContainerdAwayError) for status in ("UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED")),
        *((status, ContainerdAwayError) for status in ("UNKNOWN", "INTERNAL", "ABORTED", "RESOURCE_EXHAUSTED")),
        *((status, RecordsError) for status in ("UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED")),
        *((status, RecordsError) for status in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")),
    ],
)
@pytest.mark.parametrize("method", ["Get", "Create", "ImageStatus"])
def test_a_containerd_that_is_away_is_told_from_one_that_refuses(
    scripted: ScriptedBackend, fake: FakeContainerd, method: str, status: str, kind: type[RecordsError]
) -> None:
    fake.refusing, fake.refusal = {method}, grpc.StatusCode[status]

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError, match=status) as raised:
            await pulls()(records, pulling)
        assert type(raised.value) is kind

    run(scripted, work)


def test_names_that_do_not_show_in_time_are_undone(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    fake.records[TAG] = _old(TAG)
    fake.hidden = {BY_INDEX}

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError, match="did not show"):
            await pulls()(records, pulling)

    run(scripted, work, shown_seconds=0.2)
    assert fake.records[TAG] == _old(TAG)
    assert BY_INDEX not in fake.records


def test_names_that_show_late_are_waited_for(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    fake.hidden = {TAG}

    async def later(method: str) -> None:
        if fake.calls.count("ImageStatus") > 4:
            fake.hidden = set()

    fake.before_reply = later
    run(scripted, pulls())
    assert fake.names() == PLAIN


def test_a_containerd_that_stood_still_is_given_its_time_again(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    """It had no time to show the names: giving up would bring containerd's own choice in."""
    fake.hidden = {TAG}

    async def stand_still(method: str) -> None:
        if method == "ImageStatus":
            await asyncio.sleep(1.3 if fake.calls.count(method) <= 2 else 0)
        if method == "Update":  # names that do not show are written again
            fake.hidden = set()

    fake.before_reply = stand_still
    run(scripted, pulls(), shown_seconds=1.2)
    assert fake.names() == PLAIN


def test_nothing_is_pulled_where_the_images_api_is_refused(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    fake.refusing = {"Get"}

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError):
            await pulls()(records, pulling)

    run(scripted, work)
    assert not fake.pulled


def test_two_tags_that_choose_one_child_at_the_same_time_both_get_their_names(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        second = Rewrite(parse_reference("app:2"), INDEX, CHILD)
        await asyncio.gather(*(pulls(one)(records, pulling) for one in (CHOSEN, second) for _ in range(10)))

    run(scripted, work)
    assert fake.names() == {**PLAIN, TAG_2: CHILD}


def test_a_pull_that_starts_while_another_one_ends_does_not_take_its_record_for_an_older_one(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        second = Rewrite(parse_reference("app:2"), INDEX, CHILD)

        async def pull_slowly() -> bytes:
            reply = await pulling(BY_CHILD)()
            late = asyncio.ensure_future(pulls(second)(records, pulling))
            await asyncio.sleep(0.05)
            tasks.append(late)
            return reply

        tasks: list[asyncio.Future[None]] = []
        await records.pulled(PULL, CHOSEN, pull_slowly)
        await asyncio.gather(*tasks)

    run(scripted, work)
    assert fake.names() == {**PLAIN, TAG_2: CHILD}


def test_a_pull_of_the_child_itself_keeps_its_name_whatever_else_is_pulled(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async def by_child() -> None:
            async with records.kept(PULL, parse_reference(BY_CHILD)):
                await pulling(BY_CHILD)()

        await asyncio.gather(pulls()(records, pulling), by_child(), pulls()(records, pulling))

    run(scripted, work)
    assert fake.names() == {**PLAIN, BY_CHILD: CHILD}


def test_a_caller_that_goes_away_after_the_pull_still_gets_its_names(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        pulled = asyncio.Event()

        async def pull() -> bytes:
            reply = await pulling(BY_CHILD)()
            pulled.set()
            return reply

        task = asyncio.ensure_future(records.pulled(PULL, CHOSEN, pull))
        await pulled.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if fake.names() == PLAIN:
                return
            await asyncio.sleep(0.02)

    run(scripted, work)
    assert fake.names() == PLAIN


@pytest.mark.parametrize("method", ["Create", "ImageStatus"])
def test_an_undone_choice_leaves_no_name_of_the_child_either(
    scripted: ScriptedBackend, fake: FakeContainerd, method: str
) -> None:
    fake.refusing = {method}

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError):
            await pulls()(records, pulling)
        await records.settled(5)

    run(scripted, work)
    assert fake.names() == {}


def test_a_failed_removal_costs_one_name_too_many_and_not_the_pull(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    fake.refusing = {"Delete"}
    run(scripted, pulls())
    assert fake.names() == {**PLAIN, BY_CHILD: CHILD}


def test_a_removal_waits_for_the_last_pull_and_a_new_pull_for_the_removal(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    """Containerd creates and then updates a pulled name; a removal in between would fail the pull."""
    under_way = 0
    overlaps: list[int] = []

    async def watch(method: str) -> None:
        nonlocal under_way
        if method == "PullImage":
            under_way += 1
            await asyncio.sleep(0.01)
            under_way -= 1
        if method == "Delete":
            overlaps.append(under_way)

    fake.before_reply = watch

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async def later(number: int) -> None:
            await asyncio.sleep(number * 0.004)
            await pulls()(records, pulling)

        await asyncio.gather(*(later(number) for number in range(30)))

    run(scripted, work)
    assert fake.names() == PLAIN
    assert overlaps
    assert not any(overlaps)


def test_a_pull_that_fails_while_another_one_succeeds_leaves_the_others_names(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async def failing() -> bytes:
            await asyncio.sleep(0.2)
            raise ConnectionError

        results = await asyncio.gather(
            pulls()(records, pulling), records.pulled(PULL, CHOSEN, failing), return_exceptions=True
        )
        assert isinstance(results[1], ConnectionError)
        await records.settled(5)

    run(scripted, work)
    assert fake.names() == PLAIN


def test_one_refused_look_is_not_remembered(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async with records.kept(PULL, parse_reference(BY_CHILD)):
            fake.refusing = {"Get"}
            with pytest.raises(RecordsError):
                await pulls()(records, pulling)
            fake.refusing = set()
            await pulls()(records, pulling)

    run(scripted, work)
    assert PLAIN.items() <= fake.names().items()


def test_a_stop_waits_for_names_that_are_being_written(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        await records.settled(1)
        task = asyncio.ensure_future(pulls()(records, pulling))
        while not (fake.pulled and records._holds._working):
            assert not task.done()
            await asyncio.sleep(0)
        await records.settled(5)
        assert fake.names() == PLAIN
        await task

    run(scripted, work)


def test_a_pull_that_fails_leaves_nothing_and_its_error_is_containerds(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    fake.image_ids = {}

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(Exception, match="not found"):
            await pulls()(records, pulling)

    run(scripted, work)
    assert fake.names() == {}


WRITES = {"Create", "Update"}


def test_a_repeated_pull_writes_nothing_that_is_right_already(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    run(scripted, pulls())
    assert fake.calls.count("Create") == 2
    fake.calls.clear()
    run(scripted, pulls())
    assert not WRITES & set(fake.calls)
    assert fake.calls.count("Delete") == 1
    assert fake.names() == PLAIN


def _record(
    media_type: str = "application/x", digest: str = CHILD, size: int = 7, label: str = "managed"
) -> messages.Image:
    target = messages.Descriptor(media_type=media_type, digest=digest, size=size)
    return messages.Image(name=TAG, labels={"io.cri-containerd.image": label}, target=target)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(_record(digest=OTHER), id="another-target"),
        pytest.param(_record(size=0), id="without-a-size"),
        pytest.param(_record(media_type=""), id="without-a-media-type"),
        pytest.param(_record(label="unmanaged"), id="another-label"),
    ],
)
def test_a_record_that_is_not_right_is_written_and_the_other_is_not(
    scripted: ScriptedBackend, fake: FakeContainerd, wrong: messages.Image
) -> None:
    run(scripted, pulls())
    fake.records[TAG] = wrong
    fake.calls.clear()
    run(scripted, pulls())
    assert [call for call in fake.calls if call in WRITES] == ["Create", "Update"]
    assert fake.records[TAG] == _record()


@pytest.mark.parametrize("when", ["PullImage", "ImageStatus"])
def test_names_that_are_removed_during_a_repeated_pull_are_written_anew(
    scripted: ScriptedBackend, fake: FakeContainerd, when: str
) -> None:
    """They stood when they were looked at, and go before containerd's answer, or before they show."""
    run(scripted, pulls())

    async def remove(method: str) -> None:
        if method == when:
            fake.before_reply = None
            await asyncio.sleep(0.05)  # until they have been looked at
            del fake.records[TAG], fake.records[BY_INDEX]

    fake.before_reply = remove
    run(scripted, pulls())
    assert fake.names() == PLAIN


def test_a_tag_that_another_pull_moves_meanwhile_is_moved_back(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    run(scripted, pulls())

    async def move(method: str) -> None:
        if method == "PullImage":
            await asyncio.sleep(0.05)
            fake.records[TAG].target.digest = OTHER

    fake.before_reply = move
    run(scripted, pulls())
    assert fake.names() == PLAIN


def test_a_look_that_is_refused_during_the_pull_costs_no_more_than_a_second_one(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def refuse(method: str) -> None:
        if method == "PullImage":
            fake.refusing = {"Get"}
            await asyncio.sleep(0.05)
            fake.refusing = set()

    fake.before_reply = refuse
    run(scripted, pulls())
    assert fake.names() == PLAIN


def test_a_name_that_is_written_late_is_undone_like_the_others(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    creates: list[str] = []

    async def refuse_first(method: str) -> None:
        if method == "Create":
            creates.append(method)
            if len(creates) == 1:
                raise ConnectionError
            await asyncio.sleep(0.1)

    fake.before_reply = refuse_first

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        with pytest.raises(RecordsError):
            await pulls()(records, pulling)
        await asyncio.sleep(0.2)

    run(scripted, work)
    assert len(creates) == 2
    assert fake.names() == {}


def test_the_pulled_name_goes_only_once_the_others_are_written(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    left: list[dict[str, str]] = []

    async def watch(method: str) -> None:
        if method == "Delete":
            left.append(fake.names())

    fake.before_reply = watch
    run(scripted, pulls())
    run(scripted, pulls())
    assert left == [{**PLAIN, BY_CHILD: CHILD}] * 2


def _managed(name: str, digest: str = CHILD) -> messages.Image:
    target = messages.Descriptor(media_type="application/x", digest=digest, size=7)
    return messages.Image(name=name, labels={"io.cri-containerd.image": "managed"}, target=target)


def test_names_that_are_right_and_that_cri_has_missed_are_written_again(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    """As after a restart of containerd at which a piece of the image was not there."""
    fake.records |= {name: _managed(name) for name in PLAIN}
    fake.forgotten = set(PLAIN)
    run(scripted, pulls(), shown_seconds=0.5)  # which is less than what names are given to show
    assert fake.names() == PLAIN
    assert fake.calls.count("Update") == len(PLAIN)


@pytest.mark.parametrize("moved", [None, OTHER], ids=["removed", "moved-to-another-manifest-of-the-same-image"])
def test_a_name_that_is_removed_or_moved_during_the_pull_is_put_right_though_cri_has_not_heard_of_it(
    scripted: ScriptedBackend, fake: FakeContainerd, moved: str | None
) -> None:
    fake.records |= {name: _managed(name) for name in PLAIN}
    fake.image_ids[OTHER] = fake.image_ids[CHILD]

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async def pull() -> bytes:
            await asyncio.sleep(0.1)  # the names have been looked at by then
            reply = await pulling(CHOSEN.chosen_name)()
            if moved is None:
                fake.remembered[TAG] = fake.records.pop(TAG)
            else:
                fake.records[TAG] = _managed(TAG, moved)
            return reply

        await records.pulled(PULL, CHOSEN, pull)

    run(scripted, work)
    assert fake.names() == PLAIN


def test_what_is_removed_while_it_should_show_is_written_again(scripted: ScriptedBackend, fake: FakeContainerd) -> None:
    removed: list[str] = []

    async def remove_once(method: str) -> None:
        if method == "ImageStatus" and TAG in fake.records and not removed:
            removed.append(TAG)
            del fake.records[TAG]

    fake.before_reply = remove_once
    run(scripted, pulls())
    assert removed == [TAG]
    assert fake.names() == PLAIN


@pytest.mark.parametrize("how", ["refused", "cancelled"])
def test_a_record_stays_where_containerd_has_not_said_whether_it_was_there(
    scripted: ScriptedBackend, fake: FakeContainerd, how: str
) -> None:
    fake.records[BY_CHILD] = _managed(BY_CHILD)

    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        pull = asyncio.ensure_future(records.pulled(PULL, CHOSEN, pulling(CHOSEN.chosen_name)))
        if how == "cancelled":
            await asyncio.sleep(0)
            pull.cancel()
        with pytest.raises((RecordsError, asyncio.CancelledError)):
            await pull
        await records.settled(5)

    if how == "refused":
        fake.refusing.add("Get")
    run(scripted, work)
    assert fake.names() == {BY_CHILD: CHILD}


def test_a_pull_as_asked_that_fails_keeps_no_record_of_a_chosen_one(
    scripted: ScriptedBackend, fake: FakeContainerd
) -> None:
    async def work(records: Records, pulling: Callable[[str], Pull]) -> None:
        async def fails() -> None:
            async with records.kept(PULL, parse_reference(BY_CHILD)):
                await records.pulled(PULL, CHOSEN, pulling(CHOSEN.chosen_name))
                raise ConnectionError

        with pytest.raises(ConnectionError):
            await fails()
        await records.settled(5)

    run(scripted, work)
    assert fake.names() == PLAIN
