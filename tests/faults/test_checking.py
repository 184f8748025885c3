"""The check itself can fail: what a fault must not leave is found where it is planted."""

from collections.abc import Callable, Iterator

import pytest

from faults import checking, errors
from faults.checking import Records
from faults.images import Build, Image

RIGHT = Build("sha256:right", "sha256:right-id")
WRONG = Build("sha256:wrong", "sha256:wrong-id")
IMAGE = Image("r/a/b:1", "sha256:index", RIGHT, WRONG)
MOVED = Image("r/a/b:1", "sha256:moved", Build("sha256:other", "sha256:other-id"), WRONG)
PULLED = {"r/a/b:1": RIGHT.digest, "r/a/b@sha256:index": RIGHT.digest, RIGHT.image_id: RIGHT.digest}
OTHERS = {"r/other:1": "sha256:o", "sha256:o-id": "sha256:o", "r/a/bc@sha256:x": "sha256:x"}


def pulled(after: Records) -> Iterator[str]:
    """Yield what a look after a pull finds."""
    yield from checking.missing(after, IMAGE)
    yield from checking.wrong_build(after, IMAGE)
    yield from checking.dangling(after, [IMAGE])


def lost(after: Records) -> Iterator[str]:
    """Yield what of the others is lost."""
    return checking.lost(OTHERS, after)


def left_over(after: Records) -> Iterator[str]:
    """Yield what a removal has left."""
    return checking.left_over(after, IMAGE)


def test_what_a_plain_pull_leaves_is_right() -> None:
    after = OTHERS | PULLED
    assert [*pulled(after), *lost(after)] == []
    assert list(left_over(OTHERS)) == []


def test_both_indexes_of_a_tag_that_moved_may_stand() -> None:
    after = PULLED | {"r/a/b@sha256:moved": "sha256:other"}
    assert list(checking.dangling(after, [IMAGE, MOVED])) == []
    assert list(checking.dangling(after, [IMAGE])) == ["r/a/b@sha256:moved dangles"]


@pytest.mark.parametrize(
    ("find", "after", "found"),
    [
        (pulled, PULLED | {"r/a/b@sha256:right": RIGHT.digest}, "r/a/b@sha256:right dangles"),
        (pulled, PULLED | {"r/a/b:2": RIGHT.digest}, "r/a/b:2 dangles"),
        (pulled, PULLED | {"r/a/b:1": WRONG.digest}, "r/a/b:1 is the wrong build: sha256:wrong"),
        (pulled, PULLED | {IMAGE.index_name: "sha256:index"}, f"{IMAGE.index_name} is the wrong build: sha256:index"),
        (pulled, {name: PULLED[name] for name in PULLED if name != "r/a/b:1"}, "r/a/b:1 is missing"),
        (pulled, {name: PULLED[name] for name in PULLED if "@" not in name}, "r/a/b@sha256:index is missing"),
        (lost, {name: OTHERS[name] for name in OTHERS if name != "r/other:1"}, "r/other:1 is lost"),
        (lost, OTHERS | {"r/other:1": "sha256:y"}, "r/other:1 has become sha256:y"),
        (left_over, OTHERS | {"r/a/b@sha256:right": RIGHT.digest}, "r/a/b@sha256:right is left over"),
        (left_over, OTHERS | {WRONG.image_id: WRONG.digest}, "sha256:wrong-id is left over"),
    ],
)
def test_what_is_planted_is_found(find: Callable[[Records], Iterator[str]], after: Records, found: str) -> None:
    assert list(find(after)) == [found]


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        ("PullImage: UNAVAILABLE: failed to connect to all addresses; last error: ...", "connection lost"),
        ("PullImage: CANCELLED: CANCELLED", "called off"),
        ("PullImage: UNAVAILABLE: imagefit: no decision on r/a:1: containerd: UNAVAILABLE: ...", "no decision"),
        ("PullImage: RESOURCE_EXHAUSTED: imagefit: more than 250 pulls at once ([limits] pulls)", "shed"),
        ('PullImage: UNKNOWN: failed to pull and unpack image "r/a:1": ...', "containerd's own"),
        ("PullImage: INTERNAL: Exception iterating responses: KeyError()", None),
        ("PullImage: UNKNOWN: Unexpected <class 'KeyError'>: 1", None),
        ("PullImage: FAILED_PRECONDITION: imagefit: no entry of r/a:1 fits", None),
    ],
)
def test_only_errors_that_the_page_on_faults_explains_have_a_name(seen: str, name: str | None) -> None:
    assert errors.name_of(seen) == name
    assert list(errors.unnamed([seen, seen])) == ([] if name else [f"an error without a name: {seen}"])
