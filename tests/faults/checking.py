"""What has to hold after a fault: rules over containerd's records, before and after.

Knows what a plain pull of the right build leaves. Leaves to ``running`` how the records were come by.
"""

from collections.abc import Iterator, Mapping, Sequence

from faults.images import Image

Records = Mapping[str, str]
"""Digest of each record of containerd by its name."""


def lost(before: Records, after: Records) -> Iterator[str]:
    """Yield what is wrong with the records that were there before: they must stand as they stood."""
    for name, digest in before.items():
        if name not in after:
            yield f"{name} is lost"
        elif after[name] != digest:
            yield f"{name} has become {after[name]}"


def missing(after: Records, image: Image) -> Iterator[str]:
    """Yield which name of a pulled image is not there."""
    for name in (image.name, image.index_name, image.right.image_id):
        if name not in after:
            yield f"{name} is missing"


def wrong_build(after: Records, image: Image) -> Iterator[str]:
    """Yield which name of an image stands for anything but the right build."""
    for name in (image.name, image.index_name):
        if after.get(name, image.right.digest) != image.right.digest:
            yield f"{name} is the wrong build: {after[name]}"


def dangling(after: Records, images: Sequence[Image]) -> Iterator[str]:
    """Yield which name no plain pull would have left.

    Args:
        after: the records.
        images: all that the tag of one repository has stood for.
    """
    usual = {images[0].name, *(image.index_name for image in images)}
    for name in after:
        if name.startswith((f"{images[0].repository}:", f"{images[0].repository}@")) and name not in usual:
            yield f"{name} dangles"


def left_over(after: Records, image: Image) -> Iterator[str]:
    """Yield what is there of an image that has been removed."""
    of_image = (f"{image.repository}:", f"{image.repository}@", image.right.image_id, image.wrong.image_id)
    for name in after:
        if name.startswith(of_image):
            yield f"{name} is left over"
