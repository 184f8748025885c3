"""A chosen image that somebody removes between its pull and its names: it is pulled again, at most twice."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.containerd import ScriptedBackend
from fakes.images_api import SERVICE, FakeContainerd
from imagefit.cri import messages_pb2 as messages
from imagefit.cri.backend import Backend
from imagefit.cri.records import PULLS_AGAIN, Records
from imagefit.errors import VanishedError
from imagefit.model.outcome import Rewrite
from imagefit.model.reference import parse_reference

PULL = f"{SERVICE}PullImage"
INDEX, CHILD = (f"sha256:{number:064x}" for number in (1, 2))
TAG = "docker.io/library/app:1"
BY_INDEX = f"docker.io/library/app@{INDEX}"
BY_CHILD = f"docker.io/library/app@{CHILD}"
IMAGE_ID = f"sha256:{3:064x}"
CHOSEN = Rewrite(parse_reference("app:1"), INDEX, CHILD)
PLAIN = {TAG: CHILD, BY_INDEX: CHILD}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeContainerd]:
    backend = ScriptedBackend(tmp_path / "c.sock")
    containerd = FakeContainerd(backend)
    containerd.image_ids = {CHILD: IMAGE_ID}
    yield containerd
    backend.stop()


def pulled(fake: FakeContainerd, socket: Path, removed: Callable[[], None]) -> None:
    """Pull the chosen entry once; ``removed`` happens after each of containerd's replies."""

    async def work() -> None:
        backend = Backend(socket)
        request = messages.PullImageRequest(image=messages.ImageSpec(image=BY_CHILD.encode())).SerializeToString()

        async def pull() -> bytes:
            reply = await backend.call(PULL, request)
            removed()
            return reply

        try:
            await Records(backend, shown_seconds=5).pulled(PULL, CHOSEN, pull)
        finally:
            await backend.close()

    asyncio.run(work())


@pytest.mark.parametrize("times", [1, PULLS_AGAIN])
def test_an_image_that_is_removed_before_its_names_is_pulled_again(
    fake: FakeContainerd, tmp_path: Path, times: int
) -> None:
    def remove() -> None:
        if len(fake.pulled) <= times:
            fake.records.clear()

    pulled(fake, tmp_path / "c.sock", remove)
    assert len(fake.pulled) == 1 + times
    assert fake.names() == PLAIN


def test_one_that_is_removed_each_time_is_given_up(fake: FakeContainerd, tmp_path: Path) -> None:
    with pytest.raises(VanishedError, match="was removed between its pull and its names"):
        pulled(fake, tmp_path / "c.sock", fake.records.clear)
    assert len(fake.pulled) == 1 + PULLS_AGAIN
    assert fake.names() == {}


def test_one_that_is_removed_while_its_names_are_written_is_pulled_again(fake: FakeContainerd, tmp_path: Path) -> None:
    """The names then stand for content that is gone, and never show."""

    async def remove(method: str) -> None:
        if method == "Create" and len(fake.pulled) == 1:
            fake.records.pop(IMAGE_ID, None)
            fake.records.pop(BY_CHILD, None)
            fake.hidden = {TAG, BY_INDEX}
        if method == "PullImage":
            fake.hidden = set()

    fake.before_reply = remove
    pulled(fake, tmp_path / "c.sock", lambda: None)
    assert len(fake.pulled) == 2
    assert fake.names() == PLAIN


def test_one_whose_old_name_is_removed_while_it_is_rewritten_is_pulled_again(
    fake: FakeContainerd, tmp_path: Path
) -> None:
    """Containerd said that the name was there, and then that it was not."""
    fake.records[TAG] = messages.Image(name=TAG, target=messages.Descriptor(digest=INDEX, size=3))

    async def remove(method: str) -> None:
        if method == "Update" and len(fake.pulled) == 1:
            fake.records.clear()

    fake.before_reply = remove
    pulled(fake, tmp_path / "c.sock", lambda: None)
    assert len(fake.pulled) == 2
    assert fake.names() == PLAIN


def test_names_that_only_show_late_are_not_taken_for_an_image_that_was_removed(
    fake: FakeContainerd, tmp_path: Path
) -> None:
    fake.hidden = {TAG}

    async def show(method: str) -> None:
        if method == "Update":  # they are written again after a second
            fake.hidden = set()

    fake.before_reply = show
    pulled(fake, tmp_path / "c.sock", lambda: None)
    assert len(fake.pulled) == 1
    assert fake.names() == PLAIN
