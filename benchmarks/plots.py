"""The plots of the page on performance, drawn from the committed base: ``make bench-plots``.

Knows which figures a plot shows. The same base gives the same files, byte for byte, with one version of matplotlib.
"""

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from benchmarks import choice, passing, start
from benchmarks.measuring import Figure
from benchmarks.passing_backends import CALLS
from benchmarks.results import BASE, read_run
from benchmarks.table import number

FOLDER: Final = Path(__file__).parents[1] / "docs/explanation"
# Okabe and Ito's colours, which people with any colour vision tell apart.
_COLOURS: Final = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#666666")
_STYLE: Final = Path(__file__).with_suffix(".mplstyle")

_Figures = Mapping[str, Figure]
"""The figures of one part, by their names."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Attributes:
        part: whose figures it shows.
        height: in inches; all are 7 wide.
        draw: draws it on axes.
    """

    part: str
    height: float
    draw: Callable[[Axes, _Figures], None]


def main() -> int:
    """Draw every plot of whose part the base has figures."""
    run = read_run(BASE)
    # A test looks for the date, since it cannot draw.
    metadata = {"Date": None, "Description": f"Drawn from the run of {run.date}"}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(fname=_STYLE):
        for name, plot in PLOTS.items():
            if own := {figure.name: figure for figure in run.figures if figure.part == plot.part}:
                drawing = Drawing(figsize=(7, plot.height), layout="constrained")
                plot.draw(drawing.subplots(), own)
                drawing.savefig(FOLDER / f"performance-{name}.svg", metadata=metadata)
    return 0


def _choice(axes: Axes, figures: _Figures) -> None:
    """Draw the time of a choice over the number of entries, a line for each kind of index."""
    limits: list[tuple[int, float]] = []
    for kind in dict.fromkeys(kind for kind, _ in choice.CASES):
        sizes = sorted(entries for one, entries in choice.CASES if one == kind)
        shown = {entries: figures[choice.name_of(kind, entries)] for entries in sizes}
        axes.plot(sizes, [one.value for one in shown.values()], marker="o", markersize=3, label=kind)
        for entries, one in shown.items():
            if one.limit is not None:
                limits.append((entries, one.limit))
                axes.annotate(kind, limits[-1], (9, -2), textcoords="offset points", fontsize=7)
    axes.plot(*zip(*limits, strict=True), "_", markersize=14, color="black", label="limit")
    axes.set(xscale="log", yscale="log", xlim=(7, 40_000), xlabel="entries of the index", ylabel="ms")
    axes.set_title("Time of one choice", loc="left")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False)


def _passing(axes: Axes, figures: _Figures) -> None:
    """Draw how many times longer than a direct call each call takes on each way, a group of bars for each call."""
    calls = list(itertools.product(CALLS, passing.AT_ONCE))
    width = 0.8 / len(passing.PROXIES)
    for turn, way in enumerate(passing.PROXIES):
        shown = [figures[passing.p50_name_of(call, at_once, way)] for call, at_once in calls]
        places = [place + (turn - (len(passing.PROXIES) - 1) / 2) * width for place in range(len(calls))]
        _barh(axes, places, shown, height=width, color=_COLOURS[turn], label=way)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(calls)), [f"{call}, {at_once} at once" for call, at_once in calls])
    axes.invert_yaxis()
    axes.set_xlabel("times a direct call (p50)")
    axes.set_title("Calls by way; the long line is a direct call, short black ones are limits", loc="left")
    axes.legend(frameon=False)


def _start(axes: Axes, figures: _Figures) -> None:
    """Draw how long each process takes from its spawn to each step."""
    steps = {
        "python -c pass: end": start.END,
        "bare grpc.aio server: listening": start.listening_name_of(start.BARE),
        "imagefit: listening": start.listening_name_of(start.IMAGEFIT),
        "imagefit: first ImageStatus": start.ANSWERED,
        "imagefit: ready": start.READY,
    }
    _list(axes, {label: figures[name] for label, name in steps.items()}, "ms", "From spawn to each step")


def _memory(axes: Axes, figures: _Figures) -> None:
    """Draw the memory of an idle process."""
    names = {
        "bare grpc.aio server: resident": start.idle_name_of(start.BARE),
        "imagefit: resident": start.idle_name_of(start.IMAGEFIT),
        "imagefit without metrics: resident": start.idle_name_of(start.WITHOUT_METRICS),
        "imagefit: proportional": start.PROPORTIONAL,
        "imagefit: private": start.PRIVATE,
    }
    _list(
        axes,
        {label: figures[name] for label, name in names.items()},
        "MB",
        "Memory when idle; the black line is the limit",
    )


def _list(axes: Axes, figures: _Figures, unit: str, title: str) -> None:
    """Draw a labelled bar for each figure, from top to bottom."""
    _barh(axes, range(len(figures)), list(figures.values()), height=0.7, color=_COLOURS[0])
    axes.set_yticks(range(len(figures)), list(figures))
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left")


def _barh(
    axes: Axes, places: Sequence[float], figures: Sequence[Figure], *, height: float, color: str, label: str = ""
) -> None:
    """Draw a bar for each figure, with its value, the range of its rounds and what it should not be above."""
    values = [one.value for one in figures]
    ranges = [[one.value - one.lowest for one in figures], [one.highest - one.value for one in figures]]
    drawn = axes.barh(places, values, height, xerr=ranges, color=color, label=label, error_kw={"linewidth": 1})
    axes.bar_label(drawn, [number(value) for value in values], padding=6)
    for place, one in zip(places, figures, strict=True):
        if one.limit is not None:
            axes.plot(
                [one.limit, one.limit], [place - height * 0.6, place + height * 0.6], color="black", linewidth=1.5
            )


PLOTS: Final[Mapping[str, Plot]] = {
    "pass-through": Plot(passing.PART, 5.5, _passing),
    "choice": Plot(choice.PART, 4.5, _choice),
    "start": Plot(start.PART, 2.4, _start),
    "memory": Plot(start.PART, 2.4, _memory),
}
"""Every plot by the end of its file's name."""


if __name__ == "__main__":
    sys.exit(main())
