"""What is looked at of a node: absolute paths in, bytes out.

Knows nothing of where the tree stands. Leaves roots, symbolic links and errors to who gives one.
"""

from typing import Protocol


class Tree(Protocol):
    """The files of one node."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None where there is none. Raises ``ImagefitError`` where it cannot be read."""

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none where there is no folder."""

    def exists(self, path: str) -> bool:
        """Tell whether there is a file or folder."""

    def holds(self, path: str, text: bytes) -> bool | None:
        """Tell whether a file of any size holds some bytes; None where there is no such file."""
