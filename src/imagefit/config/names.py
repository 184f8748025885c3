"""Which patterns can stand for the full name of an image, and what those that cannot may have meant.

Knows the shape of names that containerd keeps, ``host/path:tag`` or ``host/path@digest``, as states and the characters
that lead from one to the next; ``model.reference`` has the grammar itself. What this lets through may still be no name:
it is there for a warning.
"""

import re
import string
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from imagefit.model.reference import DEFAULT_DOMAIN

_LOWER: Final = frozenset(string.ascii_lowercase)
_DIGITS: Final = frozenset(string.digits)
_ALNUM: Final = _LOWER | _DIGITS
_UPPER: Final = frozenset(string.ascii_uppercase)
_HEX: Final = frozenset("0123456789abcdef")
_SEPARATORS: Final = frozenset("._-")
_LOCALHOST: Final = "localhost"
_HUB: Final = f"{DEFAULT_DOMAIN}/"
_OLD_HUB: Final = "index.docker.io/"
_OFFICIAL: Final = "library/"
_HOSTLY: Final = frozenset(".:[*?")
_SCHEMES: Final = ("https://", "http://", "docker://", "oci://")

_Step = tuple[frozenset[str], str]
_NAMES: Final[Mapping[str, tuple[_Step, ...]]] = {
    # A host is told from the first part of a path by a dot, a port, a capital, or being localhost.
    "start": ((_ALNUM, "word"), (_UPPER, "host"), (frozenset("["), "v6"), (frozenset("l"), "local1")),
    **{f"local{at}": ((frozenset(_LOCALHOST[at]), f"local{at + 1}"),) for at in range(1, len(_LOCALHOST))},
    f"local{len(_LOCALHOST)}": ((frozenset("/"), "path"),),
    "word": ((_ALNUM | {"-"}, "word"), (_UPPER | {"."}, "host"), (frozenset(":"), "port")),
    "host": ((_ALNUM | _UPPER | {"-", "."}, "host"), (frozenset(":"), "port"), (frozenset("/"), "path")),
    "v6": ((_HEX | frozenset("ABCDEF:"), "v6"), (frozenset("]"), "v6end")),
    "v6end": ((frozenset(":"), "port"), (frozenset("/"), "path")),
    "port": ((_DIGITS, "ports"),),
    "ports": ((_DIGITS, "ports"), (frozenset("/"), "path")),
    "path": ((_ALNUM, "paths"),),
    "paths": (
        (_ALNUM, "paths"),
        (_SEPARATORS, "separator"),
        (frozenset("/"), "path"),
        (frozenset(":"), "tag"),
        (frozenset("@"), "digest"),
    ),
    "separator": ((_ALNUM, "paths"), (_SEPARATORS, "separator")),
    # On docker.io a path has two parts: of one that is written with one, the first is library.
    "hub": ((_ALNUM, "hubs"),),
    "hubs": ((_ALNUM, "hubs"), (_SEPARATORS, "hubseparator"), (frozenset("/"), "path")),
    "hubseparator": ((_ALNUM, "hubs"), (_SEPARATORS, "hubseparator")),
    "tag": ((_ALNUM | _UPPER | {"_"}, "end"),),
    "end": ((_ALNUM | _UPPER | _SEPARATORS, "end"),),
    "digest": ((_ALNUM, "digest"), (frozenset(":"), "hex")),
    "hex": ((_HEX, "hexend"),),
    "hexend": ((_HEX, "hexend"),),
}
_ENDS: Final = frozenset({"end", "hexend"})


def can_be_a_name(pattern: str) -> bool:
    """Tell whether a pattern can stand for the full name of an image; never wrong where it says no."""
    if pattern.startswith(_OLD_HUB):
        return False
    states, rest = frozenset({"start"}), pattern
    if pattern.startswith(_HUB):
        states, rest = frozenset({"hub"}), pattern.removeprefix(_HUB)
    for character in rest:
        states = _after(states, character)
    return bool(states & _ENDS)


def what_was_meant(pattern: str) -> str:
    """Return the nearest pattern that can stand for a name; empty where none is known.

    Args:
        pattern: one that cannot.
    """
    return next(filter(can_be_a_name, _nearest(pattern)), "")


def _after(states: frozenset[str], character: str) -> frozenset[str]:
    """Return the states that one character of a pattern leads to."""
    if character == "*":
        return frozenset().union(*map(_within_reach, states))
    steps = (step for state in states for step in _NAMES.get(state, ()))
    return frozenset(state for characters, state in steps if character == "?" or character in characters)


@lru_cache(len(_NAMES))
def _within_reach(state: str) -> frozenset[str]:
    """Return the states that any characters, or none, lead to."""
    found, more = frozenset[str](), frozenset({state})
    while found != more:
        found, more = more, more | _after(more, "?")
    return found


def _nearest(pattern: str) -> Iterator[str]:
    """Yield what may have been meant, the least changed first."""
    whole = _with_host(next((pattern.removeprefix(one) for one in _SCHEMES if pattern.startswith(one)), pattern))
    for tagged in ("", ":*", "*"):
        yield from (f"{whole}{tagged}", f"{_in_small_letters(whole)}{tagged}")


def _with_host(pattern: str) -> str:
    """Return a pattern with the host, and on docker.io the first part of the path, that containerd fills in."""
    on_hub = pattern.removeprefix(_OLD_HUB).removeprefix(_HUB)
    first, slash, _ = on_hub.partition("/")
    if on_hub == pattern:
        if slash and (first == _LOCALHOST or set(first) & _HOSTLY):
            return pattern
        if not slash and "." in re.split("[:@]", first)[0]:
            return f"{pattern}/*"
    return f"{_HUB}{on_hub}" if slash else f"{_HUB}{_OFFICIAL}{on_hub}"


def _in_small_letters(pattern: str) -> str:
    """Return a pattern with host and path, which come before the last colon behind a slash, in small letters."""
    head, slash, last = pattern.rpartition("/")
    name, colon, tag = last.partition(":")
    return f"{head}{slash}{name}".lower() + colon + tag
