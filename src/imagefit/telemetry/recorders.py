"""Recorders: what counts and measures once it is enabled, and does nothing before.

Knows how many values a label may take, and prometheus_client, which it imports where a recorder is started. Leaves
which metrics there are to ``metrics``.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from imagefit.telemetry.redaction import redacted

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

OTHER: Final = "other"
"""What a label says in the place of a value that is one too many."""

_MAX_CHARACTERS: Final = 256
# Of one metric: labels that are bounded each could still make too many together.
_MAX_SETS: Final = 2000

Kind = Literal["counter", "gauge", "histogram"]


class Label(msgspec.Struct, frozen=True):
    """A label of a metric.

    Attributes:
        name: as Prometheus has it.
        values: what it is known to say; where it stands alone, all of them are there from the start.
        most: how many values it keeps apart at most; further ones are ``OTHER``. 0 for no others than ``values``.
        is_image: only there where the operator wants image names as labels.
    """

    name: str
    values: tuple[str, ...] = ()
    most: int = 0
    is_image: bool = False


class Metric(msgspec.Struct, frozen=True):
    """What is known of a metric before anything is counted.

    Attributes:
        name: as it is exposed, with ``_total`` where it is a counter.
        about: one sentence.
        known: sets of labels, by their values and without those of images, that are there from the start: rate() does
            not see the first event of a counter that appears with it.
    """

    name: str
    kind: Kind
    about: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()


class Recorder:
    """A metric that does nothing until it is enabled."""

    __slots__ = ("_children", "_labels", "_live", "_lock", "_seen", "metric")

    def __init__(self, metric: Metric) -> None:
        """Stand for ``metric``; nothing is recorded yet."""
        self.metric = metric
        self._live: Any = None
        self._labels: tuple[Label, ...] = ()
        self._children: dict[tuple[str, ...], Any] = {}
        self._seen: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded; to save what recording costs the caller."""
        return self._live is not None

    def start(self, registry: "CollectorRegistry", *, images: bool) -> None:
        """Record from now on, from nothing; every set of labels that is known before is there at once."""
        with self._lock:
            self._labels = tuple(label for label in self.metric.labels if images or not label.is_image)
            self._children, self._seen = {}, {label.name: set(label.values) for label in self._labels}
            self._live = _made(self.metric, tuple(label.name for label in self._labels), registry)
        for values in self._known():
            self._child(dict(zip(self._seen, values, strict=True)))

    def stop(self) -> None:
        """Record nothing from now on."""
        with self._lock:
            self._live = None
            self._children = {}

    def _known(self) -> Iterable[tuple[str, ...]]:
        """Return the sets of labels that are there from the start; none where image names tell pulls apart."""
        match self._labels:
            case ():
                return [()]
            case (only,):
                return [(value,) for value in only.values]
            case labels:
                return () if any(label.is_image for label in labels) else self.metric.known

    def _child(self, labels: Mapping[str, str]) -> Any:  # noqa: ANN401 - a class of a library that may not be imported
        asked = tuple(labels.get(label.name, "") for label in self._labels)
        child = self._children.get(asked)
        return child if child is not None else self._new_child(asked)

    def _new_child(self, asked: tuple[str, ...]) -> Any:  # noqa: ANN401 - see above
        with self._lock:
            is_full = len(self._children) >= _MAX_SETS
            kept = tuple(
                OTHER if is_full and label.most else self._bounded(label, value)
                for label, value in zip(self._labels, asked, strict=True)
            )
            child = self._children.get(kept)
            if child is None and self._live is not None:
                child = self._live.labels(*kept) if kept else self._live
                self._children[kept] = child
            return child

    def _bounded(self, label: Label, value: str) -> str:
        """Return the value that stands for this one: itself, cleared, while there is room for it."""
        seen = self._seen[label.name]
        clear = redacted("".join(one for one in str(value)[:_MAX_CHARACTERS] if one.isprintable()))
        if clear in seen:
            return clear
        if len(seen) >= label.most:
            return OTHER
        seen.add(clear)
        return clear


class Counter(Recorder):
    """Something that happens."""

    __slots__ = ()

    def add(self, amount: float = 1.0, **labels: str) -> None:
        """Count ``amount`` (0 or more) happenings with these labels."""
        if self._live is not None and (child := self._child(labels)) is not None:
            child.inc(amount)


class Gauge(Recorder):
    """Something that goes up and down."""

    __slots__ = ()

    def set(self, value: float, **labels: str) -> None:
        """Say what it is now."""
        if self._live is not None and (child := self._child(labels)) is not None:
            child.set(value)


class Histogram(Recorder):
    """Something that takes time."""

    __slots__ = ()

    def observe(self, seconds: float, **labels: str) -> None:
        """Count one that took so many seconds."""
        if self._live is not None and (child := self._child(labels)) is not None:
            child.observe(seconds)


def _made(metric: Metric, names: tuple[str, ...], registry: "CollectorRegistry") -> Any:  # noqa: ANN401 - one of three
    import prometheus_client as library

    if metric.kind == "counter":
        return library.Counter(metric.name, metric.about, names, registry=registry)
    if metric.kind == "gauge":
        return library.Gauge(metric.name, metric.about, names, registry=registry)
    return library.Histogram(metric.name, metric.about, names, registry=registry, buckets=metric.buckets)
