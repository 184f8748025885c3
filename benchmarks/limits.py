"""What figures should not be above: the limits that the work on performance set out with, all of them.

Knows no more than the table. A figure takes its limit from here when it is made; the page on performance shows every
row, measured or not.
"""

from collections.abc import Mapping
from typing import Final

LIMITS: Final[Mapping[tuple[str, str], float]] = {
    ("pass-through", "ImageStatus, 1 at once: imagefit p50"): 8,
    ("pass-through", "ImageStatus, 1 at once: imagefit p99"): 7,
    ("pass-through", "ListImages, 1 at once: imagefit p50"): 5,
    ("start", "imagefit: idle memory (RSS)"): 45,
    ("pass-through", "memory: + after 10,000 calls"): 2,
    ("pass-through", "memory: + after 10,000 cancelled besides"): 4,
    ("start", "imagefit: spawn to listening / python"): 5,
    ("choice", "10 entries, distinct sets"): 0.2,
    ("choice", "1,000 entries, shared sets"): 5,
    ("choice", "10,000 entries, equal sets"): 25,
    ("choice", "10,000 entries, distinct sets"): 130,
    ("choice", "an entry among 10,000 / among 1,000"): 1.5,
    ("pull", "inline, repeated: added beyond the HEAD"): 1.5,
    ("pull", "inline, first: more GETs"): 0,
    ("pull", "inline, repeated: more GETs"): 0,
    ("pull", "inline, first: more HEADs"): 1,
    ("pull", "inline, repeated: more HEADs"): 1,
    ("pull", "J, first: more HEADs"): 1,
    ("pull", "J, repeated: more HEADs"): 1,
    ("pull", "I, first: more HEADs"): 1,
    ("pull", "I, repeated: more HEADs"): 1,
    ("pull", "referrers, first: more HEADs"): 1,
    ("pull", "referrers, repeated: more HEADs"): 1,
    ("pull", "four builds: bytes / containerd 2.1+"): 0.3,
}
"""The highest value that a figure may have, by its part and its name."""
