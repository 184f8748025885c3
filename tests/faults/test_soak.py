"""A slice of the soak, and what it must not let through."""

import pytest

from faults.soak import SHARES, Phase, Soak, folder, problems, quarters

SLICE_SECONDS = 12
FLAT = [70.0, 60.0, 60.0, 60.5, 60.0, 60.5, 60.5, 60.5]
GROWING = [60.0 + number for number in range(24)]


def phases(errors: dict[str, int], memory: list[float], descriptors: list[float]) -> list[Phase]:
    alone, both, last = (Phase(name) for name in SHARES)
    alone.errors.update({"shed": 1})
    both.errors.update(errors)
    both.restarts = 2
    last.memory, last.descriptors = memory, descriptors
    return [alone, both, last]


def test_a_slice_of_the_soak_holds() -> None:
    with folder() as root:
        done = Soak(root, SLICE_SECONDS, lambda _: None).run()
    assert list(problems(done)) == []
    assert all(phase.calls for phase in done)
    assert all(phase.restarts for phase in done)


@pytest.mark.parametrize(
    ("errors", "memory", "descriptors", "found"),
    [
        ({}, FLAT, FLAT, 0),
        ({"connection lost": 7, "containerd's own": 1, "shed": 1}, FLAT, FLAT, 0),
        ({"called off": 4}, FLAT, FLAT, 0),
        ({"called off": 5}, FLAT, FLAT, 1),
        ({"INTERNAL: KeyError": 1}, FLAT, FLAT, 1),
        ({"no decision": 1}, FLAT, FLAT, 1),
        ({}, GROWING, FLAT, 1),
        ({}, FLAT, GROWING, 1),
    ],
)
def test_what_must_not_be_is_told(
    errors: dict[str, int], memory: list[float], descriptors: list[float], found: int
) -> None:
    assert len(list(problems(phases(errors, memory, descriptors)))) == found


def test_quarters_are_medians() -> None:
    assert quarters([9, 9, 1, 3, 5, 5, 2, 4]) == [9, 2, 5, 3]
