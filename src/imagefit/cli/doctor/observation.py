"""What was seen at one step on the way to an image, and how bad it is.

Knows the words. Leaves to the other modules what there is to see, and to ``view`` how it looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from imagefit.selection.wording import cut

_SHOWN_CHARACTERS: Final = 500


def shown(text: str) -> str:
    """Return a text that somebody else wrote, such as a registry, harmless and in a length that can be read."""
    return cut(text, _SHOWN_CHARACTERS)


class State(StrEnum):
    """How bad it is; only ``BROKEN`` keeps this step from its work."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen.

    Attributes:
        step: such as ``hosts`` or ``connection``.
        state: how bad it is.
        what: a sentence without a full stop; it never holds a secret.
        facts: more of it, name and value, in the order in which a person reads them.
        advice: what there is to do about it; empty for nothing.
        host: scheme and address of the host that was looked at; empty where it is about all of them.
    """

    step: str
    state: State
    what: str
    facts: tuple[tuple[str, str], ...] = ()
    advice: str = ""
    host: str = ""


def as_data(image: str, observations: Sequence[Observation], *, reached: bool) -> dict[str, Any]:
    """Return observations as JSON-ready data.

    Args:
        image: its full name.
        observations: in the order in which they were made.
        reached: whether imagefit gets the image's index or manifest.

    Returns:
        ``image``, ``reached`` and ``steps``: each with ``step``, ``host`` (or None), ``state``, ``what``, ``facts`` (by
        name) and ``advice``.
    """
    steps = [
        {
            "step": one.step,
            "host": one.host or None,
            "state": one.state.value,
            "what": shown(one.what),
            "facts": {shown(name): shown(value) for name, value in one.facts},
            "advice": one.advice,
        }
        for one in observations
    ]
    return {"image": image, "reached": reached, "steps": steps}
