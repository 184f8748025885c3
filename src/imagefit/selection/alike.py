"""Entries of an index that are alike: they say the same of themselves, so that one verdict does for all.

Knows when two entries cannot be told apart but by their digests. Leaves judging to ``judging``. An index that was made
to be large repeats a few platforms thousands of times; each costs once.
"""

from collections.abc import Sequence

from imagefit.formats.carriers import is_artifact
from imagefit.model.oci import ImageIndex


def alike_in(index: ImageIndex, *, by_digest: bool) -> list[Sequence[int]]:
    """Return the positions of the entries, those that are alike together, in the order of the first of each.

    Args:
        index: its entries share a platform value where they write it alike, as ``parse_index`` makes them.
        by_digest: metadata may be about one digest, so that no two entries are alike.
    """
    entries = index.entries
    if by_digest or any(is_artifact(entry) for entry in entries if entry.artifact_type):
        return [(position,) for position in range(len(entries))]
    found: list[Sequence[int]] = []
    of_platform: dict[int, list[int]] = {}
    for position, entry in enumerate(entries):
        known = of_platform.get(id(entry.platform))
        if entry.says_more or entry.digest == index.digest:
            found.append([position])
        elif known is None:
            of_platform[id(entry.platform)] = first = [position]
            found.append(first)
        else:
            known.append(position)
    return found
