"""Detectors from other packages, by the entry point group ``imagefit.detectors``.

Knows that only those run which the operator names, in which order all detectors run, and that a plug-in is not to be
trusted with the life of the daemon: it is imported when it is first asked, where a fault costs only itself. Leaves to
``collect`` how it fares. Source: "Entry points specification" of the Python packaging user guide.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from imagefit.model.facts import Attributes, Facts
from imagefit.node.contract import Detector, HostView, Partial
from imagefit.node.detectors import DETECTORS

GROUP: Final = "imagefit.detectors"

_Load = Callable[[], Any]
"""Returns what makes a detector when it is called without arguments, such as its class."""


def installed_plugins() -> Mapping[str, _Load]:
    """Return the names of all plug-ins that are installed; nothing is imported yet."""
    from importlib.metadata import entry_points  # few nodes have plug-ins, and it takes 2 MB

    return {point.name: point.load for point in entry_points(group=GROUP)}


def detectors_of(
    names: Iterable[str], installed: Callable[[], Mapping[str, _Load]] = installed_plugins
) -> tuple[Detector, ...]:
    """Return all detectors in the order in which they run: ours, plug-ins, and what the operator states over all.

    Args:
        names: of plug-ins, as configured.
        installed: returns what is installed; not called where no plug-in is named.
    """
    wanted = tuple(names)
    known = installed() if wanted else {}
    *ours, stated = DETECTORS
    return (*ours, *(Plugin(name, known.get(name, _missing)) for name in wanted), stated)


class Plugin:
    """A detector of another package, whatever it may turn out to be; it has no features before it is loaded."""

    def __init__(self, name: str, load: _Load) -> None:
        """Take the entry point's name and what loads it."""
        self.name = name
        self.features: tuple[str, ...] = ()
        self._load = load
        self._detector: Detector | None = None

    def detect(self, host: HostView) -> Facts | Partial:
        """Load the plug-in the first time, then ask it. Raises what it raises; ``TypeError`` for what is no answer."""
        if self._detector is None:
            self._detector = _checked(self._load()())
            self.features = self._detector.features
        return _copied(self._detector.detect(host))


def _missing() -> object:
    raise LookupError("no package that is installed has a detector of this name")


def _checked(detector: Any) -> Detector:  # noqa: ANN401 - it may be anything
    features = getattr(detector, "features", None)
    if not isinstance(features, tuple) or not all(isinstance(feature, str) for feature in features):
        raise TypeError(f"{type(detector).__name__} is no detector: its features are no tuple of texts")
    if not callable(getattr(detector, "detect", None)):
        raise TypeError(f"{type(detector).__name__} is no detector: it cannot detect")
    return cast("Detector", detector)


def _copied(found: object) -> Facts | Partial:
    """Return what a plug-in answers in types that can be relied on. Raises ``TypeError`` or ``AttributeError``."""
    if isinstance(found, Partial):
        return Partial(_facts(found.facts), tuple(map(str, found.warnings)))
    if isinstance(found, Facts):
        return _facts(found)
    raise TypeError(f"the answer is {type(found).__name__}, not Facts")


def _facts(facts: Facts) -> Facts:
    return Facts(
        {str(feature): frozenset(map(str, names)) for feature, names in facts.flags.items()},
        {str(feature): _texts(elements) for feature, elements in facts.attributes.items()},
        {str(feature): tuple(map(_texts, instances)) for feature, instances in facts.instances.items()},
    )


def _texts(elements: Attributes) -> Attributes:
    return {str(name): str(value) for name, value in elements.items()}
