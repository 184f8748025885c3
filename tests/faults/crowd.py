"""200 pulls of 40 images at once, while images are removed and containerd collects garbage.

Knows what is done at the same time. Leaves to ``checking`` what has to hold in the end.
"""

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from faults import checking, errors
from faults.images import OPEN, Image, push
from faults.kubelet import CALL_SECONDS, Kubelet, PatienceError
from faults.site import Site

NAME: Final = "a crowd of pulls"
STEP: Final = "removals and garbage"
_PULLS: Final = 200
_IMAGES: Final = 40
_REMOVERS: Final = 2
# containerd's CRI hears of records by events, and may name an image anew by its ID when that has just been removed.
_COLLECTIONS: Final = 2


class Crowd:
    """Pulls, and removals that go on until these are done; after every removal containerd collects garbage."""

    def __init__(self, site: Site, seed: int, pulls: int = _PULLS, images: int = _IMAGES) -> None:
        """Push the images.

        Args:
            site: the parts, which run.
            seed: of the order in which images are pulled and removed.
            pulls: how many there are at once.
            images: how many there are.
        """
        self.lost: list[str] = []
        self._site = site
        self._seed = seed
        self._pulls = pulls
        names = (f"faults/{OPEN}/crowd{seed}-{number}" for number in range(images))
        self._images = [push(site.registry, site.domain, name, name) for name in names]
        self._ended = threading.Event()

    def done(self) -> list[str]:
        """Do it, and return what is wrong in the end."""
        before = self._site.records()
        removers = [threading.Thread(target=self._remove_all_the_time, args=(one,)) for one in range(_REMOVERS)]
        for remover in removers:
            remover.start()
        try:
            self._at_once(partial(self._pulled, image) for image in self._order(self._pulls))
        finally:
            self._ended.set()
            for remover in removers:
                remover.join()
        self._at_once(partial(self._pulled, image) for image in self._images)
        after = self._site.records()
        for image in self._images:
            self.lost += checking.missing(after, image)
            self.lost += checking.wrong_build(after, image)
            self.lost += checking.dangling(after, [image])
        for _ in range(_COLLECTIONS):
            self._collect()
        after = self._site.records()
        self.lost += checking.lost(before, after)
        self.lost += [problem for image in self._images for problem in checking.left_over(after, image)]
        return self.lost

    def _collect(self) -> None:
        """Remove every image by its ID, as kubelet's collection does."""
        ours = {build.image_id for image in self._images for build in (image.right, image.wrong)}
        listed = [image.id for image in self._site.through.list_images() if image.id in ours]
        self._at_once(partial(self._removed, image_id) for image_id in listed)

    def _at_once(self, works: Iterable[Callable[[Kubelet], object]]) -> None:
        with ThreadPoolExecutor(self._pulls) as threads:
            for problems in threads.map(self._done_by_kubelet, works):
                self.lost += problems

    def _done_by_kubelet(self, work: Callable[[Kubelet], object]) -> list[str]:
        kubelet = Kubelet()
        try:
            work(kubelet)
        except PatienceError as error:
            return [str(error)]
        return list(errors.unnamed(kubelet.seen))

    def _pulled(self, image: Image, kubelet: Kubelet) -> None:
        kubelet.until_done("PullImage", lambda: self._site.through.pull(image.name, timeout_seconds=3 * CALL_SECONDS))

    def _removed(self, name: str, kubelet: Kubelet) -> None:
        kubelet.until_done("RemoveImage", lambda: self._site.through.remove_image(name))

    def _remove_all_the_time(self, number: int) -> None:
        chance = random.Random(f"{self._seed} {number}")  # noqa: S311 - chosen, not kept secret
        while not self._ended.wait(0.01):
            self.lost += self._done_by_kubelet(partial(self._removed, chance.choice(self._images).name))

    def _order(self, count: int) -> list[Image]:
        chance = random.Random(self._seed)  # noqa: S311 - chosen, not kept secret
        return [chance.choice(self._images) for _ in range(count)]
