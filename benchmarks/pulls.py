"""What a pull costs through imagefit: time and requests beyond a pull by containerd alone, and bytes that it saves.

Knows what is compared: the same entry of the same index, which containerd alone takes as well, so that layers and bytes
are the same and what is left is imagefit. Each way has a repository of its own, so that neither finds the other's
names. A first pull finds nothing, a repeated one all content and names. Leaves to ``pulls_site`` how a pull is done, to
``pulls_images`` what is pulled, and to ``pulls_figures`` what becomes of the times.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Final

from benchmarks.measuring import Figure, figure, interleaved, ratios
from benchmarks.pulls_figures import DIRECT, FIRST, REPEATED, THROUGH, Round, figures_of
from benchmarks.pulls_images import CARRIERS, INLINE, push_builds, push_ten
from benchmarks.pulls_site import FAR_MS, Pulled, Site, site

PART: Final = "pull"
_REPEATS: Final = 9
_LAYER_BYTES: Final = 64 * 1024 * 1024
_MB: Final = 1_000_000
_MS: Final = 1_000


def measure(rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure the part; see ``measuring``."""
    with site() as made:
        return [*_ten(made, rounds, tell), *_starting(made, rounds, tell), *_builds(made, rounds, tell)]


def _ten(made: Site, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure pulls from an index of ten entries, by carrier and distance."""
    numbers = count()
    places = {"0 ms": made.near, f"{FAR_MS} ms": made.far}
    ways = {
        f"{carrier}, {delay}": partial(_round, made, carrier, place, numbers)
        for delay, place in places.items()
        for carrier in CARRIERS
    }
    return figures_of(PART, interleaved(ways, rounds, tell))


def _round(made: Site, carrier: str, place: str, numbers: "count[int]") -> Round:
    """Do one round of pulls, in repositories that nobody has seen before; by turns another way comes first."""
    number = next(numbers)
    ways = {DIRECT: made.direct, THROUGH: made.through}
    names = {way: push_ten(made.registry, f"bench/{carrier.lower()}/{number}-{way}", carrier) for way in ways}
    pulls = {way: partial(pull, f"{place}/{names[way]}") for way, pull in ways.items()}
    turn = list(pulls) if number % 2 else list(reversed(pulls))
    first, asked = {}, {}
    for way in turn:
        with made.asked() as asked[FIRST, way]:
            first[way] = pulls[way]()
        made.forget(first[way].image_id)
    if first[DIRECT].image_id != first[THROUGH].image_id:
        raise RuntimeError(f"{carrier}: imagefit and containerd pulled different images")
    for way in turn:
        pulls[way]()
        with made.asked() as asked[REPEATED, way]:
            pulls[way]()
    repeated: dict[str, list[Pulled]] = {DIRECT: [], THROUGH: []}
    heads: list[float] = []
    with contextlib.ExitStack() as watching:
        steps = watching.enter_context(made.steps()) if carrier == INLINE else {}
        for _ in range(_REPEATS):
            heads.append(made.head(names[THROUGH]))
            for way in turn:
                repeated[way].append(pulls[way]())
    made.forget(first[DIRECT].image_id)
    return Round(first, repeated, asked, steps, heads)


def _starting(made: Site, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Measure how much longer the first pull of a process takes than its second, and what it leaves in memory."""
    name = f"{made.near}/{push_ten(made.registry, 'bench/start', INLINE)}"
    made.forget(made.through(name).image_id)
    longer: list[float] = []
    memory: list[float] = []
    for number in range(rounds):
        tell(f"first pull of a process: round {number + 1} of {rounds}")
        made.restart()
        image_id = made.through(name).image_id
        made.restart()
        first = made.through(name).seconds
        memory.append(made.memory())
        longer.append(_MS * (first - made.through(name).seconds))
        made.forget(image_id)
    yield figure(PART, "first after a restart: added", "ms", longer, is_compared=False)
    yield figure(PART, "after the first pull: memory (RSS)", "MB", memory)


def _builds(made: Site, rounds: int, tell: Callable[[str], None]) -> Iterator[Figure]:
    """Measure a pull of one of four large builds whose platforms are the same."""
    tell("pushing four large builds")
    short, sizes = push_builds(made.registry, "bench/builds", _LAYER_BYTES)
    name = f"{made.near}/{short}"

    def pull(way: Callable[[str], Pulled]) -> tuple[float, int]:
        with made.fetched() as digests:
            pulled = way(name)
        made.forget(pulled.image_id)
        return pulled.seconds, sum(size for digest, size in sizes.items() if digest in digests)

    found = interleaved({DIRECT: partial(pull, made.direct), THROUGH: partial(pull, made.through)}, rounds, tell)
    seconds, sized = ({way: [one[part] for one in found[way]] for way in found} for part in (0, 1))
    everything = [float(sum(sizes.values()))] * rounds
    yield figure(PART, "four builds: seconds, direct", "s", seconds[DIRECT], is_compared=False)
    yield figure(PART, "four builds: seconds / direct", "x", ratios(seconds[THROUGH], seconds[DIRECT]))
    yield figure(PART, "four builds: pulled", "MB", _megabytes(sized[THROUGH]), is_compared=False)
    yield figure(PART, "four builds: all of them (computed)", "MB", _megabytes(everything))
    yield figure(PART, "four builds: bytes / containerd 2.1+", "x", ratios(sized[THROUGH], everything))


def _megabytes(sizes: Sequence[float]) -> list[float]:
    return [size / _MB for size in sizes]
