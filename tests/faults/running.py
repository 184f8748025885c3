"""One run: a fault strikes at a step of a pull, its cause ends after a while, and everything has to be right then.

Knows the order of kubelet's calls, and what is looked at after them. Leaves the rules to ``checking``, and to
``catalog`` what a fault does.
"""

import random
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Final

import grpc

from faults import checking, errors
from faults.catalog import FAULTS, Fault
from faults.images import path_of, push
from faults.kubelet import CALL_SECONDS, Kubelet, PatienceError
from faults.site import Site
from faults.steps import Step
from harness.cri import CriClient
from harness.process import HarnessError

DELAYS: Final = (0.0, 0.05, 0.2, 0.6)
"""How long a fault may last, in seconds."""
_DECISION: Final = re.compile(r"event=decision image=(\S+) result=pass-through reason=(\S+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in one run; the same plan is the same run.

    Attributes:
        fault: what strikes.
        step: when.
        delay_seconds: how long its cause lasts.
        repository: path of the image, which the registry has not yet.
    """

    fault: Fault
    step: Step
    delay_seconds: float
    repository: str


@dataclass(slots=True)
class Result:
    """What became of one run.

    Attributes:
        plan: of the run.
        lost: what is wrong in the end; empty where the fault was survived.
        healed: what was wrong for a while.
        fallen_back: imagefit said that it let containerd choose.
        recovery_seconds: from the end of the cause to imagefit's first good answer; None where nothing was measured.
        seen: the errors that kubelet saw.
    """

    plan: Plan
    lost: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)
    fallen_back: bool = False
    recovery_seconds: float | None = None
    seen: list[str] = field(default_factory=list)


def plan_of(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = random.Random(seed)  # noqa: S311 - chosen, not kept secret
    fault = chance.choice(list(FAULTS.values()))
    return Plan(fault, chance.choice(fault.steps), chance.choice(DELAYS), path_of(chance, f"s{seed}"))


class Run:
    """One run, which is done once."""

    def __init__(self, site: Site, plan: Plan) -> None:
        """Prepare it: the image is pushed."""
        self._site, self._plan = site, plan
        self.image = push(site.registry, site.domain, plan.repository, plan.repository)
        self._kubelet = Kubelet()
        self._result = Result(plan, seen=self._kubelet.seen)
        self._struck = threading.Event()
        self._images = [self.image]

    def done(self) -> Result:
        """Do it, and bring back whatever has ended."""
        site, result = self._site, self._result
        before = site.records()
        log_start = site.imagefit.logged_bytes()
        manager = threading.Thread(target=self._manage)
        manager.start()
        try:
            self._sequence(manager)
        except (PatienceError, HarnessError, AssertionError) as error:
            result.lost.append(str(error))
        finally:
            self._mended(manager)
        try:
            site.revive()
            self._remove()
            after = site.records()
        except (PatienceError, HarnessError, grpc.RpcError) as error:
            result.lost.append(str(error))
        else:
            result.lost += checking.lost(before, after)
            for image in self._images:
                result.lost += checking.left_over(after, image)
        self._judge_fall_back(log_start)
        result.lost += errors.unnamed(self._kubelet.seen)
        return result

    def move_tag(self) -> None:
        """Have the image's tag stand for another index from now on."""
        site, path = self._site, self._plan.repository
        self._images.append(push(site.registry, site.domain, path, f"{path} {len(self._images)}"))

    def _manage(self) -> None:
        """End the fault's cause in its time, as who runs the node does."""
        self._struck.wait()
        time.sleep(self._plan.delay_seconds)
        try:
            self._plan.fault.mend(self._site)
            self._result.recovery_seconds = _recovery(self._site, self._plan.fault.recovery_seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._result.lost.append(f"not mended: {error}")

    def _mended(self, manager: threading.Thread) -> None:
        """Wait until the fault's cause has ended; it must have struck by now."""
        if not self._site.disarm():
            self._result.lost.append(f"the step {self._plan.step.name!r} never came")
        self._struck.set()
        manager.join()

    def _strike(self) -> None:
        site = self._site
        try:
            self._plan.fault.strike(site, self)
            if not site.imagefit.running:  # what it leaves behind, the next one has to take away
                self._result.healed += checking.dangling(site.records(), self._images)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._result.lost.append(f"not struck: {error}")
        self._struck.set()

    def _sequence(self, manager: threading.Thread) -> None:
        site, image, kubelet = self._site, self.image, self._kubelet
        assert kubelet.until_done("ImageStatus", lambda: site.through.image_status(image.name)) is None
        site.arm(self._plan.step, self._strike)
        self._pull()
        kubelet.until_done("CreateContainer", self._create_container)
        listed = kubelet.until_done("ListImages", site.through.list_images)
        if not any(image.name in one.repo_tags for one in listed):
            self._result.lost.append(f"{image.name} is not listed")
        if self._plan.step.stop.endswith("RemoveImage"):
            kubelet.until_done("RemoveImage", lambda: site.through.remove_image(image.name))
            self._mended(manager)
            self._pull()
        else:
            self._mended(manager)
        self._look()

    def _pull(self) -> None:
        site, name = self._site, self.image.name
        image_id = self._kubelet.until_done("PullImage", lambda: site.through.pull(name, timeout_seconds=CALL_SECONDS))
        status = self._kubelet.until_done("ImageStatus", lambda: site.through.image_status(name))
        if status is None or status.id != image_id:
            self._result.lost.append(f"PullImage gave {image_id}, ImageStatus {status.id if status else None}")
        if image_id not in {one.right.image_id for one in self._images}:
            self._result.healed.append(f"{name} is the wrong build: {image_id}")

    def _look(self) -> None:
        """Look at the records; what a next pull of the image heals is no loss."""
        if found := self._problems():
            self._pull()
            self._result.lost += self._problems()
            self._result.healed += found

    def _problems(self) -> list[str]:
        after = self._site.records()
        stands = after.get(self.image.name)
        image = next((one for one in self._images if one.right.digest == stands), self.image)
        return [
            *checking.missing(after, image),
            *checking.wrong_build(after, image),
            *checking.dangling(after, self._images),
        ]

    def _create_container(self) -> None:
        site = self._site
        container = site.direct.create_container(site.pod, self.image.name, "run.log")
        site.direct.remove_container(container)

    def _remove(self) -> None:
        for image in self._images:
            for build in (image.right.image_id, image.wrong.image_id, image.name):
                self._kubelet.until_done("RemoveImage", lambda name=build: self._site.through.remove_image(name))  # type: ignore[misc]

    def _judge_fall_back(self, log_start: int) -> None:
        """A build that does not fit may stand under the tag only for a while, and only if imagefit said so."""
        log = self._site.imagefit.log_since(log_start)
        self._result.fallen_back = any(name == self.image.name for name, _ in _DECISION.findall(log))
        was_wrong = any("wrong build" in problem for problem in self._result.healed)
        if was_wrong and (self.image.is_strict or not self._result.fallen_back):
            self._result.lost.append("the wrong build stood under the tag")


def _recovery(site: Site, within_seconds: float) -> float:
    """Return the seconds until imagefit gives its first good answer, to a client that comes anew."""
    started = time.monotonic()
    with CriClient(site.imagefit.socket) as client:
        while True:
            try:
                client.list_images()
            except grpc.RpcError as error:
                if time.monotonic() - started > within_seconds:
                    raise HarnessError(f"no good answer within {within_seconds:g} s: {error}") from error
                time.sleep(0.005)
            else:
                return time.monotonic() - started
