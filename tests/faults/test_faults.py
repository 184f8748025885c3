"""Every fault once at its most delicate step, some by chance, and what is planted and must be found."""

from collections.abc import Callable, Iterator

import pytest

from faults import steps
from faults.catalog import FAULTS, Fault, Struck
from faults.crowd import Crowd
from faults.running import Plan, Run, plan_of
from faults.site import Site, site
from faults.steps import Step

SEEDS = range(1, 11)
SHORT_SECONDS = 0.05
NEVER = Step("never", "before Nothing")


@pytest.fixture(scope="module")
def parts() -> Iterator[Site]:
    """All parts, which every run leaves as it found them."""
    with site() as made:
        yield made


def nothing(*_: object) -> None:
    """Do nothing."""


def plant_record(site: Site, run: Struck) -> None:
    """Have containerd pull the chosen entry by its digest, which leaves a name that no plain pull of the tag leaves."""
    site.direct.pull(f"{run.image.repository}@{run.image.right.digest}")


def plant_build(site: Site, run: Struck) -> None:
    """Have containerd pull the tag by itself, which brings the build that does not fit."""
    site.direct.pull(run.image.name)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_at_its_most_delicate_step_is_survived(parts: Site, fault: Fault) -> None:
    plan = Plan(fault, fault.steps[0], SHORT_SECONDS, f"faults/open/first-{list(FAULTS).index(fault.name)}")
    assert Run(parts, plan).done().lost == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_that_chance_chooses_is_survived(parts: Site, seed: int) -> None:
    assert Run(parts, plan_of(seed)).done().lost == []


def test_a_seed_is_always_the_same_run() -> None:
    plans = [plan_of(seed) for seed in range(50)]
    assert plans == [plan_of(seed) for seed in range(50)]
    assert len({(plan.fault.name, plan.step, plan.delay_seconds) for plan in plans}) > 40


def test_a_crowd_of_pulls_with_removals_leaves_everything_right(parts: Site) -> None:
    assert Crowd(parts, seed=1, pulls=30, images=4).done() == []


@pytest.mark.parametrize(
    ("plant", "found"), [(plant_record, "dangles"), (plant_build, "the wrong build stood under the tag")]
)
def test_what_is_planted_is_lost(parts: Site, plant: Callable[[Site, Struck], None], found: str) -> None:
    fault = Fault("planted", (steps.AFTER_DELETE,), plant)
    lost = Run(parts, Plan(fault, steps.AFTER_DELETE, 0, f"faults/open/{plant.__name__}")).done().lost
    assert any(found in problem for problem in lost)


def test_a_step_that_never_comes_is_lost(parts: Site) -> None:
    fault = Fault("no fault", (NEVER,), nothing)
    lost = Run(parts, Plan(fault, NEVER, 0, "faults/open/never")).done().lost
    assert lost == ["the step 'never' never came"]


def test_an_image_that_was_there_and_goes_is_lost(parts: Site) -> None:
    def remove(site: Site, _: Struck) -> None:
        site.direct.remove_image(site.containerd.sandbox_image)

    fault = Fault("another image removed", (steps.AT_REST,), remove)
    lost = Run(parts, Plan(fault, steps.AT_REST, 0, "faults/open/others")).done().lost
    assert f"{parts.containerd.sandbox_image} is lost" in lost
    parts.direct.pull(parts.containerd.sandbox_image)
