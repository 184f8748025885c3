"""The kinds of values that a configuration has: a type, its limits, and what it is in words.

Knows nothing of the keys that have them. The same annotation serves the reader, the JSON Schema, the reference page and
the words of an error.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from imagefit.model.policy import FORBID_TAG, MODE, ORDER, PREFER_TAG, Criterion

KIND: Final = "kind"
"""Key in ``Meta.extra``: what the value is, with its article, as an error says it after "not"."""
RESTART: Final = "restart"
"""Key in ``Meta.extra``: true where a change takes effect only after a restart."""

# "$" alone would let a line break stand at the end, in Python and not in JSON Schema.
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_PORT: Final = "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}|0)"
_LOOPBACK: Final = rf"(127(\.{_OCTET}){{3}}|\[::1\]):{_PORT}"
_MAX_PATH: Final = 2048
_MAX_PATTERN: Final = 256
OFF: Final = "off"
"""What ``[metrics] listen`` says to have none, whatever the command line says."""
MAX_RULES: Final = 1000
"""Most tables of one kind, all files together."""
MAX_WEIGHT: Final = 1_000_000
"""Largest weight: no sum of weights leaves what fits 64 bits."""


class Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One table of the file; keys are written with dashes."""

    def contradictions(self) -> "list[Contradiction]":
        """Return what is wrong with keys that are each right, in the order of the keys."""
        return []


class Contradiction(msgspec.Struct, frozen=True):
    """What is wrong with a table although each of its keys is right.

    Attributes:
        key: that it shows at; empty for the whole table.
        message: follows the key's name in a sentence.
        advice: what the operator can do about it.
    """

    key: str
    message: str
    advice: str = ""


class Trust(StrEnum):
    """Whose metadata is believed: what the index vouches for by digest, and what only refers to the image."""

    INDEX = "index"
    REFERRERS = "referrers"


class PodAnnotation(StrEnum):
    """The annotations by which a pod may narrow the policy."""

    PREFER_TAG = PREFER_TAG
    FORBID_TAG = FORBID_TAG
    MODE = MODE


def about(description: str, *, restart: bool = False) -> msgspec.Meta:
    """Describe a key: what it means, and whether a change of it takes effect only after a restart."""
    return msgspec.Meta(description=description, extra={RESTART: True} if restart else None)


AbsolutePath = Annotated[
    str, msgspec.Meta(pattern=r"^/[^\x00]*$", max_length=_MAX_PATH, extra={KIND: "an absolute path"})
]
OptionalPath = Annotated[
    str, msgspec.Meta(pattern=r"^(/[^\x00]*)?$", max_length=_MAX_PATH, extra={KIND: "an absolute path, or empty"})
]
Paths = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^:*(/[^\x00:]*(:+|$))*$", max_length=_MAX_PATH, extra={KIND: "absolute paths joined by ':'"}
    ),
]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600, extra={KIND: "seconds above 0 and up to 3600"})]
Moment = Annotated[float, msgspec.Meta(ge=0, le=60, extra={KIND: "seconds from 0 to 60"})]
TokenServer = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\s=/@]+=[^\s=/@]+$",
        max_length=_MAX_PATTERN,
        extra={KIND: "a registry and its token server, as REGISTRY=HOST"},
    ),
]
Pattern = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=_MAX_PATTERN, extra={KIND: f"a pattern of 1 to {_MAX_PATTERN} characters"}),
]
PatternOrEmpty = Annotated[
    str, msgspec.Meta(max_length=_MAX_PATTERN, extra={KIND: f"a pattern of up to {_MAX_PATTERN} characters"})
]
Weight = Annotated[
    int,
    msgspec.Meta(
        ge=-MAX_WEIGHT,
        le=MAX_WEIGHT,
        extra_json_schema={"not": {"const": 0}},
        extra={KIND: f"a whole number from -{MAX_WEIGHT} to {MAX_WEIGHT}, not 0"},
    ),
]
Platform = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}$(?!\n)", extra={KIND: "a platform such as 'wasi/wasm'"}
    ),
]
Listen = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(|{OFF}|unix:/[^\x00]+|{_LOOPBACK})$(?!\n)",
        max_length=_MAX_PATH,
        extra={KIND: "'off', a loopback address such as '127.0.0.1:9477', or 'unix:/PATH'"},
    ),
]
Keep = Annotated[int, msgspec.Meta(ge=1, le=100_000, extra={KIND: "a whole number from 1 to 100000"})]
AtOnce = Annotated[int, msgspec.Meta(ge=1, le=100_000, extra={KIND: "a whole number from 1 to 100000"})]
Order = Annotated[
    tuple[Criterion, ...],
    msgspec.Meta(
        extra_json_schema={
            "minItems": 2,
            "uniqueItems": True,
            "prefixItems": [{"const": Criterion.TIER.value}],
            "contains": {"const": Criterion.POSITION.value},
        }
    ),
]
TrustList = Annotated[
    tuple[Trust, ...],
    msgspec.Meta(
        extra_json_schema={"uniqueItems": True, "contains": {"const": Trust.INDEX.value}},
        extra={KIND: "a list of 'index' and, if they are believed, 'referrers'"},
    ),
]
RULES: Final = msgspec.Meta(max_length=MAX_RULES, extra={KIND: f"an array of up to {MAX_RULES} tables"})
"""The limit of an array of tables."""


def order_contradictions(key: str, order: tuple[Criterion, ...]) -> list[Contradiction]:
    """Return what makes an order of criteria impossible, for the key that has it."""
    twice = next((one for at, one in enumerate(order) if one in order[:at]), None)
    if twice is not None:
        return [Contradiction(key, f"names '{twice}' twice")]
    if not order or order[0] is not Criterion.TIER:
        return [Contradiction(key, "does not begin with 'tier'", "what fits always comes before what may fit")]
    if order[-1] is not Criterion.POSITION:
        return [Contradiction(key, "does not end with 'position'", f"the default is {', '.join(ORDER)}")]
    return []


def trust_contradictions(trust: tuple[Trust, ...]) -> list[Contradiction]:
    """Return what makes ``trust`` impossible."""
    twice = next((one for at, one in enumerate(trust) if one in trust[:at]), None)
    if twice is not None:
        return [Contradiction("trust", f"names '{twice}' twice")]
    if Trust.INDEX not in trust:
        return [Contradiction("trust", "does not have 'index'", "what the index says always counts")]
    return []


def bare(text: str) -> bool:
    """Tell whether TOML takes a key without quotes."""
    return re.fullmatch(r"[A-Za-z0-9_-]+", text) is not None


def is_table(kind: Any) -> bool:  # noqa: ANN401 - it may be any annotation
    """Tell whether an annotation is a table of the file."""
    return isinstance(kind, type) and issubclass(kind, Table)
